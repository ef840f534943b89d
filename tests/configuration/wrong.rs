//! Wrong files: each is refused with exit code 78, by the daemon as by `check-config`, and each problem is named with its
//! line.

use super::common::Output;
use super::program::Program;

/// A text, and what must be said of it: lines with the words that follow `config.toml:LINE:COLUMN: `.
type Row = (&'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    // No TOML.
    ("[cdi\ndir = \"/x\"\n", &["1:5: not TOML:"]),
    ("[cdi]\ndir = /x\n", &["2:7: not TOML:"]),
    ("[cdi]\ndir \"/x\"\n", &["2:5: not TOML:"]),
    ("[cdi]\ndir = \"/x\n", &["2:10: not TOML:"]),
    ("[cdi]\ndir = \"/x\"\ndir = \"/y\"\n", &["3:1: not TOML: duplicate key"]),
    ("[cdi]\n[log]\n[cdi]\n", &["3:2: not TOML: duplicate key"]),
    ("exclude = [\"a\"\n", &["not TOML:"]),
    // Keys that nobody knows.
    (
        "[cdi]\ndri = \"/x\"\n",
        &["2:1: cdi.dri: unknown key; did you mean dir?"],
    ),
    (
        "[cdi]\n\nfromat = \"yaml\"\n",
        &["3:1: cdi.fromat: unknown key; did you mean format?"],
    ),
    (
        "[kubelt]\ndir = \"/x\"\n",
        &["1:2: kubelt: unknown key; did you mean kubelet?"],
    ),
    (
        "[health]\nretry_handler = \"warn\"\n",
        &["2:1: health.retry_handler: unknown key; did you mean retry-handler?"],
    ),
    (
        "[health]\nexclude = []\n",
        &["2:1: health.exclude: unknown key here; exclude belongs at the top, before the first"],
    ),
    (
        "strategy = \"cdi\"\n",
        &["1:1: strategy: unknown key here; strategy belongs under [allocation]"],
    ),
    (
        "[cdi]\nstrategy = \"cdi\"\n",
        &["2:1: cdi.strategy: unknown key here; strategy belongs under [allocation]"],
    ),
    (
        "[log]\nverbosity = 3\n",
        &["2:1: log.verbosity: unknown key; there are format, level, target"],
    ),
    (
        "[[resource]]\nnam = \"a/b\"\n",
        &["2:1: resource[0].nam: unknown key; did you mean name?"],
    ),
    ("\"\" = 1\n", &["1:1: : unknown key"]),
    // Libraries that are nobody's to give.
    (
        "[libraries]\nextra = [\"/x/libx.so.1\", \"/x/libc.so.6\", \"/lib64/ld-linux-x86-64.so.2\"]\n",
        &[
            "2:26: libraries.extra: '/x/libc.so.6' cannot be given to containers, libc.so.6 belongs to the C library: ",
            "2:42: libraries.extra: '/lib64/ld-linux-x86-64.so.2' cannot be given to containers, ",
        ],
    ),
    (
        "[libraries]\nextra = [\"/x/libm-2.31.so\", \"/x/..\", \"/x/lib\\nx.so\"]\n",
        &[
            "2:10: libraries.extra: '/x/libm-2.31.so' cannot be given to containers, ",
            "2:29: libraries.extra: '/x/..' cannot be given to containers, it is no path of a file",
            "2:38: libraries.extra: '/x/lib\\nx.so' cannot be given to containers, its path has control characters",
        ],
    ),
    // Keys of a later version.
    (
        "[export]\ntextfile = \"/x\"\n",
        &["2:12: export.textfile: node_exporter reads only files whose names end in .prom"],
    ),
    ("[cdi]\nkind = \"a/b\"\n", &["2:1: cdi.kind: this version"]),
    (
        "[[resource]]\nreplicas = 2\nselect = { function = \"vf\", numa = 1 }\n",
        &[
            "2:1: resource[0].replicas: this version",
            "3:29: resource[0].select.numa: this version",
        ],
    ),
    // VNIs of namespaces.
    (
        "[isolation]\nrequired = \"yes\"\nhost_network = \"deny\"\nvnis = \"1024\"\n",
        &[
            "2:12: isolation.required: 'yes' is not true or false",
            "3:16: isolation.host_network: 'deny' is not one of \"ignore\", \"refuse\"",
            "4:8: isolation.vnis: must be a table: write [isolation.vnis]",
        ],
    ),
    (
        "[isolation.vnis]\na = \"0-3\"\nb = \"1-7\"\nc = \"10\"\nd = \"9-8\"\ne = \"x\"\nf = 1024\n",
        &[
            "2:5: isolation.vnis.a: '0-3': VNI 0 is none",
            "3:5: isolation.vnis.b: '1-7': VNI 1 is the default service's",
            "4:5: isolation.vnis.c: '10': VNI 10 is the default service's",
            "5:5: isolation.vnis.d: '9-8': its first VNI is above its last",
            "6:5: isolation.vnis.e: 'x': not VNIs such as \"1024-1031\"",
            "7:5: isolation.vnis.f: 1024 is not a text in quotes",
        ],
    ),
    (
        "[isolation.vnis]\nblue = \"1024-1031\"\nred = \"1031-1040\"\n\"*\" = \"2000\"\ngreen = \"1999-2001\"\n",
        &[
            "3:7: isolation.vnis.red: it overlaps with that of blue (1024-1031): pods of both",
            "5:9: isolation.vnis.green: it overlaps with that of * (2000): pods of both",
        ],
    ),
    (
        "[cxi_service]\ndefault_service = \"fail\"\n",
        &["2:19: cxi_service.default_service: 'fail' is not one of \"warn\", \"require\", \"ignore\""],
    ),
    // Values of another kind.
    (
        "cdi = \"/x\"\n",
        &["1:7: cdi: must be a table: write [cdi] and under it its keys"],
    ),
    (
        "[cdi]\ndir = 5\n",
        &["2:7: cdi.dir: 5 is not an absolute path in quotes"],
    ),
    (
        "[cdi]\ndir = \"cdi\"\n",
        &["2:7: cdi.dir: 'cdi' is not an absolute path"],
    ),
    (
        "[cdi]\ndir = \"/a\\u0000b\"\n",
        &["2:7: cdi.dir: '/a\\0b' is not an absolute path"],
    ),
    ("[cdi]\nall = \"yes\"\n", &["2:7: cdi.all: 'yes' is not true or false"]),
    (
        "[cdi]\nformat = \"toml\"\n",
        &["2:10: cdi.format: 'toml' is not one of \"yaml\", \"json\""],
    ),
    ("[cdi]\nnames = \"pci\"\n", &["2:9: cdi.names: 'pci' is not a list"]),
    (
        "[cdi]\nnames = [\n  \"pci\",\n  \"hsn\",\n]\n",
        &["4:3: cdi.names: 'hsn' is not one of \"pci\", \"cxi\", \"index\""],
    ),
    (
        "[kubelet]\nenabled = \"no\"\n",
        &["2:11: kubelet.enabled: 'no' is not one of \"auto\", true, false"],
    ),
    (
        "[libraries]\nmode = \"Listed\"\n",
        &["2:8: libraries.mode: 'Listed' is not one of"],
    ),
    (
        "[allocation]\nstrategy = \"Auto\"\n",
        &["2:12: allocation.strategy: 'Auto' is not one of \"auto\", \"cdi\", \"direct\""],
    ),
    (
        "[runtime]\nendpoint = \"/run/containerd/containerd.sock\"\n",
        &[
            "2:12: runtime.endpoint: '/run/containerd/containerd.sock' is not \"auto\", or a socket such as \"unix:///run",
        ],
    ),
    (
        "[runtime]\nendpoint = \"tcp://127.0.0.1:1\"\nsocket = \"/x\"\n",
        &[
            "2:12: runtime.endpoint: 'tcp://127.0.0.1:1' is not \"auto\"",
            "3:1: runtime.socket: unknown key",
        ],
    ),
    (
        "[health]\npoll = 30\n",
        &["2:8: health.poll: 30 is not a duration such as"],
    ),
    (
        "[health]\nhold_down = \"5\"\n",
        &["2:13: health.hold_down: '5' is not a duration"],
    ),
    (
        "[health]\nhold_up = \"-1s\"\n",
        &["2:11: health.hold_up: '-1s' is not a duration"],
    ),
    (
        "[health]\nlink = \"error\"\n",
        &["2:8: health.link: 'error' is not one of \"fail\", \"warn\", \"ignore\""],
    ),
    (
        "[health]\nlink = 1.5\n",
        &["2:8: health.link: a number with a fraction is not one of"],
    ),
    (
        "[daemon]\nstart_grace = 2026-01-01\n",
        &["2:15: daemon.start_grace: a date or time is not a duration"],
    ),
    ("[log]\nlevel = \"INFO\"\n", &["2:9: log.level: 'INFO' is not one of"]),
    // Values that mean nothing.
    (
        "exclude = [\"hsn0\", \"cxi0\"]\n",
        &["1:20: exclude: 'cxi0' moves from NIC to NIC"],
    ),
    (
        "exclude = [\"21:00.0\"]\n",
        &["1:12: exclude: '21:00.0' is not a PCI address such as 0000:21:00.0"],
    ),
    (
        "exclude = [\"a/b\"]\n",
        &["1:12: exclude: 'a/b' is neither a PCI address"],
    ),
    (
        "[container]\ndevices = [\"xpmem\"]\n",
        &["2:12: container.devices: 'xpmem' is not the path of a device node"],
    ),
    (
        "[container]\ndevices = [\"/dev/../etc/shadow\"]\n",
        &["2:12: container.devices: '/dev/../etc/shadow' is not"],
    ),
    (
        "[container.env]\nA = 5\n",
        &["2:5: container.env.A: 5 is not a text in quotes"],
    ),
    (
        "[container.env]\n\"A=B\" = \"x\"\n",
        &["2:9: container.env.A=B: 'A=B=x' is no variable"],
    ),
    (
        "[[resource]]\nname = \"cxi\"\n",
        &["2:8: resource[0].name: 'cxi' is not an extended resource name"],
    ),
    (
        "[resource]\nname = \"a.b/c\"\n",
        &["1:1: resource: write [[resource]], in two brackets"],
    ),
    // Values that are right, but not together.
    (
        "[libraries]\nclosure_all = true\n",
        &["2:15: libraries.closure_all: it says which libraries 'closure' takes"],
    ),
    (
        "[cdi]\nnames = []\nall = false\n",
        &["2:9: cdi.names: without names and without 'all'"],
    ),
    (
        "[allocation]\nstrategy = \"cdi\"\n[cdi]\nnames = [\"cxi\"]\n",
        &["4:9: cdi.names: strategy \"cdi\" tells kubelet"],
    ),
    // Longer than the path of a socket can be.
    (
        "[kubelet]\ndir = \"/a234567890123456789012345678901234567890123456789012345678901234567890123456\"\n",
        &["2:7: kubelet.dir: this path is 77 bytes long, and with our socket's name in it, it has at most 74"],
    ),
    (
        "[kubelet]\npod_resources = \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
        &["2:17: kubelet.pod_resources: this path is 112 bytes long"],
    ),
    (
        "[export]\nmetrics_socket = \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
        &["2:18: export.metrics_socket: this path is 112 bytes long"],
    ),
    (
        "[runtime]\nendpoint = \"unix:///aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
        &["2:12: runtime.endpoint: this path is 112 bytes long"],
    ),
    // A root that is not there.
    (
        "[roots]\nofi = \"/absent\"\n",
        &["2:7: roots.ofi: '/absent', which is not a directory"],
    ),
    // All at once.
    (
        "exclude = [\"x:y\"]\n[cdi]\ndri = 1\nall = 2\n[log]\nlevel = 3\n",
        &["1:12: exclude:", "3:1: cdi.dri:", "4:7: cdi.all:", "6:9: log.level:"],
    ),
    (
        "exclude = [\"x:y\", \"cxi0\", 7]\n",
        &["1:12: exclude:", "1:19: exclude:", "1:27: exclude:"],
    ),
];

/// The problems that are named, without the name of the file.
fn problems(output: &Output, program: &Program) -> Vec<String> {
    let file = format!("{}:", program.path("config.toml").display());
    let lines = output.stderr.lines().filter_map(|line| line.split_once(file.as_str()));
    lines.map(|(_, problem)| problem.to_owned()).collect()
}

#[test]
fn each_wrong_file_is_refused_with_its_line_by_the_daemon_and_by_the_check_alike() {
    assert!(ROWS.len() >= 40);
    for (text, expected) in ROWS {
        let program = Program::new(text);
        let checked = program.check();
        let named = problems(&checked, &program);
        assert_eq!(checked.code, 78, "{text}\n{checked:?}");
        assert_eq!(named.len(), expected.len(), "{text}\n{}", checked.stderr);
        for (named, expected) in named.iter().zip(*expected) {
            assert!(named.contains(expected), "{text}\n{expected}\n{named}");
        }
        let mut daemon = program.command("run");
        daemon.arg("--config").arg(program.path("config.toml"));
        daemon.arg("--run-dir").arg(program.path("run"));
        let refused: Output = daemon.output().unwrap().into();
        assert_eq!(refused.code, 78, "{text}\n{refused:?}");
        assert_eq!(problems(&refused, &program), named, "{text}");
        assert!(!program.path("run").exists(), "{text}: it has begun to run");
    }
}

#[test]
fn a_file_that_was_asked_for_must_be_there_and_be_a_text() {
    let program = Program::new("");
    program.write("config.toml", [0xff, 0xfe]);
    let output = program.check();
    assert!(
        output.code == 78
            && output
                .stderr
                .contains("config.toml: cannot be read: not a text in UTF-8"),
        "{output:?}"
    );
    program.write("config.toml", "#".repeat((1 << 20) + 1));
    let output = program.check();
    assert!(
        output.code == 78 && output.stderr.contains("longer than 1048576 bytes"),
        "{output:?}"
    );
    for missing in ["absent.toml", "config.toml/x"] {
        let mut command = program.command("config");
        let output: Output = command
            .arg("--config")
            .arg(program.path(missing))
            .output()
            .unwrap()
            .into();
        assert!(output.code == 78 && output.stderr.contains(missing), "{output:?}");
    }
}

#[test]
fn a_wrong_value_is_named_even_where_another_file_wins_and_in_drop_ins() {
    let program = Program::new("[cdi]\ndir = 5\n");
    program.write(
        "config.d/10-site.toml",
        "[cdi]\ndir = \"/var/run/cdi\"\n[log]\nlevel = \"loud\"\n",
    );
    program.write("config.d/20-old.toml.rpmsave", "nonsense");
    program.write("config.d/.hidden.toml", "nonsense");
    let output = program.check();
    assert_eq!(output.code, 78);
    assert!(output.stderr.contains("config.toml:2:7: cdi.dir: 5"), "{output:?}");
    assert!(
        output.stderr.contains("10-site.toml:4:9: log.level: 'loud'"),
        "{output:?}"
    );
    assert_eq!(output.stderr.lines().count(), 3, "{output:?}");
}

#[test]
fn flags_that_do_not_go_together_are_wrong_usage() {
    let program = Program::new("");
    let mut command = program.command("config");
    let output: Output = command.arg("--closure-all").output().unwrap().into();
    assert!(
        output.code == 2 && output.stderr.contains("--closure-all: libraries.closure_all"),
        "{output:?}"
    );
}

#[test]
fn what_is_allowed_but_odd_is_a_warning_with_its_line() {
    for (text, expected) in [
        ("[cdi]\ndir = \"/run/other\"\n", ":2:7: cdi.dir: runtimes look in"),
        (
            "[cdi]\ndir = \"/etc/cdi\"\n",
            ":2:7: cdi.dir: this is for files of admins",
        ),
        ("[health]\npoll = \"0s\"\n", ":2:8: health.poll: without looks"),
        (
            "[container.env]\nLD_LIBRARY_PATH = \"/x\"\n",
            ":2:19: container.env.LD_LIBRARY_PATH: it replaces",
        ),
    ] {
        let output = Program::new(text).check();
        assert_eq!((output.code, output.stdout.as_str()), (0, "ok\n"), "{output:?}");
        assert!(
            output.stderr.starts_with("warning: ") && output.stderr.contains(expected),
            "{output:?}"
        );
    }
    let output = Program::new("").check();
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (0, "ok\n", "")
    );
}
