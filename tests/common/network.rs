//! A network namespace of a test's own, in which the kernel sends nobody else's events and nobody hears ours.

use std::env;
use std::process::Command;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::say;
use super::skip::{Need, skip};

/// Set for the copy of a test that runs as root of its own user namespace.
const INSIDE: &str = "CXI_TEST_INSIDE_USER_NAMESPACE";

/// Moves the thread of `test` and what it starts into a network namespace. Where that takes root, the test runs as a
/// process with its own user namespace instead; then, or where that is not allowed either, the answer is no.
pub fn is_own(test: &str) -> bool {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => true,
        Err(Errno::EPERM) if env::var_os(INSIDE).is_none() => {
            run_inside(test);
            false
        }
        Err(error) => {
            skip(Need::Namespaces, format!("no network namespace: {error}"));
            false
        }
    }
}

fn run_inside(test: &str) {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user"])
            .args(arguments)
            .env(INSIDE, "1");
        command.output()
    };
    if !unshare(&["true"]).is_ok_and(|output| output.status.success()) {
        return skip(Need::Namespaces, "neither root nor user namespaces (unshare --user)");
    }
    let program = env::current_exe().unwrap();
    let output = unshare(&[program.to_str().unwrap(), "--exact", test, "--nocapture"]).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // Indented, so that nobody takes the results in it for those of this process.
    let shown = said.replace('\n', "\n    ");
    assert!(output.status.success(), "{shown}");
    assert!(said.contains("test result: ok. 1 passed"), "no such test: {shown}");
    let is_for_all = |line: &&str| line.starts_with("SKIPPED") || line.contains("CXI_RANDOM_SEED=");
    said.lines().filter(is_for_all).for_each(say);
}

/// `ip link set lo up` or `down`.
pub fn set_loopback(up: bool) {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_AND_ACK: u16 = 5;
    const IFF_UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(32u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_AND_ACK.to_ne_bytes());
    message.extend([0; 12]); // sequence, port, family and type of interface
    message.extend(1u32.to_ne_bytes()); // the first interface
    message.extend(if up { IFF_UP } else { 0 }.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    socket.send_to(&message, &SocketAddr::new(0, 0), 0).unwrap();
    let mut answer = Vec::with_capacity(4096);
    socket.recv_from(&mut answer, 0).unwrap();
    assert_eq!(answer[16..20], [0; 4], "refused");
}
