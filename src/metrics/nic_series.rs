//! The series of each NIC, made from the view as it is when they are read: a NIC that is gone has none.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType::{Counter, Gauge};
use tokio::sync::watch;

use super::exported_nic::{ExportedNic, ExportedNode, ExportedState};
use super::text::{Family, Labels, family};
use crate::model::health::Verdict;
use crate::model::nic::attributes::Function;

/// Series of the NICs of one resource.
#[derive(Debug)]
pub struct NicSeries {
    /// The resource.
    pub resource: String,
    /// What is shown.
    pub view: watch::Receiver<Arc<ExportedNode>>,
}

/// A family with at most one series for each NIC on offer.
type OfNic = (Family, fn(&ExportedNic) -> Option<u64>);

const OF_NIC: [OfNic; 6] = [
    (("nic_healthy", "Whether new pods may get the NIC", Gauge), |nic| {
        Some(u64::from(nic.state == ExportedState::Healthy))
    }),
    (
        (
            "nic_last_link_restart_timestamp_seconds",
            "When the fabric link was last restarted by itself, in seconds since 1970; no series before the first time",
            Gauge,
        ),
        |nic| nic.last_link_restart,
    ),
    (
        (
            "nic_pcie_uncorrectable_errors_total",
            "Uncorrectable PCIe errors as the driver counts them",
            Counter,
        ),
        |nic| nic.pcie_uncorrectable_errors,
    ),
    (
        (
            "nic_pcie_fatal_errors_total",
            "Fatal PCIe errors as the kernel counts them, with AER",
            Counter,
        ),
        |nic| nic.pcie_fatal_errors,
    ),
    (
        (
            "nic_default_service_open",
            "Whether the default CXI service is on, so that everybody on the node may use the fabric; no series where that is not known",
            Gauge,
        ),
        |nic| nic.default_service_open.map(u64::from),
    ),
    (
        (
            "nic_services_lingering",
            "CXI services whose end the driver has refused for too long; no series where that is not known",
            Gauge,
        ),
        |nic| Some(nic.services_lingering? as u64),
    ),
];

impl Collector for NicSeries {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let view = Arc::clone(&self.view.borrow());
        let of_state = |(state, label): (ExportedState, &str)| {
            let labels = vec![("resource", self.resource.clone()), ("state", label.to_owned())];
            let count = view.nics.iter().filter(|nic| nic.state == state).count();
            (labels, count as u64)
        };
        let states = [
            (ExportedState::Healthy, "healthy"),
            (ExportedState::Unhealthy, "unhealthy"),
        ];
        family(
            &mut encoder,
            ("nics", "NICs that kubelet is told of", Gauge),
            states.map(of_state),
        )?;
        let moves = "What is known of a NIC; cxi and netdev move when its driver is bound anew";
        let infos = view.nics.iter().map(|nic| (info(nic), 1));
        family(&mut encoder, ("nic_info", moves, Gauge), infos)?;
        let verdicts = "Outcome of a condition: 0 ok, 1 unknown, 2 warn, 3 fail";
        let outcomes = view.offered().flat_map(conditions);
        family(&mut encoder, ("nic_condition", verdicts, Gauge), outcomes)?;
        for (of_nic, value) in OF_NIC {
            let series = view.offered().filter_map(|nic| Some((label_of(nic), value(nic)?)));
            family(&mut encoder, of_nic, series)?;
        }
        Ok(())
    }
}

fn label_of(nic: &ExportedNic) -> Labels {
    vec![("nic", nic.address.to_string())]
}

fn info(nic: &ExportedNic) -> Labels {
    let function = match nic.function {
        Function::Physical => "pf",
        Function::Virtual => "vf",
    };
    let generation = nic.generation.map(|generation| generation.to_string());
    vec![
        ("nic", nic.address.to_string()),
        ("cxi", nic.cxi.clone()),
        ("netdev", nic.netdev.clone()),
        ("generation", generation.unwrap_or_default()),
        ("function", function.to_owned()),
    ]
}

fn conditions(nic: &ExportedNic) -> impl Iterator<Item = (Labels, u64)> {
    nic.conditions.iter().map(|(check, verdict)| {
        let labels = vec![("nic", nic.address.to_string()), ("condition", check.to_string())];
        (labels, severity(*verdict))
    })
}

fn severity(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Ok => 0,
        Verdict::Unknown => 1,
        Verdict::Warn => 2,
        Verdict::Fail => 3,
    }
}
