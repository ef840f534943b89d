//! The runtime has one thread, and kubelet, systemd and signals wait for it. So, once the daemon is registered, that thread
//! makes only system calls that cannot wait for a file system, for a reader of the log, or for another program.
//!
//! `CXI_BUSY_SECONDS` has it busy for longer and shows the longest calls (`make full`).
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::cri::{Answer, Runtime};
use common::daemon::{A, B, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::hang::full_backlog;
use common::say;
use common::skip::{Need, skip};
use cxi_sim::kubelet::Kubelet;

/// Waiting for everything at once, sockets that do not block, memory, time, locks, signals.
const HARMLESS: &str = "accept4 brk clock_gettime close epoll_ctl epoll_pwait epoll_wait eventfd2 exit_group fcntl futex getpid \
    getrandom getsockname getpeername getsockopt gettid inotify_init1 madvise mmap mprotect mremap munmap recvfrom recvmsg \
    restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendmsg sendto setsockopt shutdown \
    sigaltstack socket socketpair writev";
/// Reads, writes and questions are harmless on these; a file, a pipe or a terminal may keep a caller waiting.
const HARMLESS_FILES: [&str; 5] = [
    "<socket:",
    "<UNIX",
    "<anon_inode:[eventfd]>",
    "<anon_inode:inotify>",
    "<anon_inode:[timerfd]>",
];

/// One system call.
#[derive(Debug)]
struct Call {
    name: String,
    line: String,
    took: Duration,
}

impl Call {
    /// Of a line such as `read(5<socket:[7]>, "\1", 512) = 1 <0.000012>`.
    fn parse(line: &str) -> Option<Self> {
        let (name, _) = line.split_once('(')?;
        let took = line.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            line: line.to_owned(),
            took: Duration::from_secs_f64(took),
        })
    }

    fn is_harmless(&self) -> bool {
        if matches!(self.name.as_str(), "read" | "write" | "writev" | "readv" | "ioctl") {
            let file = self.line.split(',').next().unwrap_or_default();
            return HARMLESS_FILES.iter().any(|kind| file.contains(kind));
        }
        HARMLESS.split_whitespace().any(|name| name == self.name)
    }

    /// Whether it is there to wait.
    fn waits(&self) -> bool {
        matches!(self.name.as_str(), "epoll_wait" | "epoll_pwait" | "restart_syscall")
    }
}

fn scrape(socket: &Path) {
    let mut socket = UnixStream::connect(socket).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("cxi_"), "{answer}");
}

/// One of everything that happens to a daemon.
async fn be_busy(host: &DaemonFixture, daemon: &Daemon, kubelet: &mut Kubelet) {
    let state = async |kubelet: &Kubelet, a: bool, b: bool| {
        daemon.hang_up();
        wait_for(kubelet, &[(A, a), (B, b)]).await;
    };
    host.node.link(A, false).unwrap();
    state(kubelet, false, true).await;
    host.node.link(A, true).unwrap();
    host.node.unbind(B).unwrap();
    state(kubelet, true, false).await;
    host.node.bind(B).unwrap();
    state(kubelet, true, true).await;
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    kubelet
        .allocate(RESOURCE, vec![vec!["nobody".to_owned()]])
        .await
        .unwrap_err();
    fs::remove_file(host.spec_file()).unwrap();
    host.wait_for_spec(|spec| spec.contains(B));
    let cordon = host.path("run/cordoned").join(A);
    fs::write(&cordon, "busy\n").unwrap();
    state(kubelet, false, true).await;
    fs::remove_file(&cordon).unwrap();
    state(kubelet, true, true).await;
    scrape(&host.path("metrics.sock"));
    kubelet.restart().unwrap();
    wait_for(kubelet, &[(A, true), (B, true)]).await;
}

#[tokio::test]
async fn the_runtimes_thread_waits_for_nobody() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip(Need::Program, "strace");
    }
    let host = DaemonFixture::new(&nics(2));
    let export = |key: &str, place: &str| format!("{key} = {:?}\n", host.path(place));
    let exports = [
        export("textfile", "textfile/cxi.prom"),
        export("metrics_socket", "metrics.sock"),
        export("nfd_dir", "nfd"),
        export("devinfo_dir", "devinfo"),
    ];
    host.configure(&format!("[export]\n{}", exports.concat()));
    fs::create_dir_all(host.kubelet_dir()).unwrap();
    let mut kubelet = host.kubelet();
    // It has the name of a competing plugin's socket. A kubelet that restarts removes it.
    let _full = full_backlog(&host.kubelet_dir().join("beta.hpe.com_cxi"));
    // One runtime answers, another one does not even take the call.
    let sockets =
        ["run/k3s/containerd/containerd.sock", "run/crio/crio.sock"].map(|socket| host.node.root().join(socket));
    let _runtime = Runtime::start(&sockets[0], Answer::new("containerd", "1.7.24"));
    fs::create_dir_all(sockets[1].parent().unwrap()).unwrap();
    let _also_full = full_backlog(&sockets[1]);
    let trace = host.path("trace");
    // Without -f only the first thread, which is the runtime's; with -D the daemon is our child.
    let strace = ["strace", "-D", "-T", "-y", "-s", "8", "-o", trace.to_str().unwrap()];
    let daemon = host.start_in(&strace, &["--pulse", "1"]);
    daemon.wait_for_log("registered with kubelet");
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let start = fs::read(&trace).unwrap().len();

    let seconds: u64 = std::env::var("CXI_BUSY_SECONDS").map_or(0, |seconds| seconds.parse().unwrap());
    let (began, mut rounds) = (Instant::now(), 0);
    while rounds < 3 || began.elapsed() < Duration::from_secs(seconds) {
        be_busy(&host, &daemon, &mut kubelet).await;
        rounds += 1;
    }
    assert_no_violations(&kubelet);
    until(
        || fs::read(&trace).unwrap()[start..].contains(&b'\n'),
        || "nothing was traced".to_owned(),
    );
    let text = String::from_utf8_lossy(&fs::read(&trace).unwrap()[start..]).into_owned();
    // strace writes the name before the call and the rest after it: the first line is whole only at a line's start.
    let calls: Vec<_> = text.lines().skip(1).filter_map(Call::parse).collect();
    assert!(calls.iter().any(Call::waits), "no trace of the runtime:\n{text}");

    let mut harmful = BTreeMap::new();
    for call in calls.iter().filter(|call| !call.is_harmless()) {
        let (count, _) = harmful.entry(&call.name).or_insert((0, &call.line));
        *count += 1;
    }
    assert!(harmful.is_empty(), "name, how many, the first:\n{harmful:#?}");
    if seconds > 0 {
        let mut longest: Vec<_> = calls.iter().filter(|call| !call.waits()).collect();
        longest.sort_by_key(|call| std::cmp::Reverse(call.took));
        say(&format!(
            "{rounds} rounds in {} s, {} calls; the longest:",
            began.elapsed().as_secs(),
            calls.len()
        ));
        longest.iter().take(5).for_each(|call| say(&call.line));
    }
}
