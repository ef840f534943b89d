//! What systemd hears of the daemon, and when.
#![cfg(test)]

mod common;

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use common::daemon::{A, B, Daemon, DaemonFixture, PATIENCE, nics, until, wait_for};
use cxi_sim::node::Node;

/// systemd's ear.
struct Systemd {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Systemd {
    /// Listens to what this command is going to run.
    fn of(host: &DaemonFixture, command: &mut Command) -> Self {
        let path = host.path("notify");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        command.env("NOTIFY_SOCKET", path);
        let heard = Vec::new();
        Self { socket, heard }
    }

    /// The same under a name that is no file's.
    fn abstractly_of(host: &DaemonFixture, command: &mut Command) -> Self {
        let name = host.path("notify").to_str().unwrap().to_owned();
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        command.env("NOTIFY_SOCKET", format!("@{name}"));
        let heard = Vec::new();
        Self { socket, heard }
    }

    /// Has no room for what the daemon says.
    fn fill(&self, host: &DaemonFixture) {
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_nonblocking(true).unwrap();
        while filler.send_to(b"full", host.path("notify")).is_ok() {}
    }

    /// Hears on until a message has this line, and returns that message.
    fn hears(&mut self, line: &str) -> String {
        loop {
            let mut bytes = [0; 512];
            let length = self.socket.recv(&mut bytes).unwrap_or_else(|error| {
                panic!("no {line:?} ({error}) in {:?}", self.heard);
            });
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.lines().any(|found| found.starts_with(line)) {
                return message;
            }
        }
    }

    fn has_heard(&self, line: &str) -> bool {
        self.heard
            .iter()
            .any(|message| message.lines().any(|found| found == line))
    }
}

fn start(host: &DaemonFixture) -> (Daemon, Systemd) {
    start_with(host, &[])
}

fn start_with(host: &DaemonFixture, variables: &[(&str, &str)]) -> (Daemon, Systemd) {
    let mut command = host.command();
    let systemd = Systemd::of(host, &mut command);
    (host.spawn(command_with(command, variables)), systemd)
}

fn command_with(mut command: Command, variables: &[(&str, &str)]) -> Command {
    command.envs(variables.iter().copied());
    command
}

fn break_link(node: &Node) {
    node.link(B, false).unwrap();
}

#[test]
fn with_every_nic_healthy_it_is_ready_after_one_look() {
    let host = DaemonFixture::new(&nics(2));
    let (_daemon, mut systemd) = start(&host);
    let first = systemd.hears("READY=1");
    assert_eq!(first, "READY=1\nSTATUS=2 NICs, 2 healthy, kubelet not registered\n");
    assert_eq!(systemd.heard.len(), 1);
}

#[test]
fn without_any_nic_it_is_ready_as_well() {
    let host = DaemonFixture::new(&[]);
    let (_daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
}

#[test]
fn a_node_that_cannot_be_looked_at_is_not_called_empty_and_waited_for() {
    let host = DaemonFixture::new(&nics(1));
    let (functions, aside) = (host.node.root().join("sys/bus/pci/devices"), host.path("aside"));
    std::fs::rename(&functions, &aside).unwrap();
    let (daemon, mut systemd) = start(&host);
    systemd.hears("STATUS=the node cannot be looked at yet, so kubelet is told of nothing");
    assert!(!systemd.has_heard("READY=1"), "{:?}", systemd.heard);
    std::fs::rename(&aside, &functions).unwrap();
    daemon.hang_up();
    let message = systemd.hears("READY=1");
    assert_eq!(message, "READY=1\nSTATUS=1 NIC, 1 healthy, kubelet not registered\n");
}

#[test]
fn a_nic_that_is_not_healthy_yet_is_waited_for() {
    let host = DaemonFixture::new(&nics(2));
    break_link(&host.node);
    let (daemon, mut systemd) = start(&host);
    systemd.hears("STATUS=2 NICs, 1 healthy, kubelet not registered");
    assert!(!systemd.has_heard("READY=1"), "{:?}", systemd.heard);
    host.node.remove(B).unwrap();
    daemon.hang_up();
    let message = systemd.hears("READY=1");
    assert_eq!(message, "READY=1\nSTATUS=1 NIC, 1 healthy, kubelet not registered\n");
}

#[test]
fn a_restart_waits_for_nobody() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
    daemon.kill();
    break_link(&host.node);
    let (_daemon, mut systemd) = start(&host);
    let first = systemd.hears("READY=1");
    assert_eq!(first, "READY=1\nSTATUS=2 NICs, 1 healthy, kubelet not registered\n");
}

#[tokio::test]
async fn the_status_tells_of_kubelet_and_of_each_change() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    systemd.hears("STATUS=2 NICs, 2 healthy, kubelet registered");
    break_link(&host.node);
    daemon.hang_up();
    systemd.hears("STATUS=2 NICs, 1 healthy, kubelet registered");
    drop(kubelet);
    systemd.hears("STATUS=2 NICs, 1 healthy, kubelet not registered");
}

#[test]
fn a_reload_begins_and_ends() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
    daemon.hang_up();
    let message = systemd.hears("RELOADING=1");
    assert!(
        message.lines().any(|line| line.starts_with("MONOTONIC_USEC=")),
        "{message}"
    );
    assert_eq!(systemd.hears("READY=1"), "READY=1\n");
}

#[test]
fn the_end_is_announced() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
    assert_eq!(daemon.terminate().code(), Some(0));
    systemd.hears("STOPPING=1");
}

#[test]
fn the_watchdog_is_fed_while_the_loop_goes_round_and_not_else() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut systemd) = start_with(&host, &[("WATCHDOG_USEC", "100000")]);
    systemd.hears("READY=1");
    for _ in 0..3 {
        systemd.hears("WATCHDOG=1");
    }
    daemon.pause();
    systemd.socket.set_nonblocking(true).unwrap();
    while systemd.socket.recv(&mut [0; 512]).is_ok() {}
    systemd.socket.set_nonblocking(false).unwrap();
    daemon.wake();
    systemd.hears("WATCHDOG=1");
}

#[test]
fn without_a_watchdog_nothing_is_said_periodically() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut systemd) = start(&host);
    systemd.hears("READY=1");
    daemon.hang_up();
    systemd.hears("RELOADING=1");
    systemd.hears("READY=1");
    assert!(!systemd.has_heard("WATCHDOG=1"), "{:?}", systemd.heard);
    assert_eq!(systemd.heard.len(), 3, "{:?}", systemd.heard);
}

#[test]
fn a_socket_that_nobody_reads_is_no_harm() {
    let host = DaemonFixture::new(&nics(1));
    let mut command = host.command();
    command.env("NOTIFY_SOCKET", host.path("nobody"));
    let daemon = host.spawn(command);
    daemon.wait_for_log("systemd does not listen");
    until(|| host.spec().contains(A), || host.spec());
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_socket_with_an_abstract_name_is_heard() {
    let host = DaemonFixture::new(&nics(1));
    let mut command = host.command();
    let mut systemd = Systemd::abstractly_of(&host, &mut command);
    let daemon = host.spawn(command);
    systemd.hears("READY=1");
    assert_eq!(daemon.terminate().code(), Some(0));
    systemd.hears("STOPPING=1");
}

#[tokio::test]
async fn a_stuck_systemd_stops_nothing_and_hears_later_what_counts() {
    let host = DaemonFixture::new(&nics(2));
    let mut command = host.command();
    let mut systemd = Systemd::of(&host, &mut command);
    systemd.fill(&host);
    let daemon = host.spawn(command);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    break_link(&host.node);
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    let message = systemd.hears("READY=1");
    assert!(message.contains("STATUS=2 NICs, "), "{message}");
    systemd.fill(&host);
    assert_eq!(daemon.terminate().code(), Some(0));
}
