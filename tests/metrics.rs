//! What the daemon shows to other programs: metrics as a file and on a socket, labels, device-info files.
#![cfg(test)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::daemon::{A, B, C, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};

/// In which news fold into one write of the textfile.
const SETTLE: Duration = Duration::from_secs(1);

/// Where the tests have things shown.
struct MetricsFixture<'a>(&'a DaemonFixture);

impl MetricsFixture<'_> {
    fn textfile(&self) -> PathBuf {
        self.0.path("textfile/cxi.prom")
    }

    fn socket(&self) -> PathBuf {
        self.0.path("run/metrics.sock")
    }

    fn labels(&self) -> PathBuf {
        self.0.path("nfd/hpe-cxi")
    }

    fn device_info(&self, nic: &str) -> PathBuf {
        self.0.path(&format!("devinfo/beta.hpe.com-cxi-{nic}-device.json"))
    }

    fn start(&self) -> Daemon {
        self.start_with(&[
            ("textfile", self.textfile()),
            ("metrics_socket", self.socket()),
            ("nfd_dir", self.0.path("nfd")),
            ("devinfo_dir", self.0.path("devinfo")),
        ])
    }

    fn start_with(&self, places: &[(&str, PathBuf)]) -> Daemon {
        let keys = places.iter().map(|(key, place)| format!("{key} = {place:?}\n"));
        self.0.configure(&format!("[export]\n{}", keys.collect::<String>()));
        self.0.start(&[])
    }

    fn scrape(&self) -> Samples {
        let answer = ask(&self.socket(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Samples::of(body)
    }

    fn wait_for_socket(&self) {
        until(
            || UnixStream::connect(self.socket()).is_ok(),
            || "no socket for metrics".to_owned(),
        );
    }

    /// Until the socket shows this value.
    fn wait_for(&self, series: &str, value: &str) {
        self.wait_for_socket();
        until(
            || self.scrape().get(series) == Some(value),
            || format!("{series} is not {value}:\n{:#?}", self.scrape()),
        );
    }
}

/// Sends bytes and reads until the end.
fn ask(socket: &Path, request: &str) -> String {
    let mut connection = UnixStream::connect(socket).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // A caller that was refused early may be cut off in mid-sentence.
    let _ = connection.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Series and their values.
#[derive(Debug, PartialEq)]
struct Samples(BTreeMap<String, String>);

impl Samples {
    fn of(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.to_owned())
        });
        Self(samples.collect())
    }

    fn get(&self, series: &str) -> Option<&str> {
        self.0.get(series).map(String::as_str)
    }

    fn count_of(&self, nic: &str) -> usize {
        self.0.keys().filter(|series| series.contains(nic)).count()
    }
}

const REGISTERED: &str = r#"cxi_kubelet_registered{resource="beta.hpe.com/cxi"}"#;

fn nics_in(state: &str) -> String {
    format!(r#"cxi_nics{{resource="{RESOURCE}",state="{state}"}}"#)
}

fn condition(nic: &str, condition: &str) -> String {
    format!(r#"cxi_nic_condition{{nic="{nic}",condition="{condition}"}}"#)
}

fn allocations(result: &str) -> String {
    format!(r#"cxi_allocations_total{{resource="{RESOURCE}",result="{result}"}}"#)
}

#[tokio::test]
async fn off_is_off() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(host.path(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(common::daemon::sockets(&host.path("run")), Vec::<String>::new());
    for never in ["textfile", "nfd", "devinfo"] {
        assert!(!names("").contains(never));
    }
    assert!(!daemon.log().contains("metrics"), "{}", daemon.log());
}

#[tokio::test]
async fn metrics_follow_the_node_and_kubelet() {
    let host = DaemonFixture::new(&nics(3));
    host.node.link(B, false).unwrap();
    let shown = MetricsFixture(&host);
    let (daemon, mut kubelet) = (shown.start(), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, false), (C, true)]).await;
    shown.wait_for(REGISTERED, "1");
    let first = shown.scrape();
    assert_eq!(first.get(&nics_in("healthy")), Some("2"));
    assert_eq!(first.get(&nics_in("unhealthy")), Some("1"));
    assert_eq!(first.get(&condition(A, "link")), Some("0"));
    assert_eq!(first.get(&condition(B, "link")), Some("3"));
    assert_eq!(first.get(&format!(r#"cxi_nic_healthy{{nic="{B}"}}"#)), Some("0"));
    assert_eq!(first.get(r#"cxi_cdi_writes_total{result="written"}"#), Some("1"));
    assert_eq!(first.get(&allocations("granted")), Some("0"));

    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    kubelet
        .allocate(RESOURCE, vec![vec!["cxi0".to_owned()]])
        .await
        .unwrap_err();
    let then = shown.scrape();
    assert_eq!(then.get(&allocations("granted")), Some("1"));
    assert_eq!(then.get(&allocations("refused")), Some("1"));
    let timed = format!(r#"cxi_allocate_duration_seconds_count{{resource="{RESOURCE}"}}"#);
    assert_eq!(then.get(&timed), Some("2"));

    host.node.fatal_error(A).unwrap();
    host.node.set(C, "properties/pcie_uncorr_err", b"7\n").unwrap();
    daemon.hang_up();
    shown.wait_for(&condition(A, "pci-enabled"), "3");
    let errors = format!(r#"cxi_nic_pcie_uncorrectable_errors_total{{nic="{C}"}}"#);
    assert_eq!(shown.scrape().get(&errors), Some("7"));

    assert!(shown.scrape().count_of(B) > 5);
    host.node.remove(B).unwrap();
    daemon.hang_up();
    shown.wait_for(&nics_in("unhealthy"), "1");
    assert_eq!(shown.scrape().count_of(B), 0, "a NIC that is gone has no series");

    kubelet.restart().unwrap();
    let accepted = r#"cxi_kubelet_registrations_total{resource="beta.hpe.com/cxi",result="accepted"}"#;
    shown.wait_for(accepted, "2");
    kubelet.shutdown();
    shown.wait_for(REGISTERED, "0");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_textfile_says_what_the_socket_says_and_goes_with_the_daemon() {
    let host = DaemonFixture::new(&nics(2));
    let shown = MetricsFixture(&host);
    let (daemon, kubelet) = (shown.start(), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    shown.wait_for(REGISTERED, "1");
    let file = || Samples::of(&fs::read_to_string(shown.textfile()).unwrap_or_default());
    until(|| file() == shown.scrape(), || format!("{:#?}", file()));
    assert_eq!(
        fs::metadata(shown.textfile()).unwrap().permissions().mode() & 0o7777,
        0o644
    );

    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    until(
        || file().get(&allocations("granted")) == Some("1"),
        || format!("{:#?}", file()),
    );
    assert!(daemon.terminate().success());
    assert!(!shown.textfile().exists(), "it would be read for ever");
    assert!(!shown.socket().exists());
}

/// A look in which nothing has changed is seen on the socket, where it costs nothing, and writes nothing.
#[tokio::test]
async fn where_nothing_happens_nothing_is_written() {
    let host = DaemonFixture::new(&nics(2));
    let shown = MetricsFixture(&host);
    let daemon = shown.start();
    shown.wait_for_socket();
    daemon.wait_until_settled();
    let file = || Samples::of(&fs::read_to_string(shown.textfile()).unwrap_or_default());
    until(|| file() == shown.scrape(), || format!("{:#?}", file()));
    let identity = || {
        fs::metadata(shown.textfile())
            .map(|file| (file.ino(), file.mtime_nsec()))
            .unwrap()
    };
    let before = identity();
    let start = Instant::now();
    let mut looks = 0;
    while start.elapsed() < 2 * SETTLE {
        daemon.hang_up();
        daemon.wait_until_settled();
        looks += 1;
    }
    assert!(looks > 3);
    assert_eq!(identity(), before, "after {looks} looks");
    host.node.remove(B).unwrap();
    daemon.hang_up();
    until(
        || file().get(&nics_in("healthy")) == Some("1"),
        || format!("{:#?}", file()),
    );
}

#[test]
fn the_socket_is_for_root_and_group_and_never_takes_the_place_of_another() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    fs::create_dir_all(host.path("run")).unwrap();
    // What a killed predecessor has left.
    drop(UnixListener::bind(shown.socket()).unwrap());
    let daemon = shown.start();
    shown.wait_for(&nics_in("healthy"), "1");
    let mode = || fs::metadata(shown.socket()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o660);

    fs::remove_file(shown.socket()).unwrap();
    daemon.hang_up();
    shown.wait_for(&nics_in("healthy"), "1");
    assert!(daemon.terminate().success());

    let living = UnixListener::bind(shown.socket()).unwrap();
    let daemon = shown.start();
    daemon.wait_for_log("another program serves it");
    daemon.hang_up();
    daemon.wait_until_settled();
    assert_eq!(daemon.log().matches("another program serves it").count(), 1);
    assert!(daemon.terminate().success());
    UnixStream::connect(shown.socket()).unwrap();
    drop(living);

    fs::remove_file(shown.socket()).unwrap();
    fs::write(shown.socket(), "somebody's").unwrap();
    let daemon = shown.start();
    daemon.wait_for_log("it is there and no socket");
    fs::remove_file(shown.socket()).unwrap();
    daemon.hang_up();
    shown.wait_for(&nics_in("healthy"), "1");
    assert!(fs::metadata(shown.socket()).unwrap().file_type().is_socket());
}

#[tokio::test]
async fn hostile_callers_get_no_further_than_an_error() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    let (_daemon, kubelet) = (shown.start(), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    shown.wait_for(REGISTERED, "1");
    let long = "x".repeat(1 << 20);
    for (request, answer) in [
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n".to_owned(),
            "405",
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
        (
            "GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "404",
        ),
        (format!("GET /metrics HTTP/1.1\r\nX: {long}\r\n\r\n"), "431"),
        (
            format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000)),
            "431",
        ),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), "4"),
        ("\0\u{1}\u{2}garbage\r\n\r\n".to_owned(), "400"),
    ] {
        let head: String = request.chars().take(40).collect();
        let output = ask(&shown.socket(), &request);
        assert!(
            output.starts_with(&format!("HTTP/1.1 {answer}")),
            "{head:?}: {output:?}"
        );
    }
    let output = ask(&shown.socket(), "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        output.starts_with("HTTP/1.1 200") && output.ends_with("\r\n\r\n"),
        "{output:?}"
    );

    // Callers who say nothing hold all places: kubelet is served all the same, and a scraper once their time is over.
    let idle: Vec<UnixStream> = (0..40).map(|_| UnixStream::connect(shown.socket()).unwrap()).collect();
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    drop(idle);
    assert_eq!(shown.scrape().get(&allocations("granted")), Some("1"));
}

#[tokio::test]
async fn however_many_callers_say_nothing_a_scraper_does_not_wait_for_them() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    let (_daemon, kubelet) = (shown.start(), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    shown.wait_for(REGISTERED, "1");
    let mut silent: Vec<UnixStream> = (0..60).map(|_| UnixStream::connect(shown.socket()).unwrap()).collect();
    // One that has begun, and says no more.
    for caller in silent.iter_mut().take(20) {
        let _ = caller.write_all(b"GET /metrics HTTP/1.1\r\nHo");
    }
    assert_eq!(shown.scrape().get(REGISTERED), Some("1"));
    // Nobody's time was over: who came last is still there.
    let last = silent.last_mut().unwrap();
    last.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_one_warning() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    fs::write(host.path("file"), "in the way").unwrap();
    let below = |name: &str| host.path("file").join(name);
    let daemon = shown.start_with(&[
        ("textfile", below("cxi.prom")),
        ("metrics_socket", below("socket")),
        ("nfd_dir", below("nfd")),
        ("devinfo_dir", below("devinfo")),
    ]);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    let warnings = [
        "no metrics for node_exporter",
        "no metrics on a socket",
        "no labels for node-feature-discovery",
        "no device-info files",
    ];
    for _ in 0..3 {
        daemon.hang_up();
        daemon.wait_until_settled();
    }
    for warning in warnings {
        daemon.wait_for_log(warning);
        assert_eq!(daemon.log().matches(warning).count(), 1, "{}", daemon.log());
    }
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();

    fs::remove_file(host.path("file")).unwrap();
    fs::create_dir(host.path("file")).unwrap();
    daemon.hang_up();
    for back in [
        "metrics for node_exporter",
        "labels for node-feature-discovery",
        "device-info files",
    ] {
        daemon.wait_for_log(&format!("there are {back} again"));
    }
    assert!(daemon.terminate().success());
}

#[test]
fn a_textfile_that_nobody_would_read_is_refused() {
    let host = DaemonFixture::new(&nics(1));
    let mut daemon = MetricsFixture(&host).start_with(&[("textfile", host.path("cxi.txt"))]);
    assert_eq!(daemon.wait().code(), Some(78));
    assert!(daemon.log().contains("names end in .prom"), "{}", daemon.log());
}

#[test]
fn labels_and_device_info_say_what_the_node_has() {
    let host = DaemonFixture::new(&nics(2));
    let shown = MetricsFixture(&host);
    fs::create_dir(host.path("devinfo")).unwrap();
    // Of a NIC that is not there: one that we have left, one that somebody else has written, and a name of no NIC.
    let ours = format!("{{\"type\":\"pci\",\"version\":\"1.1.0\",\"pci\":{{\"pci-address\":\"{C}\"}}}}\n");
    fs::write(shown.device_info(C), ours).unwrap();
    let others = [
        shown.device_info("0000:e1:00.0"),
        host.path("devinfo/intel.com-nic-0000:31:00.0-device.json"),
        shown.device_info("cxi0"),
    ];
    for other in &others {
        fs::write(other, "{}").unwrap();
    }
    let daemon = shown.start();
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    until(|| !text(shown.device_info(B)).is_empty(), || daemon.log());
    assert_eq!(
        text(shown.device_info(A)),
        format!("{{\"type\":\"pci\",\"version\":\"1.1.0\",\"pci\":{{\"pci-address\":\"{A}\"}}}}\n")
    );
    assert!(!shown.device_info(C).exists());
    let label = |name: &str| format!("feature.node.kubernetes.io/cxi.{name}\n");
    let driver = label("driver-revision=9ce667e");
    let labels = |count: u8| label("present=true") + &label(&format!("count={count}")) + &label("cassini-1=true");
    // Each export has a thread of its own: what one has written says nothing of another.
    until(|| text(shown.labels()) == labels(2) + &driver, || text(shown.labels()));

    // Health is no matter of labels and of CNI: a pod that runs needs its file.
    host.node.fatal_error(A).unwrap();
    host.node.remove(B).unwrap();
    daemon.hang_up();
    until(|| text(shown.labels()) == labels(1) + &driver, || text(shown.labels()));
    until(|| !shown.device_info(B).exists(), || daemon.log());
    assert!(shown.device_info(A).exists());

    assert!(daemon.terminate().success());
    assert!(
        !shown.device_info(A).exists(),
        "the specification asks a plugin that stops to remove its files"
    );
    assert_eq!(text(shown.labels()), labels(1) + &driver);
    assert!(others.iter().all(|other| text(other.clone()) == "{}"));
}

#[test]
fn without_nics_there_is_no_label() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    let daemon = shown.start();
    until(|| shown.labels().exists(), || daemon.log());
    host.node.remove(A).unwrap();
    daemon.hang_up();
    until(|| !shown.labels().exists(), || daemon.log());
}

#[test]
fn names_that_only_a_static_file_keeps_alive_are_counted() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    let statics = host.node.root().join("etc/cdi");
    fs::create_dir_all(&statics).unwrap();
    let spec = "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices:\n\
        - {name: cxi0, containerEdits: {deviceNodes: [{path: /dev/cxi0}]}}\n\
        - {name: cxi7, containerEdits: {deviceNodes: [{path: /dev/cxi7}]}}\n";
    fs::write(statics.join("hpe.com-cxi.yaml"), spec).unwrap();
    let daemon = shown.start();
    shown.wait_for("cxi_cdi_stale_names", "1");
    fs::remove_file(statics.join("hpe.com-cxi.yaml")).unwrap();
    daemon.hang_up();
    shown.wait_for("cxi_cdi_stale_names", "0");
}

/// Names of the metrics in a text: what begins with `cxi_`.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("cxi_"));
    let plain = |word: &str| {
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| word.strip_suffix(end));
        histogram.unwrap_or(word).to_owned()
    };
    words.map(plain).collect()
}

#[test]
fn what_is_documented_is_shown_and_what_is_shown_is_documented() {
    let host = DaemonFixture::new(&nics(1));
    let shown = MetricsFixture(&host);
    let _daemon = shown.start();
    shown.wait_for(&nics_in("healthy"), "1");
    let answer = ask(&shown.socket(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let declared = answer
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let declared: BTreeMap<String, String> = declared.map(|(name, kind)| (name.into(), kind.into())).collect();

    let documentation = fs::read_to_string("docs/metrics.md").unwrap();
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("| `cxi_"));
    let documented = rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        (format!("cxi_{name}"), rest.split_once(' ').unwrap().0.to_owned())
    });
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), declared);

    let known: BTreeSet<String> = declared.into_keys().collect();
    for file in [
        "packaging/grafana/cxi-device-plugin.json",
        "packaging/prometheus/cxi-device-plugin.rules.yml",
        "packaging/prometheus/cxi-device-plugin.test.yml",
    ] {
        let used = names_in(&fs::read_to_string(file).unwrap());
        assert!(used.len() > 5, "{file}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}
