//! `cxi-cdi-generator generate`: which NICs, which names, and where to.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use common::generator_fixture::{
    FIRST, GeneratorFixture, PROGRAM, SECOND, THIRD, assert_has, identity, names, nic, nodes, yaml, yaml_file,
};
use common::{Generator, Output, listing};
use cxi_sim::node::{Kind, NicSpec};

fn three() -> GeneratorFixture {
    GeneratorFixture::new(&[nic(FIRST), nic(SECOND), nic(THIRD)])
}

mod nics {
    use super::*;

    #[test]
    fn a_subset_is_chosen_by_any_name_of_a_nic() {
        for name in [SECOND, "cxi1", "1", "hsn1"] {
            let fixture = three();
            let spec = fixture.spec(["--device", name]);
            assert_eq!(names(&spec), [SECOND, "cxi1", "1", "all"], "{name}");
            assert_eq!(nodes(&spec, "all"), ["/dev/cxi1"]);
        }
    }

    #[test]
    fn several_names_are_given_by_comma_or_by_repetition() {
        let fixture = three();
        for args in [
            ["--device=cxi2,0", "-V0"],
            ["--device=0", "--device=cxi2"],
            ["--device=0,cxi2", "--device=0000:21:00.0"],
        ] {
            assert_eq!(
                nodes(&fixture.spec(args), "all"),
                ["/dev/cxi0", "/dev/cxi2"],
                "{args:?}"
            );
        }
        assert_eq!(
            fixture.say(["--device", "cxi2"]).stderr,
            "",
            "what is not chosen is nothing to warn of"
        );
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_what_there_is_and_nothing_is_written() {
        let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
        let output = fixture.write(["--device", "cxi1,cxi9"]);
        let expected = format!(
            "cxi-cdi-generator: no NIC is called 'cxi9' on this node: there are {FIRST} (cxi0, 0, hsn0), {SECOND} (cxi1, 1, hsn1)\n"
        );
        assert_eq!((output.code, output.stderr), (1, expected));
        assert!(fixture.has_no_cdi_directory());
        let empty = GeneratorFixture::new(&[]);
        assert_has(&empty.write(["--device", "0"]).stderr, "it has no CXI NIC");
    }

    #[test]
    fn a_name_that_two_nics_have_is_refused() {
        let fixture = GeneratorFixture::new(&[nic(FIRST).cxi(0), nic(SECOND).cxi(1).netdev("cxi0")]);
        let output = fixture.write(["--device", "cxi0"]);
        assert_eq!(output.code, 1);
        assert_has(
            &output.stderr,
            &format!("'cxi0' may be any of {FIRST}, {SECOND}: give the PCI address"),
        );
    }

    #[test]
    fn virtual_functions_come_when_they_are_asked_for() {
        let vf = "0000:21:00.1";
        let fixture = GeneratorFixture::new(&[nic(FIRST), NicSpec::new(Kind::Cassini1Vf).pci(vf)]);
        let addresses = |functions: &str| {
            let spec = fixture.spec(["--functions", functions, "--names", "pci", "--no-all"]);
            names(&spec).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(addresses("pf"), [FIRST]);
        assert_eq!(addresses("vf"), [vf]);
        assert_eq!(addresses("all"), [FIRST, vf]);
        assert_eq!(
            names(&fixture.spec(["--names", "pci", "--no-all"])),
            [FIRST],
            "the default"
        );
    }

    #[test]
    fn a_nic_that_was_named_and_is_not_offered_is_a_warning() {
        let vf = "0000:21:00.1";
        let fixture = GeneratorFixture::new(&[nic(FIRST), NicSpec::new(Kind::Cassini1Vf).pci(vf)]);
        let output = fixture.say(["--device", vf]);
        assert_has(
            &output.stderr,
            &format!("warning: {vf} gets no device name: a VF, and no VFs are asked for"),
        );
    }
}

mod kinds_of_names {
    use super::*;

    #[test]
    fn each_kind_of_name_can_be_had_alone_and_in_any_order() {
        let fixture = GeneratorFixture::one();
        for (list, expected) in [
            ("pci", vec![FIRST, "all"]),
            ("cxi", vec!["cxi0", "all"]),
            ("index", vec!["0", "all"]),
            ("index,pci", vec!["0", FIRST, "all"]),
            ("pci,cxi,index,pci", vec![FIRST, "cxi0", "0", "all"]),
        ] {
            assert_eq!(names(&fixture.spec(["--names", list])), expected, "{list}");
        }
        assert_eq!(names(&fixture.spec(["--names=pci", "--no-all"])), [FIRST]);
    }

    #[test]
    fn unknown_kinds_are_wrong_usage_and_a_near_one_is_suggested() {
        for (args, part) in [
            (["--names", "pci,cxj"], "a similar value exists: 'cxi'"),
            (["--names", ""], "a value is required for '--names <LIST>'"),
            (["--functions", "pff"], "a similar value exists: 'pf'"),
            (["--no-al", "-n"], "a similar argument exists: '--no-all'"),
        ] {
            let output = Generator::new().args(args).output();
            assert_eq!(output.code, 2, "{args:?}");
            assert_has(&output.stderr, part);
        }
    }
}

mod output {
    use super::*;

    fn to(fixture: &GeneratorFixture, file: &Path, further: &[&str]) -> Output {
        let mut generator = fixture.generator();
        for arg in further {
            generator.arg(arg);
        }
        generator.arg("--output").arg(file).output()
    }

    #[test]
    fn a_dash_prints_the_spec() {
        let fixture = three();
        let output = to(&fixture, Path::new("-"), &[]);
        assert_eq!(output.stdout, fixture.say([]).stdout);
        assert_eq!(
            to(&fixture, Path::new("-"), &["--format=json"]).stdout,
            fixture.say(["--format=json"]).stdout
        );
    }

    #[test]
    fn a_file_is_written_in_the_format_of_its_suffix_unless_told_otherwise() {
        let fixture = three();
        let file = |name: &str| fixture.folder.path().join(name);
        for (name, further, format) in [
            ("a.yaml", &[][..], "yaml"),
            ("a.json", &[], "json"),
            ("plain", &[], "yaml"),
            ("b.json", &["--format=yaml"], "yaml"),
            ("plain.txt", &["--format=json"], "json"),
        ] {
            let output = to(&fixture, &file(name), further);
            assert_eq!(
                output.stdout,
                format!("wrote {}: 10 device names\n", file(name).display())
            );
            assert_eq!(
                fs::read_to_string(file(name)).unwrap(),
                fixture.say(["--format", format]).stdout,
                "{name}"
            );
            assert_eq!(file(name).metadata().unwrap().permissions().mode() & 0o7777, 0o644);
        }
        assert!(fixture.has_no_cdi_directory());
    }

    #[test]
    fn a_bare_name_is_a_file_of_the_working_directory() {
        let fixture = three();
        let before = listing(fixture.folder.path()).len();
        let mut bare = Command::new(PROGRAM);
        bare.current_dir(fixture.folder.path());
        bare.arg("--root")
            .arg(fixture.node.root())
            .args(["--output", "bare.json"]);
        assert!(bare.output().unwrap().status.success());
        assert_eq!(
            listing(fixture.folder.path()).len(),
            before + 1,
            "no temporary file stays"
        );
        assert_eq!(yaml_file(&fixture.folder.path().join("bare.json")), fixture.spec([]));
    }

    #[test]
    fn an_unchanged_file_is_not_touched_and_the_last_nic_takes_it_away() {
        let fixture = GeneratorFixture::one();
        let file = fixture.folder.path().join("spec.yaml");
        to(&fixture, &file, &[]);
        let before = identity(&file);
        assert_has(&to(&fixture, &file, &[]).stdout, "is up to date");
        assert_eq!(identity(&file), before);
        fixture.node.remove(FIRST).unwrap();
        assert_eq!(
            to(&fixture, &file, &[]).stdout,
            format!("no usable CXI NIC: removed {}\n", file.display())
        );
        assert!(!file.exists());
    }

    #[test]
    fn what_is_no_regular_file_is_left_alone() {
        let fixture = GeneratorFixture::one();
        let link = fixture.folder.path().join("link.yaml");
        symlink(fixture.folder.path().join("target"), &link).unwrap();
        let pipe = fixture.folder.path().join("pipe.yaml");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let before = listing(fixture.folder.path());
        // A directory, a link, a pipe; as a file to replace, /dev/null would be lost to the whole machine.
        for file in [fixture.folder.path(), &link, &pipe] {
            let output = to(&fixture, file, &[]);
            assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{}", file.display());
            assert_has(&output.stderr, &format!("{} is not a regular file", file.display()));
        }
        assert_eq!(listing(fixture.folder.path()), before);
    }

    #[test]
    fn a_format_in_place_of_a_file_and_contradicting_places_are_wrong_usage() {
        for (args, part) in [
            (&["--output", "json"][..], "its format is --format"),
            (&["-o", ""], "give a file, or - for standard output"),
            (&["-o", "specs/"], "this is a directory: give a file in it"),
            (&["-o", "x", "--cdi-dir", "/tmp"], "cannot be used with"),
            (&["-o", "x", "-n"], "cannot be used with"),
        ] {
            let mut generator = Generator::new();
            for arg in args {
                generator.arg(arg);
            }
            let output = generator.output();
            assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{args:?}");
            assert_has(&output.stderr, part);
        }
    }
}

mod saying {
    use super::*;

    const COMMANDS: [&[&str]; 7] = [
        &["--help"],
        &["--version"],
        &["list", "--help"],
        &["--dry-run"],
        &["list"],
        &["list", "-o", "json"],
        &["verify"],
    ];

    fn run(fixture: &GeneratorFixture, args: &[&str], stdout: impl Into<std::process::Stdio>) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(args);
        if !args.contains(&"--help") && !args.contains(&"--version") {
            command
                .arg("--root")
                .arg(fixture.node.root())
                .arg("--cdi-dir")
                .arg(fixture.cdi());
        }
        command.stdout(stdout).output().unwrap().into()
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let fixture = GeneratorFixture::one();
        for args in COMMANDS {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = run(&fixture, args, writer);
            // Findings stay findings: no spec is on disk.
            let code = if args == ["verify"] { 3 } else { 0 };
            assert_eq!((output.code, output.stderr.as_str()), (code, ""), "{args:?}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_an_error() {
        let fixture = GeneratorFixture::one();
        for args in COMMANDS {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let output = run(&fixture, args, full);
            let expected = "cxi-cdi-generator: cannot write to standard output\n  because: No space left on device (os error 28)\n";
            assert_eq!((output.code, output.stderr.as_str()), (1, expected), "{args:?}");
        }
    }

    #[test]
    fn each_command_has_help_with_examples_and_exit_codes() {
        for command in ["generate", "list", "verify", "remove"] {
            let output = Generator::new().args([command, "--help"]).output();
            assert_eq!(output.code, 0);
            assert_has(&output.stdout, &format!("Examples:\n  cxi-cdi-generator {command}"));
            assert_has(&output.stdout, "Exit codes:\n");
        }
    }

    #[test]
    fn each_option_of_the_commands_is_still_there() {
        let output = Generator::new().args(["generate", "--help"]).output();
        for flag in [
            "cdi-dir",
            "dry-run",
            "output",
            "format",
            "device",
            "functions",
            "names",
            "no-all",
            "run-dir",
            "verbose",
        ] {
            assert_has(&output.stdout, &format!("--{flag}"));
        }
        assert_eq!(
            yaml(&GeneratorFixture::one().say(["-V", "0"]).stdout).kind,
            "hpe.com/cxi"
        );
    }
}
