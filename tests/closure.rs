//! `--libraries closure`: what libfabric and libcxi need goes into containers, as the loader of the host finds it. The
//! libraries are real ones, and `ldd` is the judge.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::cc::{Library, PLAIN, ldd};
use common::generator_fixture::{GeneratorFixture, assert_has, targets, yaml};
use common::{Generator, Output, say};
use cxi_device_plugin::model::cdi::model::Spec;

/// A node without libraries, where tests put theirs; no prefix, so that `ldd` sees what the generator sees.
struct LibrariesFixture(GeneratorFixture);

impl LibrariesFixture {
    fn new() -> Self {
        let fixture = Self(GeneratorFixture::one());
        for directory in ["opt/cray/lib64", "usr/lib64"] {
            fs::remove_dir_all(fixture.dir(directory)).unwrap();
            fs::create_dir(fixture.dir(directory)).unwrap();
        }
        PLAIN_CXI.make(&fixture.dir("usr/lib64"));
        fixture
    }

    fn dir(&self, path: &str) -> PathBuf {
        self.0.host(path)
    }

    fn fabric(&self, needs: &[&Path], flags: &[&str]) -> PathBuf {
        let library = Library {
            soname: "libfabric.so.1",
            needs,
            flags,
            ..PLAIN
        };
        library.make(&self.dir("opt/cray/lib64"))
    }

    fn run<const N: usize>(&self, args: [&str; N]) -> Output {
        Generator::at(self.0.node.root()).args(args).arg("--dry-run").output()
    }

    fn closure<const N: usize>(&self, args: [&str; N]) -> (Spec, String) {
        let output = Generator::at(self.0.node.root())
            .args(["--libraries", "closure"])
            .args(args)
            .arg("--dry-run")
            .output();
        assert_eq!(output.code, 0, "{output:?}");
        (yaml(&output.stdout), output.stderr)
    }

    /// Names in the loader's directories with the files behind them, without libfabric and libcxi.
    fn needed<const N: usize>(&self, args: [&str; N]) -> (BTreeSet<(String, PathBuf)>, String) {
        let (spec, output) = self.closure(args);
        let mounts = spec.container_edits.mounts.iter();
        let names = mounts.filter_map(|mount| {
            let name = mount.container_path.strip_prefix("/usr/lib64/")?;
            Some((name.to_owned(), PathBuf::from(&mount.host_path)))
        });
        let core = ["libfabric.so.1", "libcxi.so.1"];
        (
            names.filter(|(name, _)| !core.contains(&name.as_str())).collect(),
            output,
        )
    }
}

const PLAIN_CXI: Library<'static> = Library {
    soname: "libcxi.so.1",
    ..PLAIN
};

fn plain(soname: &str, directory: &Path, needs: &[&Path], flags: &[&str]) -> PathBuf {
    let library = Library {
        soname,
        needs,
        flags,
        ..PLAIN
    };
    library.make(directory)
}

fn found_by_ldd(file: &Path) -> BTreeSet<(String, PathBuf)> {
    let found = ldd(file)
        .into_iter()
        .filter_map(|(name, path)| Some((name, path?.canonicalize().unwrap())));
    found
        .filter(|(name, _)| !name.starts_with("libc.so") && !name.starts_with("libcxi.so"))
        .collect()
}

fn not_found_by_ldd(file: &Path) -> BTreeSet<String> {
    ldd(file)
        .into_iter()
        .filter(|(_, path)| path.is_none())
        .map(|(name, _)| name)
        .collect()
}

fn names(found: &BTreeSet<(String, PathBuf)>) -> Vec<&str> {
    found.iter().map(|(name, _)| name.as_str()).collect()
}

mod following_the_loader {
    use super::*;

    #[test]
    fn runpath_and_origin() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let far = plain("libfar.so.1", &deps.join("far"), &[], &[]);
        let near = plain(
            "libnear.so.1",
            &deps,
            &[&far],
            &["-Wl,--enable-new-dtags,-rpath,${ORIGIN}/far"],
        );
        let fabric = fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,/nowhere:$ORIGIN/../deps"]);
        let (needed, output) = fixture.needed([]);
        assert_eq!(names(&needed), ["libfar.so.1", "libnear.so.1"]);
        assert_eq!(needed, found_by_ldd(&fabric));
        assert_eq!(output, "");
    }

    #[test]
    fn runpath_is_not_handed_down_and_what_is_missing_names_who_needs_it() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let far = plain("libfar.so.1", &deps, &[], &[]);
        let near = plain("libnear.so.1", &deps, &[&far], &[]);
        let fabric = fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
        let (needed, output) = fixture.needed([]);
        assert_eq!(needed, found_by_ldd(&fabric));
        assert_eq!(names(&needed), ["libnear.so.1"]);
        assert_eq!(not_found_by_ldd(&fabric), BTreeSet::from(["libfar.so.1".to_owned()]));
        let by = fabric.parent().unwrap().join("../deps/libnear.so.1");
        assert_eq!(
            output,
            format!(
                "warning: libfar.so.1: needed by {}, not found: containers do not get it\n",
                by.display()
            )
        );
    }

    #[test]
    fn rpath_is_handed_down_unless_there_is_a_runpath() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let far = plain("libfar.so.1", &deps, &[], &[]);
        let hidden = plain("libhidden.so.1", &deps, &[], &[]);
        let near = plain("libnear.so.1", &deps, &[&far], &[]);
        let other = plain(
            "libother.so.1",
            &deps,
            &[&hidden],
            &["-Wl,--enable-new-dtags,-rpath,/nowhere"],
        );
        let rpath = format!("-Wl,--disable-new-dtags,-rpath,{}", deps.display());
        let fabric = fixture.fabric(&[&near, &other], &[&rpath]);
        let (needed, output) = fixture.needed([]);
        assert_eq!(needed, found_by_ldd(&fabric));
        assert_eq!(names(&needed), ["libfar.so.1", "libnear.so.1", "libother.so.1"]);
        assert_eq!(not_found_by_ldd(&fabric), BTreeSet::from(["libhidden.so.1".to_owned()]));
        assert_has(&output, "warning: libhidden.so.1: needed by ");
    }

    #[test]
    fn circles_end_and_the_order_is_the_loader_s() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let runpath = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN"];
        plain("libb.so.1", &deps, &[], &[]);
        let a = plain("liba.so.1", &deps, &[&deps.join("libb.so.1")], &runpath);
        let c = plain("libc-like.so.1", &deps, &[], &[]);
        plain("libb.so.1", &deps, &[&a, &c], &runpath);
        let fabric = fixture.fabric(&[&a], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
        let (spec, output) = fixture.closure(["--expose", "private"]);
        assert_eq!(output, "");
        let expected = ["libfabric", "libcxi", "liba", "libb", "libc-like"];
        assert_eq!(
            targets(&spec),
            expected.map(|name| format!("/opt/cxi/lib64/{name}.so.1"))
        );
        assert_eq!(fixture.needed([]).0, found_by_ldd(&fabric));
        assert_eq!(fixture.closure([]), fixture.closure([]));
    }

    #[test]
    fn a_library_of_another_machine_is_passed_over() {
        let fixture = LibrariesFixture::new();
        let (wrong, right) = (fixture.dir("opt/cray/wrong"), fixture.dir("opt/cray/right"));
        let needed_by_fabric = plain("libnear.so.1", &right, &[], &[]);
        let only_wrong = plain("libonly.so.1", &wrong, &[], &[]);
        let flags = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../wrong:$ORIGIN/../right"];
        let fabric = fixture.fabric(&[&needed_by_fabric, &only_wrong], &flags);
        // The emulator's smallest library, with s390 in place of this machine.
        let mut small = fs::read(GeneratorFixture::one().host("usr/lib64/libcxi.so.1.7.0")).unwrap();
        small[18] = 22;
        fs::write(wrong.join("libnear.so.1"), &small).unwrap();
        fs::write(&only_wrong, &small).unwrap();

        let (needed, output) = fixture.needed([]);
        assert_eq!(needed, BTreeSet::from([("libnear.so.1".to_owned(), needed_by_fabric)]));
        assert_eq!(needed, found_by_ldd(&fabric));
        assert_has(&output, "warning: libonly.so.1: needed by ");
        assert_has(&output, "wrong/libonly.so.1 is for another machine");
    }

    #[test]
    fn a_32_bit_library_is_passed_over_too() {
        let fixture = LibrariesFixture::new();
        let (wrong, right) = (fixture.dir("opt/cray/wrong"), fixture.dir("opt/cray/right"));
        let near = plain("libnear.so.1", &right, &[], &[]);
        fixture.fabric(
            &[&near],
            &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../wrong:$ORIGIN/../right"],
        );
        fs::create_dir(&wrong).unwrap();
        fs::write(
            wrong.join("libnear.so.1"),
            [b"\x7fELF\x01\x01\x01".as_slice(), &[0; 64]].concat(),
        )
        .unwrap();
        assert_eq!(
            fixture.needed([]).0,
            BTreeSet::from([("libnear.so.1".to_owned(), near)])
        );
    }
}

mod choosing {
    use super::*;

    #[test]
    fn glibc_s_own_never_and_what_images_have_only_on_demand() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let behind = plain("libbehind.so.1", &deps, &[], &[]);
        let ssl = plain(
            "libssl.so.3",
            &deps,
            &[&behind],
            &["-Wl,--enable-new-dtags,-rpath,$ORIGIN"],
        );
        let near = plain("libnear.so.1", &deps, &[], &["-lc", "-lm"]);
        let fabric = fixture.fabric(
            &[&ssl, &near],
            &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps", "-lpthread"],
        );
        assert!(
            ldd(&fabric).iter().any(|(name, _)| name == "libc.so.6"),
            "the test proves something"
        );
        let (needed, output) = fixture.needed([]);
        assert_eq!((names(&needed), output.as_str()), (vec!["libnear.so.1"], ""));
        let (needed, output) = fixture.needed(["--closure-all"]);
        assert_eq!(names(&needed), ["libbehind.so.1", "libnear.so.1", "libssl.so.3"]);
        assert_eq!(output, "");
        let family =
            |name: &str| name.starts_with("libc.so") || name.starts_with("libm.so") || name.starts_with("libpthread");
        assert_eq!(
            needed,
            found_by_ldd(&fabric)
                .into_iter()
                .filter(|(name, _)| !family(name))
                .collect()
        );
    }

    #[test]
    fn a_library_with_another_soname_has_both_names() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        plain("libold.so.1", &deps, &[], &[]);
        fixture.fabric(
            &[&deps.join("libold.so.1")],
            &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"],
        );
        let new = plain("libnew.so.2", &deps, &[], &[]);
        fs::remove_file(deps.join("libold.so.1")).unwrap();
        std::os::unix::fs::symlink("libnew.so.2", deps.join("libold.so.1")).unwrap();
        let both = ["libold.so.1", "libnew.so.2"].map(|name| (name.to_owned(), new.clone()));
        assert_eq!(fixture.needed([]).0, BTreeSet::from(both));
    }

    #[test]
    fn each_way_has_the_names_that_are_asked_for() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let near = plain("libnear.so.1", &deps, &[], &[]);
        fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
        let target = |way: &str| {
            let spec = fixture.closure(["--expose", way]).0;
            let mounts = spec.container_edits.mounts.clone();
            let of_near = mounts.into_iter().filter(|mount| Path::new(&mount.host_path) == near);
            (
                of_near.map(|mount| mount.container_path).collect::<Vec<_>>(),
                spec.container_edits.env,
            )
        };
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let loader_paths = vec![
            "/usr/lib64/libnear.so.1".to_owned(),
            format!("/usr/lib/{triplet}/libnear.so.1"),
        ];
        assert_eq!(target("loader-paths"), (loader_paths, Vec::new()));
        assert_eq!(
            target("private"),
            (vec!["/opt/cxi/lib64/libnear.so.1".to_owned()], Vec::new())
        );
        let by_runpath = fixture.dir("opt/cray/lib64/../deps");
        let (paths, env) = target("env");
        assert_eq!(paths, [by_runpath.join("libnear.so.1").to_str().unwrap()]);
        let directories = [fixture.dir("opt/cray/lib64"), fixture.dir("usr/lib64"), by_runpath];
        let directories = directories.map(|directory| directory.to_str().unwrap().to_owned());
        assert_eq!(env, [format!("LD_LIBRARY_PATH={}", directories.join(":"))]);
    }

    #[test]
    fn of_two_versions_the_one_that_the_link_names_is_taken() {
        for (link, other) in [
            ("libfabric.so.1.9.0", "libfabric.so.1.30.0"),
            ("libfabric.so.1.30.0", "libfabric.so.1.9.0"),
        ] {
            let fixture = LibrariesFixture::new();
            let directory = fixture.dir("opt/cray/lib64");
            fs::rename(fixture.fabric(&[], &[]), directory.join(link)).unwrap();
            fs::copy(directory.join(link), directory.join(other)).unwrap();
            std::os::unix::fs::symlink(link, directory.join("libfabric.so.1")).unwrap();
            let spec = yaml(&fixture.run([]).stdout);
            let fabric = spec
                .container_edits
                .mounts
                .iter()
                .find(|mount| mount.container_path == "/usr/lib64/libfabric.so.1");
            assert_eq!(fabric.unwrap().host_path, directory.join(link).to_str().unwrap());
        }
    }

    #[test]
    fn closure_all_alone_is_wrong_usage() {
        let output = LibrariesFixture::new().run(["--closure-all"]);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""));
        assert_has(&output.stderr, "give --libraries closure with it, or leave it out");
    }
}

mod hostile {
    use super::*;

    #[test]
    fn something_else_under_a_needed_name_is_a_warning() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let near = plain("libnear.so.1", &deps, &[], &[]);
        fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
        fs::write(&near, "INPUT(-lother)").unwrap();
        let (needed, output) = fixture.needed([]);
        assert_eq!(names(&needed), [""; 0]);
        assert_has(&output, "warning: libnear.so.1: needed by ");
        assert_has(&output, "not a 64-bit ELF shared library");
    }

    #[test]
    fn a_host_without_end_is_cut() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        // Without a name of its own, each copy is needed under its file's name.
        let nameless = fs::read(plain("libnameless.so", &deps, &[], &[])).unwrap();
        let names: Vec<String> = (0..600).map(|number| format!("lib{number}.so.1")).collect();
        for name in &names {
            fs::write(deps.join(name), &nameless).unwrap();
        }
        let mut flags = vec![format!("-L{}", deps.display())];
        flags.extend(names.iter().map(|name| format!("-l:{name}")));
        flags.push("-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps".to_owned());
        fixture.fabric(&[], &flags.iter().map(String::as_str).collect::<Vec<_>>());
        let (spec, output) = fixture.closure(["--expose", "private"]);
        assert_eq!(targets(&spec).len(), 512);
        let warning = "warning: libfabric.so.1 and libcxi.so.1: need more than 512 libraries: the rest is left out\n";
        assert_eq!(output, warning);
    }

    #[test]
    fn damage_to_a_library_is_never_a_crash() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let versions = Library {
            soname: "libnear.so.1",
            versions: &["NEAR_1.0", "NEAR_2.0"],
            ..PLAIN
        };
        let near = versions.make(&deps);
        let fabric = Library {
            soname: "libfabric.so.1",
            needs: &[&near],
            flags: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"],
            calls: &["near_2_0"],
            ..PLAIN
        };
        let file = fabric.make(&fixture.dir("opt/cray/lib64"));
        let whole = fs::read(&file).unwrap();
        let seed = std::env::var("CXI_RANDOM_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| fastrand::u64(..));
        say(&format!("CXI_RANDOM_SEED={seed}"));
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..150 {
            let mut bytes = whole.clone();
            if random.bool() {
                bytes.truncate(random.usize(..whole.len()));
            }
            for _ in 0..random.usize(..8) {
                // The first 4 KiB hold the headers, names and versions.
                let at = random.usize(..4096.min(bytes.len().max(1)));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
            fs::write(&file, &bytes).unwrap();
            let output = fixture.run(["--libraries", "closure"]);
            assert_eq!(output.code, 0, "seed {seed}: {output:?}");
        }
    }
}

/// Whatever brings a library up, one that would stop the image's programs is left out and named.
mod what_is_ours_to_give {
    use super::*;

    /// Names that no container gets, and what is said of them.
    const REFUSED: [(&str, &str); 5] = [
        ("libc.so.6", "libc.so.6 belongs to the C library"),
        ("ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2 belongs to the C library"),
        ("libpthread-2.31.so.0", "libpthread-2.31.so.0 belongs to the C library"),
        ("libx\ny.so.1", "its name has control characters: 'libx\\ny.so.1'"),
        ("..so.1", ""),
    ];

    /// A library that says it is called so, under another name.
    fn disguised(soname: &str, place: &Path) {
        let folder = tempfile::TempDir::new().unwrap();
        fs::copy(plain(soname, folder.path(), &[], &[]), place).unwrap();
    }

    fn mounted(spec: &Spec) -> BTreeSet<&str> {
        let mounts = spec.container_edits.mounts.iter();
        let names = mounts.filter_map(|mount| mount.container_path.strip_prefix("/usr/lib64/"));
        names.collect()
    }

    #[test]
    fn listed() {
        for (soname, said) in REFUSED
            .into_iter()
            .chain([("libcurl.so.4", "calls itself libcurl.so.4, which is none of libcxi")])
        {
            let fixture = LibrariesFixture::new();
            fixture.fabric(&[], &[]);
            disguised(soname, &fixture.dir("usr/lib64/libcxi.so.1"));
            let output = fixture.run([]);
            assert_eq!(
                mounted(&yaml(&output.stdout)),
                BTreeSet::from(["libfabric.so.1"]),
                "{soname:?}"
            );
            assert_has(&output.stderr, said);
            assert_has(&output.stderr, "containers do not get it");
        }
    }

    #[test]
    fn needed() {
        for (soname, said) in &REFUSED[..4] {
            for mode in ["closure", "closure-all"] {
                let fixture = LibrariesFixture::new();
                let deps = fixture.dir("opt/cray/deps");
                let near = plain("libnear.so.1", &deps, &[], &[]);
                fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
                disguised(soname, &near);
                let output = match mode {
                    "closure" => fixture.run(["--libraries", "closure"]),
                    _ => fixture.run(["--libraries", "closure", "--closure-all"]),
                };
                let ours = BTreeSet::from(["libfabric.so.1", "libcxi.so.1"]);
                assert_eq!(mounted(&yaml(&output.stdout)), ours, "{soname:?}: {output:?}");
                assert_has(&output.stderr, said);
            }
        }
    }

    #[test]
    fn by_the_name_of_the_file_behind_a_link() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let near = plain("libnear.so.1", &deps, &[], &[]);
        fixture.fabric(&[&near], &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deps"]);
        fs::rename(&near, deps.join("libc-2.31.so")).unwrap();
        std::os::unix::fs::symlink("libc-2.31.so", &near).unwrap();
        let (needed, output) = fixture.needed([]);
        assert_eq!(names(&needed), [""; 0]);
        assert_has(&output, "libc-2.31.so belongs to the C library");
    }
}

/// What was made to have no end is cut, and that is said.
mod without_end {
    use super::*;

    /// Directories that are not there, and at last this one.
    fn search_path(entries: usize, last: &str) -> String {
        let nowhere = (0..entries).map(|number| format!("/nowhere/at/all/{number:05}:"));
        nowhere.collect::<String>() + last
    }

    #[test]
    fn chains_of_long_search_paths_are_cut_in_all() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        // One library of a chain, whose names are written over for the others.
        let next = plain("libchain-next.so.1", &deps, &[], &[]);
        let rpath = search_path(800, deps.to_str().unwrap());
        let rpath = format!("-Wl,--disable-new-dtags,-rpath,{rpath}");
        let link = fs::read(plain("libchain-self.so.1", &deps, &[&next], &[&rpath])).unwrap();
        for number in 0..201 {
            let mut bytes = link.clone();
            for (from, to) in [("self", number), ("next", number + 1)] {
                let from = format!("libchain-{from}.so.1");
                let at = bytes
                    .windows(from.len())
                    .position(|text| text == from.as_bytes())
                    .unwrap();
                bytes[at..at + from.len()].copy_from_slice(format!("libchain-{to:04}.so.1").as_bytes());
            }
            fs::write(deps.join(format!("libchain-{number:04}.so.1")), bytes).unwrap();
        }
        let first = deps.join("libchain-0000.so.1");
        fixture.fabric(&[&first], &[&rpath]);
        let (_, output) = fixture.closure([]);
        assert_has(&output, "need more than 65536 places to look at: the rest is left out");
    }

    #[test]
    fn a_search_path_is_followed_to_its_end_or_named() {
        let fixture = LibrariesFixture::new();
        let deps = fixture.dir("opt/cray/deps");
        let near = plain("libnear.so.1", &deps, &[], &[]);
        let near: &[&Path] = &[&near];
        let flag = |entries| {
            format!(
                "-Wl,--enable-new-dtags,-rpath,{}",
                search_path(entries, "$ORIGIN/../deps")
            )
        };
        let fabric = fixture.fabric(near, &[&flag(2000)]);
        assert_eq!(fixture.needed([]), (found_by_ldd(&fabric), String::new()));
        fixture.fabric(near, &[&flag(4000)]);
        let (needed, output) = fixture.needed([]);
        assert_eq!(names(&needed), [""; 0]);
        assert_has(
            &output,
            "libfabric.so.1: its RUNPATH is longer than 65536 bytes or not a text: not searched",
        );
    }
}
