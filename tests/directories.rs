//! A directory that is renamed away and made anew, reached through links that are re-pointed, or covered by a mount: at
//! whatever place of its path that happens, the daemon goes on in the new one at once. There is no slow poll here
//! (`--pulse 0`) and no SIGHUP.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::daemon::{A, Daemon, DaemonFixture, PATIENCE, RESOURCE, nics, sockets, until, wait_for};
use common::mounts;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};
use nix::mount::{MsFlags, mount};

/// How the way to a directory is laid out: what is moved or re-pointed, and the path that the daemon is given.
struct Way {
    host: DaemonFixture,
    /// Where all of it is.
    top: PathBuf,
}

/// Each is done to a way, again and again.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// The directory itself is renamed away and made anew.
    Directory,
    /// So is the one that holds it.
    Parent,
    /// So is one above that.
    Grandparent,
    /// A link of the path is re-pointed, by a rename over it.
    FirstLink,
    /// The same, by removing it first.
    RemovedLink,
    /// The second link of a chain, a relative one.
    SecondLink,
    /// A directory of the path is replaced by a link to another one.
    DirectoryByLink,
}

const CHANGES: [Change; 7] = [
    Change::Directory,
    Change::Parent,
    Change::Grandparent,
    Change::FirstLink,
    Change::RemovedLink,
    Change::SecondLink,
    Change::DirectoryByLink,
];

impl Way {
    /// `top/link` -> `chain/second` -> `../a0` with `b/c/DIR` below it.
    fn new() -> Self {
        let host = DaemonFixture::new(&nics(1));
        let top = host.path("way");
        let way = Self { host, top };
        fs::create_dir_all(way.at("chain")).unwrap();
        fs::create_dir_all(way.at("a0/b/c/d")).unwrap();
        symlink("../a0", way.at("chain/second")).unwrap();
        symlink(way.at("chain/second"), way.at("link")).unwrap();
        way
    }

    fn at(&self, path: &str) -> PathBuf {
        self.top.join(path)
    }

    /// The path that the daemon is given.
    fn path(&self) -> PathBuf {
        self.at("link/b/c/d")
    }

    /// Makes a tree without anything of ours and lets the path lead there.
    fn change(&self, change: Change, round: usize) {
        let real = self.at("link").canonicalize().unwrap();
        let replace = |path: PathBuf| {
            let aside = self.at(&format!("aside{round}"));
            fs::rename(&path, aside).unwrap();
            fs::create_dir_all(real.join("b/c/d")).unwrap();
        };
        let new = format!("a{}", round + 1);
        let make = || fs::create_dir_all(self.at(&new).join("b/c/d")).unwrap();
        let over = |target: &Path, link: PathBuf| {
            symlink(target, self.at("new-link")).unwrap();
            fs::rename(self.at("new-link"), link).unwrap();
        };
        match change {
            Change::Directory => replace(real.join("b/c/d")),
            Change::Parent => replace(real.join("b/c")),
            Change::Grandparent => replace(real.join("b")),
            Change::FirstLink => {
                make();
                over(Path::new(&new), self.at("link"));
            }
            Change::RemovedLink => {
                make();
                fs::remove_file(self.at("link")).unwrap();
                symlink(&new, self.at("link")).unwrap();
            }
            Change::SecondLink => {
                make();
                fs::remove_file(self.at("link")).unwrap();
                symlink("chain/second", self.at("link")).unwrap();
                over(&Path::new("..").join(&new), self.at("chain/second"));
            }
            Change::DirectoryByLink => {
                make();
                fs::rename(real.join("b"), self.at(&format!("aside{round}"))).unwrap();
                symlink(self.at(&new).join("b"), real.join("b")).unwrap();
            }
        }
    }
}

/// The daemon's command line, with these flags in place of those of the host.
fn command(host: &DaemonFixture, flags: &[(&str, &Path)]) -> Command {
    let usual = host.command();
    let usual: Vec<_> = usual.get_args().collect();
    let mut command = Command::new(host.command().get_program());
    for pair in usual.chunks(2) {
        if !flags.iter().any(|(flag, _)| pair[0] == *flag) {
            command.args(pair);
        }
    }
    for (flag, value) in flags {
        command.arg(flag).arg(value);
    }
    command.args(["--pulse", "0", "--enable-cdi"]);
    command
}

fn start(host: &DaemonFixture, flags: &[(&str, &Path)]) -> Daemon {
    host.spawn(command(host, flags))
}

/// How many directories the daemon watches.
fn watches(daemon: &Daemon) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fdinfo", daemon.pid())).unwrap();
    let texts = files.flatten().filter_map(|file| fs::read_to_string(file.path()).ok());
    texts.map(|text| text.matches("inotify wd:").count()).sum()
}

#[tokio::test]
async fn kubelets_directory_is_found_wherever_its_path_leads() {
    for change in CHANGES {
        let way = Way::new();
        let daemon = start(&way.host, &[("--kubelet-dir", &way.path())]);
        let mut kubelet = Kubelet::start(&way.path()).unwrap();
        wait_for(&kubelet, &[(A, true)]).await;
        for round in 0..3 {
            daemon.wait_for_log("registered with kubelet");
            way.change(change, round);
            // The old kubelet has lost its directory; a new one starts in the one that the path leads to.
            let next = Kubelet::start(&way.path()).unwrap();
            wait_for(&next, &[(A, true)]).await;
            kubelet = next;
        }
        let ours = sockets(&way.path());
        assert_eq!(ours.len(), 2, "{change:?}: {ours:?}");
        drop(kubelet);
    }
}

#[tokio::test]
async fn a_kubelet_that_lives_on_gets_us_back_in_a_directory_that_was_made_anew() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.path("lib/kubelet")).unwrap();
    let directory = host.path("lib/kubelet/plugins");
    let daemon = start(&host, &[("--kubelet-dir", &directory)]);
    let kubelet = Kubelet::start(&directory).unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    wait_until_quiet(&daemon);
    let socket = sockets(&directory);
    fs::rename(host.path("lib"), host.path("aside")).unwrap();
    fs::create_dir_all(&directory).unwrap();
    // The same kubelet, by a link: its life is the same, only our socket is not there.
    symlink(
        host.path("aside/kubelet/plugins/kubelet.sock"),
        directory.join("kubelet.sock"),
    )
    .unwrap();
    let ours = || {
        let mut ours = sockets(&directory);
        ours.retain(|name| name != "kubelet.sock" && !socket.contains(name));
        ours
    };
    until(|| ours().len() == 1, || format!("{:?}\n{}", ours(), daemon.log()));
}

#[test]
fn our_spec_is_in_the_cdi_directory_wherever_its_path_leads() {
    for change in CHANGES {
        let way = Way::new();
        let daemon = start(&way.host, &[("--cdi-dir", &way.path())]);
        let spec = || fs::read_to_string(way.path().join("hpe.com-cxi.yaml")).unwrap_or_default();
        for round in 0..3 {
            until(
                || spec().contains(A),
                || format!("{change:?} {round}: {}", daemon.log()),
            );
            daemon.wait_until_settled();
            way.change(change, round);
        }
        until(|| spec().contains(A), || format!("{change:?}: {}", daemon.log()));
    }
}

#[test]
fn libraries_and_device_nodes_are_those_that_the_path_leads_to() {
    // By the site's directory, by the default ones, and by /dev.
    for (place, flag) in [
        ("opt/cray/lib64", Some("--ofi-root")),
        ("usr/lib64", Some("--cxi-root")),
        ("opt/cray/lib64", None),
        ("usr/lib64", None),
        ("opt/cray", None),
        ("opt", None),
        ("usr", None),
        ("dev", None),
    ] {
        let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
        let at = Path::new("/").join(place);
        let flags: Vec<_> = flag.iter().map(|flag| (*flag, at.as_path())).collect();
        let daemon = start(&host, &flags);
        let good = || host.spec();
        until(|| good().contains(A), || daemon.log());
        let whole = good();
        let (real, aside) = (host.node.root().join(place), host.path("aside"));
        for round in 0..3 {
            daemon.wait_until_settled();
            fs::rename(&real, &aside).unwrap();
            fs::create_dir_all(&real).unwrap();
            until(|| good() != whole, || format!("{place} {round}: {}", daemon.log()));
            daemon.wait_until_settled();
            fs::remove_dir(&real).unwrap();
            // By a link, which means a path of the host.
            fs::rename(&aside, host.node.root().join("elsewhere")).unwrap();
            let up = "../".repeat(place.matches('/').count());
            let target = if place == "dev" {
                up + "elsewhere"
            } else {
                "/elsewhere".to_owned()
            };
            symlink(target, &real).unwrap();
            let found = |spec: &str| spec.matches("containerPath").count() == whole.matches("containerPath").count();
            until(
                || found(&good()),
                || format!("{place} {round}: {}\n{}", good(), daemon.log()),
            );
            daemon.wait_until_settled();
            fs::remove_file(&real).unwrap();
            until(
                || good() != whole && !found(&good()),
                || format!("{place} {round}: {}", daemon.log()),
            );
            daemon.wait_until_settled();
            fs::rename(host.node.root().join("elsewhere"), &real).unwrap();
            until(|| good() == whole, || format!("{place} {round}: {}", daemon.log()));
        }
    }
}

#[test]
fn a_default_link_of_hpes_versions_is_followed() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let root = host.node.root().to_owned();
    let versions = root.join("opt/cray/libfabric");
    for version in ["1.15", "1.22"] {
        fs::create_dir_all(versions.join(version)).unwrap();
        let lib64 = versions.join(version).join("lib64");
        assert!(
            Command::new("cp")
                .arg("-a")
                .args([&root.join("opt/cray/lib64"), &lib64])
                .status()
                .unwrap()
                .success()
        );
    }
    fs::remove_dir_all(root.join("opt/cray/lib64")).unwrap();
    symlink("libfabric/default/lib64", root.join("opt/cray/lib64")).unwrap();
    symlink("1.15", versions.join("default")).unwrap();
    let daemon = host.start(&["--pulse", "0"]);
    until(
        || host.spec().contains("libfabric/1.15/"),
        || host.spec() + &daemon.log(),
    );
    for (round, version) in ["1.22", "1.15", "1.22"].iter().enumerate() {
        daemon.wait_until_settled();
        fs::remove_file(versions.join("default")).unwrap();
        symlink(version, versions.join("default")).unwrap();
        let path = format!("libfabric/{version}/");
        until(
            || host.spec().contains(&path),
            || format!("{round}: {}{}", host.spec(), daemon.log()),
        );
    }
}

/// Those of everybody, and those that only this site wants, wherever they are below /dev.
#[test]
fn device_nodes_beside_the_nics_come_and_go_without_a_look() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    host.configure("[container]\ndevices = [\"/dev/kdreg2?\", \"/dev/site0?\", \"/dev/infiniband/rdma_cm?\"]\n");
    let dev = host.node.root().join("dev");
    let daemon = host.start(&["--pulse", "0"]);
    host.wait_for_spec(|spec| spec.contains(A));
    for name in ["kdreg2", "site0", "infiniband/rdma_cm"] {
        let (node, path) = (dev.join(name), format!("path: /dev/{name}\n"));
        for _ in 0..2 {
            daemon.wait_until_settled();
            fs::create_dir_all(node.parent().unwrap()).unwrap();
            symlink("/dev/full", &node).unwrap();
            until(|| host.spec().contains(&path), || format!("{name}: {}", daemon.log()));
            daemon.wait_until_settled();
            fs::remove_file(&node).unwrap();
            until(|| !host.spec().contains(&path), || format!("{name}: {}", daemon.log()));
        }
    }
}

#[tokio::test]
async fn a_cordon_counts_in_a_run_directory_that_was_made_anew() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_until_settled();
    fs::rename(host.path("run"), host.path("aside")).unwrap();
    fs::create_dir_all(host.path("run/cordoned")).unwrap();
    let looks = || daemon.log().matches("looked at the node").count();
    let before = looks();
    until(|| looks() > before, || daemon.log());
    daemon.wait_until_settled();
    fs::write(host.path("run/cordoned").join(A), "why").unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
}

#[tokio::test]
async fn two_hundred_renames_leave_as_many_watches_as_before() {
    let (way, cdi) = (Way::new(), Way::new());
    let daemon = start(&way.host, &[("--kubelet-dir", &way.path()), ("--cdi-dir", &cdi.path())]);
    let mut kubelet = Kubelet::start(&way.path()).unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    let spec = || fs::read_to_string(cdi.path().join("hpe.com-cxi.yaml")).unwrap_or_default();
    // Made-up ways have ends of different depth: the count is taken where it is the same.
    let change = |round: usize| {
        [
            Change::Directory,
            Change::Parent,
            Change::Grandparent,
            Change::FirstLink,
        ][round % 4]
    };
    let mut counts = Vec::new();
    for round in 0..204 {
        if round % 50 == 3 {
            kubelet = Kubelet::start(&way.path()).unwrap();
            wait_for(&kubelet, &[(A, true)]).await;
            until(|| spec().contains(A), || daemon.log());
            daemon.wait_until_settled();
            counts.push(watches(&daemon));
        }
        way.change(change(round), round);
        cdi.change(change(round), round);
    }
    drop(kubelet);
    until(
        || watches(&daemon) == counts[1],
        || format!("{} after {counts:?}", watches(&daemon)),
    );
    assert!(counts.iter().skip(1).all(|count| *count == counts[1]), "{counts:?}");
    assert!(counts[1] < 64, "{counts:?}");
}

/// The daemon in a mount namespace of this thread, with or without a watchdog of this many microseconds.
fn start_with_watchdog(host: &DaemonFixture, flags: &[(&str, &Path)]) -> (Daemon, UnixDatagram) {
    let ear = UnixDatagram::bind(host.path("notify")).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = command(host, flags);
    command
        .env("NOTIFY_SOCKET", host.path("notify"))
        .env("WATCHDOG_USEC", "500000");
    (host.spawn(command), ear)
}

/// Waits until what comes by itself after the start has come, and the tick alone is left.
fn wait_until_quiet(daemon: &Daemon) {
    daemon.wait_for_log("card: ");
    daemon.wait_until_settled();
}

fn bind_over(what: &Path, place: &Path) {
    mount(Some(what), place, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

#[tokio::test]
async fn a_mount_over_kubelets_directory_is_found_on_the_watchdogs_tick() {
    if !mounts::are_own("a_mount_over_kubelets_directory_is_found_on_the_watchdogs_tick") {
        return;
    }
    // Over the directory, and over one that holds it.
    for (mounted, below) in [("lib/kubelet/plugins", ""), ("lib", "kubelet/plugins")] {
        let host = DaemonFixture::new(&nics(1));
        let directory = host.path("lib/kubelet/plugins");
        fs::create_dir_all(&directory).unwrap();
        let (daemon, ear) = start_with_watchdog(&host, &[("--kubelet-dir", &directory)]);
        let kubelet = Kubelet::start(&directory).unwrap();
        wait_for(&kubelet, &[(A, true)]).await;
        wait_until_quiet(&daemon);
        let next = host.path("next");
        fs::create_dir_all(next.join(below)).unwrap();
        // What is there before the mount is told by nothing else.
        let second = Kubelet::start(&next.join(below)).unwrap();
        bind_over(&next, &host.path(mounted));
        wait_for(&second, &[(A, true)]).await;
        drop(ear);
    }
}

#[test]
fn a_mount_over_the_cdi_directory_is_found_on_the_watchdogs_tick() {
    if !mounts::are_own("a_mount_over_the_cdi_directory_is_found_on_the_watchdogs_tick") {
        return;
    }
    for (mounted, below) in [("var/run/cdi", ""), ("var", "run/cdi")] {
        let host = DaemonFixture::new(&nics(1));
        let directory = host.path("var/run/cdi");
        fs::create_dir_all(&directory).unwrap();
        let (daemon, ear) = start_with_watchdog(&host, &[("--cdi-dir", &directory)]);
        let spec = || fs::read_to_string(directory.join("hpe.com-cxi.yaml")).unwrap_or_default();
        until(|| spec().contains(A), || daemon.log());
        wait_until_quiet(&daemon);
        fs::create_dir_all(host.path("next").join(below)).unwrap();
        bind_over(&host.path("next"), &host.path(mounted));
        until(|| spec().contains(A), || daemon.log());
        drop(ear);
    }
}

#[tokio::test]
async fn without_news_the_watchdogs_tick_leads_to_no_look() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, ear) = start_with_watchdog(&host, &[]);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    wait_until_quiet(&daemon);
    daemon.wait_for_log("trigger: file");
    daemon.wait_until_settled();
    let moved = || daemon.log().matches("trigger: file").count();
    let before = moved();
    for _ in 0..12 {
        ear.recv(&mut [0; 512]).unwrap();
    }
    assert_eq!(moved(), before, "{}", daemon.log());
    assert_eq!(kubelet.open_streams(RESOURCE), 1);
}
