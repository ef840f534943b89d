//! Other hands in the CDI directory: our file comes back, other people's files stay as they are. There is no slow poll
//! here (`--pulse 0`) and no SIGHUP.
#![cfg(test)]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use common::daemon::{Daemon, DaemonFixture, assert_no_violations, until, wait_for};
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
    // What no runtime resolves, kubelet must not give away.
    wait_for(&kubelet, &[(A, false)]).await;
    daemon.wait_for_log("unhealthy: cdi-file: no runtime resolves its CDI name: ");
    let before = common::listing(&host.path("cdi"));
    daemon.hang_up();
    daemon.wait_for_log("trigger: SIGHUP");
    assert_eq!(common::listing(&host.path("cdi")), before);
    fs::remove_file(&foreign).unwrap();
    fs::remove_file(host.spec_file()).unwrap();
    host.wait_for_spec(|spec| spec == good);
    assert_eq!(daemon.log().matches("other.yaml offers").count(), 1, "{}", daemon.log());
    wait_for(&kubelet, &[(A, true)]).await;
    assert_no_violations(&kubelet);
}

/// Nothing can be written while a link stands where our file of the other format would be.
#[tokio::test]
async fn names_that_are_gone_from_a_file_that_cannot_be_written_are_given_to_nobody() {
    fn moved(spec: &str) -> String {
        spec.replace("path: /dev/cxi0\n", "path: /dev/other\n")
    }
    fn hooked(spec: &str) -> String {
        let hook = "containerEdits:\n    hooks: [{hookName: prestart, path: /x}]\n";
        spec.replacen("containerEdits:\n", hook, 1)
    }
    // None for a file that is gone.
    let damages: [fn(&str) -> Option<String>; 5] = [
        |_| None,
        |_| Some("garbage".to_owned()),
        |_| Some(String::new()),
        |spec| Some(moved(spec)),
        |spec| Some(hooked(spec)),
    ];
    for damage in damages {
        let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
        let (daemon, kubelet) = start(&host).await;
        let (link, good) = (host.path("cdi/hpe.com-cxi.json"), host.spec());
        symlink("nowhere", &link).unwrap();
        daemon.wait_for_log("is a symbolic link");
        daemon.look();
        wait_for(&kubelet, &[(A, true)]).await; // all that runtimes need is there
        match damage(&good) {
            None => fs::remove_file(host.spec_file()).unwrap(),
            Some(text) => fs::write(host.spec_file(), text).unwrap(),
        }
        wait_for(&kubelet, &[(A, false)]).await;
        daemon.wait_for_log("unhealthy: cdi-file: ");
        // It stays so however often it is tried, and is said once.
        let lists = || {
            let transcript = kubelet.transcript().into_iter();
            transcript.filter(|line| line.text.contains("\"list\"")).count()
        };
        let (before, logged) = (lists(), daemon.log().matches("unhealthy: cdi-file").count());
        daemon.look();
        daemon.look();
        assert_eq!(
            (lists(), daemon.log().matches("unhealthy: cdi-file").count()),
            (before, logged)
        );
        fs::remove_file(&link).unwrap();
        wait_for(&kubelet, &[(A, true)]).await;
        assert_eq!(host.spec(), good);
        assert_no_violations(&kubelet);
    }
}

/// The daemon's directory is /etc/cdi here, and runtimes read /var/run/cdi after it.
#[tokio::test]
async fn a_file_that_wins_over_ours_counts_as_runtimes_take_it() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (low, high) = (host.node.root().join("etc/cdi"), host.node.root().join("var/run/cdi"));
    fs::create_dir_all(&low).unwrap();
    fs::create_dir_all(&high).unwrap();
    symlink(&low, host.path("cdi")).unwrap();
    let (daemon, kubelet) = start(&host).await;
    daemon.wait_until_settled();
    let foreign = high.join("site.yaml");
    let put = |text: &str| {
        fs::write(high.join("site"), text).unwrap();
        fs::rename(high.join("site"), &foreign).unwrap();
    };
    put(&host.spec().replace("/dev/cxi0", "/dev/cxi7"));
    wait_for(&kubelet, &[(A, false)]).await;
    daemon.wait_for_log("site.yaml wins over our CDI file and gives another device by its name");
    // The same device by another file is as good.
    put(&host.spec());
    wait_for(&kubelet, &[(A, true)]).await;
    put(&host.spec().replace("/dev/cxi0", "/dev/cxi7"));
    wait_for(&kubelet, &[(A, false)]).await;
    // Readers drop what is no spec.
    put("cdiVersion: 0.5.0");
    wait_for(&kubelet, &[(A, true)]).await;
    // Two files of the higher directory are at odds: the name is gone from all.
    put(&host.spec());
    fs::copy(&foreign, high.join("copy.json")).unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    fs::remove_dir_all(&high).unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn without_names_the_files_do_not_count() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_until_settled();
    fs::copy(host.spec_file(), host.path("cdi/copy.yaml")).unwrap();
    daemon.wait_for_log("copy.yaml offers hpe.com/cxi=");
    fs::remove_file(host.spec_file()).unwrap();
    daemon.look();
    assert!(!daemon.log().contains("cdi-file"), "{}", daemon.log());
    assert_no_violations(&kubelet);
}
