//! Allocate while the kernel numbers the NICs anew: each answer is the truth of one moment between question and answer,
//! never a mixture of two. And whenever a NIC is published as healthy, its link by PCI address leads to its node.
//!
//! `CXI_RANDOM_SEED` repeats the histories, `CXI_RANDOM_HISTORIES` says how many there are.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use common::daemon::PATIENCE;
use common::{say, setting};
use cxi_device_plugin::daemon::Publisher;
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::host::nics::scan_runner::{Preparation, ScanRunner};
use cxi_device_plugin::host::worker::Worker;
use cxi_device_plugin::kubelet::session::Session;
use cxi_device_plugin::kubelet::streams::Streams;
use cxi_device_plugin::metrics::{Meter, ResourceMeter};
use cxi_device_plugin::model::alloc::snapshot::Snapshot;
use cxi_device_plugin::model::config::Settings;
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Node};
use fastrand::Rng;
use tokio::sync::watch;

const RESOURCE: &str = "beta.hpe.com/cxi";
const ALLOCATES: usize = 10_000;
const RENUMBERINGS: usize = 1_000;
/// How many pods are admitted at once; a real kubelet admits one.
const CLIENTS: usize = 4;

/// PCI address to the driver's name of the device node, as one generation had it.
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
    let node = |edits: &cxi_device_plugin::model::cdi::model::ContainerEdits| edits.device_nodes[0].path.clone();
    snapshot
        .devices
        .iter()
        .filter_map(|(address, device)| Some((address.to_string(), node(device.edits.as_ref()?))))
        .collect()
}

/// As the daemon has it, without hold times.
fn publisher(folder: &Path, node: &Node, streams: &Arc<watch::Sender<Streams>>) -> Publisher {
    let prefix = Some(node.root().to_owned());
    let roots = Roots::new(&RootArgs {
        prefix,
        ..RootArgs::default()
    })
    .unwrap();
    let mut configured = Settings::default();
    configured.cdi.dir = folder.join("cdi");
    configured.daemon.run_dir = folder.join("run");
    (configured.health.policy.hold_down, configured.health.policy.hold_up) = Default::default();
    Publisher::new(
        ScanRunner::new(Scanner::new(roots.clone(), LibraryMode::None), || {}),
        &configured,
        Worker::new("run dir"),
        Arc::clone(streams),
        Meter::default(),
        &roots,
        || {},
    )
}

#[tokio::test]
async fn each_of_10000_answers_during_1000_renumberings_is_of_one_generation_alive_meanwhile() {
    let (folder, node) = common::node(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)]);
    let addresses: Vec<String> = node.nics().unwrap().into_iter().map(|nic| nic.pci).collect();
    let streams = Arc::default();
    let mut publisher = publisher(folder.path(), &node, &streams);
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
    say(&format!(
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
            let address = container.envs["PCIDEVICE_BETA_HPE_COM_CXI"].clone();
            let device = &container.devices[0];
            assert_eq!(device.host_path, format!("/dev/cxi-by-pci/{address}"));
            (address, device.container_path.clone())
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

/// So many NICs, so that a number is seldom free.
const NICS: usize = 4;
/// Steps of one history.
const STEPS: usize = 30;

/// Something that happens to a node between two looks.
fn step(node: &Node, rng: &mut Rng) -> String {
    let nics = node.nics().unwrap();
    let nic = &nics[rng.usize(..nics.len())];
    let directory = node.root().join("dev/cxi-by-pci");
    let link = directory.join(&nic.pci);
    let clear = |path: &Path| {
        let _ = fs::remove_file(path);
        let _ = fs::remove_dir_all(path);
    };
    match rng.u8(..10) {
        // All of them, with the numbers of each other.
        0..=3 => {
            let mut numbers: Vec<u32> = (0..u32::try_from(NICS).unwrap()).collect();
            rng.shuffle(&mut numbers);
            for nic in &nics {
                node.remove(&nic.pci).unwrap();
            }
            for (nic, cxi) in nics.iter().zip(&numbers) {
                node.add(&NicSpec::new(Kind::Cassini1).pci(&nic.pci).cxi(*cxi)).unwrap();
            }
            format!("numbers {numbers:?}")
        }
        4 if nic.cxi.is_some() => {
            node.unbind(&nic.pci).unwrap();
            format!("unbind {}", nic.pci)
        }
        4 => {
            node.bind(&nic.pci).unwrap();
            format!("bind {}", nic.pci)
        }
        // One goes, and another one may have its number at once.
        5 if nics.len() > 2 => {
            node.remove(&nic.pci).unwrap();
            let heir = nics.iter().find(|other| other.pci != nic.pci);
            if let Some((heir, cxi)) = heir.zip(nic.cxi).filter(|_| rng.bool()) {
                node.remove(&heir.pci).unwrap();
                node.add(&NicSpec::new(Kind::Cassini1).pci(&heir.pci).cxi(cxi)).unwrap();
            }
            format!("remove {}", nic.pci)
        }
        5 => format!("add {}", node.add(&NicSpec::new(Kind::Cassini1)).unwrap()),
        6 => {
            clear(&link);
            let _ = symlink(["../cxi0", "../cxi1", "/dev/null", "../cxi77"][rng.usize(..4)], &link);
            format!("a link of {} by somebody else", nic.pci)
        }
        7 => {
            clear(&link);
            let _ = fs::create_dir(&link);
            format!("a directory in place of {}", nic.pci)
        }
        8 => {
            clear(&directory);
            match rng.u8(..3) {
                0 => symlink(".", &directory).unwrap(),
                1 => fs::write(&directory, "").unwrap(),
                _ => {}
            }
            "another thing in place of the directory".to_owned()
        }
        _ => {
            clear(&directory);
            "no directory".to_owned()
        }
    }
}

/// What is published as healthy leads to the node that its NIC has now. Returns how many do.
fn check(node: &Node, snapshot: &Snapshot) -> Result<usize, String> {
    let nics = node.nics().unwrap();
    let healthy = snapshot.devices.iter().filter(|(_, device)| device.is_healthy());
    let mut count = 0;
    for (address, device) in healthy {
        let address = address.to_string();
        let nic = nics.iter().find(|nic| nic.pci == address);
        // Not yet told that it is gone: then kubelet's list is older than this look.
        let Some(cxi) = nic.and_then(|nic| nic.cxi) else {
            return Err(format!("{address} is healthy and not there"));
        };
        let given = &device.edits.as_ref().unwrap().device_nodes[0];
        let link = node.root().join("dev/cxi-by-pci").join(&address);
        let is_directory = link
            .parent()
            .unwrap()
            .symlink_metadata()
            .is_ok_and(|found| found.is_dir());
        let leads = fs::read_link(&link).map(|target| target.display().to_string());
        let expected = (format!("/dev/cxi-by-pci/{address}"), format!("../cxi{cxi}"));
        if !is_directory || (given.host_path.clone(), leads.unwrap_or_default()) != expected {
            return Err(format!(
                "{address} is cxi{cxi} and healthy: {given:?}, {:?}",
                fs::read_link(&link)
            ));
        }
        count += 1;
    }
    // Nor does what is left of a NIC that is gone, or has no driver, lead to another one's.
    let directory = node.root().join("dev/cxi-by-pci");
    let is_directory = directory.symlink_metadata().is_ok_and(|found| found.is_dir());
    for entry in fs::read_dir(&directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|_| is_directory)
    {
        let (name, leads) = (entry.file_name(), fs::read_link(entry.path()).unwrap_or_default());
        let node_of = |nic: &cxi_sim::node::Nic| Some(format!("../cxi{}", nic.cxi?));
        let mut others = nics.iter().filter(|nic| name != *nic.pci);
        if let Some(other) = others.find(|nic| node_of(nic).is_some_and(|node| leads == Path::new(&node))) {
            return Err(format!("{name:?} leads to the node of {}", other.pci));
        }
    }
    Ok(count)
}

#[tokio::test]
async fn whatever_happens_to_the_numbers_a_healthy_nics_link_leads_to_its_node() {
    let seed = setting("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    let histories: usize = setting("CXI_RANDOM_HISTORIES").unwrap_or(20);
    say(&format!("links: {histories} histories, CXI_RANDOM_SEED={seed}"));
    let mut rng = Rng::with_seed(seed);
    let nothing: Preparation = Arc::new(|| {});
    let (mut published, mut healthy) = (0, 0);
    for _ in 0..histories {
        let (folder, node) = common::node(&vec![NicSpec::new(Kind::Cassini1); NICS]);
        let streams = Arc::default();
        let mut publisher = publisher(folder.path(), &node, &streams);
        let mut history = Vec::new();
        for _ in 0..STEPS {
            // Another life of the daemon, which remembers nothing of links.
            if rng.u8(..10) == 0 {
                publisher = self::publisher(folder.path(), &node, &streams);
                history.push("another daemon".to_owned());
            }
            let mut snapshots = publisher.subscribe();
            snapshots.mark_unchanged();
            {
                let mut refresh = pin!(publisher.refresh(&nothing));
                // Each state is looked at as it is published, not only the last one of a look.
                let mut is_over = false;
                while !is_over {
                    tokio::select! {
                        biased;
                        Ok(()) = snapshots.changed() => {}
                        _ = &mut refresh => is_over = true,
                    }
                    let snapshot = Arc::clone(&snapshots.borrow_and_update());
                    let found = check(&node, &snapshot);
                    published += 1;
                    healthy += found.unwrap_or_else(|wrong| panic!("{wrong} after {history:#?}"));
                }
            }
            history.push(step(&node, &mut rng));
        }
    }
    assert!(healthy > published, "{healthy} healthy NICs in {published} states");
    say(&format!(
        "links: {healthy} healthy NICs in {published} published states"
    ));
}
