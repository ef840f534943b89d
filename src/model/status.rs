//! What a running daemon says of itself: the record in `<run_dir>/status.json`. Pure.
//!
//! It holds no time but those of changes, so that it stays as it is while nothing happens. Times are Unix seconds.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::alloc::resource::ResourceName;
use super::alloc::snapshot::Snapshot;
use super::alloc::strategy::Strategy;
use super::health::history::NicHistory;
use super::health::{self, AcrossNics, Check, Condition, HealthPolicy, Held, Verdict};
use super::nic::attributes::Function;
use super::nic::inventory::{Inventory, Nic};
use super::nic::selection::Named;
use super::reading::{ReadError, Reading};
use super::remedy::{self, Names};
use super::runtime::record::StrategyStatus;
use super::services::lingering::Lingering;

/// Name of the file in the daemon's directory.
pub const FILE: &str = "status.json";
/// Counts up when a reader of an older version would misunderstand the record. Further keys alone do not.
pub const SCHEMA: u32 = 1;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Of the daemon.
    pub version: String,
    /// Of the daemon.
    pub pid: u32,
    /// When the daemon was started.
    pub started: u64,
    /// How it stands with kubelet.
    pub kubelet: KubeletState,
    /// Since when.
    pub kubelet_since: u64,
    /// What it sees of the node.
    #[serde(flatten)]
    pub node: NodeStatus,
}

/// A resource that kubelet is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// Such as `beta.hpe.com/cxi`.
    pub name: String,
    /// How containers get their NICs: `cdi` or `direct`.
    pub strategy: String,
}

impl ResourceStatus {
    /// Of the daemon's settings.
    pub fn new(name: &ResourceName, strategy: Strategy) -> Self {
        Self {
            name: name.to_string(),
            strategy: strategy.name().to_owned(),
        }
    }
}

/// How the daemon stands with kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum KubeletState {
    /// Its socket is not there.
    #[default]
    Waiting,
    /// It has our list.
    Registered,
    /// It is there and has not.
    NotRegistered {
        /// Why.
        reason: String,
    },
}

/// What the daemon makes of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// What is served of it.
    pub resources: Vec<ResourceStatus>,
    /// How containers get their NICs, and why so.
    #[serde(default)]
    pub strategy: StrategyStatus,
    /// Why the node cannot be looked at; the rest is as it was seen last.
    pub blind: Option<String>,
    /// Where events come from.
    pub sources: Vec<TriggerSource>,
    /// The CDI file.
    pub cdi: CdiStatus,
    /// What could not be made sense of.
    pub problems: Vec<String>,
    /// By PCI address.
    pub nics: Vec<NicStatus>,
    /// NICs that an admin has taken out of use and that are not there.
    #[serde(default)]
    pub cordoned_absent: Vec<AbsentCordon>,
}

/// An order for a NIC that is not there. It counts once the NIC comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentCordon {
    /// PCI address.
    pub address: String,
    /// The admin's words; may be empty.
    pub reason: String,
}

impl AbsentCordon {
    /// Those of a scan.
    pub fn list(inventory: &Inventory) -> Vec<Self> {
        let orders = inventory.cordoned_absent.iter().map(|(address, cordon)| Self {
            address: address.to_string(),
            reason: cordon.reason.clone(),
        });
        orders.collect()
    }
}

/// A source of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSource {
    /// For people.
    pub name: String,
    /// Why it is not heard, or not wholly.
    pub lost: Option<String>,
}

/// Our file for container runtimes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CdiStatus {
    /// Where it is.
    pub file: PathBuf,
    /// Why it could not be written.
    pub error: Option<String>,
}

/// One NIC. What could not be read is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicStatus {
    /// PCI address.
    pub address: String,
    /// Kernel name.
    pub cxi: Option<String>,
    /// Interface; null when it is absent or in another network namespace, too.
    pub netdev: Option<String>,
    /// Ethernet address of the interface.
    pub mac: Option<String>,
    /// Address on the fabric.
    pub nid: Option<u64>,
    /// NUMA node; null when the firmware names none, too.
    pub numa: Option<u32>,
    /// Such as `Cassini 1`.
    pub generation: Option<String>,
    /// `PF` or `VF`.
    pub function: String,
    /// Link speed in Mb/s.
    pub speed_mbps: Option<u64>,
    /// PCI driver.
    pub driver: Option<String>,
    /// Why it is not on offer at all.
    pub withheld: Option<String>,
    /// Whether kubelet may give it to new pods.
    pub healthy: bool,
    /// Every condition.
    pub conditions: Vec<ConditionStatus>,
    /// Its services whose end has been refused for too long.
    #[serde(default)]
    pub lingering: Vec<Lingering>,
    /// Whether its default service admits everybody; null where that is not known.
    #[serde(default)]
    pub default_service_open: Option<bool>,
}

/// One condition of a NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionStatus {
    /// Which, how it came out, why, and what was read.
    #[serde(flatten)]
    pub condition: Condition,
    /// Since when the verdict is this one; null where nobody keeps watch.
    pub since: Option<u64>,
    /// What was read last and is not published yet, because it may pass.
    pub held: Option<String>,
}

impl NodeStatus {
    /// The NICs of a scan as they are published.
    pub fn new(inventory: &Inventory, snapshot: &Snapshot, withheld: impl Fn(&Nic) -> Option<String>) -> Self {
        let nics = inventory.nics.iter().map(|nic| {
            let device = snapshot.devices.get(&nic.address);
            let conditions = device.map_or(&[][..], |device| &device.conditions);
            let held = device.map_or(&[][..], |device| &device.held);
            NicStatus {
                healthy: device.is_some_and(|device| device.is_healthy()),
                ..NicStatus::new(nic, withheld(nic), conditions, held)
            }
        });
        Self {
            nics: nics.collect(),
            problems: inventory.problems.iter().map(ReadError::to_string).collect(),
            cordoned_absent: AbsentCordon::list(inventory),
            ..Self::default()
        }
    }

    /// Gives the strategy and every condition its time: that of `former` where it is still the same, else now.
    pub fn date(&mut self, former: &Self, now: u64) {
        self.strategy.date(&former.strategy, now);
        for nic in &mut self.nics {
            let former = former.nics.iter().find(|former| former.address == nic.address);
            for condition in &mut nic.conditions {
                let conditions = former.iter().flat_map(|nic| &nic.conditions);
                let this = (condition.condition.check, condition.condition.verdict);
                let same = |former: &&ConditionStatus| (former.condition.check, former.condition.verdict) == this;
                let since = conditions.into_iter().find(same).and_then(|former| former.since);
                condition.since = Some(since.unwrap_or(now));
            }
        }
    }
}

impl NicStatus {
    /// As it was found, with these conditions.
    pub fn new(nic: &Nic, withheld: Option<String>, conditions: &[Condition], held: &[Held]) -> Self {
        let netdev = nic.netdev.as_ref().ok().and_then(Option::as_ref);
        let healthy = withheld.is_none() && health::is_healthy(conditions);
        Self {
            address: nic.address.to_string(),
            cxi: text(&nic.cxi),
            netdev: netdev.map(|netdev| netdev.name.clone()),
            mac: netdev.and_then(|netdev| netdev.mac.clone().ok()),
            nid: nic.nid.clone().ok(),
            numa: nic.numa_node.clone().ok().flatten(),
            generation: text(&nic.generation),
            function: match nic.function {
                Function::Physical => "PF",
                Function::Virtual => "VF",
            }
            .to_owned(),
            speed_mbps: nic.speed_mbps.clone().ok(),
            driver: nic.driver.clone().ok().flatten(),
            withheld,
            healthy,
            conditions: conditions
                .iter()
                .map(|condition| ConditionStatus::new(condition, held))
                .collect(),
            lingering: nic.lingering.clone(),
            default_service_open: nic.open_default_service().ok().map(|open| open.is_some()),
        }
    }

    /// As a single look judges it, without what only a daemon remembers, by this policy.
    pub fn fresh(
        nic: &Nic,
        across_nics: &AcrossNics,
        withheld: Option<String>,
        policy: &HealthPolicy,
        unix_seconds: u64,
    ) -> Self {
        let conditions = health::judge(nic, across_nics, &NicHistory::default(), unix_seconds, policy);
        Self::new(nic, withheld, &conditions, &[])
    }

    /// The address, and its other names but the number.
    pub fn called(&self) -> String {
        let others: Vec<&str> = self.cxi.iter().chain(&self.netdev).map(String::as_str).collect();
        match others.as_slice() {
            [] => self.address.clone(),
            others => format!("{} ({})", self.address, others.join(", ")),
        }
    }

    /// What to do when this check is not ok.
    pub fn remedy(&self, check: Check) -> String {
        let names = Names {
            address: &self.address,
            cxi: self.cxi.as_deref(),
            netdev: self.netdev.as_deref(),
        };
        remedy::for_check(check, names)
    }

    /// In one line: healthy, or why not; and what needs a look.
    pub fn state(&self) -> String {
        if let Some(reason) = &self.withheld {
            return format!("not offered: {reason}");
        }
        let with = |verdict| {
            let conditions = self.conditions.iter().map(|status| &status.condition);
            let texts = conditions
                .filter(|condition| condition.verdict == verdict)
                .map(ToString::to_string);
            texts.collect::<Vec<_>>().join("; ")
        };
        let state = match (self.healthy, with(Verdict::Fail), with(Verdict::Warn)) {
            (false, failed, warnings) if failed.is_empty() => unusable(&warnings),
            (false, failed, _) => format!("unhealthy: {failed}"),
            (true, _, warnings) if warnings.is_empty() => "healthy".to_owned(),
            (true, _, warnings) => format!("healthy; {warnings}"),
        };
        let lingering = self.lingering.iter().map(|lingering| lingering.service.to_string());
        match lingering.collect::<Vec<_>>().join(", ") {
            ids if ids.is_empty() => state,
            ids => format!("{state}; lingering CXI service {ids}"),
        }
    }
}

/// No condition fails, and there is nothing to be given to a pod: of a NIC that hangs, its node is not known.
fn unusable(warnings: &str) -> String {
    let separator = if warnings.is_empty() { "" } else { "; " };
    format!("unhealthy: its device node is not known{separator}{warnings}")
}

impl Named for NicStatus {
    fn names(&self) -> Vec<String> {
        let number = self.cxi.as_ref().and_then(|cxi| cxi.strip_prefix("cxi"));
        let names = [
            Some(&*self.address),
            self.cxi.as_deref(),
            number,
            self.netdev.as_deref(),
        ];
        names.into_iter().flatten().map(str::to_owned).collect()
    }
}

impl ConditionStatus {
    fn new(condition: &Condition, held: &[Held]) -> Self {
        let held = held.iter().find(|held| held.condition.check == condition.check);
        Self {
            condition: condition.clone(),
            since: None,
            held: held.map(|held| format!("{}: {}", held.condition.verdict, held.condition.text())),
        }
    }
}

fn text<T: ToString>(reading: &Reading<T>) -> Option<String> {
    reading.as_ref().ok().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(verdicts: &[(Check, Verdict)]) -> NodeStatus {
        let nic = Nic::unknown(
            "0000:21:00.0".parse().unwrap(),
            "/".into(),
            Err(ReadError::new("/", "test")),
        );
        let conditions = verdicts.iter().map(|(check, verdict)| Condition {
            check: *check,
            verdict: *verdict,
            reason: String::new(),
            evidence: Vec::new(),
        });
        NodeStatus {
            nics: vec![NicStatus::new(&nic, None, &conditions.collect::<Vec<_>>(), &[])],
            ..NodeStatus::default()
        }
    }

    fn since(node: &NodeStatus) -> Vec<Option<u64>> {
        node.nics[0]
            .conditions
            .iter()
            .map(|condition| condition.since)
            .collect()
    }

    #[test]
    fn a_verdict_is_as_old_as_it_is_the_same() {
        let mut first = node(&[(Check::Link, Verdict::Ok), (Check::Present, Verdict::Fail)]);
        first.date(&NodeStatus::default(), 100);
        assert_eq!(since(&first), [Some(100); 2]);
        let mut second = node(&[(Check::Present, Verdict::Fail), (Check::Link, Verdict::Warn)]);
        second.date(&first, 200);
        assert_eq!(since(&second), [Some(100), Some(200)]);
    }

    #[test]
    fn the_record_reads_back() {
        let mut node = node(&[(Check::PciEnabled, Verdict::Unknown)]);
        node.date(&NodeStatus::default(), 1);
        let status = Status {
            schema: SCHEMA,
            version: "1".to_owned(),
            pid: 2,
            started: 3,
            kubelet: KubeletState::NotRegistered { reason: "4".to_owned() },
            kubelet_since: 5,
            node,
        };
        let text = serde_json::to_string(&status).unwrap();
        assert!(text.contains(r#""check":"pci-enabled","verdict":"unknown""#), "{text}");
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    }
}
