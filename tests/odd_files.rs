//! What stands where a file of ours should be, and is none: a pipe nobody writes to, a device, a directory, one without end.
//! Nothing waits for it; a pipe that the shell of the caller made is read.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::Output;
use common::daemon::{A, DaemonFixture, PATIENCE, RESOURCE, nics, until};
use common::generator_fixture::assert_has;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const GENERATOR: &str = env!("CARGO_BIN_EXE_cxi-cdi-generator");
const PLUGIN: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");

type Plant = fn(&Path);

const PLANTS: [(&str, Plant); 4] = [
    ("a pipe", |path| mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap()),
    ("a link to a device", |path| symlink("/dev/zero", path).unwrap()),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a link to a pipe", |path| {
        let pipe = path.with_extension("pipe");
        mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
        symlink(pipe, path).unwrap();
    }),
];

/// Ended by `timeout` if it hangs.
fn run(program: &str, args: &[&str]) -> Output {
    let guard = PATIENCE.as_secs().to_string();
    let output = Command::new("timeout").arg(guard).arg(program).args(args).output();
    output.unwrap().into()
}

#[test]
fn no_command_waits_for_what_is_no_file() {
    for (what, plant) in PLANTS {
        let host = DaemonFixture::new(&nics(1));
        let (root, odd) = (host.node.root().to_str().unwrap().to_owned(), host.path("odd.toml"));
        plant(&odd);
        fs::create_dir_all(host.path("etc/config.d")).unwrap();
        let (file, main) = (odd.to_str().unwrap(), host.path("etc/config.toml"));
        fs::write(&main, "").unwrap();
        plant(&host.path("etc/config.d/50-odd.toml"));
        let (main, state) = (main.to_str().unwrap(), host.path("run"));
        let state = state.to_str().unwrap();
        for (program, args) in [
            (PLUGIN, &["check-config", file][..]),
            (PLUGIN, &["check-config", main]),
            (PLUGIN, &["config", "--config", file]),
            (PLUGIN, &["run", "--config", file, "--run-dir", state]),
            (PLUGIN, &["run", "--config", main, "--run-dir", state]),
            (
                PLUGIN,
                &["run", "--env-vars", file, "--root", &root, "--run-dir", state],
            ),
            (GENERATOR, &["--dry-run", "--env-vars", file, "--root", &root]),
            (GENERATOR, &["verify", "--env-vars", file, "--root", &root]),
        ] {
            let output = run(program, args);
            assert_eq!(output.code, 78, "{what}: {args:?}: {output:?}");
            assert_has(&output.stderr, "not a regular file");
        }
    }
}

/// A folder of drop-ins that cannot be one is no reason to go on without what it should say.
#[test]
fn drop_ins_that_are_in_no_directory_are_missed() {
    let plants: [(&str, Plant); 5] = [
        PLANTS[0],
        PLANTS[1],
        PLANTS[3],
        ("a file", |path| fs::write(path, "").unwrap()),
        ("a link to nothing", |path| symlink("/nosuch", path).unwrap()),
    ];
    for (what, plant) in plants {
        let host = DaemonFixture::new(&nics(1));
        let (file, folder) = (host.path("etc/config.toml"), host.path("etc/config.d"));
        fs::create_dir_all(host.path("etc")).unwrap();
        fs::write(&file, "").unwrap();
        let check = || run(PLUGIN, &["check-config", file.to_str().unwrap()]);
        assert_eq!(check().code, 0, "without drop-ins: {:?}", check());
        plant(&folder);
        let output = check();
        assert_eq!(output.code, 78, "{what}: {output:?}");
        assert_has(&output.stderr, folder.to_str().unwrap());
    }
}

/// They look like regular files, and some wait or lose what is read: /proc/kmsg. This one does neither, for the sake of who
/// breaks the program.
#[test]
fn files_of_the_kernel_are_not_taken_for_ours() {
    let host = DaemonFixture::new(&nics(1));
    let root = host.node.root().to_str().unwrap().to_owned();
    let (main, odd) = (host.path("etc/config.toml"), host.path("odd.toml"));
    for folder in ["etc/config.d", "specs"] {
        fs::create_dir_all(host.path(folder)).unwrap();
    }
    fs::write(&main, "").unwrap();
    for link in ["odd.toml", "etc/config.d/50-odd.toml", "specs/other.yaml"] {
        symlink("/proc/self/status", host.path(link)).unwrap();
    }
    let (main, odd, specs) = (main.to_str().unwrap(), odd.to_str().unwrap(), host.path("specs"));
    for (program, args, code) in [
        (PLUGIN, &["check-config", odd][..], 78),
        (PLUGIN, &["check-config", main], 78),
        (PLUGIN, &["check-config", "/proc/self/status"], 78),
        (GENERATOR, &["--dry-run", "--env-vars", odd, "--root", &root], 78),
        (GENERATOR, &["list", "--cdi-dir", specs.to_str().unwrap()], 0),
    ] {
        let output = run(program, args);
        assert_eq!(output.code, code, "{args:?}: {output:?}");
        assert_has(
            &format!("{}{}", output.stdout, output.stderr),
            "in a file system of the kernel (proc)",
        );
    }
}

/// Each fault's place is found without reading all of the text again.
#[test]
fn a_file_full_of_faults_is_refused_in_few_words() {
    let host = DaemonFixture::new(&nics(1));
    let file = host.path("odd.toml");
    let unknown = |number: u32| format!("k{number} = 1\n");
    let texts = [
        "[[[[\n".repeat(100_000),
        "= 1\n".repeat(100_000),
        (0..60_000).map(unknown).collect(),
        format!("\"{}\" = 1\n", "[0]".repeat(200_000)),
        format!("{} = 1\n", "k".repeat(500_000)),
    ];
    for text in texts {
        fs::write(&file, text).unwrap();
        let output = run(PLUGIN, &["check-config", file.to_str().unwrap()]);
        assert_eq!(output.code, 78, "{}", output.stderr.lines().next().unwrap_or_default());
        assert!(output.stderr.lines().count() <= 102, "{}", output.stderr.len());
        assert_has(&output.stderr, "odd.toml:1:");
    }
}

#[tokio::test]
async fn a_reload_does_not_wait_either() {
    for (what, plant) in PLANTS {
        let host = DaemonFixture::new(&nics(1));
        let (daemon, kubelet) = (host.start(&[]), host.kubelet());
        kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == 1)
            .await
            .unwrap();
        fs::create_dir(host.path("config.d")).unwrap();
        let odd = host.path("config.d/50-odd.toml");
        plant(&odd);
        daemon.hang_up();
        daemon.wait_for_log("the configuration stays as it was");
        assert_has(&daemon.log(), "not a regular file");
        // It goes on, and so does the next reload.
        if odd.is_dir() {
            fs::remove_dir(&odd).unwrap();
        } else {
            fs::remove_file(&odd).unwrap();
        }
        host.node.unbind(A).unwrap();
        daemon.look();
        until(
            || daemon.log().contains("read the configuration"),
            || format!("{what}: {}", daemon.log()),
        );
        assert_eq!(daemon.terminate().code(), Some(0));
    }
}

#[test]
fn a_pipe_of_the_callers_shell_is_read() {
    for script in [
        "exec \"$0\" check-config <(echo '[cdi]'; echo 'format = \"json\"')",
        "echo '[cdi]' | \"$0\" check-config /dev/stdin",
        "\"$0\" check-config /dev/stdin </dev/null || test $? = 78",
    ] {
        let output: Output = Command::new("timeout")
            .args([&PATIENCE.as_secs().to_string(), "bash", "-c", script, PLUGIN])
            .output()
            .unwrap()
            .into();
        assert_eq!(output.code, 0, "{script}: {output:?}");
    }
    let wrong: Output = Command::new("bash")
        .args(["-c", "exec \"$0\" check-config <(echo 'nosuch = 1')", PLUGIN])
        .output()
        .unwrap()
        .into();
    assert_eq!(wrong.code, 78, "{wrong:?}");
    assert_has(&wrong.stderr, "nosuch: unknown key");
}
