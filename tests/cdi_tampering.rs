//! Other hands in the CDI directory: our file comes back, other people's files stay as they are. There is no slow poll
//! here (`--pulse 0`) and no SIGHUP.
#![cfg(test)]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;

use common::daemon::{Daemon, DaemonFixture, RESOURCE, assert_no_violations, until, wait_for};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};

const A: &str = "0000:21:00.0";
const EVENTS_ONLY: [&str; 3] = ["--pulse", "0", "--enable-cdi"];

async fn start(host: &DaemonFixture) -> (Daemon, Kubelet) {
    let (daemon, kubelet) = (host.start(&EVENTS_ONLY), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    (daemon, kubelet)
}

#[tokio::test]
async fn a_file_that_was_removed_truncated_or_changed_is_restored_and_said_once_each_time() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (daemon, kubelet) = start(&host).await;
    let (file, good) = (host.spec_file(), host.spec());
    let edited = good.replace("/dev/cxi0", "/dev/sda0");
    let mode = || {
        fs::metadata(&file)
            .map(|metadata| metadata.permissions().mode() & 0o777)
            .ok()
    };
    let tamper: [&dyn Fn(); 5] = [
        &|| fs::remove_file(&file).unwrap(),
        &|| File::options().write(true).open(&file).unwrap().set_len(10).unwrap(),
        &|| fs::write(&file, &edited).unwrap(),
        &|| fs::rename(&file, host.path("cdi/aside.txt")).unwrap(),
        &|| fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap(),
    ];
    for (count, tamper) in tamper.iter().enumerate() {
        daemon.wait_until_settled();
        tamper();
        host.wait_for_spec(|spec| spec == good);
        until(|| mode() == Some(0o644), || format!("mode {:?}", mode()));
        let restored = || daemon.log().matches("restored ").count();
        until(
            || restored() == count + 1,
            || format!("{} after {}: {}", restored(), count + 1, daemon.log()),
        );
    }
    assert_eq!(daemon.log().matches("wrote ").count(), 1, "{}", daemon.log());
    assert_eq!(
        kubelet
            .transcript()
            .iter()
            .filter(|line| line.text.contains("\"list\""))
            .count(),
        1
    );
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_directory_that_was_removed_is_made_anew() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (daemon, _kubelet) = start(&host).await;
    let good = host.spec();
    for _ in 0..3 {
        fs::remove_dir_all(host.path("cdi")).unwrap();
        until(|| host.spec() == good, || daemon.log());
    }
}

#[tokio::test]
async fn a_foreign_file_with_our_names_is_named_and_left_alone() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (daemon, kubelet) = start(&host).await;
    let (foreign, good) = (host.path("cdi/other.yaml"), host.spec());
    fs::write(host.path("other"), &good).unwrap();
    fs::rename(host.path("other"), &foreign).unwrap();
    daemon.wait_for_log("other.yaml offers hpe.com/cxi=");
    let before = common::listing(&host.path("cdi"));
    daemon.hang_up();
    daemon.wait_for_log("trigger: SIGHUP");
    assert_eq!(common::listing(&host.path("cdi")), before);
    fs::remove_file(&foreign).unwrap();
    fs::remove_file(host.spec_file()).unwrap();
    host.wait_for_spec(|spec| spec == good);
    assert_eq!(daemon.log().matches("other.yaml offers").count(), 1, "{}", daemon.log());
    assert_eq!(kubelet.devices(RESOURCE).len(), 1);
    assert_no_violations(&kubelet);
}
