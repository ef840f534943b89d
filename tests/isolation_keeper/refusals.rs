//! What is in the way of a service, and what a pod's author reads of it.

use std::sync::atomic::Ordering;

use cxi_device_plugin::model::services::abi::Command;
use cxi_device_plugin::model::services::descriptor::Descriptor;
use cxi_sim::driver::Parameters;
use nix::errno::Errno;

use super::{Host, alloc, want, want_in};

fn refused(host: &Host, words: &[&str]) {
    let before = host.ids();
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    for words in words {
        assert!(refusal.contains(words), "'{words}' is not in: {refusal}");
    }
    assert!(refusal.starts_with("0000:21:00.0: "), "{refusal}");
    assert_eq!(host.ids(), before);
    assert!(host.keeper.borrow().ledger().entries.is_empty());
}

#[test]
fn a_vni_that_a_launcher_holds_is_refused_by_name() {
    let host = Host::new();
    let launchers = host.foreign(&[500, 1024], 7);
    let name = format!("VNI 1024 is taken by service {launchers} of somebody else");
    refused(&host, &[&name]);
    // In a range, too.
    let host = Host::new();
    let open = Descriptor {
        resource_limits: true,
        ..Descriptor::default()
    };
    let id = alloc(&mut host.twin.nic(), &open).unwrap();
    let range = cxi_device_plugin::model::services::abi::Request::vni_range(id, 1024, 1031);
    host.twin
        .nic()
        .command(88, &super::ROOT, &range.bytes(0, 0))
        .result
        .unwrap();
    refused(&host, &[&format!("VNI 1024 is taken by service {id}")]);
}

#[test]
fn a_vni_of_another_namespaces_pod_is_refused() {
    // The ranges have changed while a pod of the old ones runs.
    let host = Host::new();
    host.bind(&want_in("red", 1024, "old", 600)).unwrap();
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    assert!(
        refusal.contains("VNI 1024 is taken by service 2 of pod red/pod-old"),
        "{refusal}"
    );
    // Within a namespace it is shared.
    host.bind(&want_in("red", 1024, "other", 601)).unwrap();
}

#[test]
fn an_older_driver_gives_a_vni_to_one_service_only() {
    let host = Host::with(
        Parameters {
            shares_single_vnis: false,
            ..Parameters::default()
        },
        Box::new(|_| {}),
    );
    host.bind(&want("first", 600)).unwrap();
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    assert!(refusal.contains("VNI 1024 is in use on this NIC"), "{refusal}");
    assert_eq!(host.ids().len(), 1);
    assert_eq!(host.keeper.borrow().ledger().entries.len(), 1);
}

#[test]
fn any_service_that_admits_the_pods_namespace_is_in_the_way() {
    let host = Host::new();
    let mut foreign = cxi_device_plugin::model::isolation::lookalike::wanted(3000, 700, [Default::default(); 8]);
    foreign.descriptor.limits[0].max = 7;
    let twin = &host.twin;
    let id = alloc(&mut twin.nic(), &foreign.descriptor).unwrap();
    for (command, value) in [(Command::ServiceEnable, 0), (Command::SetNetns, 700)] {
        let request = cxi_device_plugin::model::services::abi::Request::with_value(command, id, value);
        twin.nic()
            .command(88, &super::ROOT, &request.bytes(0, 0))
            .result
            .unwrap();
    }
    // Whether it is on or off: it could be switched on.
    refused(
        &host,
        &[&format!("service {id} of somebody else admits the network namespace")],
    );
}

#[test]
fn a_service_that_cannot_be_completed_is_taken_back() {
    for (op, errno, words) in [
        (28, Errno::EPERM, "is this cxi-isolation.service?"),
        (28, Errno::ENOSPC, "no room for one more"),
        (80, Errno::EINVAL, "cannot switch it off"),
        (84, Errno::EINVAL, "a driver of 2026 or later"),
        (84, Errno::EOPNOTSUPP, "cannot admit the network namespace 700"),
    ] {
        let host = Host::new();
        let foreign = host.foreign(&[500], 7);
        // The first of its kind fails.
        let fails = std::cell::Cell::new(true);
        host.twin.refuse_if(move |request| {
            let its = u32::from_le_bytes(request.bytes(0, 0)[..4].try_into().unwrap()) == op;
            (its && fails.replace(false)).then_some(errno)
        });
        refused(&host, &[words]);
        assert_eq!(host.ids(), [foreign]);
    }
}

#[test]
fn without_a_ledger_nothing_is_made() {
    let host = Host::new();
    host.bind(&want("first", 600)).unwrap();
    host.kept.killed.store(true, Ordering::Relaxed);
    host.twin.refuse_if(|_| None);
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    assert!(
        refusal.contains("the ledger cannot be written, so nothing is made"),
        "{refusal}"
    );
    assert_eq!(host.ids().len(), 1);
}

#[test]
fn somebody_who_comes_between_is_noticed_before_it_is_on() {
    // While the service is made, a launcher takes the VNI.
    let is_first = std::cell::Cell::new(true);
    let host = Host::with(
        Parameters::default(),
        Box::new(move |nic| {
            if is_first.replace(false) {
                let foreign = Descriptor {
                    restricted_members: true,
                    restricted_vnis: true,
                    resource_limits: true,
                    vnis: vec![1024],
                    members: vec![cxi_device_plugin::model::services::descriptor::Member::Uid(7)],
                    ..Descriptor::default()
                };
                alloc(nic, &foreign).unwrap();
            }
        }),
    );
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    assert!(refusal.contains("VNI 1024 is taken by service 3"), "{refusal}");
    assert_eq!(host.ids(), [3]);
}
