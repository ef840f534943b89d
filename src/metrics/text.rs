//! Metrics in the text format that every reader takes, node_exporter's textfile collector, too: there a counter is declared
//! by its whole name, `_total` included. The library writes the younger OpenMetrics text, which declares it without.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Name without the common prefix, help and kind of a family.
pub type Family = (&'static str, &'static str, MetricType);

/// Names and values of a series' labels. No value is of an unbounded set.
pub type Labels = Vec<(&'static str, String)>;

/// A counter whose registered name is its whole name.
#[derive(Debug, Clone, Default)]
pub struct Total(Counter);

impl Total {
    /// Counts one more.
    pub fn inc(&self) {
        self.0.inc();
    }
}

impl TypedMetric for Total {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        // What is written as a gauge keeps its name.
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Writes one family whose series are made anew each time.
pub fn family(
    encoder: &mut DescriptorEncoder,
    (name, help, kind): Family,
    series: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(name, &format!("{help}."), None, kind)?;
    for (labels, value) in series {
        encoder.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}
