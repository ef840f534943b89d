//! Somebody may write where our programs look and write: for as long as they run, files and directories are swapped for
//! links, pipes, sockets, device nodes and back. Whatever the programs make of it, they end, and nothing outside is opened,
//! changed or drained.
//!
//! `CXI_RANDOM_SEED` repeats a run as far as a race can be repeated, `CXI_RANDOM_ROUNDS` says how often programs run in it.
#![cfg(test)]

mod common;

#[path = "racing/attacker.rs"]
mod attacker;
#[path = "racing/outside.rs"]
mod outside;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use attacker::{Attacker, Plan};
use common::daemon::{A, Daemon, DaemonFixture, PATIENCE, nics, until};
use common::generator_fixture::PROGRAM as GENERATOR;
use common::{Generator, say, setting};
use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outside::{Outside, SECRET};

const DAEMON: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");

/// One attack at a time, so that attacker and program each have a processor.
static ALONE: Mutex<()> = Mutex::new(());

/// What comes of programs under attack.
struct Trial {
    name: &'static str,
    rng: Rng,
    seed: u64,
    rounds: u64,
    /// By the program's first argument and how it ended.
    ends: BTreeMap<String, u64>,
    /// The program that ran in this round.
    last: String,
    /// What was done outside: by the program that ran and the place, how often what.
    found: BTreeMap<(String, PathBuf), BTreeMap<String, u64>>,
}

impl Trial {
    fn new(name: &'static str) -> Self {
        let seed = setting("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..));
        let rounds = setting("CXI_RANDOM_ROUNDS").unwrap_or(1000);
        say(&format!("racing {name}: {rounds} rounds, CXI_RANDOM_SEED={seed}"));
        Self {
            name,
            rng: Rng::with_seed(seed),
            seed,
            rounds,
            ends: BTreeMap::new(),
            last: String::new(),
            found: BTreeMap::new(),
        }
    }

    /// Runs `round` again and again beside an attacker, and reports.
    fn run(&mut self, plan: Plan, outside: &mut Outside, mut round: impl FnMut(&mut Self, u64)) {
        let attacker = Attacker::start(plan, self.seed);
        for number in 0..self.rounds {
            round(self, number);
            for (path, what) in outside.seen() {
                let what = self.found.entry((self.last.clone(), path)).or_default().entry(what);
                *what.or_default() += 1;
            }
            if (number + 1) % 1000 == 0 {
                say(&format!(
                    "racing {}: {} of {} rounds",
                    self.name,
                    number + 1,
                    self.rounds
                ));
            }
        }
        let swaps = attacker.call_off();
        say(&format!("racing {}: {swaps}; ends {:?}", self.name, self.ends));
        assert!(swaps.count() > self.rounds, "that was no race: {swaps}");
    }

    /// All of what was done outside, as each kind is a fault of its own.
    fn finish(self, outside: Outside) {
        let found: Vec<String> = self
            .found
            .into_iter()
            .map(|((last, path), what)| format!("{} by {last}: {what:?}", path.display()))
            .collect();
        assert!(found.is_empty(), "racing {}: done outside: {found:#?}", self.name);
        outside.assert_untouched();
    }

    /// Runs a program to its end, which has to come, and not by a signal or a panic; it must not tell secrets.
    fn program(&mut self, program: &str, args: &[&str], places: &[(&str, &Path)]) {
        self.last = args.join(" ");
        let mut command = Command::new(program);
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
            command.env_remove(variable);
        }
        command.args(args);
        for (flag, place) in places {
            command.arg(flag).arg(place);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(PATIENCE) else {
            kill(pid, Signal::SIGKILL).unwrap();
            panic!("racing {}: {command:?} does not end", self.name);
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1 | 3 | 75 | 78)) && !said.contains("panicked"),
            "racing {}: {command:?}: {:?}: {said}",
            self.name,
            output.status
        );
        assert!(
            !said.contains(SECRET),
            "racing {}: {command:?} tells: {said}",
            self.name
        );
        let end = format!("{} {}", args[0], code.unwrap());
        *self.ends.entry(end).or_default() += 1;
    }
}

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn for_everybody(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn the_witness_sees_what_is_done_outside() {
    let folder = common::scratch();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("inside")).unwrap();
    let by_link = |name: &str, target: &str| {
        let link = at("inside").join(name);
        let _ = fs::remove_file(&link);
        symlink(at("outside").join(target), &link).unwrap();
        link
    };
    let shell = |script: &str, path: PathBuf| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        shell.status().unwrap();
    };
    for (script, target) in [
        ("read line <\"$1\"", "secret"),
        ("read line <\"$1\"", "spec.yaml"),
        ("read line <\"$1\"", "pipe"),
        (": >>\"$1\"", "secret"),
        ("chmod 600 \"$1\"", "secret"),
        ("touch \"$1\"", "directory/deeper/secret"),
        ("ls \"$1\"", "directory"),
        (": >\"$1/new\"", "directory"),
        ("rm \"$1/secret.yaml\"", "directory"),
        ("mkdir -p \"$1\"", "not"),
        ("mv \"$1/secret\" \"$1/renamed\"", "directory/deeper"),
    ] {
        let mut outside = Outside::new(at("outside"));
        shell(script, by_link("link", target));
        // A link to what is not there is not followed by mkdir.
        if target != "not" {
            assert!(!outside.seen().is_empty(), "{script} of {target} is not seen");
        }
        shell(
            "stat \"$1\"; readlink \"$1\"; test -e \"$1\"; ls -l \"$1\"",
            by_link("link", "secret"),
        );
        assert_eq!(outside.seen(), [], "a look at a link is none at its target's content");
        drop(outside);
        fs::remove_dir_all(at("outside")).unwrap();
    }
}

#[test]
fn in_a_cdi_directory_for_everybody_nothing_outside_is_touched() {
    let _alone = alone();
    let mut trial = Trial::new("cdi directory");
    let host = DaemonFixture::new(&nics(2));
    let cdi = host.path("cdi");
    for_everybody(&cdi);
    let foreign = cdi.join("acme.example-gpu.yaml");
    fs::write(&foreign, "cdiVersion: 0.5.0\nkind: acme.example/gpu\ndevices: []\n").unwrap();
    let mut daemon = host.start_at("info", &["--pulse", "1", "--enable-cdi"]);
    host.wait_for_spec(|spec| spec.contains(A));
    let mut outside = Outside::new(host.path("outside"));
    let plan = Plan {
        places: vec![
            host.spec_file(),
            cdi.join("hpe.com-cxi.json"),
            foreign,
            cdi.join("zz-other.json"),
            cdi.join("sub"),
        ],
        directories: vec![cdi.clone()],
        targets: outside.targets(),
        stash: host.path("stash"),
    };
    let node = host.node.root().to_owned();
    trial.run(plan, &mut outside, |trial, _| {
        let args: &[&str] = match trial.rng.u8(0..7) {
            0 | 1 => &["generate"],
            2 => &["generate", "--format", "json"],
            3 => &["list"],
            4 => &["list", "--output", "json"],
            5 => &["verify"],
            _ => &["remove"],
        };
        let places: &[(&str, &Path)] = &[("--root", &node), ("--cdi-dir", &cdi)];
        // What is only listed and removed is not looked for on a node.
        let places = if args[0] == "remove" { &places[1..] } else { places };
        trial.program(GENERATOR, args, places);
    });
    for entry in fs::read_dir(&cdi).unwrap().flatten() {
        let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
    }
    let wanted = Generator::below(&node).dry_run();
    host.wait_for_spec(|spec| spec == wanted);
    assert!(daemon.is_running(), "{}", daemon.log());
    assert!(
        !daemon.log().contains("panicked") && !daemon.log().contains(SECRET),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.terminate().code(), Some(0));
    trial.finish(outside);
}

/// A file of the machine that runs this, or else one of the emulated node.
fn first_of(candidates: &[&str], otherwise: &Path) -> PathBuf {
    let mut real = candidates.iter().map(PathBuf::from).filter(|path| path.is_file());
    real.next().unwrap_or_else(|| otherwise.to_owned())
}

#[test]
fn in_a_container_image_nothing_outside_is_touched() {
    let _alone = alone();
    let mut trial = Trial::new("rootfs");
    let host = DaemonFixture::new(&nics(2));
    let (node, image) = (host.node.root().to_owned(), host.path("image"));
    let library = node.join("opt/cray/lib64/libfabric.so.1.30.0");
    let (loader, directory) = match std::env::consts::ARCH {
        "aarch64" => ("lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"),
        _ => ("lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
    };
    let libc = first_of(&[&format!("/{directory}/libc.so.6"), "/usr/lib64/libc.so.6"], &library);
    let real_loader = first_of(&[&format!("/{loader}")], &library);
    let cache = first_of(&["/etc/ld.so.cache"], &library);
    let files: [(&str, &Path); 7] = [
        (loader, &real_loader),
        (&format!("{directory}/libc.so.6"), &libc),
        ("usr/lib64/libc.so.6", &libc),
        ("usr/lib64/libfabric.so.1", &library),
        (&format!("{directory}/libcxi.so.1"), &library),
        ("etc/ld.so.cache", &cache),
        ("opt/own/lib/libfabric.so.1", &library),
    ];
    for (name, content) in files {
        fs::create_dir_all(image.join(name).parent().unwrap()).unwrap();
        fs::copy(content, image.join(name)).unwrap();
    }
    fs::create_dir(image.join("etc/ld.so.conf.d")).unwrap();
    fs::write(
        image.join("etc/ld.so.conf"),
        "include /etc/ld.so.conf.d/*.conf\n/opt/own/lib\n",
    )
    .unwrap();
    fs::write(image.join("etc/ld.so.conf.d/own.conf"), "/opt/own/lib\n").unwrap();
    fs::write(image.join("etc/ld-musl-x86_64.path"), "/opt/own/lib\n").unwrap();
    let directories = [
        "etc",
        "etc/ld.so.conf.d",
        "lib64",
        "usr",
        "usr/lib64",
        directory,
        "opt/own/lib",
    ];
    let texts = ["etc/ld.so.conf", "etc/ld.so.conf.d/own.conf", "etc/ld-musl-x86_64.path"];
    let names = files.iter().map(|(name, _)| *name).chain(directories).chain(texts);
    let mut outside = Outside::new(host.path("outside"));
    let plan = Plan {
        places: names
            .filter(|name| image.join(name).exists())
            .map(|name| image.join(name))
            .collect(),
        directories: vec![image.join("usr/lib64"), image.join("etc/ld.so.conf.d")],
        targets: outside.targets(),
        stash: host.path("stash"),
    };
    trial.run(plan, &mut outside, |trial, _| {
        let mut args = vec!["verify"];
        if trial.rng.bool() {
            args.extend(["--expose", "env"]);
        }
        if trial.rng.bool() {
            args.extend(["--output", "json"]);
        }
        trial.program(GENERATOR, &args, &[("--root", &node), ("--rootfs", &image)]);
    });
    trial.finish(outside);
}

#[test]
fn in_a_run_directory_for_everybody_nothing_outside_is_touched() {
    let _alone = alone();
    let mut trial = Trial::new("run directory");
    let host = DaemonFixture::new(&nics(2));
    let node = host.node.root().to_owned();
    // Where the doctor looks below this root, too.
    let run = node.join("run/cxi-device-plugin");
    for_everybody(&run);
    for_everybody(&run.join("cordoned"));
    symlink(&run, host.path("run")).unwrap();
    let mut outside = Outside::new(host.path("outside"));
    let places = [
        "status.json",
        "health.json",
        "lock",
        "pid",
        "cordoned",
        "state",
        "metrics.sock",
    ];
    let places = places.iter().map(|name| run.join(name));
    let plan = Plan {
        places: places
            .chain([run.join("cordoned").join(A), run.join("cordoned/0000:ff:00.0")])
            .collect(),
        directories: vec![run.clone(), run.join("cordoned")],
        targets: outside.targets(),
        stash: host.path("stash"),
    };
    let (mut daemon, mut came_up) = (None, 0);
    trial.run(plan, &mut outside, |trial, round| {
        match round % 20 {
            0 => {
                "the daemon, at its start".clone_into(&mut trial.last);
                daemon = start(&host);
                return came_up += u64::from(daemon.is_some());
            }
            10 => {
                "the daemon, at its end".clone_into(&mut trial.last);
                return daemon.take().into_iter().for_each(|daemon| end(&host, daemon));
            }
            _ => {}
        }
        let (run, node): ((&str, &Path), (&str, &Path)) = (("--run-dir", &run), ("--root", &node));
        match trial.rng.u8(0..8) {
            0 => trial.program(DAEMON, &["status"], &[run]),
            1 => trial.program(DAEMON, &["status", "--output", "json"], &[run]),
            2 => trial.program(DAEMON, &["devices"], &[run, node]),
            3 => trial.program(DAEMON, &["explain", A], &[run, node]),
            4 | 5 => trial.program(DAEMON, &["cordon", A, "--reason", "a card is swapped"], &[run, node]),
            6 => trial.program(DAEMON, &["uncordon", A], &[run, node]),
            _ => trial.program(DAEMON, &["doctor"], &[node]),
        }
    });
    drop(daemon);
    assert!(came_up > 0, "no daemon has ever come up");
    trial.finish(outside);
}

fn log(host: &DaemonFixture) -> String {
    fs::read_to_string(host.path("daemon.log")).unwrap_or_default()
}

/// Starts a daemon; none where it has ended by itself, which it may, seeing what is in its directory.
fn start(host: &DaemonFixture) -> Option<Daemon> {
    let _ = fs::remove_file(host.path("daemon.log"));
    let mut daemon = host.start(&["--pulse", "1"]);
    let mut came_up = false;
    until(
        || {
            came_up = log(host).contains("looked at the node");
            came_up || !daemon.is_running()
        },
        || format!("neither up nor gone: {}", log(host)),
    );
    if came_up {
        return Some(daemon);
    }
    assert_ended_well(host, &mut daemon);
    None
}

fn end(host: &DaemonFixture, mut daemon: Daemon) {
    assert!(daemon.is_running(), "it has ended by itself: {}", log(host));
    daemon.signal(Signal::SIGTERM);
    assert_ended_well(host, &mut daemon);
}

fn assert_ended_well(host: &DaemonFixture, daemon: &mut Daemon) {
    let (status, log) = (daemon.wait(), log(host));
    assert!(matches!(status.code(), Some(0 | 1 | 75 | 78)), "{status:?}: {log}");
    assert!(!log.contains("panicked") && !log.contains(SECRET), "{log}");
}
