//! What the daemon writes beside the CDI file: places that hang, are full or refuse stop neither kubelet's service nor the
//! end, and are said once; what others damage comes back, and what a predecessor has left goes.
#![cfg(test)]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use common::daemon::{A, B, Daemon, DaemonFixture, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::hang::Hang;
use common::mounts::{self, Memory};
use common::skip::{Need, skip};

/// Has everything shown, each in a directory of its own.
fn configure_exports(host: &DaemonFixture) {
    let place = |name: &str| host.path(name).to_str().unwrap().to_owned();
    host.configure(&format!(
        "[export]\ntextfile = \"{}/cxi.prom\"\nmetrics_socket = \"{}/s\"\nnfd_dir = \"{}\"\ndevinfo_dir = \"{}\"\n",
        place("textfile"),
        place("socket"),
        place("nfd"),
        place("devinfo"),
    ));
}

/// Over this directory, which is made.
fn hanging(place: PathBuf) -> Hang {
    fs::create_dir_all(&place).unwrap();
    Hang::at(place)
}

const EXPORTS: [&str; 4] = ["textfile", "socket", "nfd", "devinfo"];

fn device_info(host: &DaemonFixture, resource: &str, nic: &str) -> PathBuf {
    host.path(&format!("devinfo/{}-{nic}-device.json", resource.replace('/', "-")))
}

fn count(daemon: &Daemon, text: &str) -> usize {
    daemon.log().matches(text).count()
}

/// Until it has looked so many times more.
fn wait_for_looks(daemon: &Daemon, more: usize) {
    let before = count(daemon, "looked at the node in");
    until(
        || count(daemon, "looked at the node in") >= before + more,
        || daemon.log(),
    );
}

#[tokio::test]
async fn exports_that_hang_delay_neither_kubelet_nor_the_end() {
    if !mounts::are_own("exports_that_hang_delay_neither_kubelet_nor_the_end") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let host = DaemonFixture::new(&nics(2));
    configure_exports(&host);
    let hangs = EXPORTS.map(|name| hanging(host.path(name)));
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    host.node.link(B, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    until(|| count(&daemon, "does not answer") >= EXPORTS.len(), || daemon.log());
    wait_for_looks(&daemon, 3);
    assert_eq!(count(&daemon, "does not answer"), EXPORTS.len(), "{}", daemon.log());
    // Daemons that end while they hang, and one that sees the end of it.
    assert_eq!(daemon.terminate().code(), Some(0));
    let daemon = host.start(&["--pulse", "1"]);
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    for hang in hangs {
        hang.end();
    }
    let written = ["textfile/cxi.prom", "socket/s", "nfd/hpe-cxi"].map(|name| host.path(name));
    for file in written.into_iter().chain([device_info(&host, RESOURCE, A)]) {
        until(
            || file.symlink_metadata().is_ok(),
            || format!("no {}: {}", file.display(), daemon.log()),
        );
    }
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!device_info(&host, RESOURCE, A).exists() && !host.path("socket/s").exists());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_directory_of_its_own_that_hangs_delays_neither_kubelet_nor_the_end() {
    if !mounts::are_own("a_directory_of_its_own_that_hangs_delays_neither_kubelet_nor_the_end") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let _hang = hanging(host.path("run"));
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    daemon.wait_for_log("status will not know of this daemon");
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_full_directory_of_its_own_is_no_reason_to_end() {
    if !mounts::are_own("a_full_directory_of_its_own_is_no_reason_to_end") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    let full = Memory::at(&host.path("run"), "size=64k");
    let mut filler = File::create(host.path("run/filler")).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|length| length > 0) {}
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    wait_for_looks(&daemon, 3);
    for said in ["status will not know of this daemon", "will not outlive this process"] {
        assert_eq!(count(&daemon, said), 1, "{said}: {}", daemon.log());
    }
    drop(filler);
    fs::remove_file(host.path("run/filler")).unwrap();
    for file in ["status.json", "health.json"] {
        until(|| host.path("run").join(file).is_file(), || daemon.log());
    }
    assert_eq!(daemon.terminate().code(), Some(0));
    drop(full);
}

#[tokio::test]
async fn directories_that_refuse_are_said_once_and_what_is_shown_of_them_stays() {
    if !mounts::are_own("directories_that_refuse_are_said_once_and_what_is_shown_of_them_stays") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    configure_exports(&host);
    let places = ["cdi", "textfile", "nfd", "devinfo"];
    let memory = places.map(|name| Memory::at(&host.path(name), ""));
    memory.iter().for_each(Memory::make_read_only);
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let record = host.path("run/status.json");
    until(
        || fs::read_to_string(&record).is_ok_and(|text| text.contains("registered") && text.contains("Read-only")),
        || daemon.log(),
    );
    wait_for_looks(&daemon, 2);
    let identity = || {
        fs::metadata(&record)
            .map(|found| (found.ino(), found.mtime_nsec()))
            .unwrap()
    };
    let before = identity();
    wait_for_looks(&daemon, 4);
    assert_eq!(identity(), before);
    for said in [
        "the CDI file stays as it was",
        "no metrics for node_exporter",
        "no labels for node-feature-discovery",
        "no device-info files",
    ] {
        assert_eq!(count(&daemon, said), 1, "{said}: {}", daemon.log());
    }
    assert!(!daemon.log().contains(".tmp\""), "{}", daemon.log());
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_record_that_is_damaged_or_removed_comes_back() {
    let host = DaemonFixture::new(&nics(1));
    let daemon = host.start(&["--pulse", "1"]);
    let record = host.path("run/status.json");
    let is_whole = || {
        let text = fs::read_to_string(&record).unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|record| record["pid"] == daemon.pid())
    };
    until(is_whole, || daemon.log());
    wait_for_looks(&daemon, 2);
    fs::write(&record, "{").unwrap();
    until(is_whole, || "it stays damaged".to_owned());
    fs::remove_file(&record).unwrap();
    until(is_whole, || "it stays away".to_owned());
}

#[test]
fn what_is_remembered_of_nics_is_written_when_it_can_be() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.path("run")).unwrap();
    let file = host.path("run/health.json");
    symlink("/nowhere", &file).unwrap();
    let daemon = host.start(&["--pulse", "1"]);
    let warning = "what is remembered of NICs will not outlive this process";
    daemon.wait_for_log(warning);
    wait_for_looks(&daemon, 3);
    assert_eq!(count(&daemon, warning), 1, "{}", daemon.log());
    fs::remove_file(&file).unwrap();
    until(|| file.is_file(), || daemon.log());
    daemon.wait_for_log("what is remembered of NICs is kept again");
}

#[tokio::test]
async fn what_a_killed_predecessor_has_left_for_another_resource_goes() {
    let host = DaemonFixture::new(&nics(1));
    configure_exports(&host);
    let other = "example.com/other";
    let (daemon, kubelet) = (host.start(&["--resource-name", other]), host.kubelet());
    until(|| device_info(&host, other, A).is_file(), || daemon.log());
    daemon.wait_for_log("registered with kubelet");
    let socket = host.plugin_sockets()[0].clone();
    daemon.kill();
    assert_eq!(host.plugin_sockets(), std::slice::from_ref(&socket));
    // Of others: another device, other words, a name that is not ours.
    let of_others = [
        (
            device_info(&host, "intel.com/nics", "0000:99:00.0"),
            fs::read(device_info(&host, other, A)).unwrap(),
        ),
        (device_info(&host, "intel.com/nics", A), b"{\"type\":\"pci\"}".to_vec()),
    ];
    for (file, text) in &of_others {
        fs::write(file, text).unwrap();
    }
    drop(UnixListener::bind(host.kubelet_dir().join("cxi-0123abcg-1-1.sock")).unwrap());

    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true)]).await;
    until(|| device_info(&host, RESOURCE, A).is_file(), || daemon.log());
    assert!(!device_info(&host, other, A).exists());
    for (file, text) in &of_others {
        assert_eq!(&fs::read(file).unwrap(), text);
    }
    let now = host.plugin_sockets();
    assert!(
        !now.contains(&socket) && now.contains(&"cxi-0123abcg-1-1.sock".to_owned()),
        "{now:?}"
    );
    assert_eq!(daemon.terminate().code(), Some(0));
}
