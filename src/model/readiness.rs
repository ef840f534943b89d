//! When systemd hears that the daemon is ready: kubelet, ordered after it, shall not meet NICs that are still training, and
//! shall not wait for ever for one that is broken. Pure.

use std::time::Duration;

use super::alloc::snapshot::{Device, Snapshot};

/// How long the first start of a boot waits for NICs at most.
pub const START_GRACE: Duration = Duration::from_secs(20);

/// What the stamp says once the daemon has been ready in this boot.
const READY: &str = "ready";

/// The daemon's starts in this boot. It is kept in a stamp: the boot id, then the first start, or that it has been ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    boot_id: String,
    /// Since boot; none if the daemon was ready once.
    first_start: Option<Duration>,
    grace: Duration,
}

/// What is told of NICs in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// On offer. A function without a driver is on offer, so a node that waits for its driver does not count as empty.
    pub nics: usize,
    /// New pods may get them.
    pub healthy: usize,
    /// Whether the node could be looked at yet.
    pub is_known: bool,
}

impl Tally {
    /// Of what is published.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            nics: snapshot.devices.len(),
            healthy: snapshot.devices.values().filter(|nic| Device::is_healthy(nic)).count(),
            is_known: snapshot.generation > 0,
        }
    }

    /// For `systemctl status`.
    pub fn status(self, is_registered: bool) -> String {
        if !self.is_known {
            return "the node cannot be looked at yet, so kubelet is told of nothing".to_owned();
        }
        let nics = if self.nics == 1 { "NIC" } else { "NICs" };
        let kubelet = if is_registered { "" } else { "not " };
        format!(
            "{} {nics}, {} healthy, kubelet {kubelet}registered",
            self.nics, self.healthy
        )
    }
}

impl Readiness {
    /// `now` is the time since boot; `stamp` is what an earlier start has left.
    pub fn new(stamp: &str, boot_id: &str, now: Duration, grace: Duration) -> Self {
        let of_this_boot = stamp.split_once(' ').filter(|(boot, _)| *boot == boot_id);
        let first_start = match of_this_boot.map(|(_, start)| start.trim_end()) {
            Some(READY) => None,
            Some(start) => Some(start.parse().map_or(now, Duration::from_millis).min(now)),
            None => Some(now),
        };
        Self {
            boot_id: boot_id.to_owned(),
            first_start,
            grace,
        }
    }

    /// Time since boot from which no NIC is waited for; none when none is waited for at all.
    pub fn deadline(&self) -> Option<Duration> {
        self.first_start.map(|start| start + self.grace)
    }

    /// Whether the daemon is ready. A node without any NIC is: a NIC that is there shows itself before its driver does.
    pub fn is_ready(&self, now: Duration, tally: Tally) -> bool {
        (tally.is_known && tally.healthy == tally.nics) || self.deadline().is_none_or(|deadline| now >= deadline)
    }

    /// It is ready; no later start of this boot waits.
    pub fn reached(&mut self) {
        self.first_start = None;
    }

    /// Text of the stamp.
    pub fn stamp(&self) -> String {
        let start = self
            .first_start
            .map_or_else(|| READY.to_owned(), |start| start.as_millis().to_string());
        format!("{} {start}\n", self.boot_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Tally = tally(4, 3);
    const GRACE: Duration = Duration::from_secs(20);

    const fn tally(nics: usize, healthy: usize) -> Tally {
        let is_known = true;
        Tally {
            nics,
            healthy,
            is_known,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn started(stamp: &str, now: u64) -> Readiness {
        Readiness::new(stamp, "b1", seconds(now), GRACE)
    }

    #[test]
    fn the_first_start_waits_for_every_nic_or_for_the_grace() {
        let start = started("", 8);
        assert!(!start.is_ready(seconds(8), WAITING));
        assert!(start.is_ready(seconds(8), tally(4, 4)));
        assert!(!start.is_ready(Duration::from_millis(27_999), WAITING));
        assert!(start.is_ready(seconds(28), WAITING));
    }

    #[test]
    fn a_node_without_nics_is_ready_at_once() {
        assert!(started("", 8).is_ready(seconds(8), tally(0, 0)));
    }

    #[test]
    fn a_node_that_could_not_be_looked_at_is_waited_for_and_is_not_called_empty() {
        let unknown = Tally::new(&Snapshot::default());
        assert!(!started("", 8).is_ready(seconds(8), unknown));
        assert!(started("", 8).is_ready(seconds(28), unknown));
        assert!(!unknown.status(false).contains("0 NICs"));
    }

    #[test]
    fn a_restart_while_waiting_keeps_the_first_starts_deadline() {
        let stamp = started("", 8).stamp();
        assert_eq!(stamp, "b1 8000\n");
        assert_eq!(started(&stamp, 15).deadline(), Some(seconds(28)));
    }

    #[test]
    fn a_restart_never_waits_once_it_was_ready() {
        let mut first = started("", 8);
        first.reached();
        let again = started(&first.stamp(), 9);
        assert!(again.is_ready(seconds(9), WAITING));
        assert_eq!(again.deadline(), None);
    }

    #[test]
    fn another_boot_and_a_damaged_stamp_wait_anew() {
        for stamp in [
            "b2 ready\n",
            "ready\n",
            "b1 99999999999999999999999\n",
            "b1 never\n",
            "b1",
            "\0",
        ] {
            assert_eq!(started(stamp, 8).deadline(), Some(seconds(28)), "{stamp:?}");
        }
    }

    #[test]
    fn a_stamp_from_the_future_does_not_make_it_longer() {
        assert_eq!(started("b1 900000\n", 8).deadline(), Some(seconds(28)));
    }

    #[test]
    fn the_status_counts() {
        assert_eq!(WAITING.status(true), "4 NICs, 3 healthy, kubelet registered");
        let one = tally(1, 0);
        assert_eq!(one.status(false), "1 NIC, 0 healthy, kubelet not registered");
    }
}
