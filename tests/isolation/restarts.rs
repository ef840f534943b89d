//! The program, the runtime and the driver are started again, in whatever moment.

use std::fs;
use std::time::Duration;

use cxi_sim::driver::{Nic, Parameters};
use nix::sys::signal::{Signal, kill};

use crate::common::daemon::until;
use crate::fixture::{Host, Namespace, Systemd, container, pod};

#[test]
fn services_of_living_pods_outlive_the_program_and_those_of_others_are_swept() {
    let Some((living, gone)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let (lives, ends) = (pod("l", "blue", Some(&living)), pod("e", "red", Some(&gone)));
    let its = container(&lives, &[0]);
    let program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    plugin.create_container(&lives, &its).unwrap().unwrap();
    plugin
        .create_container(&ends, &container(&ends, &[0, 1]))
        .unwrap()
        .unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2, 3], vec![2]));
    let output = program.end();
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!((host.ids(0), host.ids(1)), (vec![2, 3], vec![2]));
    // Killed and started, in order and not: the one keeps its service, the other's goes when it is not told of any more.
    let program = host.start();
    let plugin = runtime
        .take_and_tell(&[lives.clone(), ends.clone()], std::slice::from_ref(&its))
        .unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2, 3], vec![2]));
    host.wait_for_record(|record| record["connected"] == true);
    drop(plugin);
    program.kill();
    let _program = host.start();
    runtime.take_and_tell(&[lives], &[its]).unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![]));
    assert!(host.admits(0, living.inode, 2).is_ok());
}

#[test]
fn a_pod_that_has_been_torn_down_and_not_removed_is_none_that_lives() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let its = pod("p", "blue", Some(&netns));
    let program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    program.kill();
    let _program = host.start();
    let mut torn = its.clone();
    torn.linux = None;
    let mut ended = container(&its, &[0]);
    ended.state = 4;
    // With a container that runs, it is a runtime that does not tell: then nothing is taken away.
    let mut plugin = runtime.take().unwrap();
    plugin
        .synchronize(&[torn.clone()], &[container(&its, &[0])], false)
        .unwrap();
    assert_eq!(host.ids(0), [2]);
    drop(plugin);
    runtime.take_and_tell(&[torn], &[ended]).unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
}

#[test]
fn a_pod_that_began_without_us_gets_its_service() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let program = host.start();
    let its = pod("p", "blue", Some(&netns));
    let stranger = pod("g", "green", Some(&netns));
    let containers = [container(&its, &[0]), container(&stranger, &[1])];
    let mut plugin = runtime.take().unwrap();
    // In parts, as with many pods.
    plugin.synchronize(&[its], &[], true).unwrap();
    plugin.synchronize(&[stranger], &containers[..1], true).unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
    plugin.synchronize(&[], &containers[1..], false).unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![]));
    assert!(host.admits(0, netns.inode, 2).is_ok());
    let said = program.end().stderr;
    assert!(
        said.contains("pod green/pod-g: it runs without a service: namespace green has no VNIs"),
        "{said}"
    );
}

#[test]
fn a_pod_of_whose_end_nobody_has_told_is_gone_with_its_namespace() {
    let Some((gone, other)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let (ends, lives) = (pod("e", "red", Some(&gone)), pod("l", "blue", Some(&other)));
    plugin
        .create_container(&ends, &container(&ends, &[0, 1]))
        .unwrap()
        .unwrap();
    plugin
        .create_container(&lives, &container(&lives, &[1]))
        .unwrap()
        .unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![2, 3]));
    // containerd tells nothing of pods from before its own start. The next event of any pod will do.
    drop(gone);
    plugin
        .create_container(&lives, &container(&lives, &[1]))
        .unwrap()
        .unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![3]));
    assert!(host.admits(1, other.inode, 3).is_ok());
}

#[test]
fn a_nic_that_cannot_be_seen_for_a_moment_is_not_gone() {
    let Some((one, other)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let (its, others) = (pod("p", "blue", Some(&one)), pod("o", "red", Some(&other)));
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    let numbers = host.node.root().join("sys/class/cxi_user/cxi0/dev");
    let away = host.path("dev");
    fs::rename(&numbers, &away).unwrap();
    fs::create_dir(&numbers).unwrap();
    plugin.stop_pod(&its).unwrap();
    assert_eq!(host.ids(0), [2]);
    drop(one);
    fs::remove_dir(&numbers).unwrap();
    fs::rename(&away, &numbers).unwrap();
    // It has not been forgotten whose service that is.
    plugin
        .create_container(&others, &container(&others, &[1]))
        .unwrap()
        .unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![2]));
}

#[test]
fn it_calls_a_runtime_that_is_started_again() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let systemd = Systemd::new(&host);
    let mut command = host.command();
    command.env("NOTIFY_SOCKET", &systemd.path);
    let program = host.start_by(command);
    let mut heard = String::new();
    // There is no runtime yet.
    host.wait_for_record(|record| {
        record["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("nri.sock"))
    });
    let its = pod("p", "blue", Some(&netns));
    for life in 0..3 {
        heard += &systemd.heard();
        assert_eq!(heard.contains("READY=1"), life > 0, "{heard}");
        let runtime = host.runtime();
        let mut plugin = runtime.take_and_tell(std::slice::from_ref(&its), &[]).unwrap();
        plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
        assert_eq!(host.ids(0), [2]);
        host.wait_for_record(|record| record["connected"] == true);
        drop((plugin, runtime));
        host.wait_for_record(|record| record["connected"] == false);
    }
    heard += &systemd.heard();
    assert_eq!(heard.matches("READY=1").count(), 1, "{heard}");
    assert!(
        heard.contains("STATUS=connected to emulated 1.0, 1 services"),
        "{heard}"
    );
    assert!(heard.contains("STATUS=not connected: "), "{heard}");
    assert_eq!(program.end().code, 0);
}

#[test]
fn what_is_in_use_ends_later_and_its_namespace_is_held_open_until_then() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let systemd = Systemd::new(&host);
    let mut command = host.command();
    command.env("NOTIFY_SOCKET", &systemd.path);
    let program = host.start_by(command);
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("p", "blue", Some(&netns));
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    host.open(0, 5, netns.inode, 2).unwrap();
    plugin.stop_pod(&its).unwrap();
    plugin.remove_pod(&its).unwrap();
    assert_eq!(host.ids(0), [2]);
    let heard = systemd.heard();
    assert!(
        heard.contains(&format!("FDSTORE=1\nFDNAME=netns-{}", netns.inode)),
        "{heard}"
    );
    // By the program, too: the number is nobody else's.
    let open = format!("/proc/{}/fd", program.pid());
    let holds = || {
        fs::read_dir(&open)
            .unwrap()
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|target| target.to_str() == Some(&format!("net:[{}]", netns.inode)))
    };
    assert!(holds());
    host.close(0, 5);
    until(|| host.ids(0).is_empty(), || "it does not end".to_owned());
    until(|| !holds(), || "the namespace is still held".to_owned());
    let mut heard = String::new();
    until(
        || {
            heard += &systemd.heard();
            heard.contains("FDSTOREREMOVE=1")
        },
        String::new,
    );
}

#[test]
fn with_the_driver_bound_anew_the_next_container_brings_a_new_service() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("p", "blue", Some(&netns));
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    // As the kernel does it: another directory of properties, and nothing left in the driver.
    let properties = host
        .node
        .root()
        .join(format!("sys/bus/pci/devices/{}/properties", crate::common::daemon::A));
    let before = host.path("before");
    fs::create_dir(&before).unwrap();
    fs::rename(&properties, before.join("properties")).unwrap();
    fs::create_dir(&properties).unwrap();
    host.driver(0, |nic| *nic = Nic::new(Parameters::default()));
    assert_eq!(host.ids(0), [0_u32; 0]);
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    assert_eq!(host.ids(0), [2]);
    assert!(host.admits(0, netns.inode, 2).is_ok());
}

#[test]
fn killed_while_it_serves_it_leaves_what_it_can_find_again() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let its = pod("p", "blue", Some(&netns));
    for round in 0..12_u64 {
        let program = host.start();
        let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
        assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![]), "round {round}");
        let pid = program.pid();
        let killer = std::thread::spawn(move || {
            // At another moment in each round; which one does not matter to what is checked.
            std::thread::park_timeout(Duration::from_micros(round * 400));
            let _ = kill(pid, Signal::SIGKILL);
        });
        let _ = plugin.create_container(&its, &container(&its, &[0, 1]));
        killer.join().unwrap();
        drop(program);
    }
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![]));
    plugin
        .create_container(&its, &container(&its, &[0, 1]))
        .unwrap()
        .unwrap();
    assert_eq!((host.ids(0).len(), host.ids(1).len()), (1, 1));
}

#[test]
fn a_ledger_that_cannot_be_read_is_no_empty_one() {
    let host = Host::new();
    fs::create_dir_all(host.path("run")).unwrap();
    for text in ["", "{", "{\"schema\": 99, \"life\": \"\", \"entries\": []}"] {
        fs::write(
            host.path(&format!("run/{}.ledger.json", crate::common::daemon::A)),
            text,
        )
        .unwrap();
        let output = host.start().output();
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains("it says which services are ours"), "{output:?}");
    }
}

#[test]
fn one_at_a_time_and_no_wrong_configuration() {
    let host = Host::new();
    let _first = host.start();
    host.wait_for_record(|record| record["connected"] == false);
    let output = host.start().output();
    assert_eq!(output.code, 75, "{output:?}");
    let host = Host::with(Parameters::default(), "[isolation.vnis]\na = \"1024\"\nb = \"1024\"\n");
    let output = host.start().output();
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.stderr.contains("isolation.vnis.b: it overlaps"), "{output:?}");
}
