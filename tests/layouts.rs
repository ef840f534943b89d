//! The libraries of hosts as sites have them: which of several is taken, what goes with it, and what is said of the others.
//! The libraries are real ones. That containers of podman load them is for `tests/e2e/layouts`.
#![cfg(test)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::cc::{Library, PLAIN};
use common::daemon::{DaemonFixture, until};
use common::doctor_fixture::DoctorFixture;
use common::generator_fixture::{GeneratorFixture, assert_has, targets, yaml};
use common::{Generator, Output};
use cxi_device_plugin::model::cdi::model::Spec;
use cxi_sim::node::{Kind, NicSpec};
use serde_json::Value;

const RELEASES: &str = "opt/cray/libfabric";

fn triplet() -> String {
    format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)
}

/// A host of which only its NIC is there, and below whose root tests put libraries.
struct SiteFixture(GeneratorFixture);

impl SiteFixture {
    fn new() -> Self {
        let fixture = Self(GeneratorFixture::one());
        for gone in ["opt", "usr"] {
            fs::remove_dir_all(fixture.0.host(gone)).unwrap();
        }
        fixture
    }

    /// With releases of libfabric, and a libcxi where SHS 12 has it.
    fn with_releases(releases: &[&str]) -> Self {
        let fixture = Self::new();
        fixture.library("usr/lib64", "libcxi.so.1");
        for release in releases {
            fixture.library(&format!("{RELEASES}/{release}/lib64"), "libfabric.so.1");
        }
        fixture
    }

    fn host(&self, path: &str) -> PathBuf {
        self.0.host(path)
    }

    fn library(&self, directory: &str, soname: &str) -> PathBuf {
        self.needing(directory, soname, &[], &[])
    }

    fn needing(&self, directory: &str, soname: &str, needs: &[&Path], flags: &[&str]) -> PathBuf {
        let library = Library {
            soname,
            needs,
            flags,
            ..PLAIN
        };
        library.make(&self.host(directory))
    }

    fn link(&self, target: &str, link: &str) {
        let link = self.host(link);
        let _ = fs::remove_file(&link);
        symlink(target, link).unwrap();
    }

    fn say(&self, args: &[&str]) -> Output {
        let mut generator = self.0.generator();
        for arg in args {
            generator.arg(arg);
        }
        generator.arg("--dry-run").output()
    }

    /// The spec, with a check that nothing is said.
    #[track_caller]
    fn quiet(&self, args: &[&str]) -> Spec {
        let output = self.say(args);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        yaml(&output.stdout)
    }

    /// The file on the host that containers get as `soname`.
    #[track_caller]
    fn taken(&self, soname: &str, args: &[&str]) -> String {
        let output = self.say(args);
        assert_eq!(output.code, 0, "{output:?}");
        file_of(&yaml(&output.stdout), soname).unwrap_or_else(|| panic!("no {soname}: {output:?}"))
    }
}

fn file_of(spec: &Spec, soname: &str) -> Option<String> {
    let path = format!("/usr/lib64/{soname}");
    let mut mounts = spec.container_edits.mounts.iter();
    let mount = mounts.find(|mount| mount.container_path == path)?;
    Some(mount.host_path.clone())
}

mod which_libfabric {
    use super::*;

    const OLD: &str = "/opt/cray/libfabric/1.22.0/lib64/libfabric.so.1";
    const NEW: &str = "/opt/cray/libfabric/2.2.0rc1/lib64/libfabric.so.1";

    fn two_releases() -> SiteFixture {
        SiteFixture::with_releases(&["1.22.0", "2.2.0rc1"])
    }

    #[test]
    fn the_release_that_default_names_goes_before_a_newer_one() {
        for target in [
            "1.22.0",
            "./1.22.0",
            "/opt/cray/libfabric/1.22.0",
            "../../../opt/cray/libfabric/1.22.0",
        ] {
            let fixture = two_releases();
            fixture.link(target, "opt/cray/libfabric/default");
            let spec = fixture.quiet(&[]);
            assert_eq!(file_of(&spec, "libfabric.so.1").as_deref(), Some(OLD), "{target}");
        }
        let fixture = SiteFixture::with_releases(&["2.2.0rc1", "default"]);
        let file = "/opt/cray/libfabric/default/lib64/libfabric.so.1";
        assert_eq!(
            fixture.taken("libfabric.so.1", &[]),
            file,
            "a directory may be called so, too"
        );
    }

    #[test]
    fn what_is_passed_over_is_named_with_the_reason_where_somebody_asks() {
        let fixture = two_releases();
        fixture.link("1.22.0", "opt/cray/libfabric/default");
        fixture.library("usr/lib64", "libfabric.so.1");
        let said = fixture.say(&["-V", "2"]).stderr;
        assert_has(
            &said,
            "libfabric.so.1: taken from /opt/cray/libfabric/default/lib64: the site's link 'default' leads there\n",
        );
        assert_has(
            &said,
            "libfabric.so.1: passed over: /opt/cray/libfabric/2.2.0rc1/lib64: ",
        );
        assert_has(&said, "libfabric.so.1: passed over: /usr/lib64: ");
        // The same file by another name is nothing that was passed over.
        assert!(!said.contains("passed over: /opt/cray/libfabric/1.22.0"), "{said}");
        assert_eq!(fixture.say(&["-V", "1"]).stderr.matches("passed over").count(), 0);
    }

    #[test]
    fn what_the_loader_would_take_goes_before_the_newest_release() {
        let fixture = two_releases();
        fixture.library("usr/lib64", "libfabric.so.1");
        assert_eq!(fixture.taken("libfabric.so.1", &[]), "/usr/lib64/libfabric.so.1");
        assert_eq!(fixture.quiet(&[]).container_edits.mounts.len(), 4);
        fs::remove_file(fixture.host("usr/lib64/libfabric.so.1")).unwrap();
        assert_eq!(fixture.taken("libfabric.so.1", &[]), NEW);
        fixture.quiet(&[]);
    }

    #[test]
    fn a_root_that_the_site_has_set_goes_before_default() {
        let fixture = two_releases();
        fixture.link("1.22.0", "opt/cray/libfabric/default");
        let root = "/opt/cray/libfabric/2.2.0rc1/lib64";
        assert_eq!(fixture.taken("libfabric.so.1", &["--ofi-root", root]), NEW);
    }

    #[test]
    fn a_release_is_newer_by_its_numbers_and_older_before_it_is_released() {
        for rising in [
            ["2.2.0rc1", "2.2.0"],
            ["2.2.0-rc1", "2.2.0"],
            ["2.2.0rc9", "2.2.0rc10"],
            ["2.7.0a1", "2.7.0b1"],
            ["2.7.0beta2", "2.7.0rc1"],
            ["2.6.9", "2.7.0a1"],
            ["1.22.0", "2.2.0rc1"],
            ["1.9.0", "1.15.2.0"],
            ["1.15.2", "1.15.2.1"],
            ["1.15.2.9", "1.15.2.10"],
            ["2.2.0", "2.2.0-1"],
            ["2.2.0-9", "2.2.0-10"],
            ["2.2.0", "2.2.0p1"],
            ["2.2rc1", "2.2.0"],
            ["host", "1.0"],
        ] {
            let fixture = SiteFixture::with_releases(&rising);
            let newest = format!("/{RELEASES}/{}/lib64/libfabric.so.1", rising[1]);
            assert_eq!(fixture.taken("libfabric.so.1", &[]), newest, "{rising:?}");
        }
    }

    #[test]
    fn a_default_that_leads_nowhere_or_to_no_libfabric_is_said_and_passed_over() {
        let fixture = two_releases();
        fixture.link("1.99", "opt/cray/libfabric/default");
        let output = fixture.say(&[]);
        assert_has(
            &output.stderr,
            "warning: /opt/cray/libfabric/default: leads nowhere: passed over",
        );
        assert_eq!(file_of(&yaml(&output.stdout), "libfabric.so.1").as_deref(), Some(NEW));

        fs::create_dir_all(fixture.host("opt/cray/libfabric/1.99/lib64")).unwrap();
        let output = fixture.say(&[]);
        assert_has(
            &output.stderr,
            "warning: /opt/cray/libfabric/default: there is no libfabric.so.1 in it: passed over",
        );
        assert_eq!(file_of(&yaml(&output.stdout), "libfabric.so.1").as_deref(), Some(NEW));
    }

    #[test]
    fn a_release_may_have_its_libraries_in_lib() {
        for (name, directory) in [("1.22.0", "lib".to_owned()), ("default", triplet()[4..].to_owned())] {
            let fixture = SiteFixture::with_releases(&[]);
            fixture.library(&format!("{RELEASES}/{name}/{directory}"), "libfabric.so.1");
            let file = format!("/{RELEASES}/{name}/{directory}/libfabric.so.1");
            assert_eq!(fixture.taken("libfabric.so.1", &[]), file);
        }
    }

    #[test]
    fn releases_below_a_link_are_those_of_the_host_and_not_of_this_machine() {
        for target in ["/data/cray", "../data/cray"] {
            let fixture = two_releases();
            fs::create_dir(fixture.host("data")).unwrap();
            fs::rename(fixture.host("opt/cray"), fixture.host("data/cray")).unwrap();
            fixture.link(target, "opt/cray");
            let real = NEW.replace("/opt", "/data");
            assert_eq!(fixture.taken("libfabric.so.1", &[]), real, "{target}");
            let inner = two_releases();
            fs::rename(inner.host(RELEASES), inner.host("opt/releases")).unwrap();
            inner.link("/opt/releases", RELEASES);
            assert_eq!(
                inner.taken("libfabric.so.1", &[]),
                "/opt/releases/2.2.0rc1/lib64/libfabric.so.1"
            );
        }
    }

    #[test]
    fn without_a_cache_the_loaders_own_directories_count() {
        for directory in ["usr/lib64", "lib64", &triplet(), &triplet()[4..], "usr/lib"] {
            let fixture = SiteFixture::new();
            fixture.library(directory, "libfabric.so.1");
            fixture.library(directory, "libcxi.so.1");
            let spec = fixture.quiet(&[]);
            for soname in ["libfabric.so.1", "libcxi.so.1"] {
                let file = format!("/{directory}/{soname}");
                assert_eq!(file_of(&spec, soname), Some(file), "{directory}");
            }
        }
    }

    #[test]
    fn one_file_behind_lib64_and_usr_is_called_as_it_is_below_usr() {
        let fixture = SiteFixture::new();
        fixture.library("usr/lib64", "libfabric.so.1");
        fixture.library("usr/lib64", "libcxi.so.1");
        fixture.link("usr/lib64", "lib64");
        let spec = fixture.quiet(&["--expose", "env"]);
        assert_eq!(spec.container_edits.env, ["LD_LIBRARY_PATH=/usr/lib64"]);
    }

    #[test]
    fn the_daemon_follows_default_wherever_it_leads() {
        let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
        let root = host.node.root().to_owned();
        let releases = root.join(RELEASES);
        for release in ["1.22.0", "2.2.0rc1"] {
            fs::create_dir_all(releases.join(release)).unwrap();
            let lib64 = releases.join(release).join("lib64");
            let mut cp = std::process::Command::new("cp");
            assert!(
                cp.arg("-a")
                    .args([&root.join("opt/cray/lib64"), &lib64])
                    .status()
                    .unwrap()
                    .success()
            );
        }
        fs::remove_dir_all(root.join("opt/cray/lib64")).unwrap();
        let daemon = host.start(&["--pulse", "0"]);
        let is_from = |release: &str| host.spec().contains(&format!("libfabric/{release}/lib64/libfabric"));
        until(|| is_from("2.2.0rc1"), || host.spec() + &daemon.log());
        let default = releases.join("default");
        let newer = releases.join("2.3.0");
        let absolute = "/opt/cray/libfabric/1.22.0";
        for (round, target) in ["1.22.0", "2.2.0rc1", absolute, "2.2.0rc1", "1.22.0"]
            .iter()
            .enumerate()
        {
            daemon.wait_until_settled();
            if round == 2 {
                // As ln -sfn does, without a moment in between.
                symlink(target, releases.join("default.new")).unwrap();
                fs::rename(releases.join("default.new"), &default).unwrap();
            } else {
                let _ = fs::remove_file(&default);
                symlink(target, &default).unwrap();
            }
            let release = target.rsplit('/').next().unwrap();
            until(
                || is_from(release),
                || format!("{round}: {}{}", host.spec(), daemon.log()),
            );
        }
        daemon.wait_until_settled();
        fs::remove_file(&default).unwrap();
        until(|| is_from("2.2.0rc1"), || host.spec() + &daemon.log());
        daemon.wait_until_settled();
        fs::rename(releases.join("1.22.0"), &newer).unwrap();
        until(|| is_from("2.3.0"), || host.spec() + &daemon.log());
    }
}

mod what_goes_with_it {
    use super::*;

    const STACK: &str = "opt/netstack/2026,11:a";
    const INSIDE: &str = "/opt/inside/lib";

    /// A flat directory whose libraries look for each other where only containers have them.
    fn netstack(kind: &str) -> SiteFixture {
        let fixture = SiteFixture::new();
        let rpath = format!("-Wl,--{kind},-rpath,{INSIDE}");
        let flags = [rpath.as_str()];
        let far = fixture.needing(STACK, "libfar.so.1", &[], &flags);
        let near = fixture.needing(STACK, "libnear.so.1", &[&far], &flags);
        let cxi = fixture.needing(STACK, "libcxi.so.1", &[], &flags);
        fixture.needing(STACK, "libfabric.so.1", &[&cxi, &near], &flags);
        fixture
    }

    #[test]
    fn needs_are_looked_for_beside_a_library_whose_rpath_only_containers_have() {
        for kind in ["enable-new-dtags", "disable-new-dtags"] {
            let fixture = netstack(kind);
            // Others of these names that the loader would find: parts of another stack.
            for other in ["libnear.so.1", "libcxi.so.1"] {
                fixture.library("usr/lib64", other);
            }
            let root = format!("/{STACK}");
            let spec = fixture.quiet(&["--ofi-root", &root, "--libraries", "closure"]);
            for soname in ["libfabric.so.1", "libcxi.so.1", "libnear.so.1", "libfar.so.1"] {
                assert_eq!(file_of(&spec, soname), Some(format!("/{STACK}/{soname}")), "{kind}");
            }
        }
    }

    #[test]
    fn a_need_that_lies_beside_only_is_found_without_any_rpath() {
        let fixture = SiteFixture::new();
        let far = fixture.library("opt/flat", "libfar.so.1");
        let near = fixture.needing("opt/flat", "libnear.so.1", &[&far], &[]);
        let cxi = fixture.library("opt/flat", "libcxi.so.1");
        fixture.needing("opt/flat", "libfabric.so.1", &[&near, &cxi], &[]);
        let spec = fixture.quiet(&["--ofi-root", "/opt/flat", "--libraries", "closure"]);
        assert_eq!(targets(&spec).len(), 8, "{spec:?}");
    }

    #[test]
    fn a_container_can_have_the_whole_directory() {
        let fixture = netstack("enable-new-dtags");
        let root = format!("/{STACK}");
        let spec = fixture.quiet(&["--ofi-root", &root, "--libraries", "directory"]);
        let mounts: Vec<_> = spec.container_edits.mounts.iter().collect();
        let whole = mounts.iter().find(|mount| mount.host_path == root).unwrap();
        assert_eq!(whole.container_path, INSIDE);
        assert_eq!(whole.options, ["ro", "nosuid", "nodev", "rbind", "rprivate"]);
        assert_eq!(file_of(&spec, "libfabric.so.1"), Some(format!("{root}/libfabric.so.1")));
        assert_eq!(
            mounts.len(),
            5,
            "the directory, and both libraries for loaders of both families: {mounts:?}"
        );
        let private = fixture.quiet(&["--ofi-root", &root, "--libraries", "directory", "--expose", "private"]);
        assert_eq!(targets(&private), ["/opt/cxi/lib64", INSIDE]);
    }

    #[test]
    fn a_directory_without_such_an_rpath_stands_where_it_does_on_the_host() {
        let fixture = SiteFixture::new();
        fixture.library("opt/flat", "libcxi.so.1");
        fixture.library("opt/flat", "libfabric.so.1");
        let args = ["--ofi-root", "/opt/flat", "--libraries", "directory"];
        let spec = fixture.quiet(&[args.as_slice(), &["--expose", "env"]].concat());
        assert_eq!(targets(&spec), ["/opt/flat"]);
        assert_eq!(spec.container_edits.env, ["LD_LIBRARY_PATH=/opt/flat"]);
        // The loader's own directories are no stack, and would cover the image's.
        let usual = SiteFixture::new();
        usual.library("usr/lib64", "libcxi.so.1");
        usual.library("usr/lib64", "libfabric.so.1");
        let output = usual.say(&["--libraries", "directory"]);
        assert_has(&output.stderr, "warning: /usr/lib64: ");
        assert!(
            targets(&yaml(&output.stdout))
                .iter()
                .all(|target| *target != "/usr/lib64")
        );
    }

    #[test]
    fn libcxi_is_the_one_that_this_libfabric_would_load() {
        let fixture = SiteFixture::with_releases(&[]);
        let release = format!("{RELEASES}/2.2.0/lib64");
        let beside = fixture.library(&release, "libcxi.so.1");
        let usual = "/usr/lib64/libcxi.so.1".to_owned();
        let own = format!("/{release}/libcxi.so.1");
        // Without a word about it the loader takes its own.
        fixture.needing(&release, "libfabric.so.1", &[&beside], &[]);
        assert_eq!(fixture.taken("libcxi.so.1", &[]), usual);
        for (flag, file) in [
            ("-Wl,--enable-new-dtags,-rpath,$ORIGIN", &own),
            ("-Wl,--disable-new-dtags,-rpath,$ORIGIN", &own),
            ("-Wl,--enable-new-dtags,-rpath,/usr/lib64", &usual),
        ] {
            fixture.needing(&release, "libfabric.so.1", &[&beside], &[flag]);
            assert_eq!(&fixture.taken("libcxi.so.1", &[]), file, "{flag}");
        }
        let said = fixture.say(&["-V", "2"]).stderr;
        assert_has(&said, &format!("libcxi.so.1: passed over: /{release}: "));
        assert_eq!(
            fixture.taken("libcxi.so.1", &["--cxi-root", &format!("/{release}")]),
            own
        );
        // A directory that the site names is a stack of its own.
        fixture.needing(&release, "libfabric.so.1", &[&beside], &[]);
        assert_eq!(
            fixture.taken("libcxi.so.1", &["--ofi-root", &format!("/{release}")]),
            own
        );
    }

    #[test]
    fn a_store_has_each_library_in_a_directory_of_its_own() {
        let fixture = SiteFixture::new();
        let store = "nix/store/x-libcxi-13/lib";
        let cxi = fixture.library(store, "libcxi.so.1");
        let by_runpath = format!("-Wl,--enable-new-dtags,-rpath,/{store}");
        fixture.needing("nix/store/y-libfabric-2/lib", "libfabric.so.1", &[&cxi], &[&by_runpath]);
        let spec = fixture.quiet(&["--ofi-root", "/nix/store/y-libfabric-2/lib"]);
        assert_eq!(file_of(&spec, "libcxi.so.1"), Some(format!("/{store}/libcxi.so.1")));
    }

    #[test]
    fn a_library_that_is_asked_for_by_its_path_stands_at_that_path() {
        // As patched for a store: what it needs is a path.
        let fixture = SiteFixture::new();
        let store = "gnu/store/x-libcxi-13/lib";
        fixture.library(store, "libcxi.so.1");
        let named = format!("-Wl,-soname,/{store}/libcxi.so.1");
        let stub = fixture.needing("stub", "libstub.so", &[], &[&named]);
        fixture.needing("gnu/store/y-libfabric-2/lib", "libfabric.so.1", &[&stub], &[]);
        for mode in ["listed", "closure"] {
            for way in ["loader-paths", "env", "private"] {
                let args = [
                    "--ofi-root",
                    "/gnu/store/y-libfabric-2/lib",
                    "--libraries",
                    mode,
                    "--expose",
                    way,
                ];
                let spec = fixture.quiet(&args);
                let path = format!("/{store}/libcxi.so.1");
                assert!(targets(&spec).contains(&path.as_str()), "{mode} {way}: {spec:?}");
            }
        }
    }
}

mod what_is_said {
    use super::*;

    /// Refused to all but root's group, as a umask of 027 leaves it.
    fn closed(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_library_that_others_may_not_read_is_said() {
        let rows: [(&str, u32, &str); 3] = [
            ("usr/lib64/libcxi.so.1", 0o640, "warning: /usr/lib64/libcxi.so.1: "),
            ("usr/lib64", 0o750, "warning: /usr/lib64: "),
            ("opt/cray", 0o750, "warning: /opt/cray: "),
        ];
        for (path, mode, warning) in rows {
            let fixture = SiteFixture::with_releases(&["2.2.0"]);
            assert_eq!(fixture.0.write([]).code, 0);
            assert_eq!(
                fixture
                    .0
                    .generator_of("verify")
                    .arg("--cdi-dir")
                    .arg(fixture.0.cdi())
                    .output()
                    .stderr,
                ""
            );
            closed(&fixture.host(path), mode);
            for output in [
                fixture.say(&[]),
                fixture
                    .0
                    .generator_of("verify")
                    .arg("--cdi-dir")
                    .arg(fixture.0.cdi())
                    .output(),
            ] {
                assert_has(&output.stderr, warning);
                assert_has(&output.stderr, &format!("mode {mode:04o}"));
                assert_has(&output.stderr, "chmod");
                assert_eq!(output.stderr.matches("warning").count(), 1, "{output:?}");
            }
        }
    }

    #[test]
    fn doctor_names_it_and_what_was_passed_over() {
        let fixture = DoctorFixture::podman();
        let lib64 = fixture.path("opt/cray/lib64");
        let file = fs::canonicalize(lib64.join("libfabric.so.1")).unwrap();
        closed(&file, 0o640);
        assert_eq!(fixture.ids(), ["library-not-readable".to_owned()].into());
        closed(&file, 0o644);
        closed(&fixture.path("opt/cray"), 0o750);
        assert_eq!(fixture.ids(), ["library-not-readable".to_owned()].into());
        closed(&fixture.path("opt/cray"), 0o755);
        assert_eq!(fixture.ids(), [].into());

        fs::create_dir_all(fixture.path("opt/cray/libfabric/2.2.0rc1/lib64")).unwrap();
        fs::copy(&file, fixture.path("opt/cray/libfabric/2.2.0rc1/lib64/libfabric.so.1")).unwrap();
        assert_eq!(fixture.ids(), ["library-passed-over".to_owned()].into());
        let report = fixture.report();
        let finding: &Value = &report.findings()[0];
        assert_eq!(finding["level"], "note", "{finding}");
        assert_eq!(
            finding["evidence"][0]["path"], "/opt/cray/libfabric/2.2.0rc1/lib64",
            "{finding}"
        );
    }

    #[test]
    fn a_directory_that_no_search_path_can_name_is_refused_with_the_way_out() {
        for directory in ["opt/a:b/lib", "opt/a;b/lib"] {
            let fixture = SiteFixture::with_releases(&[]);
            fixture.library(directory, "libfabric.so.1");
            let root = format!("/{directory}");
            let output = fixture.say(&["--ofi-root", &root, "--expose", "env"]);
            assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
            assert_has(&output.stderr, &format!("LD_LIBRARY_PATH cannot name {root}"));
            assert_has(&output.stderr, "--expose loader-paths");
            fixture.quiet(&["--ofi-root", &root]);
            fixture.quiet(&["--ofi-root", &root, "--expose", "private"]);
        }
    }

    #[test]
    fn the_daemon_leaves_such_a_directory_out_and_says_so() {
        let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
        let root = host.node.root().to_owned();
        fs::rename(root.join("opt/cray/lib64"), root.join("opt/a:b")).unwrap();
        let daemon = host.start(&["--ofi-root", "/opt/a:b", "--expose", "env"]);
        host.wait_for_spec(|spec| spec.contains("LD_LIBRARY_PATH=/usr/lib64"));
        daemon.wait_for_log("LD_LIBRARY_PATH cannot name /opt/a:b");
        assert!(!host.spec().contains("/opt/a"), "{}", host.spec());
    }

    #[test]
    fn a_root_that_is_not_utf8_is_refused_by_its_variable() {
        let name = OsStr::from_bytes(b"/opt/lib\xff");
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
            let fixture = SiteFixture::with_releases(&["2.2.0"]);
            fs::create_dir_all(fixture.host("").join(Path::new(name).strip_prefix("/").unwrap())).unwrap();
            let mut generator: Generator = fixture.0.generator();
            let output = generator.env(variable, name).arg("--dry-run").output();
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (78, ""),
                "{variable}: {output:?}"
            );
            assert_has(&output.stderr, &format!("{variable} is set to"));
            assert_has(&output.stderr, "not UTF-8");
            let mut daemon = std::process::Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
            daemon
                .arg("config")
                .arg("--root")
                .arg(fixture.host(""))
                .env(variable, name);
            let output: Output = daemon.output().unwrap().into();
            assert_eq!(output.code, 78, "{variable}: {output:?}");
            assert_has(&output.stderr, &format!("{variable} is set to"));
            assert_has(&output.stderr, "not UTF-8");
        }
    }
}
