//! Each condition as kubelet and the log come to know it: it fails, recovers, is ignored by policy, is unknown when it
//! cannot be read. And what a restart of the daemon makes of it.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::SystemTime;

use common::changes::Change::{
    self, Bind, Blind, Cordon, CordonsFile, Remove, Restarts, Seeing, Set, Unbind, Uncordon, Unset,
};
use common::daemon::{
    A, B, C, D, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for,
};
use cxi_device_plugin::model::health::{Action, Check, HealthPolicy};
use cxi_sim::kubelet::Kubelet;

/// What makes a condition bad, what mends it, what makes it unreadable, and what makes it bad for a NIC that has its node.
struct Row {
    check: Check,
    bad: Change,
    good: Change,
    unreadable: &'static [Change],
}

const fn row(check: Check, bad: Change, good: Change, unreadable: &'static [Change]) -> Row {
    Row {
        check,
        bad,
        good,
        unreadable,
    }
}

/// Every condition but that of the CXI services, which is always unknown.
const ROWS: [Row; 13] = [
    row(
        Check::Present,
        Unbind,
        Bind,
        &[Unset("driver"), Set("driver", b"no link")],
    ),
    row(Check::Readable, Blind, Seeing, &[]),
    row(
        Check::PciEnabled,
        Set("enable", b"0\n"),
        Set("enable", b"1\n"),
        &[Unset("enable")],
    ),
    row(Check::Cordoned, Cordon("bad cable\n"), Uncordon, &[CordonsFile]),
    row(Check::Link, LINK_DOWN, LINK_UP, &[Unset("properties/link")]),
    row(Check::RetryHandler, NO_HANDLER, HANDLER, &[Unset("properties/pct_eq")]),
    row(
        Check::FabricAddress,
        Set("properties/nid", b"0xffffffff\n"),
        Set("properties/nid", b"0x12\n"),
        &[Unset("properties/nid")],
    ),
    row(
        Check::NetdevUp,
        Set("net/hsn0/operstate", b"down\n"),
        Set("net/hsn0/operstate", b"up\n"),
        &[Unset("net/hsn0/operstate")],
    ),
    row(
        Check::Resources,
        Set("properties/rgids_avail", b"0\n"),
        Set("properties/rgids_avail", b"1\n"),
        &[Unset("properties/rgids_avail")],
    ),
    row(
        Check::PcieErrors,
        UNCORRECTABLE_1,
        Set("properties/pcie_uncorr_err", b"0\n"),
        &[Unset("properties/pcie_uncorr_err"), Unset("aer_dev_fatal")],
    ),
    row(
        Check::LinkFlaps,
        Restarts(&[10, 20, 30, 40, 50]),
        Restarts(&[40_010, 40_020, 40_030, 40_040, 40_050]),
        &[Unset("link_restarts/time_3")],
    ),
    row(
        Check::PcieLink,
        Set("current_link_width", b"8\n"),
        Set("current_link_width", b"16\n"),
        // Without a maximum the NIC beside it is the measure.
        &[Unset("current_link_width")],
    ),
    row(
        Check::LinkSpeed,
        Set("port/speed", b"CD_100G"),
        Set("port/speed", b"BS_200G"),
        &[Unset("port/speed"), Unset("properties/speed"), Unset("net/hsn0/speed")],
    ),
];

const NO_HANDLER: Change = Set("properties/pct_eq", b"0\n");
const LINK_DOWN: Change = Set("properties/link", b"0\n");
const LINK_UP: Change = Set("properties/link", b"1\n");
const HANDLER: Change = Set("properties/pct_eq", b"7\n");
const UNCORRECTABLE_1: Change = Set("properties/pcie_uncorr_err", b"1\n");

/// A daemon without a slow poll, and its kubelet.
struct ConditionsFixture {
    host: DaemonFixture,
    kubelet: Kubelet,
    daemon: Daemon,
}

impl ConditionsFixture {
    async fn new(policy: &str) -> Self {
        let host = DaemonFixture::new(&nics(2));
        host.configure(policy);
        Self::on(host).await
    }

    async fn on(host: DaemonFixture) -> Self {
        let kubelet = host.kubelet();
        let daemon = host.start(&["--pulse", "0"]);
        let fixture = Self { host, kubelet, daemon };
        fixture.is_listed(true).await;
        fixture
    }

    /// Changes the first NIC without a word to anybody.
    fn make(&self, change: Change) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        change.make(&self.host.node, &self.host.path("run"), A, now.as_secs());
    }

    /// In one step for the daemon, which would else tell of what is half done.
    fn make_and_look(&self, changes: &[Change]) {
        self.daemon.pause();
        changes.iter().for_each(|change| self.make(*change));
        self.daemon.wake();
        self.daemon.look();
    }

    /// Waits until kubelet's list has the first NIC so; the second one stays as it is, whatever happens.
    async fn is_listed(&self, healthy: bool) {
        wait_for(&self.kubelet, &[(A, healthy), (B, true)]).await;
    }

    /// Another daemon in the place of this one.
    async fn restart(&mut self, meanwhile: &[Change]) {
        self.daemon.signal(nix::sys::signal::Signal::SIGTERM);
        self.daemon.wait();
        fs::remove_file(self.host.path("daemon.log")).unwrap();
        meanwhile.iter().for_each(|change| self.make(*change));
        let registrations = self.kubelet.registrations(RESOURCE);
        self.daemon = self.host.start(&["--pulse", "0"]);
        let is_served =
            |kubelet: &Kubelet| kubelet.registrations(RESOURCE) > registrations && kubelet.open_streams(RESOURCE) == 1;
        assert!(
            self.kubelet.wait_until(PATIENCE, is_served).await,
            "{}",
            self.daemon.log()
        );
        self.daemon.look();
    }

    fn memory(&self) -> String {
        let file = self.host.path("run/health.json");
        until(|| file.exists(), || format!("{} is missing", file.display()));
        fs::read_to_string(file).unwrap()
    }

    /// Lines of the log about the first NIC.
    fn lines(&self) -> Vec<String> {
        let of_nic = format!("pci={A}");
        let log = self.daemon.log();
        let lines = log
            .lines()
            .filter(|line| line.contains(&of_nic) && !line.contains("card"));
        lines.map(str::to_owned).collect()
    }

    /// How many lines about the first NIC say this.
    fn output(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }
}

/// A line of the configuration for one condition.
fn set(check: Check, action: Action) -> String {
    format!("{check} = \"{action}\"\n")
}

#[tokio::test]
async fn each_condition_that_fails_is_unhealthy_recovers_by_itself_and_is_healthy_when_unreadable() {
    for Row {
        check,
        bad,
        good,
        unreadable,
    } in &ROWS
    {
        let fixture = ConditionsFixture::new(&set(*check, Action::Fail)).await;
        fixture.make_and_look(&[*bad]);
        fixture.is_listed(false).await;
        assert_eq!(
            fixture.output(&format!("unhealthy: {check}: ")),
            1,
            "{check}: {:?}",
            fixture.lines()
        );
        fixture.daemon.look();
        fixture.make_and_look(&[*good]);
        fixture.is_listed(true).await;
        fixture.make_and_look(unreadable);
        fixture.is_listed(true).await;
        let healthy = fixture.output("healthy") - fixture.output("unhealthy");
        assert_eq!(
            (fixture.output("unhealthy"), healthy),
            (1, 2),
            "{check}: {:?}",
            fixture.lines()
        );
        assert_no_violations(&fixture.kubelet);
    }
}

#[tokio::test]
async fn each_condition_that_only_warns_is_said_once_when_it_comes_and_once_when_it_goes() {
    for Row { check, bad, good, .. } in &ROWS {
        // Without a node there is nothing to give, whatever the policy.
        let bad = if *check == Check::Present {
            &Remove("sys/class/cxi/cxi0")
        } else {
            bad
        };
        let fixture = ConditionsFixture::new(&set(*check, Action::Warn)).await;
        fixture.make_and_look(&[*bad]);
        fixture.daemon.look();
        fixture.is_listed(true).await;
        assert_eq!(
            fixture.output(&format!("warning: {check}: ")),
            1,
            "{check}: {:?}",
            fixture.lines()
        );
        if !matches!(check, Check::Present | Check::RetryHandler) {
            fixture.make_and_look(&[*good]);
            fixture.daemon.look();
            assert_eq!(
                fixture.output(&format!("no warning any more: {check}: ")),
                1,
                "{check}: {:?}",
                fixture.lines()
            );
        }
        assert_eq!(fixture.output("unhealthy"), 0, "{check}: {:?}", fixture.lines());
    }
}

#[tokio::test]
async fn each_condition_that_is_ignored_is_neither_listed_nor_said() {
    for Row { check, bad, .. } in &ROWS {
        let bad = if *check == Check::Present {
            &Remove("sys/class/cxi/cxi0")
        } else {
            bad
        };
        let fixture = ConditionsFixture::new(&set(*check, Action::Ignore)).await;
        fixture.make_and_look(&[*bad]);
        fixture.is_listed(true).await;
        assert_eq!(
            (fixture.output("warning"), fixture.output("unhealthy")),
            (0, 0),
            "{check}: {:?}",
            fixture.lines()
        );
    }
}

#[test]
fn the_rows_are_all_conditions_that_can_fail() {
    let rows: Vec<&str> = ROWS.iter().map(|row| row.check.name()).collect();
    let names: Vec<&str> = HealthPolicy::names().filter(|name| *name != "cxi-service").collect();
    assert_eq!(rows, names);
}

#[tokio::test]
async fn a_nic_is_cordoned_by_a_file_at_once_and_uncordoned_without_it() {
    let fixture = ConditionsFixture::new("").await;
    fixture.daemon.wait_until_settled();
    fixture.make(Cordon("bad cable, see ticket 7\nmore\n"));
    fixture.is_listed(false).await;
    fixture
        .daemon
        .wait_for_log("unhealthy: cordoned: cordoned by an admin: bad cable, see ticket 7 (");
    fixture.make(Uncordon);
    fixture.is_listed(true).await;
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn a_nic_stays_cordoned_over_restarts_and_entries_of_other_names_cordon_nobody() {
    let mut fixture = ConditionsFixture::new("").await;
    let cordons = fixture.host.path("run/cordoned");
    for name in ["0000:21:00.0.swp", "..a", "cxi1", "\u{202e}"] {
        fs::write(cordons.join(name), "x").unwrap();
    }
    nix::unistd::mkfifo(&cordons.join("0000:ff:1f.7"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fixture.restart(&[Cordon("\u{1b}[31mred")]).await;
    fixture.is_listed(false).await;
    assert_eq!(
        fixture.output("cordoned by an admin: [31mred"),
        1,
        "{:?}",
        fixture.lines()
    );
}

/// What stands there, and what is said of its reason.
#[tokio::test]
async fn whatever_has_the_name_of_a_nic_keeps_it_from_pods() {
    let fixture = ConditionsFixture::new("").await;
    let order = fixture.host.path("run/cordoned").join(A);
    let huge = format!("\n  \n{}\n", "x".repeat(5 << 20));
    let cut = "\u{20ac}".repeat(100_000);
    let makes: [(&dyn Fn(), &str); 8] = [
        (
            &|| fs::write(&order, b"\xff\xfe cable").unwrap(),
            "the reason cannot be read: not a text",
        ),
        (&|| fs::write(&order, &huge).unwrap(), "cordoned by an admin: xxxx"),
        (
            &|| fs::write(&order, &cut).unwrap(),
            "cordoned by an admin: \u{20ac}\u{20ac}",
        ),
        (&|| fs::write(&order, "").unwrap(), "cordoned by an admin ("),
        (
            &|| symlink("/dev/zero", &order).unwrap(),
            "the reason cannot be read: it is a symbolic link",
        ),
        (
            &|| symlink("nowhere", &order).unwrap(),
            "the reason cannot be read: it is a symbolic link",
        ),
        (
            &|| fs::create_dir(&order).unwrap(),
            "the reason cannot be read: it is a directory",
        ),
        (
            &|| nix::unistd::mkfifo(&order, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            "the reason cannot be read: it is a named pipe",
        ),
    ];
    for (make, says) in makes {
        fixture.daemon.wait_until_settled();
        let before = fixture.output(says);
        make();
        fixture.is_listed(false).await;
        until(
            || fixture.output(says) == before + 1,
            || format!("no '{says}' in {:?}", fixture.lines()),
        );
        assert!(fixture.lines().iter().all(|line| line.len() < 2_000));
        if order.is_dir() {
            fs::remove_dir(&order).unwrap();
        } else {
            fs::remove_file(&order).unwrap();
        }
        fixture.is_listed(true).await;
    }
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn an_order_holds_while_nobody_can_read_the_orders() {
    let mut fixture = ConditionsFixture::new("").await;
    fixture.make_and_look(&[Cordon("bad cable\n")]);
    fixture.is_listed(false).await;
    fixture.make_and_look(&[CordonsFile]);
    fixture.daemon.look();
    fixture.is_listed(false).await;
    assert_eq!(
        fixture.output("cordoned by an admin: bad cable, as far as can be told"),
        1,
        "{:?}",
        fixture.lines()
    );
    fixture.restart(&[]).await;
    fixture.is_listed(false).await;
    fs::remove_file(fixture.host.path("run/cordoned")).unwrap();
    fixture.daemon.look();
    fixture.is_listed(true).await;
}

#[tokio::test]
async fn a_function_that_is_disabled_and_enabled_again_is_not_trusted_at_once() {
    let host = DaemonFixture::new(&nics(2));
    host.configure_holds("0s", "1h", "");
    let fixture = ConditionsFixture::on(host).await;
    for _ in 0..5 {
        fixture.make_and_look(&[Set("enable", b"0\n")]);
        fixture.is_listed(false).await;
        fixture.make_and_look(&[Set("enable", b"1\n")]);
        fixture.daemon.look();
        fixture.is_listed(false).await;
    }
    assert_eq!(fixture.output("unhealthy: pci-enabled"), 1, "{:?}", fixture.lines());
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn what_libfabric_would_not_take_is_unhealthy_and_one_fault_is_one_failure() {
    let fixture = ConditionsFixture::new("").await;
    let down = [Set("net/hsn0/operstate", b"down\n"), Unset("net/hsn0/carrier")];
    fixture.make_and_look(&down);
    fixture.is_listed(false).await;
    assert_eq!(
        fixture.output("unhealthy: netdev-up: netdev hsn0 is not up, so libfabric ignores the NIC"),
        1,
        "{:?}",
        fixture.lines()
    );
    fixture.make_and_look(&[Set("net/hsn0/operstate", b"up\n"), Set("net/hsn0/carrier", b"1\n")]);
    fixture.is_listed(true).await;
    fixture.make_and_look(&[Change::LinkDown]);
    fixture.is_listed(false).await;
    let of_link = fixture.lines();
    let of_link: Vec<&String> = of_link
        .iter()
        .filter(|line| line.contains("unhealthy: link: "))
        .collect();
    assert!(of_link.len() == 1 && !of_link[0].contains("netdev-up"), "{of_link:?}");
}

#[tokio::test]
async fn no_netdev_and_shared_fabric_addresses_are_warnings_that_say_what_libfabric_does() {
    let host = DaemonFixture::new(&["c1,variant=V10".parse().unwrap(), nics(1).remove(0)]);
    host.configure("");
    let fixture = ConditionsFixture::on(host).await;
    assert_eq!(
        fixture.output("warning: netdev-up: it has no netdev, so libfabric ignores the NIC"),
        1,
        "{:?}",
        fixture.lines()
    );
    let nid = fs::read(
        fixture
            .host
            .node
            .root()
            .join("sys/bus/pci/devices")
            .join(B)
            .join("properties/nid"),
    )
    .unwrap();
    fixture.daemon.pause();
    fixture.host.node.set(A, "properties/nid", &nid).unwrap();
    fixture.daemon.wake();
    fixture.daemon.look();
    for (nic, other) in [(A, B), (B, A)] {
        let said =
            format!("warning: fabric-address: another NIC has the same fabric address ({other}): libfabric lists only");
        let log = fixture.daemon.log();
        let lines = log
            .lines()
            .filter(|line| line.contains(&said) && line.contains(&format!("pci={nic}")));
        assert_eq!(lines.count(), 1, "{log}");
    }
    fixture.is_listed(true).await;
}

#[tokio::test]
async fn restarts_ahead_of_the_clock_do_not_count_once_it_comes_to_them() {
    let fixture = ConditionsFixture::new("").await;
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let ahead = now() + 3;
    for entry in 0..5 {
        let value = format!("{ahead}\n");
        fixture
            .host
            .node
            .set(A, &format!("link_restarts/time_{entry}"), value.as_bytes())
            .unwrap();
    }
    fixture.daemon.look();
    assert!(now() < ahead, "the machine was too slow for this test to say anything");
    until(|| now() > ahead, || "the clock stands still".to_owned());
    fixture.daemon.look();
    assert_eq!(fixture.output("warning: link-flaps"), 0, "{:?}", fixture.lines());
}

#[tokio::test]
async fn an_error_before_a_restart_is_shown_after_it_and_none_is_invented() {
    let mut fixture = ConditionsFixture::new("").await;
    fixture.make_and_look(&[UNCORRECTABLE_1]);
    assert_eq!(fixture.output("warning: pcie-errors: "), 1, "{:?}", fixture.lines());
    for _ in 0..2 {
        fixture.restart(&[]).await;
        assert_eq!(fixture.output("warning: "), 1, "{:?}", fixture.lines());
        assert_eq!(
            fixture.output("pcie_uncorr_err = 1, at first 0"),
            1,
            "{:?}",
            fixture.lines()
        );
    }
    let log = fixture.daemon.log();
    let mut of_the_other = log.lines().filter(|line| line.contains(&format!("pci={B}")));
    assert!(of_the_other.all(|line| !line.contains("warning: ")), "{log}");
}

#[tokio::test]
async fn errors_from_before_the_first_start_are_nobodys_and_those_while_we_were_down_count() {
    let mut fixture = ConditionsFixture::new("").await;
    fs::remove_file(fixture.host.path("run/health.json")).unwrap();
    fixture.restart(&[UNCORRECTABLE_1]).await;
    assert_eq!(fixture.output("warning"), 0, "{:?}", fixture.lines());
    fixture.restart(&[Set("properties/pcie_uncorr_err", b"2\n")]).await;
    assert_eq!(
        fixture.output("pcie_uncorr_err = 2, at first 1"),
        1,
        "{:?}",
        fixture.lines()
    );
}

#[tokio::test]
async fn a_driver_that_was_loaded_again_while_we_were_down_has_no_errors() {
    let mut fixture = ConditionsFixture::new("").await;
    fixture.make_and_look(&[UNCORRECTABLE_1]);
    fixture.restart(&[Change::Rebind]).await;
    assert_eq!(fixture.output("warning"), 0, "{:?}", fixture.lines());
    fixture.is_listed(true).await;
}

#[tokio::test]
async fn a_retry_handler_that_died_and_came_back_is_suspect_until_the_node_is_booted() {
    let mut fixture = ConditionsFixture::new("").await;
    fixture.make_and_look(&[NO_HANDLER]);
    fixture.is_listed(false).await;
    // It comes back while nobody looks.
    fixture.restart(&[HANDLER]).await;
    fixture.is_listed(true).await;
    let suspect = "warning: retry-handler: the retry handler has died and come back";
    assert_eq!(fixture.output(suspect), 1, "{:?}", fixture.lines());
    fixture.restart(&[Change::Rebind]).await;
    assert_eq!(fixture.output(suspect), 1, "{:?}", fixture.lines());
    // Another boot of the node.
    let boot = fixture
        .memory()
        .lines()
        .find(|line| line.contains("boot_id"))
        .unwrap()
        .to_owned();
    let other = fixture.memory().replace(&boot, "  \"boot_id\": \"another\",");
    fs::write(fixture.host.path("run/health.json"), other).unwrap();
    fixture.restart(&[]).await;
    assert_eq!(
        (fixture.output("warning"), fixture.output("healthy")),
        (0, 1),
        "{:?}",
        fixture.lines()
    );
    assert!(
        !fixture.daemon.log().contains("what was remembered"),
        "{}",
        fixture.daemon.log()
    );
}

#[tokio::test]
async fn only_what_this_boot_of_the_node_has_left_counts() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = boot.trim();
    let mut fixture = ConditionsFixture::new("").await;
    let alive = fixture.memory();
    fixture.make_and_look(&[NO_HANDLER]);
    until(|| fixture.memory() != alive, || format!("{alive} stays"));
    let died = fixture.memory();
    let id = |boot: &str| format!("  \"boot_id\": \"{boot}\",");
    assert_eq!(died.matches(&id(boot)).count(), 1, "{died}");
    let file = fixture.host.path("run/health.json");
    let suspect = "warning: retry-handler: the retry handler has died and come back";
    for (other, warnings) in [("another", 0), ("", 0), (boot, 1)] {
        let left = died.replace(&id(boot), &id(other));
        fs::write(&file, &left).unwrap();
        fixture.restart(&[HANDLER]).await;
        assert_eq!(fixture.output(suspect), warnings, "{other:?}: {:?}", fixture.lines());
        // Its own is written beside the loop, and would come over what is left next.
        until(|| fixture.memory() != left, || format!("{left} stays"));
        assert_eq!(fixture.memory().matches(&id(boot)).count(), 1);
    }
}

#[tokio::test]
async fn what_is_remembered_is_written_only_when_it_changes() {
    let fixture = ConditionsFixture::new("").await;
    let file = fixture.host.path("run/health.json");
    let identity = || {
        let metadata = file.metadata().unwrap();
        (metadata.ino(), metadata.mtime_nsec(), metadata.mode() & 0o7777)
    };
    // What the start has found is written beside the loop.
    fixture.daemon.look();
    fixture.daemon.look();
    let before = identity();
    assert_eq!(before.2, 0o644);
    fixture.daemon.look();
    // An error changes what is shown, not what is remembered.
    fixture.make_and_look(&[UNCORRECTABLE_1]);
    assert_eq!(identity(), before);
    fixture.make_and_look(&[NO_HANDLER]);
    until(|| identity() != before, || format!("{before:?} stays"));
}

#[tokio::test]
async fn hostile_memories_are_forgotten_with_one_warning() {
    let mut fixture = ConditionsFixture::new("").await;
    let good = fixture.memory();
    let deep = "[".repeat(100_000);
    let many = "x".repeat(5 << 20);
    let other_address = good.replace(A, "0000:21:00.0/../..");
    let negative = good.replace("\"aer_fatal\": 0", "\"aer_fatal\": -1");
    let odd_state = good.replace("alive", "undead");
    let (half, _) = good.split_at(good.len() / 2);
    for text in [
        "",
        "null",
        "{}",
        half,
        &deep,
        &many,
        &other_address,
        &negative,
        &odd_state,
        "\0\u{feff}",
    ] {
        fs::write(fixture.host.path("run/health.json"), text).unwrap();
        fixture.restart(&[]).await;
        let begin: String = text.chars().take(40).collect();
        let log = fixture.daemon.log();
        assert_eq!(
            log.matches("what was remembered of NICs is lost").count(),
            1,
            "{begin}: {log}"
        );
        assert_eq!(fixture.output("warning"), 0, "{begin}");
        // Written beside the loop.
        let is_good = || fixture.memory() == good;
        until(is_good, || format!("{begin}: {}", fixture.memory()));
    }
}

/// Where nothing can be written, all goes on without.
#[tokio::test]
async fn a_memory_that_cannot_be_written_is_said_once() {
    let mut fixture = ConditionsFixture::new("").await;
    fixture.daemon.signal(nix::sys::signal::Signal::SIGTERM);
    fixture.daemon.wait();
    let file = fixture.host.path("run/health.json");
    fs::remove_file(&file).unwrap();
    symlink("elsewhere", &file).unwrap();
    fixture.daemon = fixture.host.start(&["--pulse", "0"]);
    fixture.is_listed(true).await;
    fixture.make_and_look(&[NO_HANDLER]);
    fixture.make_and_look(&[HANDLER]);
    fixture.daemon.look();
    let log = fixture.daemon.log();
    assert_eq!(log.matches("will not outlive this process").count(), 1, "{log}");
    assert_eq!(fixture.output("warning: retry-handler"), 1, "{log}");
    assert!(file.is_symlink() && !fixture.host.path("run/elsewhere").exists());
}

/// Nothing but the clock asks for the look that publishes it.
#[tokio::test]
async fn held_news_goes_out_by_itself_once_it_is_due() {
    let host = DaemonFixture::new(&nics(2));
    host.configure_holds("300ms", "400ms", "");
    let fixture = ConditionsFixture::on(host).await;
    for (change, healthy, line) in [(LINK_DOWN, false, "unhealthy: link: "), (LINK_UP, true, ": healthy")] {
        let before = fixture.daemon.log().len();
        fixture.make_and_look(&[change]);
        fixture.is_listed(healthy).await;
        // Kubelet hears of bad news before the log does.
        let log = || fixture.daemon.log().split_off(before);
        until(|| log().contains(line), log);
        let log = log();
        let (held, published) = (log.find("trigger: held news is due"), log.find(line));
        assert!(held.is_some() && held < published, "{log}");
        assert_eq!(log.matches("trigger: held").count(), 1, "{log}");
    }
    assert_no_violations(&fixture.kubelet);
}

#[tokio::test]
async fn all_links_down_and_up_again_are_a_message_each_and_a_line_for_each_nic() {
    let host = DaemonFixture::new(&nics(4));
    host.configure_holds("100ms", "100ms", "");
    let kubelet = host.kubelet();
    let daemon = host.start(&["--pulse", "0"]);
    let all = |healthy| [(A, healthy), (B, healthy), (C, healthy), (D, healthy)];
    wait_for(&kubelet, &all(true)).await;
    for up in [false, true] {
        for pci in [A, B, C, D] {
            host.node.link(pci, up).unwrap();
        }
        daemon.look();
        wait_for(&kubelet, &all(up)).await;
    }
    let transcript = kubelet.transcript();
    let lists = transcript.iter().filter(|line| line.text.contains("\"list\""));
    assert_eq!(lists.count(), 3, "{transcript:?}");
    // The log has a thread of its own.
    let lines = || {
        let log = daemon.log();
        (log.matches("unhealthy: ").count(), log.matches(": healthy").count())
    };
    until(|| lines() >= (4, 8), || daemon.log());
    daemon.wait_until_settled();
    let log = daemon.log();
    assert_eq!(lines(), (4, 8), "{log}");
    assert_eq!(log.matches("warning: ").count(), 0, "{log}");
}

/// News that is due while nobody can look must not have the daemon turn in circles.
#[tokio::test]
async fn held_news_waits_for_a_node_that_cannot_be_looked_at() {
    let host = DaemonFixture::new(&nics(2));
    host.configure_holds("500ms", "1s", "");
    let fixture = ConditionsFixture::on(host).await;
    fixture.make_and_look(&[LINK_DOWN]);
    let functions = fixture.host.node.root().join("sys/bus/pci/devices");
    fs::rename(&functions, fixture.host.path("aside")).unwrap();
    fixture.daemon.wait_for_log("cannot look for NICs");
    fixture.daemon.wait_for_log("trigger: another try");
    fs::rename(fixture.host.path("aside"), &functions).unwrap();
    fixture.is_listed(false).await;
    let due = fixture.daemon.log().matches("trigger: held news is due").count();
    assert!(due <= 2, "{}", fixture.daemon.log());
}

#[tokio::test]
async fn a_policy_that_changes_while_the_daemon_runs_counts_at_once() {
    let host = DaemonFixture::new(&nics(2));
    host.configure_holds("0s", "1h", "");
    let fixture = ConditionsFixture::on(host).await;
    fixture.make_and_look(&[LINK_DOWN]);
    fixture.is_listed(false).await;
    fixture
        .host
        .configure_holds("0s", "1h", &set(Check::Link, Action::Ignore));
    fixture.daemon.look();
    fixture.is_listed(true).await;
    fixture.host.configure_holds("1h", "1h", "");
    fixture.daemon.look();
    fixture.is_listed(false).await;
}
