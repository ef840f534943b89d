//! `cxi-cdi-generator` as its users see it: what it prints, its exit code, and the files on disk.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use common::generator_fixture::{
    FIRST, GeneratorFixture, SECOND, THIRD, assert_has, device, identity, mounted, names, nic, nodes, targets, yaml,
    yaml_file,
};
use common::{Generator, Output, listing};
use cxi_device_plugin::model::cdi::model::Spec;
use cxi_sim::node::{Kind, NicSpec, Variant};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

mod writing {
    use super::*;

    #[test]
    fn the_first_run_makes_the_directory_and_one_world_readable_file_whatever_the_umask() {
        for umask in ["000", "022", "077", "777"] {
            let fixture = GeneratorFixture::one();
            let output = fixture.after_shell(&format!("umask {umask}"));
            let file = fixture.file("yaml");
            assert_eq!(output.code, 0, "umask {umask}: {output:?}");
            assert_eq!(output.stdout, format!("wrote {}: 4 device names\n", file.display()));
            assert_eq!(output.stderr, "");
            assert_eq!(identity(&file).3, 0o644, "umask {umask}");
            assert_eq!(listing(&fixture.cdi()).len(), 1);
            let directory = fixture.cdi().metadata().unwrap().mode() & 0o7777;
            assert_eq!(directory, 0o755, "umask {umask}: readable for rootless runtimes");
        }
    }

    #[test]
    fn missing_parents_of_the_directory_are_made_too() {
        let fixture = GeneratorFixture::one();
        let deep = fixture.cdi().join("a/b");
        assert_eq!(fixture.generator().write_to(&deep).code, 0);
        assert!(deep.join("hpe.com-cxi.yaml").is_file());
    }

    #[test]
    fn both_formats_hold_the_same_and_only_one_is_there() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        assert_eq!(fixture.write([]).code, 0);
        let as_yaml = yaml_file(&fixture.file("yaml"));

        let output = fixture.write(["--format", "json"]);
        assert_eq!(
            output.stdout,
            format!("wrote {}: 7 device names\n", fixture.file("json").display())
        );
        let text = fs::read_to_string(fixture.file("json")).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&text).unwrap(), as_yaml);
        assert_eq!(listing(&fixture.cdi()).len(), 1, "the .yaml is gone");

        assert_eq!(fixture.write([]).code, 0);
        assert_eq!(yaml_file(&fixture.file("yaml")), as_yaml);
        assert_eq!(listing(&fixture.cdi()).len(), 1, "the .json is gone");
    }

    #[test]
    fn a_second_run_on_an_unchanged_node_touches_nothing() {
        for format in ["yaml", "json"] {
            let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
            let file = fixture.file(format);
            fixture.write(["--format", format]);
            let before = (identity(&file), fs::read(&file).unwrap());
            let output = fixture.write(["--format", format]);
            assert_eq!(output.code, 0, "{output:?}");
            assert_eq!(
                output.stdout,
                format!("{} is up to date: 7 device names\n", file.display())
            );
            assert_eq!((identity(&file), fs::read(&file).unwrap()), before);
        }
    }

    #[test]
    fn a_mode_that_somebody_changed_is_put_right() {
        let fixture = GeneratorFixture::one();
        fixture.write([]);
        fs::set_permissions(fixture.file("yaml"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fixture.write([]).code, 0);
        assert_eq!(identity(&fixture.file("yaml")).3, 0o644);
    }

    #[test]
    fn a_rebind_changes_exactly_the_names_that_moved() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        fixture.write([]);
        let before = yaml_file(&fixture.file("yaml"));
        assert_eq!(fixture.node.rebind(FIRST).unwrap(), 2);
        let output = fixture.write([]);
        assert_has(&output.stdout, "wrote ");
        let after = yaml_file(&fixture.file("yaml"));

        assert_eq!(names(&before), [FIRST, "cxi0", "0", SECOND, "cxi1", "1", "all"]);
        assert_eq!(names(&after), [FIRST, "cxi2", "2", SECOND, "cxi1", "1", "all"]);
        for name in [SECOND, "cxi1", "1"] {
            assert_eq!(device(&before, name), device(&after, name));
        }
        for name in [FIRST, "cxi2", "2"] {
            assert_eq!(nodes(&after, name), ["/dev/cxi2"]);
        }
        assert_eq!(nodes(&after, "all"), ["/dev/cxi2", "/dev/cxi1"]);
        assert_eq!(before.container_edits, after.container_edits);
    }

    #[test]
    fn the_last_nic_gone_removes_the_file() {
        for format in ["yaml", "json"] {
            let fixture = GeneratorFixture::one();
            fixture.write(["--format", format]);
            fixture.node.remove(FIRST).unwrap();
            let output = fixture.write([]);
            assert_eq!(output.code, 0, "{output:?}");
            assert_has(&output.stdout, "no usable CXI NIC: ");
            assert_eq!(listing(&fixture.cdi()), [], "{format}");
        }
    }

    #[test]
    fn a_node_without_nics_is_no_error_and_gets_nothing() {
        let fixture = GeneratorFixture::new(&[]);
        let output = fixture.write([]);
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(
            output.stdout,
            format!("no usable CXI NIC: nothing written to {}\n", fixture.cdi().display())
        );
        assert!(fixture.has_no_cdi_directory());

        let output = fixture.say([]);
        assert_eq!(output.stdout, "");
        assert_has(
            &output.stderr,
            &format!(
                "no usable CXI NIC: {} would be removed",
                fixture.host("etc/cdi/hpe.com-cxi.yaml").display()
            ),
        );
    }

    #[test]
    fn a_link_in_place_of_our_file_is_refused_and_its_target_untouched() {
        for (link, format) in [("yaml", "yaml"), ("json", "json"), ("json", "yaml"), ("yaml", "json")] {
            let fixture = GeneratorFixture::one().with_files(&[("precious", "old")]);
            symlink("precious", fixture.file(link)).unwrap();
            let before = listing(&fixture.cdi());
            let output = fixture.write(["--format", format]);
            assert_eq!(output.code, 1, "{output:?}");
            assert_has(
                &output.stderr,
                &format!("{} is a symbolic link", fixture.file(link).display()),
            );
            assert_eq!(listing(&fixture.cdi()), before, "link {link}, format {format}");
        }
    }

    #[test]
    fn a_link_is_refused_also_when_there_is_nothing_to_write() {
        let fixture = GeneratorFixture::new(&[]).with_files(&[("precious", "old")]);
        symlink("precious", fixture.file("yaml")).unwrap();
        let before = listing(&fixture.cdi());
        assert_eq!(fixture.write([]).code, 1);
        assert_eq!(listing(&fixture.cdi()), before);
    }

    #[test]
    fn a_pipe_in_place_of_our_file_is_replaced_without_waiting_for_it() {
        let fixture = GeneratorFixture::one().with_files(&[]);
        mkfifo(&fixture.file("yaml"), Mode::S_IRWXU).unwrap();
        let output = fixture.without_hanging();
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(names(&yaml_file(&fixture.file("yaml"))), [FIRST, "cxi0", "0", "all"]);
    }

    #[test]
    fn a_directory_in_place_of_our_file_is_an_error_that_names_it() {
        for (directory, format) in [("yaml", "yaml"), ("json", "json"), ("json", "yaml"), ("yaml", "json")] {
            let fixture = GeneratorFixture::one().with_files(&[]);
            fs::create_dir(fixture.file(directory)).unwrap();
            let before = listing(&fixture.cdi());
            let output = fixture.write(["--format", format]);
            assert_eq!(output.code, 1, "{output:?}");
            assert_has(
                &output.stderr,
                &format!("cannot replace {}", fixture.file(directory).display()),
            );
            assert_eq!(listing(&fixture.cdi()), before, "nothing is written");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error_that_names_it() {
        let fixture = GeneratorFixture::one();
        let below_a_file = fixture.folder.path().join("file/cdi");
        fs::write(fixture.folder.path().join("file"), "").unwrap();
        let output = fixture.generator().write_to(&below_a_file);
        assert_eq!(output.code, 1, "{output:?}");
        assert_has(&output.stderr, below_a_file.to_str().unwrap());
        assert_has(&output.stderr, "because: Not a directory");
        assert_eq!(output.stdout, "");
    }

    /// A limit on the size of files stands for a full disk: the write fails half-way.
    #[test]
    fn a_write_that_fails_leaves_the_old_file_whole_and_nothing_beside_it() {
        let fixture = GeneratorFixture::one();
        fixture.write([]);
        fixture.node.rebind(FIRST).unwrap();
        let before = listing(&fixture.cdi());
        let output = fixture.after_shell("trap '' XFSZ; ulimit -f 0");
        assert_eq!(output.code, 1, "{output:?}");
        assert_has(
            &output.stderr,
            &format!("{} stays as it was", fixture.file("yaml").display()),
        );
        assert_has(&output.stderr, "cannot write ");
        assert_has(&output.stderr, "File too large");
        assert_eq!(listing(&fixture.cdi()), before);
    }
}

mod command_line {
    use super::*;

    #[test]
    fn a_dry_run_prints_what_would_be_written_and_writes_nothing() {
        for format in ["yaml", "json"] {
            for flag in ["-n", "--dry-run"] {
                let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
                let output = fixture
                    .generator()
                    .args([flag, "--format", format])
                    .write_to(&fixture.cdi());
                assert_eq!((output.code, output.stderr.as_str()), (0, ""));
                assert!(fixture.has_no_cdi_directory());
                fixture.write(["--format", format]);
                assert_eq!(fs::read_to_string(fixture.file(format)).unwrap(), output.stdout);
            }
        }
    }

    #[test]
    fn the_subcommand_generate_is_the_default() {
        let fixture = GeneratorFixture::one();
        let named = Generator::new()
            .args(["generate", "--root"])
            .arg(fixture.node.root())
            .dry_run();
        assert_eq!(named, fixture.say([]).stdout);
    }

    #[test]
    fn verbosity_shows_the_nics_and_then_what_could_not_be_read() {
        let fixture = GeneratorFixture::new(&[
            nic(FIRST).variant(Variant::V16),
            NicSpec::new(Kind::Cassini2).pci(SECOND),
        ]);
        let quiet = fixture.say([]);
        assert_eq!(quiet.stderr, "");

        let table = fixture.say(["-V", "1"]);
        let lines: Vec<&str> = table.stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{table:?}");
        assert!(lines[0].starts_with("ADDRESS "), "{table:?}");
        for part in [FIRST, "cxi0", "hsn0", "Cassini 1 PF", "200 Gb/s"] {
            assert_has(lines[1], part);
        }
        for part in [SECOND, "cxi1", "hsn1", "Cassini 2 PF", "400 Gb/s", "healthy"] {
            assert_has(lines[2], part);
        }

        let unread = fixture.say(["--verbose", "2"]);
        assert_has(&unread.stderr, &table.stderr);
        for attribute in ["link", "pct_eq", "driver_rev"] {
            let path = format!("{FIRST}: unknown: /sys/bus/pci/devices/{FIRST}/properties/{attribute}: ");
            assert_has(&unread.stderr, &path);
        }
        assert!(!unread.stderr.contains(&format!("{SECOND}: unknown")), "{unread:?}");

        for output in [&table, &unread] {
            assert_eq!(output.stdout, quiet.stdout, "notes never mix with the spec");
        }
    }

    #[test]
    fn small_v_is_the_version() {
        for flag in ["-v", "--version"] {
            let output = Generator::new().arg(flag).output();
            let version = format!("cxi-cdi-generator {}\n", env!("CARGO_PKG_VERSION"));
            assert_eq!((output.code, output.stdout), (0, version));
        }
    }

    #[test]
    fn help_has_every_flag_and_variable() {
        let output = Generator::new().arg("--help").output();
        assert_eq!(output.code, 0);
        for flag in [
            "cdi-dir",
            "dry-run",
            "format",
            "verbose",
            "libraries",
            "expose",
            "env-vars",
        ] {
            assert_has(&output.stdout, &format!("--{flag}"));
        }
        for flag in ["root", "sysfs-root", "devfs-root", "ofi-root", "cxi-root", "version"] {
            assert_has(&output.stdout, &format!("--{flag}"));
        }
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
            assert_has(&output.stdout, variable);
        }
        for short in ["-n, ", "-V, ", "-v, ", "-h, "] {
            assert_has(&output.stdout, short);
        }
        assert_has(&output.stdout, "Examples:");
    }

    #[test]
    fn wrong_usage_is_exit_code_2() {
        for args in [
            ["--colour", "red"],
            ["--format", "toml"],
            ["--expose", "all"],
            ["--libraries", "some"],
            ["-V", "loud"],
            ["list", "all"],
        ] {
            let output = Generator::new().args(args).output();
            assert_eq!(output.code, 2, "{args:?}: {output:?}");
            assert_eq!(output.stdout, "");
            assert_ne!(output.stderr, "");
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let fixture = GeneratorFixture::one();
        for args in [["--dry-run", "-V0"], ["--help", "-V0"], ["--format", "json"]] {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            let output: Output = fixture.command().args(args).stdout(writer).output().unwrap().into();
            assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}");
        }
        assert!(fixture.file("json").is_file());
    }

    #[test]
    fn the_spec_is_written_also_when_nobody_reads_the_notes() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND).variant(Variant::V5)]);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output: Output = fixture
            .command()
            .args(["-V", "2"])
            .stderr(writer)
            .output()
            .unwrap()
            .into();
        assert_eq!(output.code, 0, "{output:?}");
        assert_has(&output.stdout, "wrote ");
        assert_eq!(names(&yaml_file(&fixture.file("yaml"))), [FIRST, "cxi0", "0", "all"]);
    }

    #[test]
    fn a_spec_that_cannot_be_printed_is_an_error() {
        let fixture = GeneratorFixture::one();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output: Output = fixture.command().arg("--dry-run").stdout(full).output().unwrap().into();
        assert_eq!(output.code, 1, "{output:?}");
        assert_has(&output.stderr, "No space left on device");
    }
}

mod environment {
    use super::*;

    fn env(fixture: &GeneratorFixture, text: &str, way: &str) -> Vec<String> {
        let file = fixture.folder.path().join("env.yaml");
        fs::write(&file, text).unwrap();
        let spec = fixture.spec(["--env-vars", file.to_str().unwrap(), "--expose", way]);
        spec.container_edits.env
    }

    #[test]
    fn a_list_and_a_map_give_the_same_variables() {
        let fixture = GeneratorFixture::one();
        let list = "env:\n- A=1\n- OPTS=a=b=c\n- QUOTED=\"x y\"\n- 'SINGLE=z'\n- YES=yes\n";
        let map = "env:\n  A: 1\n  OPTS: a=b=c\n  QUOTED: \"x y\"\n  SINGLE: 'z'\n  YES: yes\n";
        let expected = ["A=1", "OPTS=a=b=c", "QUOTED=x y", "SINGLE=z", "YES=yes"];
        for text in [list, map] {
            assert_eq!(env(&fixture, text, "loader-paths"), expected);
        }
    }

    #[test]
    fn the_users_library_path_wins_over_ours() {
        let fixture = GeneratorFixture::one();
        let ours = "LD_LIBRARY_PATH=/opt/cray/lib64:/usr/lib64";
        assert_eq!(env(&fixture, "env:\n- A=b\n", "env"), [ours, "A=b"]);
        let theirs = "env:\n- A=b\n- LD_LIBRARY_PATH=/mine\n";
        assert_eq!(env(&fixture, theirs, "env"), ["A=b", "LD_LIBRARY_PATH=/mine"]);
        assert_eq!(env(&fixture, theirs, "loader-paths"), ["A=b", "LD_LIBRARY_PATH=/mine"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_and_nothing_is_written() {
        let fixture = GeneratorFixture::one();
        let bad = fixture.folder.path().join("bad");
        fs::create_dir(&bad).unwrap();
        let huge = format!("env:\n- A=b\n#{}\n- LAST=c\n", "x".repeat(2 << 20));
        let contents: [(&str, &[u8]); 7] = [
            ("empty", b""),
            ("no-list", b"env: text\n"),
            ("no-value", b"env:\n- NAME\n"),
            ("no-key", b"env:\n- =value\n"),
            ("broken", b"env: [\n"),
            ("binary", b"\xff\xfe\x00env"),
            ("huge", huge.as_bytes()),
        ];
        for (name, content) in contents {
            fs::write(bad.join(name), content).unwrap();
        }
        let unusable = contents.map(|(name, _)| bad.join(name)).into_iter();
        for path in unusable.chain([bad.clone(), bad.join("missing")]) {
            let output = fixture.write(["--env-vars", path.to_str().unwrap()]);
            assert_eq!(output.code, 78, "{path:?}: {output:?}");
            assert_has(&output.stderr, &format!("--env-vars file {}", path.display()));
            assert!(fixture.has_no_cdi_directory(), "{path:?}");
        }
    }
}

mod libraries {
    use super::*;

    const FABRIC: &str = "/opt/cray/lib64/libfabric.so.1.30.0";
    const CXI: &str = "/usr/lib64/libcxi.so.1.7.0";

    fn move_to(fixture: &GeneratorFixture, from: &str, directory: &str) {
        fs::create_dir_all(fixture.host(directory).parent().unwrap()).unwrap();
        fs::rename(fixture.host(from), fixture.host(directory)).unwrap();
    }

    /// A cache of the loader, glibc's format 1.1, with one library.
    fn loader_cache(soname: &str, path: &str) -> Vec<u8> {
        let strings = 48 + 24;
        let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
        bytes.extend(1_u32.to_ne_bytes());
        bytes.resize(48, 0);
        let after_soname = strings + u32::try_from(soname.len()).unwrap() + 1;
        for field in [3, strings, after_soname, 0, 0, 0] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(format!("{soname}\0{path}\0").as_bytes());
        bytes
    }

    #[test]
    fn loaders_of_both_families_find_each_library_by_its_soname() {
        let spec = GeneratorFixture::one().spec(["--expose", "loader-paths"]);
        let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let both = |name: &str| [format!("/usr/lib64/{name}"), format!("{multiarch}/{name}")];
        assert_eq!(
            targets(&spec),
            [both("libfabric.so.1"), both("libcxi.so.1")].concat().as_slice()
        );
        assert!(spec.container_edits.env.is_empty());
        for mount in &spec.container_edits.mounts {
            assert_eq!(mount.options, ["ro", "nosuid", "nodev", "rbind", "rprivate"]);
        }
        assert_eq!(GeneratorFixture::one().spec([]), spec, "it is the default");
    }

    #[test]
    fn by_environment_each_library_stands_where_it_does_on_the_host() {
        let spec = GeneratorFixture::one().spec(["--expose", "env"]);
        assert_eq!(
            targets(&spec).into_iter().collect::<BTreeSet<_>>(),
            BTreeSet::from([
                "/opt/cray/lib64/libfabric.so",
                "/opt/cray/lib64/libfabric.so.1",
                FABRIC,
                "/usr/lib64/libcxi.so",
                "/usr/lib64/libcxi.so.1",
                CXI,
            ])
        );
        assert_eq!(spec.container_edits.env, ["LD_LIBRARY_PATH=/opt/cray/lib64:/usr/lib64"]);
    }

    #[test]
    fn static_archives_libtool_files_and_libcxiutils_are_never_mounted() {
        let fixture = GeneratorFixture::one();
        let library = fixture.host("usr/lib64");
        fs::copy(library.join("libcxi.so.1.7.0"), library.join("libcxi.so.1-gdb.py")).unwrap();
        fs::copy(library.join("libcxi.so.1.7.0"), library.join("libcxi_extra.so.1")).unwrap();
        for path in [
            "usr/lib64/libcxi.la",
            "usr/lib64/libcxiutils.so.1",
            "opt/cray/lib64/libfabric.a",
        ] {
            assert!(fixture.host(path).is_file(), "{path}");
        }
        for way in ["env", "loader-paths"] {
            assert_eq!(mounted(&fixture.spec(["--expose", way])), BTreeSet::from([FABRIC, CXI]));
        }
    }

    #[test]
    fn no_libraries_at_all_can_be_asked_for() {
        let fixture = GeneratorFixture::one();
        fs::remove_dir_all(fixture.host("usr/lib64")).unwrap();
        for way in ["env", "loader-paths"] {
            let output = fixture.say(["--libraries", "none", "--expose", way]);
            assert_eq!(output.stderr, "", "nobody misses what nobody asked for");
            let spec = yaml(&output.stdout);
            assert!(spec.container_edits.is_empty(), "{spec:?}");
            assert_eq!(names(&spec), [FIRST, "cxi0", "0", "all"]);
        }
    }

    #[test]
    fn libraries_that_are_missing_are_a_warning_each() {
        let fixture = GeneratorFixture::one();
        fs::remove_dir_all(fixture.host("usr/lib64")).unwrap();
        let output = fixture.say([]);
        assert_has(&output.stderr, "warning: libcxi.so.1: not found (searched /usr/lib64, ");
        assert_eq!(mounted(&yaml(&output.stdout)), BTreeSet::from([FABRIC]));

        fs::remove_dir_all(fixture.host("opt")).unwrap();
        let output = fixture.say(["--expose", "env"]);
        assert_has(
            &output.stderr,
            "warning: libfabric.so.1: not found (searched /opt/cray/lib64, /opt/cray/libfabric, ",
        );
        assert!(yaml(&output.stdout).container_edits.is_empty());
    }

    #[test]
    fn a_file_that_no_container_could_load_is_a_warning_and_the_other_library_still_comes() {
        let elf = fs::read(GeneratorFixture::one().host("usr/lib64/libcxi.so.1.7.0")).unwrap();
        let patched = |at: usize, value: u8| {
            let mut bytes = elf.clone();
            bytes[at] = value;
            bytes
        };
        let rows: [(Vec<u8>, &str); 6] = [
            (b"INPUT(libreal.so)\n".to_vec(), "not a 64-bit ELF shared library"),
            (Vec::new(), "not a 64-bit ELF shared library"),
            (elf[..70].to_vec(), "not a 64-bit ELF shared library"),
            (patched(4, 1), "not a 64-bit ELF shared library"), // 32 bits
            (patched(16, 2), "not a shared library"),           // a program
            (patched(18, 22), "a library for another machine (ELF machine 22)"), // s390
        ];
        for (content, reason) in rows {
            let fixture = GeneratorFixture::one();
            fs::write(fixture.host("usr/lib64/libcxi.so.1.7.0"), content).unwrap();
            let output = fixture.say([]);
            assert_has(&output.stderr, &format!("warning: {CXI}: {reason}"));
            assert_has(&output.stderr, "warning: libcxi.so.1: not found");
            assert_eq!(mounted(&yaml(&output.stdout)), BTreeSet::from([FABRIC]), "{reason}");
        }
    }

    #[test]
    fn a_pipe_or_a_directory_named_like_a_library_is_a_warning() {
        let fixture = GeneratorFixture::one();
        mkfifo(&fixture.host("usr/lib64/libcxi.so.2"), Mode::S_IRWXU).unwrap();
        fs::create_dir(fixture.host("usr/lib64/libcxi.so.3")).unwrap();
        symlink("nowhere", fixture.host("usr/lib64/libcxi.so.4")).unwrap();
        symlink("libcxi.so.5", fixture.host("usr/lib64/libcxi.so.5")).unwrap();
        let output = fixture.without_hanging();
        for name in ["libcxi.so.2", "libcxi.so.3", "nowhere", "libcxi.so.5"] {
            assert_has(&output.stderr, &format!("warning: /usr/lib64/{name}: "));
        }
        assert_eq!(
            mounted(&yaml_file(&fixture.file("yaml"))),
            BTreeSet::from([FABRIC, CXI])
        );
    }

    #[test]
    fn the_newest_versioned_directory_stands_in_for_the_default() {
        let fixture = GeneratorFixture::one();
        let versions = ["1.15.2.0", "2.9.0", "2.10.0", "2.10.0rc1"];
        for version in versions {
            let directory = fixture.host(&format!("opt/cray/libfabric/{version}/lib64"));
            fs::create_dir_all(&directory).unwrap();
            let library = fixture.host("opt/cray/lib64/libfabric.so.1.30.0");
            fs::copy(library, directory.join("libfabric.so.1")).unwrap();
        }
        assert!(mounted(&fixture.spec([])).contains(FABRIC), "the default goes first");
        fs::remove_dir_all(fixture.host("opt/cray/lib64")).unwrap();
        for version in ["2.10.0", "2.10.0rc1", "2.9.0", "1.15.2.0"] {
            let file = format!("/opt/cray/libfabric/{version}/lib64/libfabric.so.1");
            let output = fixture.say([]);
            assert_eq!(mounted(&yaml(&output.stdout)), BTreeSet::from([file.as_str(), CXI]));
            fs::remove_dir_all(fixture.host(&format!("opt/cray/libfabric/{version}"))).unwrap();
        }
    }

    #[test]
    fn the_loaders_cache_leads_to_any_directory() {
        let fixture = GeneratorFixture::one();
        move_to(&fixture, "usr/lib64", "usr/lib/elsewhere");
        fs::create_dir(fixture.host("etc")).unwrap();
        let cache = loader_cache("libcxi.so.1", "/usr/lib/elsewhere/libcxi.so.1");
        fs::write(fixture.host("etc/ld.so.cache"), cache).unwrap();
        let output = fixture.say([]);
        assert_eq!(output.stderr, "", "it is where the host's loader takes it from");
        assert_eq!(
            mounted(&yaml(&output.stdout)),
            BTreeSet::from([FABRIC, "/usr/lib/elsewhere/libcxi.so.1.7.0"])
        );

        fs::write(fixture.host("etc/ld.so.cache"), b"something else").unwrap();
        assert_eq!(mounted(&fixture.spec([])), BTreeSet::from([FABRIC]));
    }

    #[test]
    fn a_root_that_was_set_is_the_only_place_that_is_searched() {
        let fixture = GeneratorFixture::one();
        fs::create_dir_all(fixture.host("site/lib")).unwrap();
        let output = fixture.say(["--cxi-root", "/site/lib"]);
        assert_has(&output.stderr, "warning: libcxi.so.1: not found (searched /site/lib)");
        assert_eq!(mounted(&yaml(&output.stdout)), BTreeSet::from([FABRIC]));
    }
}

mod foreign_files {
    use super::*;

    fn foreign(kind: &str, device: &str) -> String {
        format!(
            "cdiVersion: 0.5.0\nkind: {kind}\ndevices:\n- name: \"{device}\"\n  containerEdits:\n    env:\n    - A=b\n"
        )
    }

    #[test]
    fn others_specs_are_never_touched() {
        let fixture = GeneratorFixture::one().with_files(&[
            ("vendor.com-gpu.yaml", &foreign("vendor.com/gpu", "0")),
            ("hpe.com-other.yaml", &foreign("hpe.com/other", FIRST)),
            (
                "more.json",
                "{\"cdiVersion\":\"0.5.0\",\"kind\":\"hpe.com/cxi\",\"devices\":[{\"name\":\"special\"}]}",
            ),
            ("notes.txt", &foreign("hpe.com/cxi", FIRST)),
        ]);
        fs::set_permissions(fixture.cdi().join("more.json"), fs::Permissions::from_mode(0o600)).unwrap();
        let before = listing(&fixture.cdi());
        for format in ["yaml", "json"] {
            assert_eq!(fixture.write(["--format", format]).code, 0);
            let mut after = listing(&fixture.cdi());
            after.retain(|(path, ..)| *path != fixture.file(format));
            assert_eq!(after, before);
        }
        fixture.node.remove(FIRST).unwrap();
        assert_eq!(fixture.write(["--format", "json"]).code, 0);
        assert_eq!(listing(&fixture.cdi()), before);
    }

    #[test]
    fn a_foreign_file_with_one_of_our_names_is_an_error_that_names_both() {
        for (name, file) in [
            (FIRST, "a.yaml"),
            ("cxi0", "b.json"),
            ("0", "c.yaml"),
            ("all", "hpe.com-cxi_1.yaml"),
        ] {
            let fixture = GeneratorFixture::one().with_files(&[(file, &foreign("hpe.com/cxi", name))]);
            let before = listing(&fixture.cdi());
            let output = fixture.write([]);
            assert_eq!(output.code, 1, "{output:?}");
            let what = format!("{} offers hpe.com/cxi={name}, too", fixture.cdi().join(file).display());
            assert_has(&output.stderr, &what);
            assert_eq!(output.stdout, "");
            assert_eq!(listing(&fixture.cdi()), before);
        }
    }

    #[test]
    fn a_clash_leaves_our_own_old_file_as_it_was() {
        let fixture = GeneratorFixture::one();
        fixture.write([]);
        fixture.node.rebind(FIRST).unwrap();
        fs::write(fixture.cdi().join("z.yaml"), foreign("hpe.com/cxi", "cxi1")).unwrap();
        let before = listing(&fixture.cdi());
        let output = fixture.write(["--format", "json"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert_eq!(listing(&fixture.cdi()), before);
    }

    #[test]
    fn files_that_no_reader_understands_are_ignored() {
        let fixture = GeneratorFixture::one().with_files(&[
            ("broken.yaml", "kind: [hpe.com/cxi\n"),
            ("broken.json", "{\"kind\": \"hpe.com/cxi\", "),
            ("empty.yaml", ""),
            ("number.json", "17"),
            ("no-devices.yaml", "kind: hpe.com/cxi\n"),
        ]);
        let cdi = fixture.cdi();
        fs::write(cdi.join("binary.yaml"), [0xff, 0xfe, 0, 1, 2]).unwrap();
        fs::write(
            cdi.join("huge.yaml"),
            foreign("hpe.com/cxi", FIRST) + &"#".repeat(5 << 20),
        )
        .unwrap();
        fs::write(cdi.join("unreadable.yaml"), "x").unwrap();
        fs::set_permissions(cdi.join("unreadable.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::create_dir(cdi.join("directory.yaml")).unwrap();
        symlink("nowhere", cdi.join("dangling.yaml")).unwrap();
        symlink("loop.json", cdi.join("loop.json")).unwrap();
        symlink("/dev/zero", cdi.join("endless.yaml")).unwrap();
        let output = fixture.without_hanging();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        assert_eq!(fs::read_dir(&cdi).unwrap().count(), 13);
    }

    #[test]
    fn a_pipe_among_the_files_does_not_hold_us_up() {
        let fixture = GeneratorFixture::one().with_files(&[]);
        mkfifo(&fixture.cdi().join("pipe.yaml"), Mode::S_IRWXU).unwrap();
        let output = fixture.without_hanging();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    }
}

mod names {
    use super::*;

    /// Only the good NIC is in the spec, and the bad one is warned about.
    fn assert_withheld(fixture: &GeneratorFixture, bad: &str, reason: &str) {
        let output = fixture.say([]);
        let spec = yaml(&output.stdout);
        assert_eq!(names(&spec), [FIRST, "cxi0", "0", "all"], "{reason}");
        for name in names(&spec) {
            assert_eq!(nodes(&spec, name), ["/dev/cxi0"], "{reason}");
        }
        assert_has(&output.stderr, &format!("warning: {bad} gets no device name: "));
        assert_has(&output.stderr, reason);
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        let good = format!("{FIRST} gets no");
        assert!(!output.stderr.contains(&good), "{output:?}");
    }

    #[test]
    fn each_nic_has_its_address_its_name_its_number_and_a_part_in_all() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND), NicSpec::new(Kind::Cassini2).pci(THIRD)]);
        let spec = fixture.spec([]);
        assert_eq!(
            names(&spec),
            [FIRST, "cxi0", "0", SECOND, "cxi1", "1", THIRD, "cxi2", "2", "all"]
        );
        for (address, number) in [(FIRST, 0), (SECOND, 1), (THIRD, 2)] {
            for name in [address, &format!("cxi{number}"), &number.to_string()] {
                assert_eq!(nodes(&spec, name), [format!("/dev/cxi{number}")], "{name}");
            }
        }
        assert_eq!(nodes(&spec, "all"), ["/dev/cxi0", "/dev/cxi1", "/dev/cxi2"]);
    }

    #[test]
    fn a_number_is_the_whole_number() {
        let fixture = GeneratorFixture::new(&[nic(FIRST).cxi(10), nic(SECOND).cxi(0), nic(THIRD).cxi(100)]);
        let spec = fixture.spec([]);
        assert_eq!(nodes(&spec, "10"), ["/dev/cxi10"]);
        assert_eq!(nodes(&spec, "0"), ["/dev/cxi0"]);
        assert_eq!(nodes(&spec, "100"), ["/dev/cxi100"]);
        assert_eq!(nodes(&spec, FIRST), ["/dev/cxi10"]);
    }

    #[test]
    fn the_netdevs_name_decides_nothing() {
        for netdev in ["n1", "x", "hsn9", "cxi7", "fifteen-letters"] {
            let fixture = GeneratorFixture::new(&[nic(FIRST).netdev(netdev)]);
            assert_eq!(names(&fixture.spec([])), [FIRST, "cxi0", "0", "all"], "{netdev}");
            assert_has(&fixture.say(["-V", "1"]).stderr, netdev);
        }
        let swapped = GeneratorFixture::new(&Variant::V3.nics());
        for nic in swapped.node.nics().unwrap() {
            let expected = [format!("/dev/cxi{}", nic.cxi.unwrap())];
            assert_eq!(nodes(&swapped.spec([]), &nic.pci), expected);
        }
    }

    #[test]
    fn a_nic_is_offered_whatever_else_is_unusual_about_it() {
        let plain = GeneratorFixture::one().spec([]);
        for variant in Variant::ALL {
            let unusual = nic(FIRST).variant(variant);
            if variant.fits(Kind::Cassini1) && variant != Variant::V5 {
                assert_eq!(GeneratorFixture::new(&[unusual]).spec([]), plain, "{variant}");
            }
        }
        assert_eq!(GeneratorFixture::new(&[nic(FIRST).numa(-1)]).spec([]), plain);
        assert_eq!(
            GeneratorFixture::new(&[NicSpec::new(Kind::Cassini2).pci(FIRST)]).spec([]),
            plain
        );
    }

    #[test]
    fn a_gap_in_the_numbers_shifts_no_name() {
        let fixture = GeneratorFixture::new(&Variant::V4.nics());
        let spec = fixture.spec([]);
        assert_eq!(
            nodes(&spec, "all"),
            ["/dev/cxi4", "/dev/cxi1", "/dev/cxi2", "/dev/cxi3"]
        );
        assert!(!names(&spec).contains(&"0"));
    }

    #[test]
    fn a_nic_without_device_node_has_no_name() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND).variant(Variant::V5)]);
        assert_withheld(&fixture, SECOND, "/dev/cxi1: No such file or directory");
    }

    #[test]
    fn a_nic_of_another_driver_has_no_name() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        let driver = fixture.sysfs(SECOND).join("driver");
        fs::remove_file(&driver).unwrap();
        symlink("../../../../bus/pci/drivers/vfio-pci", &driver).unwrap();
        assert_withheld(&fixture, SECOND, "bound to driver vfio-pci");
    }

    #[test]
    fn a_nic_without_driver_has_no_name() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        fixture.node.unbind(SECOND).unwrap();
        let reason = format!("/sys/class/cxi_user: no entry belongs to {SECOND}");
        assert_withheld(&fixture, SECOND, &reason);
    }

    #[test]
    fn a_nic_with_a_stale_device_node_has_no_name() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        fixture.node.set(SECOND, "cxi_user/cxi1/dev", b"240:1\n").unwrap();
        let reason = "/dev/cxi1: a stale node: it is 1:7, the driver's is 240:1";
        assert_withheld(&fixture, SECOND, reason);
    }

    #[test]
    fn a_plain_file_is_no_device_node() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        fs::remove_file(fixture.host("dev/cxi1")).unwrap();
        fs::write(fixture.host("dev/cxi1"), "").unwrap();
        assert_withheld(&fixture, SECOND, "/dev/cxi1: not a character device");
    }

    #[test]
    fn a_vf_beside_its_pf_is_left_out_without_a_warning() {
        for (pf, vf) in [(Kind::Cassini1, Kind::Cassini1Vf), (Kind::Cassini2, Kind::Cassini2Vf)] {
            let fixture = GeneratorFixture::new(&[NicSpec::new(pf).pci(FIRST), NicSpec::new(vf)]);
            let output = fixture.say([]);
            assert_eq!(names(&yaml(&output.stdout)), [FIRST, "cxi0", "0", "all"]);
            assert_eq!(output.stderr, "");
            assert_has(&fixture.say(["-V", "1"]).stderr, "VF");
        }
    }

    #[test]
    fn companion_nodes_are_in_the_spec_only_where_the_host_has_them() {
        let fixture = GeneratorFixture::one();
        assert!(fixture.spec([]).container_edits.device_nodes.is_empty());
        fs::write(fixture.host("dev/gdrdrv"), "").unwrap();
        assert!(fixture.spec([]).container_edits.device_nodes.is_empty(), "a plain file");
        symlink("/dev/full", fixture.host("dev/kdreg2")).unwrap();
        let spec = fixture.spec([]);
        assert_eq!(spec.container_edits.device_nodes[0].path, "/dev/kdreg2");
        fs::remove_file(fixture.host("dev/kdreg2")).unwrap();
        symlink("/dev/full", fixture.host("dev/xpmem")).unwrap();
        let spec = fixture.spec([]);
        let companions = &spec.container_edits.device_nodes;
        assert_eq!(companions.len(), 1);
        assert_eq!(
            (companions[0].path.as_str(), companions[0].host_path.as_str()),
            ("/dev/xpmem", "/dev/xpmem")
        );
        assert_eq!(nodes(&spec, "all"), ["/dev/cxi0"], "it is no NIC");
    }
}
