//! One daemon at a time, and nobody but root and its own user can keep it from starting or speak for it.
#![cfg(test)]

mod common;

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::daemon::{A, DaemonFixture, nics, until};
use common::generator_fixture::assert_has;
use common::skip::{Need, skip};
use common::{Output, listing};
use inotify::{EventMask, Inotify, WatchMask};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

const PLUGIN: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");
const NOBODY: u32 = 65534;

/// A host whose run directory is there with this mode, and that any user may walk through.
fn host(mode: u32) -> DaemonFixture {
    let host = DaemonFixture::new(&nics(1));
    fs::set_permissions(host.path("."), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(host.path("run")).unwrap();
    fs::set_permissions(host.path("run"), Permissions::from_mode(mode)).unwrap();
    host
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

/// As older versions made it.
fn open_lock(host: &DaemonFixture, pid: u32) -> Flock<File> {
    let path = host.path("run/lock");
    fs::write(&path, format!("{pid}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    Flock::lock(File::open(&path).unwrap(), FlockArg::LockSharedNonblock).unwrap()
}

fn status(host: &DaemonFixture, user: Option<u32>) -> Output {
    let mut command = Command::new(PLUGIN);
    command.arg("status").arg("--run-dir").arg(host.path("run"));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.output().unwrap().into()
}

/// Refused at the start, within a guard's time.
fn refusal(host: &DaemonFixture) -> (Option<i32>, String) {
    let mut daemon = host.start(&[]);
    let status = daemon.wait();
    (status.code(), daemon.log())
}

#[test]
fn the_lock_is_for_nobody_else() {
    let host = host(0o755);
    let daemon = host.start(&[]);
    daemon.wait_for_log("waiting for kubelet.sock in");
    assert_eq!(mode(&host.path("run/lock")), 0o600);
    let (code, log) = refusal(&host);
    assert_eq!(code, Some(75), "{log}");
    assert_has(&log, &format!("pid {} holds", daemon.pid()));
}

#[test]
fn whoever_holds_the_lock_of_an_older_version_keeps_nobody_from_starting() {
    for pid in [std::process::id(), 1, 0x7fff_fff0] {
        let host = host(0o755);
        let _held = open_lock(&host, pid);
        let daemon = host.start(&[]);
        daemon.wait_for_log("waiting for kubelet.sock in");
        assert_eq!(mode(&host.path("run/lock")), 0o600);
        assert!(!host.path("run/lock.new").exists());
        let said = status(&host, None);
        assert_has(&said.stdout, &format!("runs as pid {}", daemon.pid()));
    }
}

#[test]
fn of_many_that_replace_such_a_lock_one_runs() {
    for _ in 0..5 {
        let host = host(0o755);
        let _held = open_lock(&host, 1);
        let mut daemons: Vec<_> = (0..6).map(|_| host.start(&["--pulse", "0"])).collect();
        let mut running = || {
            let alive = daemons.iter_mut().map(|daemon| u32::from(daemon.is_running()));
            alive.sum::<u32>()
        };
        until(|| running() <= 1, || "more than one runs".to_owned());
        let running = running();
        assert_eq!(running, 1, "{}", daemons[0].log());
    }
}

#[test]
fn what_is_no_lock_of_ours_is_refused_by_its_name_and_left_alone() {
    type Plant = fn(&Path);
    let plants: [(&str, Plant, &str); 3] = [
        (
            "a link",
            |path| {
                fs::write(path.with_file_name("other"), "precious").unwrap();
                symlink("other", path).unwrap();
            },
            "is a symbolic link",
        ),
        (
            "a pipe",
            |path| mkfifo(path, Mode::from_bits_truncate(0o666)).unwrap(),
            "is not a regular file",
        ),
        (
            "a directory",
            |path| fs::create_dir(path).unwrap(),
            "is not a regular file",
        ),
    ];
    for (what, plant, said) in plants {
        let host = host(0o755);
        plant(&host.path("run/lock"));
        let before = listing(&host.path("run"));
        let (code, log) = refusal(&host);
        assert_eq!(code, Some(1), "{what}: {log}");
        assert_has(&log, said);
        assert_eq!(listing(&host.path("run")), before, "{what}");
        let output = status(&host, None);
        assert_eq!(output.code, 1, "{what}: {output:?}");
        assert_has(&output.stderr, "cannot be told whether");
    }
}

#[test]
fn a_directory_that_all_may_write_is_made_the_daemons_own() {
    let host = host(0o777);
    let daemon = host.start(&[]);
    daemon.wait_for_log("waiting for kubelet.sock in");
    assert_eq!(mode(&host.path("run")), 0o755);
}

#[test]
fn every_user_learns_that_a_daemon_runs() {
    if !geteuid().is_root() {
        return skip(Need::Root, "another user");
    }
    let host = host(0o755);
    assert_has(&status(&host, Some(NOBODY)).stderr, "is not running");
    let daemon = host.start(&[]);
    daemon.wait_for_log("waiting for kubelet.sock in");
    until(|| host.path("run/status.json").exists(), || daemon.log());
    let output = status(&host, Some(NOBODY));
    assert_has(&output.stdout, &format!("runs as pid {}", daemon.pid()));
    daemon.kill();
    // What it has left behind speaks for nobody.
    assert_has(&status(&host, Some(NOBODY)).stderr, "is not running");
    assert_has(&status(&host, None).stderr, "is not running");
    fs::remove_file(host.path("run/status.json")).unwrap();
    assert_has(&status(&host, Some(NOBODY)).stderr, "cannot be told whether");
}

#[test]
fn nobody_else_can_say_that_one_runs() {
    if !geteuid().is_root() {
        return skip(Need::Root, "another user");
    }
    let host = host(0o1777);
    // A process of theirs that goes by the name, and whatever they can write.
    let own = host.path("cxi-device-plug");
    fs::copy("/bin/sleep", &own).unwrap();
    let mut sleeper = Command::new(&own)
        .arg("1000")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let pid = sleeper.id();
    let record = format!("{{\"schema\": 1, \"pid\": {pid}}}");
    for (name, text) in [("lock", pid.to_string()), ("status.json", record)] {
        let path = host.path("run").join(name);
        fs::write(&path, text).unwrap();
        std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let planted = OpenOptions::new().read(true).open(host.path("run/lock")).unwrap();
    let _held = Flock::lock(planted, FlockArg::LockExclusiveNonblock).unwrap();
    let output = status(&host, None);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert_has(&output.stderr, "belongs to user 65534");
    // Nor by its record alone.
    fs::set_permissions(host.path("run/lock"), Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(host.path("run/lock"), Some(0), Some(0)).unwrap();
    assert_has(&status(&host, Some(1234)).stderr, "belongs to user 65534");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

/// Whatever the umask, all may look at what the daemon says and what an admin has ordered.
#[test]
fn directories_are_for_all_to_read_whatever_the_umask() {
    let modes = |run_dir: &Path| (mode(run_dir), mode(&run_dir.join("cordoned")));
    let shell = |program: &Command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 077; exec \"$0\" \"$@\""]);
        shell.arg(program.get_program()).args(program.get_args());
        shell
    };
    let host = DaemonFixture::new(&nics(1));
    let mut cordon = Command::new(PLUGIN);
    cordon.args(["cordon", A, "--root"]).arg(host.node.root());
    fs::create_dir_all(host.node.root().join("run")).unwrap();
    let output: Output = shell(&cordon).output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
    let usual = host.node.root().join("run/cxi-device-plugin");
    assert_eq!(modes(&usual), (0o755, 0o755), "by cordon");

    let daemon = host.spawn(shell(&host.command()));
    daemon.wait_for_log("looked at the node in");
    assert_eq!(modes(&host.path("run")), (0o755, 0o755), "by the daemon");
}

/// To open a pipe or a device does something to it, also where no link leads there.
#[test]
fn what_is_no_file_is_not_opened_to_find_that_out() {
    for name in ["lock", "status.json"] {
        let host = host(0o755);
        let pipe = host.path("run").join(name);
        mkfifo(&pipe, Mode::from_bits_truncate(0o666)).unwrap();
        let mut opened = Inotify::init().unwrap();
        opened.watches().add(&pipe, WatchMask::OPEN).unwrap();
        // Whoever replaces it makes events, too.
        let saw = |opened: &mut Inotify| {
            let mut buffer = [0; 4096];
            let events = opened.read_events(&mut buffer).into_iter().flatten();
            events
                .map(|event| event.mask)
                .any(|mask| mask.contains(EventMask::OPEN))
        };
        status(&host, None);
        let daemon = host.start(&[]);
        let log = || daemon.log();
        until(
            || log().contains("looked at the node in") || log().contains("is not a regular file"),
            log,
        );
        assert!(!saw(&mut opened), "{name} was opened");
        // So that the witness is one.
        if fs::symlink_metadata(&pipe).is_ok_and(|found| found.file_type().is_fifo()) {
            drop(OpenOptions::new().read(true).write(true).open(&pipe));
            assert!(saw(&mut opened));
        }
    }
}

#[test]
fn an_order_in_a_directory_that_is_a_link_names_the_directory() {
    let host = host(0o755);
    let link = host.path("run/cordoned");
    fs::create_dir(host.path("elsewhere")).unwrap();
    symlink(host.path("elsewhere"), &link).unwrap();
    for subcommand in ["cordon", "uncordon"] {
        let mut command = Command::new(PLUGIN);
        command.args([subcommand, A, "--run-dir"]).arg(host.path("run"));
        let output: Output = command.arg("--root").arg(host.node.root()).output().unwrap().into();
        assert_eq!(output.code, 1, "{output:?}");
        assert_has(
            &output.stderr,
            &format!("{}\n  because: is a symbolic link", link.display()),
        );
    }
    assert!(listing(&host.path("elsewhere")).is_empty());
}
