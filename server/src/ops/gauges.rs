//! Gauges in the Prometheus format.

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry, proto::MetricFamily};

/// Gauges of one snapshot.
#[derive(Default)]
pub(super) struct Gauges(Registry);

impl Gauges {
    /// Returns the metrics.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.0.gather()
    }

    /// Adds an integer gauge.
    pub fn add_integers(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl Iterator<Item = (Vec<String>, u64)>,
    ) -> prometheus::Result<()> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in values {
            gauge
                .with_label_values(&labels)
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        self.0.register(Box::new(gauge))
    }

    /// Adds a gauge.
    pub fn add_floats(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl Iterator<Item = (Vec<String>, f64)>,
    ) -> prometheus::Result<()> {
        let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in values {
            gauge.with_label_values(&labels).set(value);
        }
        self.0.register(Box::new(gauge))
    }
}
