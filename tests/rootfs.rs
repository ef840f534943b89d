//! `cxi-cdi-generator verify --rootfs`: each finding, in images that are a few files. That containers then do what was
//! foretold is for `tests/e2e/images`.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::cc::{Library, PLAIN};
use common::generator_fixture::{GeneratorFixture, assert_has};
use common::{Generator, Output};
use serde_json::Value;

const GLIBC: [&str; 3] = ["GLIBC_2.4", "GLIBC_2.30", "GLIBC_2.34"];

/// A host whose libfabric asks for GLIBC_2.30, and an image of the RPM family with glibc up to 2.34.
struct ImageFixture(GeneratorFixture);

impl ImageFixture {
    fn new() -> Self {
        let fixture = Self(GeneratorFixture::one());
        for library in ["opt/cray/lib64", "usr/lib64"] {
            fs::remove_dir_all(fixture.0.host(library)).unwrap();
        }
        let libc = libc(&fixture.0.folder.path().join("sdk"), &GLIBC);
        let plain = Library {
            needs: &[&libc],
            ..PLAIN
        };
        let cxi = Library {
            soname: "libcxi.so.1",
            ..plain
        }
        .make(&fixture.0.host("usr/lib64"));
        fixture.fabric(&[&libc, &cxi], &["glibc_2_30"]);
        fixture.loader(b"\0/lib64/\0/usr/lib64/\0");
        libc_of_image(&fixture, &GLIBC);
        fixture
    }

    fn fabric(&self, needs: &[&Path], calls: &[&str]) {
        let library = Library {
            soname: "libfabric.so.1",
            needs,
            calls,
            ..PLAIN
        };
        library.make(&self.0.host("opt/cray/lib64"));
    }

    fn image(&self, path: &str) -> PathBuf {
        self.0.folder.path().join("image").join(path)
    }

    /// All that counts of a loader is its name and the directories built into it.
    fn loader(&self, built_in: &[u8]) {
        let loader = match std::env::consts::ARCH {
            "aarch64" => self.image("lib/ld-linux-aarch64.so.1"),
            _ => self.image("lib64/ld-linux-x86-64.so.2"),
        };
        fs::create_dir_all(loader.parent().unwrap()).unwrap();
        fs::write(loader, built_in).unwrap();
    }

    fn verify(&self, args: &[&str]) -> Output {
        let mut generator = Generator::new();
        generator.arg("verify").arg("--root").arg(self.0.node.root());
        generator.arg("--rootfs").arg(self.image(""));
        for arg in args {
            generator.arg(arg);
        }
        generator.output()
    }

    /// Whether and whose libfabric loads, and the kinds of findings, after a check that exit code and findings agree.
    fn foretold(&self, args: &[&str]) -> (String, Vec<String>) {
        let output = self.verify(&[args, &["--output", "json"]].concat());
        let foretold: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let findings = foretold["findings"].as_array().unwrap();
        assert_eq!(output.code, if findings.is_empty() { 0 } else { 3 }, "{output:?}");
        assert_eq!(self.verify(args).code, output.code);
        let libfabric = &foretold["libfabric"];
        let from = libfabric["from"].as_str().unwrap_or("nobody");
        let outcome = if libfabric["loads"].as_bool().unwrap() {
            "loads"
        } else {
            "fails"
        };
        let kinds = findings
            .iter()
            .map(|finding| finding["kind"].as_str().unwrap().to_owned());
        (format!("{outcome} {from}"), kinds.collect())
    }
}

fn libc(directory: &Path, versions: &[&str]) -> PathBuf {
    let library = Library {
        soname: "libc.so.6",
        versions,
        ..PLAIN
    };
    library.make(directory)
}

fn libc_of_image(fixture: &ImageFixture, versions: &[&str]) {
    libc(&fixture.image("usr/lib64"), versions);
}

fn own_fabric(directory: &Path, versions: &[&str]) {
    let library = Library {
        soname: "libfabric.so.1",
        versions,
        ..PLAIN
    };
    library.make(directory);
}

fn told(outcome: &str, kinds: &[&str]) -> (String, Vec<String>) {
    (
        outcome.to_owned(),
        kinds.iter().map(|kind| (*kind).to_owned()).collect(),
    )
}

#[test]
fn an_image_that_fits_has_no_findings_in_either_of_the_public_ways() {
    let fixture = ImageFixture::new();
    for way in ["loader-paths", "env"] {
        assert_eq!(fixture.foretold(&["--expose", way]), told("loads host", &[]), "{way}");
    }
    let output = fixture.verify(&[]);
    assert_has(
        &output.stdout,
        "glibc with symbols up to GLIBC_2.34; the host's libraries need GLIBC_2.30",
    );
    assert_has(&output.stdout, "libfabric.so.1 of the host loads in this image");
}

#[test]
fn glibc_is_too_old_by_one_version() {
    let fixture = ImageFixture::new();
    libc_of_image(&fixture, &GLIBC[..1]);
    assert_eq!(fixture.foretold(&[]), told("fails host", &["glibc-too-old"]));
    let output = fixture.verify(&[]);
    assert_has(
        &output.stdout,
        "libfabric.so.1 of the host needs GLIBC_2.30, and the image's glibc ends at GLIBC_2.4",
    );
    libc_of_image(&fixture, &GLIBC[..2]);
    assert_eq!(fixture.foretold(&[]), told("loads host", &[]));
}

#[test]
fn a_private_directory_is_found_only_where_the_image_says_so() {
    let fixture = ImageFixture::new();
    let private = ["--expose", "private"];
    assert_eq!(
        fixture.foretold(&private),
        told("fails nobody", &["not-found", "not-found"])
    );
    let path = ["--image-library-path", "/opt/site:/opt/cxi/lib64"];
    assert_eq!(fixture.foretold(&[private, path].concat()), told("loads host", &[]));
}

#[test]
fn a_loader_that_looks_nowhere_that_we_mount_finds_nothing() {
    let fixture = ImageFixture::new();
    fixture.loader(b"\0/lib/\0/usr/lib/\0");
    libc(&fixture.image("usr/lib"), &GLIBC);
    assert_eq!(fixture.foretold(&[]), told("fails nobody", &["not-found", "not-found"]));
    assert_eq!(fixture.foretold(&["--expose", "env"]), told("loads host", &[]));
}

#[test]
fn the_image_s_own_libfabric_is_first_by_its_library_path_but_env_replaces_that() {
    let fixture = ImageFixture::new();
    own_fabric(&fixture.image("opt/own"), &[]);
    let path = ["--image-library-path", "/opt/own"];
    assert_eq!(fixture.foretold(&path), told("loads image", &["image-first"]));
    assert_eq!(
        fixture.foretold(&[&path[..], &["--expose", "env"]].concat()),
        told("loads host", &[])
    );
    let none = [&path[..], &["--libraries", "none"]].concat();
    assert_eq!(
        fixture.foretold(&none),
        told("loads image", &[]),
        "nothing of ours to be in the way"
    );
}

#[test]
fn a_variable_of_the_site_wins_over_ours_and_the_image_s() {
    let fixture = ImageFixture::new();
    own_fabric(&fixture.image("opt/own"), &[]);
    let file = fixture.0.folder.path().join("env.yaml");
    fs::write(&file, "env:\n  - LD_LIBRARY_PATH=/opt/own\n").unwrap();
    let site = ["--expose", "env", "--env-vars", file.to_str().unwrap()];
    assert_eq!(fixture.foretold(&site).0, "loads image");
}

#[test]
fn the_image_s_own_in_its_place_is_covered_and_what_ours_lacks_is_said() {
    let fixture = ImageFixture::new();
    let directory = fixture.image("usr/lib64");
    own_fabric(&directory, &["FABRIC_1.0"]);
    // As packages have it; runtimes mount at the end of the link.
    fs::rename(directory.join("libfabric.so.1"), directory.join("libfabric.so.1.17.0")).unwrap();
    symlink("libfabric.so.1.17.0", directory.join("libfabric.so.1")).unwrap();
    assert_eq!(fixture.foretold(&[]), told("loads host", &["replaced"]));
    let output = fixture.verify(&[]);
    assert_has(&output.stdout, "lacks FABRIC_1.0");
}

#[test]
fn what_neither_side_has_is_lacking_and_another_version_of_it_is_no_help() {
    let fixture = ImageFixture::new();
    let dep = |directory: &Path, versions: &[&str]| {
        let library = Library {
            soname: "libdep.so.1",
            versions,
            ..PLAIN
        };
        library.make(directory)
    };
    let sdk = dep(&fixture.0.folder.path().join("sdk"), &["DEP_1", "DEP_2"]);
    fixture.fabric(&[&sdk], &["dep_2"]);
    assert_eq!(fixture.foretold(&[]), told("fails host", &["lacks"]));
    dep(&fixture.image("usr/lib64"), &["DEP_1"]);
    assert_eq!(fixture.foretold(&[]), told("fails host", &["version"]));
    dep(&fixture.image("usr/lib64"), &["DEP_1", "DEP_2"]);
    assert_eq!(fixture.foretold(&[]), told("loads host", &[]));
}

#[test]
fn musl_and_images_without_a_loader_get_nothing() {
    let fixture = ImageFixture::new();
    fs::remove_dir_all(fixture.image("")).unwrap();
    fs::create_dir_all(fixture.image("lib")).unwrap();
    assert_eq!(fixture.foretold(&[]).1[0], "no-libc");
    assert!(fixture.foretold(&[]).0.starts_with("fails"));
    fs::write(
        fixture.image(&format!("lib/ld-musl-{}.so.1", std::env::consts::ARCH)),
        "",
    )
    .unwrap();
    assert_eq!(
        fixture.foretold(&[]),
        told("fails nobody", &["musl", "not-found", "not-found"])
    );
    assert_eq!(fixture.foretold(&["--expose", "env"]), told("fails host", &["musl"]));
    own_fabric(&fixture.image("usr/lib"), &[]);
    assert_eq!(fixture.foretold(&["--libraries", "none"]), told("loads image", &[]));
}

#[test]
fn links_of_the_image_stay_in_the_image() {
    let fixture = ImageFixture::new();
    fs::rename(fixture.image("usr/lib64"), fixture.image("usr/real")).unwrap();
    symlink("/usr/real", fixture.image("usr/lib64")).unwrap();
    assert_eq!(fixture.foretold(&[]), told("loads host", &[]));
    fs::remove_file(fixture.image("usr/lib64")).unwrap();
    symlink("/usr/lib64", fixture.image("usr/lib64")).unwrap();
    assert_eq!(fixture.foretold(&[]).0.split(' ').next(), Some("fails"), "a circle");
}

#[test]
fn what_an_image_makes_too_long_is_named() {
    let fixture = ImageFixture::new();
    let nowhere: String = (0..4000)
        .map(|number| format!("/nowhere/at/all/{number:05}:"))
        .collect();
    let library = Library {
        soname: "libfabric.so.1",
        flags: &[&format!("-Wl,--enable-new-dtags,-rpath,{nowhere}")],
        ..PLAIN
    };
    library.make(&fixture.image("opt/own"));
    let path = ["--image-library-path", "/opt/own"];
    assert_eq!(fixture.foretold(&path), told("loads image", &["image-first", "cut"]));
    assert_has(
        &fixture.verify(&path).stdout,
        "/opt/own/libfabric.so.1: its RUNPATH is longer than 65536 bytes",
    );
}

#[test]
fn wrong_usage_says_what_to_do() {
    let fixture = ImageFixture::new();
    let mut generator = Generator::new();
    let output = generator.args(["verify", "--rootfs", "/no/such/image"]).output();
    assert_eq!(output.code, 1, "{output:?}");
    assert_has(
        &output.stderr,
        "--rootfs /no/such/image is not a directory: give the root of an unpacked image",
    );
    assert_eq!(fixture.verify(&["--cdi-dir", "/etc/cdi"]).code, 2);
    let output = Generator::new().args(["verify", "--image-library-path", "/x"]).output();
    assert_eq!(output.code, 2, "{output:?}");
}

/// A loader that is a library itself, of which libc asks as glibc's does.
fn real_loader(fixture: &ImageFixture, directory: &str, built_in: &str) -> PathBuf {
    let name = match std::env::consts::ARCH {
        "aarch64" => "ld-linux-aarch64.so.1",
        _ => "ld-linux-x86-64.so.2",
    };
    let loader = Library {
        soname: name,
        versions: &["GLIBC_2.3"],
        ..PLAIN
    };
    let file = loader.make(&fixture.image(directory));
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend(built_in.as_bytes());
    fs::write(&file, bytes).unwrap();
    file
}

/// The loader runs before it is asked for anything, wherever it lies.
#[test]
fn the_loader_itself_is_never_missing() {
    let fixture = ImageFixture::new();
    fs::remove_dir_all(fixture.image("")).unwrap();
    let multiarch = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let usual = match std::env::consts::ARCH {
        "aarch64" => "lib",
        _ => "lib64",
    };
    let loader = real_loader(&fixture, usual, &format!("\0/{multiarch}/\0"));
    let libc = Library {
        soname: "libc.so.6",
        versions: &GLIBC,
        needs: &[&loader],
        ..PLAIN
    };
    libc.make(&fixture.image(&multiarch));
    assert_eq!(fixture.foretold(&[]), told("loads host", &[]));
}

/// In an image of a store the programs say where the loader is, and that looks beside itself only.
#[test]
fn the_loader_of_a_store_is_the_one_that_programs_name() {
    let fixture = ImageFixture::new();
    fs::remove_dir_all(fixture.image("")).unwrap();
    let store = "nix/store/x-glibc-2.40/lib";
    let loader = real_loader(&fixture, store, "");
    let libc = Library {
        soname: "libc.so.6",
        versions: &GLIBC,
        needs: &[&loader],
        ..PLAIN
    };
    libc.make(&fixture.image(store));
    fs::create_dir(fixture.image("bin")).unwrap();
    let source = fixture.image("sh.c");
    fs::write(&source, "void _start(void) { for (;;) ; }\n").unwrap();
    let interpreter = Path::new("/").join(store).join(loader.file_name().unwrap());
    let mut cc = std::process::Command::new("cc");
    cc.args(["-nostdlib", "-pie", "-o"])
        .arg(fixture.image("bin/sh"))
        .arg(&source);
    cc.arg(format!("-Wl,--dynamic-linker={}", interpreter.display()));
    assert!(cc.status().unwrap().success());
    assert_eq!(fixture.foretold(&["--expose", "env"]), told("loads host", &[]));
    // It does not look where the others do.
    assert_eq!(fixture.foretold(&[]), told("fails nobody", &["not-found", "not-found"]));
}
