//! The cards' own texts: reading them may wake a NIC's microcontroller, so each NIC's are read once in its life.
#![cfg(test)]

mod common;

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use common::daemon::{A, DaemonFixture, PATIENCE, wait_for};
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_device_plugin::model::nic::attributes::Fru;
use cxi_device_plugin::model::reading::Reading;
use cxi_sim::node::{Kind, NicSpec, Node, Variant};

/// A scanner of the node and its news.
fn scanner(node: &Node) -> (Scanner, Receiver<()>) {
    let roots = Roots::new(&RootArgs {
        prefix: Some(node.root().to_owned()),
        ..RootArgs::default()
    })
    .unwrap();
    let (news, arrivals) = channel();
    (
        Scanner::new(roots, LibraryMode::None).for_daemon(Path::new("no run_dir"), move || {
            let _ = news.send(());
        }),
        arrivals,
    )
}

/// Of each new NIC there is news twice: of its card's texts and of its services.
fn both(arrivals: &Receiver<()>) {
    for _ in 0..2 {
        arrivals.recv_timeout(PATIENCE).unwrap();
    }
}

fn fru(scanner: &mut Scanner) -> Reading<Fru> {
    scanner.scan().unwrap().nics[0].fru.clone()
}

#[test]
fn they_are_read_once_in_the_life_of_a_nic() {
    let (_folder, node) = common::node(&[NicSpec::new(Kind::Cassini1)]);
    node.set(A, "fru/serial_number", b"FIRST\n").unwrap();
    let (mut scanner, arrivals) = scanner(&node);
    let _ = fru(&mut scanner); // begins to read
    both(&arrivals);
    assert_eq!(fru(&mut scanner).unwrap().serial_number, "FIRST");

    node.set(A, "fru/serial_number", b"SECOND\n").unwrap();
    assert_eq!(fru(&mut scanner).unwrap().serial_number, "FIRST", "not read again");
    assert!(arrivals.try_recv().is_err(), "not read again");

    node.rebind(A).unwrap(); // a new life, with the driver's own value
    let _ = fru(&mut scanner);
    both(&arrivals);
    assert_ne!(fru(&mut scanner).unwrap().serial_number, "FIRST");
}

#[test]
fn texts_that_the_card_lacks_are_empty_and_those_that_cannot_be_read_are_unknown() {
    let (_folder, node) = common::node(&[NicSpec::new(Kind::Cassini1).variant(Variant::V7)]);
    let (mut scanner, arrivals) = scanner(&node);
    let _ = fru(&mut scanner);
    both(&arrivals);
    assert_eq!(fru(&mut scanner).unwrap().serial_number, "");

    node.rebind(A).unwrap();
    node.unset(A, "fru/part_number").unwrap();
    let _ = fru(&mut scanner);
    both(&arrivals);
    assert!(fru(&mut scanner).unwrap_err().path.ends_with("fru/part_number"));
}

#[tokio::test]
async fn the_daemon_says_them_once() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (daemon, mut kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("serial number ");
    daemon.hang_up();
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    assert_eq!(daemon.log().matches("serial number ").count(), 1, "{}", daemon.log());
}
