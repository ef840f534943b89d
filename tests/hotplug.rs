//! What the kernel tells of, kubelet and the CDI file know: uevents of the real kernel in a network namespace of each
//! test's own, about an emulated node. There is no slow poll here (`--pulse 0`) and no SIGHUP, so only events can help.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::daemon::{Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, wait_for};
use common::{Generator, network, say};
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Node};

const A: &str = "0000:21:00.0";
const B: &str = "0000:61:00.0";
const C: &str = "0000:a1:00.0";
const D: &str = "0000:e1:00.0";

const EVENTS_ONLY: [&str; 2] = ["--pulse", "0"];

/// A node whose changes the kernel tells of, with a daemon and a kubelet that know it.
struct HotplugFixture {
    host: DaemonFixture,
    node: Node,
    daemon: Daemon,
    kubelet: Kubelet,
}

impl HotplugFixture {
    async fn new(nics: &[NicSpec]) -> Self {
        let host = DaemonFixture::new(nics);
        let node = host.node.clone().with_uevents().unwrap();
        let (daemon, kubelet) = (host.start(&EVENTS_ONLY), host.kubelet());
        let fixture = Self {
            host,
            node,
            daemon,
            kubelet,
        };
        let has_a_list = |kubelet: &Kubelet| kubelet.transcript().iter().any(|line| line.text.contains("\"list\""));
        assert!(fixture.kubelet.wait_until(PATIENCE, has_a_list).await);
        fixture.quiet().await;
        fixture
    }

    /// The list that follows from the node as it is now.
    fn fresh_list(&self) -> Vec<(String, bool)> {
        let roots = Roots::new(&RootArgs {
            prefix: Some(self.node.root().to_owned()),
            ..RootArgs::default()
        });
        let inventory = Scanner::new(roots.unwrap(), LibraryMode::Listed).scan().unwrap();
        let listing = common::snapshot(&inventory).listing();
        listing.into_iter().map(|device| (device.id, device.healthy)).collect()
    }

    /// Waits until kubelet's list and the CDI file are those that follow from the node as it is.
    async fn quiet(&self) {
        let expected = self.fresh_list();
        let expected: Vec<_> = expected.iter().map(|(id, healthy)| (id.as_str(), *healthy)).collect();
        wait_for(&self.kubelet, &expected).await;
        let generated = if self.node.nics().unwrap().iter().any(|nic| nic.cxi.is_some()) {
            Generator::below(self.node.root()).dry_run()
        } else {
            String::new()
        };
        self.host.wait_for_spec(|spec| spec == generated);
    }

    /// Every list that kubelet has got: the health by id.
    fn lists(&self) -> Vec<BTreeMap<String, bool>> {
        let transcript = self.kubelet.transcript();
        let lists = transcript.iter().filter(|line| line.text.contains("\"list\""));
        lists.map(|line| list(&line.text)).collect()
    }

    fn looks(&self) -> usize {
        self.daemon.log().matches("looking at the node").count()
    }
}

fn list(line: &str) -> BTreeMap<String, bool> {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let devices = line["devices"].as_array().unwrap().iter();
    let device =
        |device: &serde_json::Value| (device["id"].as_str().unwrap().to_owned(), device["health"] == "Healthy");
    devices.map(device).collect()
}

fn nics(count: usize) -> Vec<NicSpec> {
    vec![NicSpec::new(Kind::Cassini1); count]
}

#[tokio::test]
async fn nics_come_and_go() {
    if !network::is_own("nics_come_and_go") {
        return;
    }
    let fixture = HotplugFixture::new(&nics(1)).await;
    fixture.node.add(&NicSpec::new(Kind::Cassini2)).unwrap();
    wait_for(&fixture.kubelet, &[(A, true), (B, true)]).await;
    fixture.node.remove(A).unwrap();
    wait_for(&fixture.kubelet, &[(B, true)]).await;
    fixture.quiet().await;
    assert_no_violations(&fixture.kubelet);
}

/// Its node has gone before, so nothing but a uevent tells.
#[tokio::test]
async fn a_nic_without_driver_that_goes_is_gone() {
    if !network::is_own("a_nic_without_driver_that_goes_is_gone") {
        return;
    }
    let fixture = HotplugFixture::new(&nics(2)).await;
    fixture.node.unbind(A).unwrap();
    fixture.quiet().await;
    fixture.daemon.wait_until_settled();
    fixture.node.remove(A).unwrap();
    wait_for(&fixture.kubelet, &[(B, true)]).await;
    let event = "trigger: uevent remove /devices/pci0000:20/0000:20:01.1/0000:21:00.0\n";
    fixture.daemon.wait_for_log(event);
}

#[tokio::test]
async fn a_rebind_changes_the_node_but_not_the_id_and_the_file_knows_first() {
    if !network::is_own("a_rebind_changes_the_node_but_not_the_id_and_the_file_knows_first") {
        return;
    }
    let fixture = HotplugFixture::new(&nics(2)).await;
    for _ in 0..20 {
        fixture.node.unbind(A).unwrap();
        wait_for(&fixture.kubelet, &[(A, false), (B, true)]).await;
        let number = fixture.node.bind(A).unwrap();
        wait_for(&fixture.kubelet, &[(A, true), (B, true)]).await;
        let spec = fixture.host.spec();
        assert!(
            spec.contains(&format!("path: /dev/cxi{number}\n")),
            "cxi{number}: {spec}"
        );
    }
    for list in fixture.lists() {
        assert!(list.contains_key(A) && list.get(B) == Some(&true), "{list:?}");
    }
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn the_driver_may_come_later_and_come_anew() {
    if !network::is_own("the_driver_may_come_later_and_come_anew") {
        return;
    }
    let host = DaemonFixture::new(&nics(2));
    let node = host.node.clone().with_uevents().unwrap();
    node.unload_driver().unwrap();
    let (daemon, kubelet) = (host.start(&EVENTS_ONLY), host.kubelet());
    wait_for(&kubelet, &[(A, false), (B, false)]).await;
    assert!(!host.spec_file().exists());
    let fixture = HotplugFixture {
        host,
        node,
        daemon,
        kubelet,
    };
    for _ in 0..3 {
        fixture.node.load_driver().unwrap();
        wait_for(&fixture.kubelet, &[(A, true), (B, true)]).await;
        fixture.quiet().await;
        fixture.node.unload_driver().unwrap();
        wait_for(&fixture.kubelet, &[(A, false), (B, false)]).await;
        fixture.quiet().await;
    }
    for action in ["add", "remove"] {
        let event = format!("trigger: uevent {action} /module/cxi_ss1\n");
        fixture.daemon.wait_for_log(&event);
    }
    assert_eq!(fixture.kubelet.registrations(RESOURCE), 1);
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn four_nics_at_once_are_one_file_and_one_list() {
    if !network::is_own("four_nics_at_once_are_one_file_and_one_list") {
        return;
    }
    let fixture = HotplugFixture::new(&[]).await;
    fixture.daemon.wait_until_settled();
    let lists = fixture.lists().len();
    fixture.daemon.pause();
    for spec in nics(4) {
        fixture.node.add(&spec).unwrap();
    }
    fixture.daemon.wake();
    wait_for(&fixture.kubelet, &[(A, true), (B, true), (C, true), (D, true)]).await;
    fixture.quiet().await;
    assert_eq!(fixture.lists().len(), lists + 1, "{:?}", fixture.lists());
    fixture.daemon.wait_for_log("wrote ");
    assert_eq!(
        fixture.daemon.log().matches("wrote ").count(),
        1,
        "{}",
        fixture.daemon.log()
    );
    // How many looks that takes depends on how fast the events are read on a machine under load; that they fold is proven by a
    // clock of its own in src/model/coalesce.rs.
}

#[tokio::test]
async fn a_forged_uevent_does_nothing() {
    if !network::is_own("a_forged_uevent_does_nothing") {
        return;
    }
    let fixture = HotplugFixture::new(&nics(1)).await;
    fixture.daemon.wait_until_settled();
    let (looks, lists) = (fixture.looks(), fixture.lists().len());
    fixture.node.set(A, "properties/pct_eq", b"0\n").unwrap();
    fixture.node.forge_uevent("add", "cxi_user").unwrap();
    fixture.daemon.wait_for_log("ignored a netlink message");
    assert_eq!(
        (fixture.looks(), fixture.lists().len()),
        (looks, lists),
        "{}",
        fixture.daemon.log()
    );
    fixture.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    wait_for(&fixture.kubelet, &[(A, false), (B, true)]).await;
}

#[tokio::test]
async fn lost_events_are_said_and_made_up_for() {
    if !network::is_own("lost_events_are_said_and_made_up_for") {
        return;
    }
    let fixture = HotplugFixture::new(&nics(2)).await;
    fixture.node.unbind(A).unwrap();
    fixture.quiet().await;
    fixture.daemon.pause();
    fixture.node.burst_of_foreign_uevents(20_000).unwrap();
    fixture.node.remove(A).unwrap();
    fixture.daemon.wake();
    wait_for(&fixture.kubelet, &[(B, true)]).await;
    fixture.daemon.wait_for_log("kernel uevents overflowed: some are lost");
    assert!(
        !fixture
            .daemon
            .log()
            .contains("trigger: uevent remove /devices/pci0000:20/0000:20:01.1/0000:21:00.0\n")
    );
}

#[tokio::test]
async fn link_messages_of_our_interfaces_count_and_those_of_others_do_not() {
    if !network::is_own("link_messages_of_our_interfaces_count_and_those_of_others_do_not") {
        return;
    }
    // The one interface of the new namespace is taken for the NIC's.
    let ours = NicSpec::new(Kind::Cassini1).netdev("lo");
    let (ours, other) = (HotplugFixture::new(&[ours]).await, HotplugFixture::new(&nics(1)).await);
    assert_eq!(ours.daemon.warnings(), [""; 0]);
    other
        .daemon
        .wait_for_log("in a private network namespace: hsn0 is not in it");
    for up in [true, false] {
        for fixture in [&ours, &other] {
            fixture.node.link(A, !up).unwrap();
        }
        network::set_loopback(up);
        wait_for(&ours.kubelet, &[(A, !up)]).await;
    }
    ours.daemon.wait_for_log("trigger: link lo");
    assert!(!other.daemon.log().contains("trigger: link"), "{}", other.daemon.log());
}

#[tokio::test]
async fn after_10000_random_steps_list_and_file_are_those_of_a_fresh_scan() {
    if !network::is_own("after_10000_random_steps_list_and_file_are_those_of_a_fresh_scan") {
        return;
    }
    let seed = std::env::var("CXI_RANDOM_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    say(&format!("CXI_RANDOM_SEED={seed}"));
    let mut random = fastrand::Rng::with_seed(seed);
    let fixture = HotplugFixture::new(&nics(2)).await;
    let began = Instant::now();
    let (looks, lists) = (fixture.looks(), fixture.lists().len());
    let (mut steps, mut operations) = (0, 0);
    while steps < 10_000 {
        steps += random_operation(&fixture.node, &mut random);
        operations += 1;
        // Now and then the daemon catches up; else it always meets a node in flight.
        if random.u8(..) == 0 {
            fixture.quiet().await;
        }
    }
    fixture.quiet().await;
    let (looks, lists) = (fixture.looks() - looks, fixture.lists().len() - lists);
    let log = fixture.daemon.log();
    let writes = log.matches("wrote ").count() + log.matches("removed ").count();
    let time = began.elapsed();
    say(&format!(
        "{steps} steps of {operations} operations in {} ms: {looks} looks, {lists} lists, {writes} writes",
        time.as_millis()
    ));
    // Looks are at least the settle time apart, and each is at most one write and two lists.
    assert!(looks as u128 <= time.as_millis() / 50 + 2, "{looks} looks in {time:?}");
    assert!(
        writes <= looks + 2 && lists <= 2 * looks,
        "{writes} writes and {lists} lists of {looks} looks"
    );
    assert!(!log.contains("restored") && !log.contains("ERROR"), "{log}");
    let transcript = fixture.kubelet.transcript();
    let lists: Vec<_> = transcript
        .iter()
        .filter(|line| line.text.contains("\"list\""))
        .collect();
    for pair in lists.windows(2) {
        assert_ne!(pair[0].text, pair[1].text, "no list without news");
    }
    assert_no_violations(&fixture.kubelet);
}

/// One operation; returns how many parts of a NIC came or went.
fn random_operation(node: &Node, random: &mut fastrand::Rng) -> usize {
    let nics = node.nics().unwrap();
    let kinds = [Kind::Cassini1, Kind::Cassini2];
    let one = random.choice(&nics);
    match (random.u8(..16), one) {
        (0..3, _) if nics.len() < 6 => {
            node.add(&NicSpec::new(kinds[random.usize(..2)])).unwrap();
            7
        }
        (0..6, Some(nic)) if nics.len() > 1 => {
            node.remove(&nic.pci).unwrap();
            if nic.cxi.is_some() { 7 } else { 1 }
        }
        (15, _) => {
            node.unload_driver().unwrap();
            node.load_driver().unwrap();
            12 * nics.len()
        }
        (_, Some(nic)) if nic.cxi.is_none() => {
            node.bind(&nic.pci).unwrap();
            6
        }
        (0..8, Some(nic)) => {
            node.unbind(&nic.pci).unwrap();
            6
        }
        (_, Some(nic)) => {
            node.rebind(&nic.pci).unwrap();
            12
        }
        (_, None) => 0,
    }
}
