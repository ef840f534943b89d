//! Allocate while the kernel numbers the NICs anew: each answer is the truth of one moment between question and answer,
//! never a mixture of two.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use common::daemon::PATIENCE;
use cxi_device_plugin::daemon::Publisher;
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::host::nics::scan_runner::{Preparation, ScanRunner};
use cxi_device_plugin::host::worker::Worker;
use cxi_device_plugin::kubelet::session::Session;
use cxi_device_plugin::metrics::{Meter, ResourceMeter};
use cxi_device_plugin::model::alloc::snapshot::Snapshot;
use cxi_device_plugin::model::config::Settings;
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Node};
use tokio::sync::watch;

const RESOURCE: &str = "beta.hpe.com/cxi";
const ALLOCATES: usize = 10_000;
const RENUMBERINGS: usize = 1_000;
/// How many pods are admitted at once; a real kubelet admits one.
const CLIENTS: usize = 4;

/// PCI address to device node on the host, as one generation had it.
type Map = BTreeMap<String, String>;

/// A published map and the time in which it may have been the truth.
struct Generation {
    map: Map,
    from: Instant,
    until: Option<Instant>,
}

/// One answer and when it was asked for and came.
struct Answer {
    map: Map,
    asked: Instant,
    came: Instant,
}

fn map_of(snapshot: &Snapshot) -> Map {
    let node = |edits: &cxi_device_plugin::model::cdi::model::ContainerEdits| edits.device_nodes[0].host_path.clone();
    snapshot
        .devices
        .iter()
        .filter_map(|(address, device)| Some((address.to_string(), node(device.edits.as_ref()?))))
        .collect()
}

#[tokio::test]
async fn each_of_10000_answers_during_1000_renumberings_is_of_one_generation_alive_meanwhile() {
    let (folder, node) = common::node(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)]);
    let addresses: Vec<String> = node.nics().unwrap().into_iter().map(|nic| nic.pci).collect();
    let roots = Roots::new(&RootArgs {
        prefix: Some(node.root().to_owned()),
        ..RootArgs::default()
    })
    .unwrap();
    let mut configured = Settings::default();
    configured.cdi.dir = folder.path().join("cdi");
    let streams = Arc::default();
    let mut publisher = Publisher::new(
        ScanRunner::new(Scanner::new(roots.clone(), LibraryMode::None), || {}),
        &configured,
        Worker::new("run dir"),
        Arc::clone(&streams),
        Meter::default(),
        &roots,
        || {},
    );
    let snapshots = publisher.subscribe();
    let nothing: Preparation = Arc::new(|| {});
    let from = Instant::now();
    publisher.refresh(&nothing).await;
    let mut generations = vec![Generation {
        map: map_of(&snapshots.borrow()),
        from,
        until: None,
    }];

    let kubelet = Arc::new(Kubelet::start(&folder.path().join("kubelet")).unwrap());
    let (stop, stopping) = watch::channel(false);
    let session = Session {
        kubelet_dir: folder.path().join("kubelet"),
        resource: RESOURCE.parse().unwrap(),
        is_expected: false,
        snapshots: snapshots.clone(),
        streams,
        tick: watch::Sender::default().subscribe(),
        kubelet: watch::Sender::default(),
        meter: ResourceMeter::default(),
        lives: watch::Sender::default(),
        settled: watch::Sender::new(u64::MAX).subscribe(),
    };
    let session = tokio::spawn(session.run(stopping));
    kubelet
        .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == 2)
        .await
        .unwrap();

    let (count, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (kubelet, addresses) = (Arc::clone(&kubelet), addresses.clone());
            let (count, done) = (Arc::clone(&count), Arc::clone(&done));
            // On a thread of its own: the plugin's runtime has one thread, as in the daemon.
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(ask(&kubelet, &addresses, &count, &done))
            })
        })
        .collect();
    // Both NICs change places in each round, so that a mixture of two rounds would show.
    let mut round = 0;
    while round < RENUMBERINGS || count.load(Ordering::SeqCst) < ALLOCATES {
        let (node, mut order) = (node.clone(), addresses.clone());
        order.rotate_left(round % 2);
        tokio::task::spawn_blocking(move || renumber(&node, &order))
            .await
            .unwrap();
        let from = Instant::now();
        publisher.refresh(&nothing).await;
        if let Some(last) = generations.last_mut() {
            last.until = Some(Instant::now());
        }
        generations.push(Generation {
            map: map_of(&snapshots.borrow()),
            from,
            until: None,
        });
        round += 1;
    }
    done.store(true, Ordering::SeqCst);
    let mut answers: Vec<Answer> = Vec::new();
    for client in clients {
        answers.extend(tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap());
    }
    stop.send_replace(true);
    session.await.unwrap().unwrap();

    assert!(answers.len() >= ALLOCATES, "{}", answers.len());
    for answer in &answers {
        let alive = |generation: &&Generation| {
            generation.from <= answer.came && generation.until.is_none_or(|until| answer.asked <= until)
        };
        let fits = generations
            .iter()
            .filter(alive)
            .any(|generation| generation.map == answer.map);
        assert!(
            fits,
            "{:?} is of no generation alive between request and reply",
            answer.map
        );
    }
    let maps: std::collections::BTreeSet<&Map> = answers.iter().map(|answer| &answer.map).collect();
    assert!(
        maps.len() > RENUMBERINGS / 20,
        "the answers saw only {} of the renumberings",
        maps.len()
    );
    common::say(&format!(
        "{} answers over {round} renumberings saw {} different maps",
        answers.len(),
        maps.len()
    ));
}

/// Takes the driver from all NICs and gives it back in this order.
fn renumber(node: &Node, order: &[String]) {
    for address in order {
        node.unbind(address).unwrap();
    }
    for address in order {
        node.bind(address).unwrap();
    }
}

async fn ask(kubelet: &Kubelet, addresses: &[String], count: &AtomicUsize, done: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let asked = Instant::now();
        // One call with a container for each NIC: its answer must be of one piece, too.
        let containers = addresses.iter().map(|address| vec![address.clone()]).collect();
        let response = kubelet.allocate(RESOURCE, containers).await.unwrap();
        let came = Instant::now();
        let entry = |container: &cxi_sim::kubelet::pb::ContainerAllocateResponse| {
            assert_eq!(container.devices.len(), 1);
            (
                container.envs["PCIDEVICE_BETA_HPE_COM_CXI"].clone(),
                container.devices[0].host_path.clone(),
            )
        };
        answers.push(Answer {
            map: response.container_responses.iter().map(entry).collect(),
            asked,
            came,
        });
        count.fetch_add(1, Ordering::SeqCst);
    }
    answers
}
