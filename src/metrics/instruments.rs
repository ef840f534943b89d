//! The counters, gauges and histograms, and the registry that writes them. Every series of a known label is there from the
//! start, at 0: a rate over a series that appears with its first event misses that event.

use std::sync::Arc;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};

use super::cdi_write::CdiWrite;
use super::exported_nic::ExportedNode;
use super::nic_series::NicSeries;
use super::text::{Labels, Total};
use crate::model::alloc::resource::ResourceName;
use crate::model::trigger::Trigger;

/// In seconds. Answers come from memory; 0.00015 is their budget.
const ALLOCATE_BUCKETS: [f64; 9] = [2.5e-5, 5e-5, 0.0001, 0.00015, 0.00025, 0.0005, 0.001, 0.01, 0.1];
/// In seconds. A look reads sysfs and may write the CDI file; one that hangs is given up after 2 s.
const SCAN_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, 2.5];

/// All that is counted; the names below say what. `news` is for whoever writes it down.
#[derive(Debug)]
pub struct Instruments {
    registry: Registry,
    pub view: watch::Sender<Arc<ExportedNode>>,
    pub news: Arc<Notify>,
    pub triggers: Family<Labels, Total>,
    pub scan_duration: Histogram,
    pub scan_success: Gauge,
    pub sources: Family<Labels, Gauge>,
    pub cdi_writes: Family<Labels, Total>,
    pub cdi_current: Gauge,
    pub stale_names: Gauge,
    pub not_offered: Gauge,
    pub resource: Arc<ResourceInstruments>,
}

/// What is counted for a resource.
#[derive(Debug)]
pub struct ResourceInstruments {
    pub news: Arc<Notify>,
    pub registered: Gauge,
    pub accepted: Total,
    pub failed: Total,
    pub granted: Total,
    pub refused: Total,
    pub allocate_duration: Histogram,
}

impl Instruments {
    /// Everything at 0, and the view empty.
    pub fn new(resource: &ResourceName, start: u64) -> Self {
        let news = Arc::new(Notify::new());
        let mut registry = Registry::with_prefix("cxi");
        about_us(&mut registry, start);
        let resource_name = resource.to_string();
        let resource = ResourceInstruments::new(&mut registry, &resource_name, Arc::clone(&news));
        let view = watch::Sender::default();
        registry.register_collector(Box::new(NicSeries {
            resource: resource_name,
            view: view.subscribe(),
        }));
        let instruments = Self {
            view,
            news,
            triggers: known("trigger", &Trigger::KINDS),
            scan_duration: Histogram::new(SCAN_BUCKETS),
            scan_success: Gauge::default(),
            sources: Family::default(),
            cdi_writes: known("result", &CdiWrite::ALL.map(CdiWrite::label)),
            cdi_current: Gauge::default(),
            stale_names: Gauge::default(),
            not_offered: Gauge::default(),
            resource: Arc::new(resource),
            registry,
        };
        instruments.with_scans().with_files()
    }

    fn with_scans(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "scan_triggers_total",
            "What has asked for a look at the node; those of 50 ms fold into one",
            self.triggers.clone(),
        );
        registry.register(
            "scan_duration_seconds",
            "Time of a look at the node, with the writing of the CDI file and the delivery to kubelet",
            self.scan_duration.clone(),
        );
        registry.register(
            "scan_success",
            "Whether the last look could see the node; else all stays as it was",
            self.scan_success.clone(),
        );
        registry.register(
            "event_source_up",
            "Whether a source of events is heard; the slow poll takes the place of one that is not",
            self.sources.clone(),
        );
        registry.register(
            "nics_not_offered",
            "NICs of the node that kubelet is not told of: a VF, excluded, or bound to another driver or to none",
            self.not_offered.clone(),
        );
        self
    }

    fn with_files(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "cdi_writes_total",
            "Changes of the CDI file, and those that failed",
            self.cdi_writes.clone(),
        );
        registry.register(
            "cdi_file_current",
            "Whether the CDI file says what the last look saw",
            self.cdi_current.clone(),
        );
        registry.register(
            "cdi_stale_names",
            "Names that a static CDI file of /etc/cdi keeps alive and that lead to nothing",
            self.stale_names.clone(),
        );
        self
    }

    /// All metrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode_registry(&mut text, &self.registry) {
            tracing::error!("metrics cannot be written: {error}");
        }
        text
    }

    /// Like [`set`](Self::set), of things that are counted anew.
    pub fn set_count(&self, gauge: &Gauge, count: usize) {
        self.set(gauge, count.try_into().unwrap_or(i64::MAX));
    }

    /// A gauge that stays as it is, is no news.
    pub fn set(&self, gauge: &Gauge, value: i64) {
        if gauge.set(value) != value {
            self.news.notify_one();
        }
    }
}

impl ResourceInstruments {
    fn new(registry: &mut Registry, name: &str, news: Arc<Notify>) -> Self {
        let resource = || ("resource", name.to_owned());
        let result = |result: &str| vec![resource(), ("result", result.to_owned())];
        let registered = Family::<Labels, Gauge>::default();
        let registrations = Family::<Labels, Total>::default();
        let allocations = Family::<Labels, Total>::default();
        let histogram = || Histogram::new(ALLOCATE_BUCKETS);
        let duration = Family::<Labels, Histogram, _>::new_with_constructor(histogram as fn() -> Histogram);
        let instruments = Self {
            news,
            registered: registered.get_or_create_owned(&vec![resource()]),
            accepted: registrations.get_or_create_owned(&result("accepted")),
            failed: registrations.get_or_create_owned(&result("failed")),
            granted: allocations.get_or_create_owned(&result("granted")),
            refused: allocations.get_or_create_owned(&result("refused")),
            allocate_duration: duration.get_or_create_owned(&vec![resource()]),
        };
        registry.register(
            "kubelet_registered",
            "Whether kubelet has accepted the resource and its ListAndWatch stream is open",
            registered,
        );
        registry.register(
            "kubelet_registrations_total",
            "Registrations with kubelet; failed when it refused, or opened no stream",
            registrations,
        );
        registry.register("allocations_total", "Answers to Allocate", allocations);
        registry.register("allocate_duration_seconds", "Time of an answer to Allocate", duration);
        instruments
    }
}

fn about_us(registry: &mut Registry, start: u64) {
    let build = Family::<Labels, ConstGauge<u64>, _>::new_with_constructor(|| ConstGauge::new(1));
    drop(build.get_or_create(&label("version", env!("CARGO_PKG_VERSION"))));
    registry.register("build_info", "The running version", build);
    registry.register(
        "start_time_seconds",
        "When the daemon started, in seconds since 1970",
        ConstGauge::new(start),
    );
}

/// One label.
pub fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

/// A family with a series for each value that the label can have.
fn known(name: &'static str, values: &[&str]) -> Family<Labels, Total> {
    let family = Family::default();
    for value in values {
        drop(family.get_or_create(&label(name, value)));
    }
    family
}
