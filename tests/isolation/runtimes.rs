//! Runtimes of other versions, ones that lie, and whoever else stands at the socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use cxi_sim::nri::{CreateContainerRequest, Cut, Empty, PodSandbox, Runtime};

use crate::common::hang::Hang;
use crate::common::skip::{Need, skip};
use crate::fixture::{Host, Namespace, container, pod};

/// A pod is served from its begin to its end.
fn serves(host: &Host, runtime: &Runtime, netns: &Namespace) {
    let its = pod("p", "blue", Some(netns));
    let mut its_container = container(&its, &[0]);
    // Longer than any buffer on the way.
    its_container
        .env
        .extend((0..3_000).map(|number| format!("VARIABLE_{number}={}", "x".repeat(60))));
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    plugin.run_pod(&its).unwrap();
    let adjust = plugin.create_container(&its, &its_container).unwrap().unwrap();
    assert_eq!(adjust.rlimits.len(), 1);
    assert_eq!(host.ids(0), [2]);
    plugin.stop_pod(&its).unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
    plugin.remove_pod(&its).unwrap();
}

#[test]
fn however_a_runtime_cuts_its_messages_and_calls_its_events() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let mut runtime = host.runtime();
    let _program = host.start();
    for (cut, is_old) in [
        (Cut::AsRuntimesDo, true),
        (Cut::Into(4096), false),
        (Cut::Into(1000), true),
        (Cut::Into(7), false),
    ] {
        (runtime.cut, runtime.is_old) = (cut, is_old);
        serves(&host, &runtime, &netns);
    }
}

#[test]
fn a_method_that_it_does_not_have_is_an_error_and_not_the_end() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let error = plugin.call::<Empty>("UpdateContainer", &Empty {}).unwrap().unwrap_err();
    assert!(error.contains("UpdateContainer"), "{error}");
    let nothing = CreateContainerRequest::default();
    let error = plugin.call::<Empty>("CreateContainer", &nothing).unwrap().unwrap_err();
    assert!(error.contains("without its pod"), "{error}");
    let its = pod("p", "blue", Some(&netns));
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    // An event of a pod that nobody knows.
    plugin.stop_pod(&PodSandbox::default()).unwrap();
    plugin.remove_pod(&pod("unknown", "blue", None)).unwrap();
    assert_eq!(host.ids(0), [2]);
}

#[test]
fn what_is_no_nri_ends_the_connection_and_another_one_is_begun() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    let cases: [&[u8]; 4] = [
        &[0xff; 64],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        // A piece of more than there can be, and a call that is none.
        &[0, 0, 0, 1, 0x7f, 0, 0, 0, 1, 2, 3],
        &[
            0, 0, 0, 1, 0, 0, 0, 14, 0, 0, 0, 4, 0, 0, 0, 9, 1, 0, 0xff, 0xff, 0xff, 0xff,
        ],
    ];
    for bytes in cases {
        let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
        plugin.send_raw(bytes).unwrap();
        let its = pod("p", "blue", Some(&netns));
        assert!(
            plugin.create_container(&its, &container(&its, &[])).is_err(),
            "{bytes:?}"
        );
    }
    serves(&host, &runtime, &netns);
}

#[test]
fn a_runtime_that_refuses_us_is_named_and_called_again() {
    let host = Host::new();
    let socket = host.path("nri/nri.sock");
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let program = host.start();
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().unwrap();
        let mut header = [0; 8];
        stream.read_exact(&mut header).unwrap();
        // An error as its answer to the first call.
        let status = [0x0a, 0x07, 0x08, 0x02, 0x12, 0x03, b'n', b'a', b'y'];
        let mut message = vec![0, 0, 0, 2, 0, 0, 0, 19, 0, 0, 0, 9, 0, 0, 0, 1, 2, 0];
        message.extend(status);
        stream.write_all(&message).unwrap();
        host.wait_for_record(|record| record["reason"] == "the runtime refuses: nay");
    }
    assert_eq!(program.end().code, 0);
}

#[test]
fn a_kubelet_that_hangs_holds_nobody_up() {
    let Some(netns) = Namespace::new() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let _program = host.start();
    // Somebody listens, and says nothing.
    let _silent = UnixListener::bind(host.path("pod-resources.sock")).unwrap();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let its = pod("p", "blue", Some(&netns));
    let mut privileged = container(&its, &[0]);
    privileged.linux.as_mut().unwrap().resources = Some(cxi_sim::nri::LinuxResources {
        devices: vec![cxi_sim::nri::LinuxDeviceCgroup {
            allow: true,
            access: "rwm".to_owned(),
            ..cxi_sim::nri::LinuxDeviceCgroup::default()
        }],
    });
    plugin.create_container(&its, &privileged).unwrap().unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    assert_eq!(host.ids(0), [2]);
}

#[test]
fn a_nic_that_hangs_fails_its_container_in_time_and_no_other() {
    if !crate::common::mounts::are_own("runtimes::a_nic_that_hangs_fails_its_container_in_time_and_no_other") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "no file system can hang");
    }
    let Some((one, other)) = Namespace::two() else { return };
    let host = Host::new();
    // The way to its device node leads through a file system of which nobody answers for.
    let (node, stuck) = (host.node.root().join("dev/cxi0"), host.path("stuck"));
    std::fs::create_dir(&stuck).unwrap();
    std::fs::rename(&node, stuck.join("cxi0")).unwrap();
    std::os::unix::fs::symlink(stuck.join("cxi0"), &node).unwrap();
    let hang = Hang::at(stuck);
    let runtime = host.runtime();
    let _program = host.start();
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let (its, others) = (pod("p", "blue", Some(&one)), pod("o", "red", Some(&other)));
    for _ in 0..2 {
        let error = plugin
            .create_container(&its, &container(&its, &[0]))
            .unwrap()
            .unwrap_err();
        assert!(
            error.contains("0000:21:00.0: its driver has not answered in time"),
            "{error}"
        );
        plugin
            .create_container(&others, &container(&others, &[1]))
            .unwrap()
            .unwrap();
        assert_eq!((host.ids(0), host.ids(1)), (vec![], vec![2]));
    }
    hang.end();
    // What was asked for late is the pod's own, and no second one is made.
    plugin.create_container(&its, &container(&its, &[0])).unwrap().unwrap();
    assert_eq!(host.ids(0), [2]);
    plugin.stop_pod(&its).unwrap();
    assert_eq!(host.ids(0), [0_u32; 0]);
}
