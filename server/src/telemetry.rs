//! Log set-up and Prometheus metrics.

use std::io::IsTerminal;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use vitrine::schemas::{CollectionInfo, IndexInfo};

use crate::config::{Log, LogFormat};

/// Starts logging to standard error.
pub fn init(log: &Log) -> Result<(), String> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(log.filter()?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|e| e.to_string())
}

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    /// Requests by method, route and status.
    pub requests: IntCounterVec,
    /// Seconds to the head of the answer by method and route.
    pub duration: HistogramVec,
}

impl Metrics {
    /// Registers all metrics.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("vitrine_http_requests_total", "Requests answered"),
            &["method", "route", "status"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new("vitrine_http_request_seconds", "Time to the answer's head"),
            &["method", "route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            registry,
            requests,
            duration,
        })
    }

    /// Text form, with the state of the moment: collections, and calls under way by kind.
    pub fn render(
        &self,
        collections: &[CollectionInfo],
        under_way: &[(&str, usize)],
    ) -> prometheus::Result<String> {
        let items = IntGaugeVec::new(
            Opts::new("vitrine_collection_items", "Live items"),
            &["collection"],
        )?;
        for info in collections {
            items
                .with_label_values(&[&info.name])
                .set(i64::try_from(info.items).unwrap_or(i64::MAX));
        }
        let permits = IntGaugeVec::new(
            Opts::new("vitrine_permits_in_use", "Calls under way"),
            &["kind"],
        )?;
        for (kind, count) in under_way {
            permits
                .with_label_values(&[kind])
                .set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        let indexes = index_gauges(collections)?;
        let now = Registry::new();
        now.register(Box::new(items))?;
        for gauge in indexes {
            now.register(Box::new(gauge))?;
        }
        now.register(Box::new(permits))?;
        let mut families = self.registry.gather();
        families.extend(now.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// State of the indexes, by collection and space.
fn index_gauges(collections: &[CollectionInfo]) -> prometheus::Result<Vec<IntGaugeVec>> {
    let gauge = |name: &str, help: &str, value: fn(&IndexInfo) -> u64| -> prometheus::Result<_> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), &["collection", "space"])?;
        for info in collections {
            for (space, index) in &info.indexes {
                gauge
                    .with_label_values(&[info.name.as_str(), space.as_str()])
                    .set(i64::try_from(value(index)).unwrap_or(i64::MAX));
            }
        }
        Ok(gauge)
    };
    Ok(vec![
        gauge(
            "vitrine_index_sealed_vectors",
            "Vectors in sealed parts",
            |i| i.sealed,
        )?,
        gauge(
            "vitrine_index_unsealed_vectors",
            "Vectors not sealed yet",
            |i| i.unsealed,
        )?,
        gauge("vitrine_index_parts", "Sealed parts", |i| i.parts)?,
        gauge("vitrine_index_memory_bytes", "Memory of indexes", |i| {
            i.memory_bytes
        })?,
        gauge(
            "vitrine_index_mapped_bytes",
            "Vectors mapped from files",
            |i| i.mapped_bytes,
        )?,
        gauge(
            "vitrine_index_building_vectors",
            "Vectors of the part being built",
            |i| i.building.as_ref().map_or(0, |b| b.vectors),
        )?,
        gauge(
            "vitrine_index_building_done",
            "Vectors of it that are done",
            |i| i.building.as_ref().map_or(0, |b| b.done),
        )?,
    ])
}
