//! What pods get, and what they do not.

use cxi_sim::driver::{Parameters, errno};
use cxi_sim::nri::{LinuxDeviceCgroup, LinuxResources, Mount, PosixRlimit};

use crate::common::daemon::A;
use crate::common::pod_resources::{self, PodResourcesServer, World};
use crate::fixture::{Host, Namespace, VNIS, container, pod};

const FOREVER: u64 = u64::MAX;

#[test]
fn two_pods_of_two_namespaces_are_kept_apart() {
    let Some((blue, red)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    assert_eq!((plugin.name.as_str(), plugin.index.as_str()), ("cxi-isolation", "90"));
    assert_eq!(plugin.events, 0b1111);
    let (of_blue, of_red) = (pod("b", "blue", Some(&blue)), pod("r", "red", Some(&red)));
    plugin.run_pod(&of_blue).unwrap();
    let adjust = plugin
        .create_container(&of_blue, &container(&of_blue, &[0]))
        .unwrap()
        .unwrap();
    plugin
        .create_container(&of_red, &container(&of_red, &[0, 1]))
        .unwrap()
        .unwrap();
    let limit = PosixRlimit {
        r#type: "RLIMIT_MEMLOCK".to_owned(),
        hard: FOREVER,
        soft: FOREVER,
    };
    assert_eq!(adjust.rlimits, [limit]);
    let destinations: Vec<&str> = adjust.mounts.iter().map(|mount| mount.destination.as_str()).collect();
    assert_eq!(destinations.len(), 2, "{destinations:?}");
    assert_eq!(destinations[0], "/sys/class/net");
    assert!(destinations[1].starts_with("/sys/devices/pci") && destinations[1].ends_with(A));
    for mount in &adjust.mounts {
        assert_eq!((mount.r#type.as_str(), &mount.source), ("bind", &mount.destination));
        for option in ["ro", "rbind", "noexec", "nosuid", "nodev"] {
            assert!(mount.options.iter().any(|its| its == option), "{mount:?}");
        }
    }
    // Each has its service, on its own NICs only, whatever its environment says.
    assert_eq!((host.ids(0), host.ids(1)), (vec![2, 3], vec![2]));
    let host_itself = 4_026_531_840;
    for (nic, service, owner) in [(0, 2, &blue), (0, 3, &red), (1, 2, &red)] {
        for asker in [blue.inode, red.inode, host_itself] {
            let expected = if asker == owner.inode {
                Ok(())
            } else {
                Err(errno::EPERM)
            };
            assert_eq!(
                host.admits(nic, asker, service),
                expected,
                "{asker} on {nic}, {service}"
            );
        }
    }
    host.wait_for_record(|record| {
        record["nics"][0]["services"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    });
    let record = host.record();
    assert_eq!(
        (&record["connected"], &record["runtime"]),
        (&true.into(), &"emulated 1.0".into())
    );
    let service = &record["nics"][0]["services"][0];
    assert_eq!(service["sandbox"]["namespace"], "blue");
    assert_eq!((&service["vni"], &service["service"]), (&1024.into(), &2.into()));
    // They go with their pods.
    plugin.stop_pod(&of_red).unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![]));
    plugin.remove_pod(&of_red).unwrap();
    plugin.stop_pod(&of_blue).unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
    let output = program.end();
    assert_eq!(output.code, 0, "{output:?}");
    assert!(!host.path("run/status.json").exists());
}

#[test]
fn init_containers_and_sidecars_share_the_pods_service() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("b", "blue", Some(&netns));
    for name in ["init", "main", "sidecar", "main"] {
        let mut container = container(&its, &[0]);
        container.name = name.to_owned();
        plugin.create_container(&its, &container).unwrap().unwrap();
        assert_eq!(host.ids(0), [2], "{name}");
    }
    // One with another NIC gets one there, too.
    plugin.create_container(&its, &container(&its, &[1])).unwrap().unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![2]));
}

#[test]
fn a_namespace_that_a_runtime_has_mounted_is_one() {
    use nix::mount::{MsFlags, mount};

    if !crate::common::mounts::are_own("pods::a_namespace_that_a_runtime_has_mounted_is_one") {
        return;
    }
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    // After the start of the program, as in real life.
    let bind = |source: &str, name: &str| {
        let path = host.path(name);
        std::fs::write(&path, "").unwrap();
        mount(Some(source), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut its = pod("b", "blue", Some(&netns));
    its.linux.as_mut().unwrap().namespaces[1].path = bind(&netns.path, "cni-1");
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    assert_eq!(host.ids(0), [2]);
    assert!(host.admits(0, netns.inode, 2).is_ok());
    // Of another kind, it is none.
    let mut wrong = pod("w", "blue", Some(&netns));
    wrong.linux.as_mut().unwrap().namespaces[1].path = bind("/proc/self/ns/uts", "uts-1");
    let error = plugin
        .create_container(&wrong, &container(&wrong, &[0]))
        .unwrap()
        .unwrap_err();
    assert!(error.contains("not a network namespace"), "{error}");
}

#[test]
fn a_container_without_a_nic_is_none_of_our_business() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("g", "green", Some(&netns));
    let mut others = container(&its, &[0]);
    // A block device of the same numbers is no NIC.
    others.linux.as_mut().unwrap().devices[0].r#type = "b".to_owned();
    for container in [container(&its, &[]), others] {
        let adjust = plugin.create_container(&its, &container).unwrap().unwrap();
        assert_eq!((adjust.rlimits.len(), adjust.mounts.len()), (0, 0));
    }
    assert_eq!(host.ids(0), [0_u32; 0]);
}

#[test]
fn what_a_container_has_already_is_not_adjusted() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("b", "blue", Some(&netns));
    let mut has_all = container(&its, &[0]);
    has_all.rlimits = vec![PosixRlimit {
        r#type: "RLIMIT_MEMLOCK".to_owned(),
        hard: FOREVER,
        soft: FOREVER,
    }];
    has_all.mounts = vec![Mount {
        destination: "/sys/class/net".to_owned(),
        ..Mount::default()
    }];
    let adjust = plugin.create_container(&its, &has_all).unwrap().unwrap();
    assert_eq!((adjust.rlimits.len(), adjust.mounts.len()), (0, 0));
    has_all.rlimits[0].soft = 65536;
    let adjust = plugin.create_container(&its, &has_all).unwrap().unwrap();
    assert_eq!((adjust.rlimits.len(), adjust.mounts.len()), (1, 0));
}

#[test]
fn an_interface_that_is_the_pods_own_is_not_hidden_by_a_view_of_the_hosts() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("b", "blue", Some(&netns));
    let mut mounts = |nics: &[usize]| {
        let adjust = plugin.create_container(&its, &container(&its, nics)).unwrap().unwrap();
        adjust.mounts.len()
    };
    assert_eq!((mounts(&[0]), mounts(&[1]), mounts(&[0, 1])), (2, 2, 3));
    // As the host sees a NIC whose interface is in another network namespace.
    let interfaces = host.node.root().join(format!("sys/bus/pci/devices/{A}/net"));
    for entry in std::fs::read_dir(&interfaces).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    assert_eq!((mounts(&[0]), mounts(&[1]), mounts(&[0, 1])), (0, 2, 0));
}

#[test]
fn a_refusal_says_why_and_fails_one_container_only() {
    let Some((one, other)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let mut refused = |pod: &cxi_sim::nri::PodSandbox, words: &str| {
        let error = plugin
            .create_container(pod, &container(pod, &[0]))
            .unwrap()
            .unwrap_err();
        assert!(
            error.starts_with("cxi-isolation: ") && error.contains(words),
            "{words}: {error}"
        );
        assert_eq!(host.ids(0), [0_u32; 0]);
    };
    refused(&pod("g", "green", Some(&one)), "namespace green has no VNIs");
    let mut wrong = pod("b", "blue", Some(&one));
    wrong
        .annotations
        .insert("beta.hpe.com/vni".to_owned(), "1032".to_owned());
    refused(&wrong, "'1032' is no VNI of namespace blue, which has 1024-1031");
    let mut gone = pod("b", "blue", Some(&one));
    gone.linux.as_mut().unwrap().namespaces[1].path = "/proc/self/comm".to_owned();
    refused(&gone, "network namespace /proc/self/comm: not a network namespace");
    gone.linux.as_mut().unwrap().namespaces[1].path = "/nowhere/at/all".to_owned();
    refused(&gone, "network namespace /nowhere/at/all: No such file");
    gone.linux.as_mut().unwrap().namespaces[1].path = "/proc/self/ns/pid".to_owned();
    refused(&gone, "not a network namespace");
    // The next one is served.
    let mut right = pod("b", "blue", Some(&other));
    right
        .annotations
        .insert("beta.hpe.com/vni".to_owned(), "1027".to_owned());
    plugin
        .create_container(&right, &container(&right, &[0]))
        .unwrap()
        .unwrap();
    host.wait_for_record(|record| record["nics"][0]["services"][0]["vni"] == 1027);
}

#[test]
fn pods_with_the_hosts_network_are_left_alone_or_refused() {
    for (config, refuses) in [("", false), ("[isolation]\nhost_network = \"refuse\"\n", true)] {
        let host = Host::with(Parameters::default(), &format!("{config}{VNIS}"));
        let runtime = host.runtime();
        let _program = host.start();
        let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
        let without = pod("b", "blue", None);
        let mut by_path = pod("b", "blue", None);
        by_path
            .linux
            .as_mut()
            .unwrap()
            .namespaces
            .push(cxi_sim::nri::LinuxNamespace {
                r#type: "network".to_owned(),
                path: format!("/proc/{}/ns/net", std::process::id()),
            });
        for its in [without, by_path] {
            let answer = plugin.create_container(&its, &container(&its, &[0])).unwrap();
            match answer {
                Ok(adjust) => assert!(!refuses && adjust.rlimits.is_empty() && adjust.mounts.is_empty()),
                Err(error) => assert!(refuses && error.contains("host's network"), "{error}"),
            }
        }
        assert_eq!(host.ids(0), [0_u32; 0]);
    }
}

#[test]
fn a_privileged_container_gets_what_kubelet_says() {
    let Some((one, other)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("b", "blue", Some(&one));
    let mut privileged = container(&its, &[0, 1]);
    privileged.linux.as_mut().unwrap().resources = Some(LinuxResources {
        devices: vec![LinuxDeviceCgroup {
            allow: true,
            access: "rwm".to_owned(),
            ..LinuxDeviceCgroup::default()
        }],
    });
    // Kubelet is not there: nothing is bound.
    let adjust = plugin.create_container(&its, &privileged).unwrap().unwrap();
    assert!(adjust.rlimits.is_empty());
    assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![]));
    let mut listed = pod_resources::pod("pod-b", &[("main", &[A])]);
    listed.namespace = "blue".to_owned();
    let world = World {
        pods: vec![listed],
        ..World::default()
    };
    let kubelet = PodResourcesServer::start(&host.path("pod-resources.sock"), world);
    plugin.create_container(&its, &privileged).unwrap().unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![]));
    let others = pod("o", "blue", Some(&other));
    let mut privileged = privileged.clone();
    privileged.pod_sandbox_id = "o".to_owned();
    plugin.create_container(&others, &privileged).unwrap().unwrap();
    assert_eq!((host.ids(0), host.ids(1)), (vec![2], vec![]));
    drop(kubelet);
    let said = program.end().stderr;
    for words in ["no socket", "kubelet has given it no NIC"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
