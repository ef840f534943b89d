//! `/dev/cxi-by-pci/ADDRESS`: the name by which kubelet gives a NIC to the runtime with `direct`, for as long as the pod lives.
//! It leads to this NIC's node or nowhere. There is no udev here: what it does is for `tests/vm`.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use common::daemon::{A, B, Daemon, DaemonFixture, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::hang::Hang;
use common::mounts::{self, Memory};
use common::skip::{Need, skip};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Node};

/// No look but those that an event asks for.
const NO_PULSE: [&str; 2] = ["--pulse", "0"];

fn links(node: &Node) -> PathBuf {
    node.root().join("dev/cxi-by-pci")
}

/// Where the link of this NIC leads, by its text.
fn target(node: &Node, address: &str) -> Option<String> {
    let target = fs::read_link(links(node).join(address)).ok()?;
    Some(target.to_str().unwrap().to_owned())
}

fn wait_for_target(host: &DaemonFixture, daemon: &Daemon, address: &str, wanted: Option<&str>) {
    until(
        || target(&host.node, address).as_deref() == wanted,
        || format!("{address} -> {:?}: {}", target(&host.node, address), daemon.log()),
    );
}

/// What a container with this NIC gets: host's path and container's path of its node.
async fn given(kubelet: &Kubelet, address: &str) -> (String, String) {
    let answer = kubelet.allocate(RESOURCE, vec![vec![address.to_owned()]]).await;
    let device = answer.unwrap().container_responses.remove(0).devices.remove(0);
    (device.host_path, device.container_path)
}

fn by_pci(address: &str) -> String {
    format!("/dev/cxi-by-pci/{address}")
}

/// Gives these NICs each other's numbers.
fn swap(node: &Node, one: &str, other: &str) {
    let number = |address: &str| {
        let nics = node.nics().unwrap();
        nics.iter().find(|nic| nic.pci == address).unwrap().cxi.unwrap()
    };
    let (of_one, of_other) = (number(one), number(other));
    for address in [one, other] {
        node.remove(address).unwrap();
    }
    for (address, cxi) in [(one, of_other), (other, of_one)] {
        node.add(&NicSpec::new(Kind::Cassini1).pci(address).cxi(cxi)).unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_kubelet_keeps_leads_to_the_same_nic_whatever_its_number_is() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, kubelet) = (host.start(&NO_PULSE), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let kept = given(&kubelet, A).await;
    assert_eq!(kept, (by_pci(A), "/dev/cxi0".to_owned()));
    assert_eq!(target(&host.node, A).as_deref(), Some("../cxi0"));
    // No event is told of, so the daemon is as surprised as after a reboot.
    daemon.pause();
    swap(&host.node, A, B);
    daemon.wake();
    daemon.look();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_target(&host, &daemon, A, Some("../cxi1"));
    wait_for_target(&host, &daemon, B, Some("../cxi0"));
    until(|| host.spec().contains("path: /dev/cxi1\n"), || host.spec());
    assert_eq!(given(&kubelet, A).await, (kept.0, "/dev/cxi1".to_owned()));
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_host_path_is_below_the_hosts_own_directory_of_device_nodes() {
    let host = DaemonFixture::new(&nics(1));
    fs::rename(host.node.root().join("dev"), host.node.root().join("hostdev")).unwrap();
    let mut command = host.command();
    command.env("DEVFS_ROOT", "/hostdev");
    let (_daemon, kubelet) = (host.spawn(command), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let expected = (format!("/hostdev/cxi-by-pci/{A}"), "/dev/cxi0".to_owned());
    assert_eq!(given(&kubelet, A).await, expected);
    let link = host.node.root().join("hostdev/cxi-by-pci").join(A);
    assert_eq!(fs::read_link(link).unwrap(), Path::new("../cxi0"));
    assert!(!host.node.root().join("dev").exists());
}

#[tokio::test]
async fn the_link_of_a_nic_that_goes_is_there_until_kubelet_has_heard_of_it() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, kubelet) = (host.start(&NO_PULSE), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    host.node.remove(B).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
    wait_for_target(&host, &daemon, B, None);
    assert_eq!(target(&host.node, A).as_deref(), Some("../cxi0"));
}

#[tokio::test]
async fn what_is_right_is_not_written_again_and_what_is_of_others_stays() {
    let host = DaemonFixture::new(&nics(2));
    let directory = links(&host.node);
    fs::create_dir(&directory).unwrap();
    // As udev has made it.
    symlink("../cxi0", directory.join(A)).unwrap();
    // Of a NIC that was; of a run that was killed; and what is nobody's business.
    symlink("../cxi7", directory.join("0000:e1:00.0")).unwrap();
    symlink("../cxi7", directory.join(format!(".{B}.tmp"))).unwrap();
    symlink("../null", directory.join("something")).unwrap();
    fs::write(directory.join("0000:a1:00.0"), "no link").unwrap();
    let identity = || {
        let found = directory.join(A).symlink_metadata().unwrap();
        (found.ino(), found.ctime(), found.ctime_nsec())
    };
    let before = identity();
    let (daemon, kubelet) = (host.start(&NO_PULSE), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_target(&host, &daemon, B, Some("../cxi1"));
    let of_directory = || {
        let found = directory.metadata().unwrap();
        (found.mtime(), found.mtime_nsec())
    };
    daemon.look();
    let written = of_directory();
    daemon.look();
    daemon.look();
    assert_eq!((identity(), of_directory()), (before, written), "{}", daemon.log());
    let names = fs::read_dir(&directory).unwrap().flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [A, B, "0000:a1:00.0", "something"]);
    let of_ours = daemon.log().matches(" leads to cxi").count();
    assert_eq!(of_ours, 1, "{}", daemon.log());
}

#[tokio::test]
async fn what_others_do_to_a_link_is_undone_at_once() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, kubelet) = (host.start(&NO_PULSE), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let link = links(&host.node).join(A);
    daemon.wait_until_settled();
    fs::remove_file(&link).unwrap();
    wait_for_target(&host, &daemon, A, Some("../cxi0"));
    let new = link.with_file_name("new");
    symlink("../cxi1", &new).unwrap();
    fs::rename(&new, &link).unwrap();
    wait_for_target(&host, &daemon, A, Some("../cxi0"));
    fs::remove_dir_all(links(&host.node)).unwrap();
    wait_for_target(&host, &daemon, A, Some("../cxi0"));
    wait_for_target(&host, &daemon, B, Some("../cxi1"));
    let mode = links(&host.node).metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o755);
}

/// Everything below, each with its inode, mode, owner and time.
fn tree(directory: &Path) -> BTreeMap<PathBuf, [i64; 5]> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let metadata = entry.path().symlink_metadata().unwrap();
        let numbers = [
            metadata.ino().cast_signed(),
            metadata.mode().into(),
            metadata.uid().into(),
        ];
        let [ino, mode, owner] = numbers;
        found.insert(
            entry.path(),
            [ino, mode, owner, metadata.mtime(), metadata.mtime_nsec()],
        );
        if metadata.is_dir() {
            found.extend(tree(&entry.path()));
        }
    }
    found
}

/// Something stands where the links, or the link of A, should be. A is not offered as long as it does, with this reason, what
/// stands there is as it was; and A is offered when it is gone.
async fn in_the_way(put: impl Fn(&Path), clear: impl Fn(&Path), reason: &str, of_b: bool) {
    let host = DaemonFixture::new(&nics(2));
    let directory = links(&host.node);
    put(&directory);
    let before = tree(&host.node.root().join("dev"));
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, false), (B, of_b)]).await;
    daemon.wait_for_log(&format!("unhealthy: device-link: {reason}"));
    daemon.look();
    if !of_b {
        assert_eq!(tree(&host.node.root().join("dev")), before);
    }
    clear(&directory);
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_target(&host, &daemon, A, Some("../cxi0"));
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_link_in_place_of_the_directory_is_not_followed() {
    let outside = common::scratch();
    let target = outside.path().to_owned();
    in_the_way(
        |directory| symlink(&target, directory).unwrap(),
        |directory| fs::remove_file(directory).unwrap(),
        "/dev/cxi-by-pci: is a symbolic link",
        false,
    )
    .await;
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_stays() {
    in_the_way(
        |directory| fs::write(directory, "").unwrap(),
        |directory| fs::remove_file(directory).unwrap(),
        "/dev/cxi-by-pci is not a directory: remove it",
        false,
    )
    .await;
}

#[tokio::test]
async fn a_directory_that_others_may_write_decides_nothing() {
    in_the_way(
        |directory| {
            fs::create_dir(directory).unwrap();
            symlink("../cxi1", directory.join(A)).unwrap();
            symlink("../cxi0", directory.join(B)).unwrap();
            fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
        },
        |directory| fs::remove_dir_all(directory).unwrap(),
        "others may write in /dev/cxi-by-pci (owner ",
        false,
    )
    .await;
}

#[tokio::test]
async fn a_directory_of_somebody_else_decides_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return skip(Need::Root, "only root makes directories of others");
    }
    in_the_way(
        |directory| {
            fs::create_dir(directory).unwrap();
            symlink("../cxi0", directory.join(A)).unwrap();
            chown(directory, Some(1000), Some(1000)).unwrap();
        },
        |directory| fs::remove_dir_all(directory).unwrap(),
        "others may write in /dev/cxi-by-pci (owner 1000, mode 0755): remove it",
        false,
    )
    .await;
}

#[tokio::test]
async fn what_is_no_link_in_place_of_one_stays_and_costs_that_nic_alone() {
    for is_directory in [false, true] {
        in_the_way(
            |directory| {
                fs::create_dir(directory).unwrap();
                let place = directory.join(A);
                if is_directory {
                    fs::create_dir_all(place.join("x")).unwrap();
                } else {
                    fs::write(place, "somebody's").unwrap();
                }
            },
            |directory| {
                let place = directory.join(A);
                if is_directory {
                    fs::remove_dir_all(place).unwrap();
                } else {
                    assert_eq!(fs::read(&place).unwrap(), b"somebody's");
                    fs::remove_file(place).unwrap();
                }
            },
            &format!("/dev/cxi-by-pci/{A} is not a link: remove it"),
            true,
        )
        .await;
    }
}

/// Puts the directory of the links into a file system of its own.
fn links_in_memory(host: &DaemonFixture, options: &str) -> Memory {
    let directory = links(&host.node);
    let memory = Memory::at(&directory, options);
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    memory
}

#[tokio::test]
async fn where_nothing_can_be_written_a_right_link_is_enough_and_no_other_is() {
    let test = "where_nothing_can_be_written_a_right_link_is_enough_and_no_other_is";
    if !mounts::are_own(test) {
        return;
    }
    let host = DaemonFixture::new(&nics(3));
    let memory = links_in_memory(&host, "");
    symlink("../cxi0", links(&host.node).join(A)).unwrap();
    symlink("../cxi0", links(&host.node).join(B)).unwrap();
    memory.make_read_only();
    let c = common::daemon::C;
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, false), (c, false)]).await;
    let refused = |address: &str| kubelet.allocate(RESOURCE, vec![vec![address.to_owned()]]);
    // Kubelet would not ask for it; a pod that it has let in a moment before might.
    assert!(refused(B).await.is_err(), "a wrong link is given to nobody");
    // Where it leads nowhere, the pod's event names the path.
    assert_eq!(given(&kubelet, c).await.0, by_pci(c));
    assert_eq!(daemon.terminate().code(), Some(0));
    // With CDI names a link that is not there harms nobody, but one that kubelet has been given before may be wrong.
    let daemon = host.start(&["--pulse", "1", "--enable-cdi"]);
    wait_for(&kubelet, &[(A, true), (B, false), (c, true)]).await;
    assert_eq!(
        daemon.log().matches("a link by PCI address is not kept").count(),
        2,
        "once in each life: {}",
        daemon.log()
    );
    drop(memory);
    wait_for(&kubelet, &[(A, true), (B, true), (c, true)]).await;
    wait_for_target(&host, &daemon, c, Some("../cxi2"));
    daemon.wait_for_log("the links by PCI address are kept again");
}

#[tokio::test]
async fn on_a_full_disk_a_wrong_link_goes_and_a_right_one_comes_with_the_space() {
    if !mounts::are_own("on_a_full_disk_a_wrong_link_goes_and_a_right_one_comes_with_the_space") {
        return;
    }
    let host = DaemonFixture::new(&nics(2));
    let _memory = links_in_memory(&host, "nr_inodes=4");
    let directory = links(&host.node);
    symlink("../cxi1", directory.join(A)).unwrap();
    symlink("../cxi1", directory.join(B)).unwrap();
    fs::write(directory.join("filler"), "").unwrap();
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    daemon.wait_for_log(&format!("cannot have /dev/cxi-by-pci/{A} lead to cxi0: No space left"));
    // What has gone made room for what is to be.
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_target(&host, &daemon, A, Some("../cxi0"));
}

#[test]
fn without_kubelet_nobody_needs_links() {
    let host = DaemonFixture::new(&nics(1));
    let text = fs::read_to_string(host.path("config.toml")).unwrap();
    fs::write(host.path("config.toml"), format!("{text}[kubelet]\nenabled = false\n")).unwrap();
    let daemon = host.start(&["--pulse", "1"]);
    host.wait_for_spec(|spec| spec.contains("path: /dev/cxi0\n"));
    daemon.look();
    assert!(!links(&host.node).exists());
}

#[tokio::test]
async fn links_that_hang_delay_no_news_and_nobody_relies_on_them() {
    if !mounts::are_own("links_that_hang_delay_no_news_and_nobody_relies_on_them") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let host = DaemonFixture::new(&nics(2));
    let (daemon, mut kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let hang = Hang::at(links(&host.node));
    host.node.remove(B).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false)]).await;
    let reason = "device-link: /dev/cxi-by-pci does not answer";
    daemon.wait_for_log(&format!("unhealthy: {reason}"));
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    hang.end();
    wait_for(&kubelet, &[(A, true)]).await;
    wait_for_target(&host, &daemon, B, None);
    assert_eq!(daemon.log().matches(reason).count(), 1, "{}", daemon.log());
    assert_eq!(daemon.terminate().code(), Some(0));
}
