//! The series of each NIC, made from the view as it is when they are read: a NIC that is gone has none.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType::Gauge;
use tokio::sync::watch;

use super::text::{Labels, family};
use super::view::{NicView, State, View};
use crate::health::Verdict;
use crate::inventory::Function;

/// Series of the NICs of one resource.
#[derive(Debug)]
pub struct Nics {
    /// The resource.
    pub resource: String,
    /// What is shown.
    pub view: watch::Receiver<Arc<View>>,
}

impl Collector for Nics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let view = Arc::clone(&self.view.borrow());
        let count = |state| view.nics.iter().filter(|nic| nic.state == state).count() as u64;
        let of_state = |state, label: &str| {
            let labels = vec![("resource", self.resource.clone()), ("state", label.to_owned())];
            (labels, count(state))
        };
        family(
            &mut encoder,
            ("nics", "NICs that kubelet is told of", Gauge),
            [
                of_state(State::Healthy, "healthy"),
                of_state(State::Unhealthy, "unhealthy"),
            ],
        )?;
        family(
            &mut encoder,
            (
                "nic_info",
                "What is known of a NIC; cxi and netdev move when its driver is bound anew",
                Gauge,
            ),
            view.nics.iter().map(|nic| (info(nic), 1)),
        )?;
        family(
            &mut encoder,
            ("nic_healthy", "Whether new pods may get the NIC", Gauge),
            view.offered().map(|nic| {
                let labels = vec![("nic", nic.address.to_string()), ("resource", self.resource.clone())];
                (labels, u64::from(nic.state == State::Healthy))
            }),
        )?;
        family(
            &mut encoder,
            (
                "nic_condition",
                "Outcome of a condition: 0 ok, 1 unknown, 2 warn, 3 fail",
                Gauge,
            ),
            view.offered().flat_map(conditions),
        )
    }
}

fn info(nic: &NicView) -> Labels {
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

fn conditions(nic: &NicView) -> impl Iterator<Item = (Labels, u64)> {
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
