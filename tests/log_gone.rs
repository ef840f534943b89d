//! A log that nobody takes any more, as when the journal restarts or is stuck: no reason to take the NICs from anybody, or
//! to answer nobody.
#![cfg(test)]

mod common;

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use common::daemon::{A, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::mounts;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[tokio::test]
async fn the_daemon_goes_on_without_its_log() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let mut child = host.command().stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let mut kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    host.node.link(A, false).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    assert_no_violations(&kubelet);
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A daemon of which the test holds the log's other end, killed when this value goes.
struct Started(Child);

impl Started {
    fn new(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }

    fn ends(&mut self) -> Option<i32> {
        let mut status = None;
        until(
            || {
                status = self.0.try_wait().unwrap();
                status.is_some()
            },
            || "the daemon does not end".to_owned(),
        );
        status.unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe that takes nothing more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = |flags: OFlag| fcntl(&writer, FcntlArg::F_SETFL(flags)).unwrap();
    flags(OFlag::O_NONBLOCK);
    let mut filler = writer.try_clone().unwrap();
    while filler.write(&[b'.'; 4096]).is_ok() {}
    while filler.write(b".").is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    writer.flush().unwrap();
    (reader, writer)
}

/// Far more lines than may wait.
async fn many_lines(host: &DaemonFixture, daemon: &Started, kubelet: &Kubelet) {
    for round in 0..3 {
        host.node.link(A, round % 2 == 1).unwrap();
        daemon.signal(Signal::SIGHUP);
        wait_for(kubelet, &[(A, round % 2 == 1)]).await;
    }
    for _ in 0..3000 {
        let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await;
        assert!(
            answer.is_ok() || format!("{answer:?}").contains("nhealthy"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_full_pipe_that_nobody_reads_stops_nothing() {
    let host = DaemonFixture::new(&nics(1));
    let (reader, writer) = full_pipe();
    let mut command = host.command();
    command.stderr(writer);
    let mut daemon = Started::new(command);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    many_lines(&host, &daemon, &kubelet).await;
    assert_no_violations(&kubelet);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends(), Some(0));
    drop(reader);
}

#[tokio::test]
async fn what_is_lost_of_the_log_is_said_when_somebody_reads_again() {
    let host = DaemonFixture::new(&nics(1));
    let (mut reader, writer) = full_pipe();
    let mut command = host.command();
    command.stderr(writer);
    let mut daemon = Started::new(command);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    many_lines(&host, &daemon, &kubelet).await;
    let log = std::thread::spawn(move || {
        let mut log = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&log).contains("messages of the log are lost") {
            let length = reader.read(&mut piece).unwrap();
            assert!(length > 0, "{}", String::from_utf8_lossy(&log));
            log.extend_from_slice(&piece[..length]);
        }
        String::from_utf8(log).unwrap()
    });
    let log = log.join().unwrap();
    // In order, from the first.
    let start = log.find("cxi-device-plugin").unwrap();
    let registered = log.find("registered with kubelet").unwrap();
    assert!(start < registered && registered < log.find("are lost").unwrap());
    assert_eq!(log.matches("are lost").count(), 1);
    drop(daemon.0.stderr.take());
    daemon.signal(Signal::SIGKILL);
    daemon.ends();
}

/// The journal's socket, in a tree of this thread's own.
fn journal() -> UnixDatagram {
    fs::create_dir_all("/run/systemd/journal").unwrap();
    UnixDatagram::bind("/run/systemd/journal/socket").unwrap()
}

/// Value of a field of a record of the native protocol.
fn field(record: &[u8], name: &str) -> Option<String> {
    let mut rest = record;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        let key = String::from_utf8_lossy(&rest[..at]).into_owned();
        let length: [u8; 8] = rest[at + 1..at + 9].try_into().unwrap();
        let (value, after) = rest[at + 9..].split_at(u64::from_le_bytes(length).try_into().unwrap());
        if key == name {
            return Some(String::from_utf8(value.to_vec()).unwrap());
        }
        rest = &after[1..];
    }
    None
}

fn to_journal(host: &DaemonFixture) -> Command {
    host.configure("[log]\ntarget = \"journald\"\n");
    let mut command = host.command();
    command.stderr(File::create(host.path("stderr")).unwrap());
    command
}

#[tokio::test]
async fn the_journal_hears_each_message_with_its_fields() {
    if !mounts::are_own("the_journal_hears_each_message_with_its_fields") {
        return;
    }
    let _run = mounts::Memory::at("/run".as_ref(), "");
    let journal = journal();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = DaemonFixture::new(&nics(1));
    host.node.link(A, false).unwrap();
    let daemon = Started::new(to_journal(&host));
    let record = loop {
        let mut bytes = [0; 65536];
        let length = journal.recv(&mut bytes).unwrap();
        if field(&bytes[..length], "PCI").is_some() && field(&bytes[..length], "REASON").is_some() {
            break bytes[..length].to_vec();
        }
    };
    for (name, value) in [
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "cxi-device-plugin"),
        ("PCI", A),
        ("NIC", "cxi0"),
        ("MESSAGE_ID", "3daba3d5112b4fffa7207c9240e0fe99"),
    ] {
        assert_eq!(field(&record, name).as_deref(), Some(value), "{name}");
    }
    let message = field(&record, "MESSAGE").unwrap();
    assert!(message.starts_with("cxi0: unhealthy: link: "), "{message}");
    assert!(message.ends_with(&field(&record, "REASON").unwrap()), "{message}");
    assert_eq!(fs::read_to_string(host.path("stderr")).unwrap(), "");
    drop(daemon);
}

#[tokio::test]
async fn a_stuck_journal_stops_nothing() {
    if !mounts::are_own("a_stuck_journal_stops_nothing") {
        return;
    }
    let _run = mounts::Memory::at("/run".as_ref(), "");
    let journal = journal();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"MESSAGE=full\n", "/run/systemd/journal/socket").is_ok() {}
    let host = DaemonFixture::new(&nics(1));
    let mut daemon = Started::new(to_journal(&host));
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    many_lines(&host, &daemon, &kubelet).await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends(), Some(0));
    drop(journal);
}

#[test]
fn the_last_words_of_a_daemon_do_not_wait_for_a_reader() {
    let host = DaemonFixture::new(&nics(1));
    let _running = host.start(&[]);
    until(
        || host.path("run/lock").exists() && !host.spec().is_empty(),
        || host.spec(),
    );
    let (_reader, writer) = full_pipe();
    let mut command = host.command();
    command.stderr(writer);
    assert_eq!(Started::new(command).ends(), Some(75));
}
