//! Prometheus metrics: request counters and gauges of the current state.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
    proto::MetricFamily,
};
use vitrine::{
    Bounds, Health,
    bounds::Usage,
    schemas::{
        BehaviorInfo, CollectionInfo, EmbeddingInfo, IndexInfo, ReplicationInfo, SearchLogInfo,
    },
};

use super::{
    gauges::Gauges,
    health_metrics::{BackupFigures, add_health},
    replication_metrics::add_replication,
    traces::SPANS,
};

/// Request metrics, counted as requests are served.
pub struct Metrics {
    registry: Registry,
    /// Requests by method, route and status.
    pub requests: IntCounterVec,
    /// Seconds until the response head, by method and route.
    pub duration: HistogramVec,
    /// Written items that the server has embedded, by outcome.
    pub items_embedded: IntCounterVec,
    /// Lines of the access and audit logs that were not written.
    pub log_lines_dropped: IntCounter,
    /// Searches that took longer than the configured limit.
    pub slow_searches: IntCounter,
}

impl Metrics {
    /// Registers the request metrics.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("vitrine_http_requests_total", "Requests served"),
            &["method", "route", "status"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "vitrine_http_request_seconds",
                "Seconds until the response head",
            ),
            &["method", "route"],
        )?;
        let items_embedded = IntCounterVec::new(
            Opts::new(
                "vitrine_items_embedded_total",
                "Written items embedded by the server",
            ),
            &["outcome"],
        )?;
        let log_lines_dropped = IntCounter::new(
            "vitrine_log_lines_dropped_total",
            "Lines of the access and audit logs that were not written",
        )?;
        let slow_searches = IntCounter::new(
            "vitrine_slow_searches_total",
            "Searches that took at least log.slow_search_ms",
        )?;
        if let Some(spans) = &*SPANS {
            registry.register(Box::new(spans.clone()))?;
        }
        registry.register(Box::new(slow_searches.clone()))?;
        registry.register(Box::new(log_lines_dropped.clone()))?;
        registry.register(Box::new(items_embedded.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            registry,
            requests,
            duration,
            items_embedded,
            log_lines_dropped,
            slow_searches,
        })
    }

    /// Returns all metrics and the gauges of a snapshot in the Prometheus text format.
    pub fn render(&self, snapshot: &MetricsSnapshot) -> prometheus::Result<String> {
        let mut families = self.registry.gather();
        families.extend(snapshot.gather()?);
        TextEncoder::new().encode_to_string(&families)
    }
}

/// Current state of the database, shown as gauges.
pub struct MetricsSnapshot<'a> {
    /// Collections.
    pub collections: &'a [CollectionInfo],
    /// Running calls by kind.
    pub running: &'a [(&'a str, usize)],
    /// Resources in use.
    pub usage: &'a Usage,
    /// Resource limits.
    pub bounds: Bounds,
    /// Health of the database.
    pub health: &'a Health,
    /// Role and progress of replication.
    pub replication: &'a ReplicationInfo,
    /// Snapshots of this server.
    pub backups: BackupFigures,
}

impl MetricsSnapshot<'_> {
    /// Returns all gauges.
    pub fn gather(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let gauges = Gauges::default();
        let names = |c: &CollectionInfo| vec![c.name.clone()];
        let items = self.collections.iter().map(|c| (names(c), c.items));
        gauges.add_integers(
            "vitrine_collection_items",
            "Live items",
            &["collection"],
            items,
        )?;
        let quarantined = self.collections.iter();
        gauges.add_integers(
            "vitrine_collection_quarantined_items",
            "Stored items that cannot be indexed",
            &["collection"],
            quarantined.map(|c| (names(c), c.quarantined)),
        )?;
        let records = self.collections.iter();
        gauges.add_integers(
            "vitrine_collection_records_bytes",
            "Memory of ids and filters",
            &["collection"],
            records.map(|c| (names(c), c.records_bytes)),
        )?;
        type Figure = (&'static str, &'static str, fn(&EmbeddingInfo) -> u64);
        let figures: [Figure; 3] = [
            ("pending", "Items whose vectors follow", |e| e.pending),
            ("partial", "Items embedded without some images", |e| {
                e.partial
            }),
            ("failed", "Items that cannot be embedded", |e| e.failed),
        ];
        for (name, help, figure) in figures {
            let values = self.collections.iter();
            let values = values.map(|c| (names(c), figure(&c.embedding)));
            let name = format!("vitrine_embedding_{name}");
            gauges.add_integers(&name, help, &["collection"], values)?;
        }
        let permits = self.running.iter();
        gauges.add_integers(
            "vitrine_permits_in_use",
            "Running calls",
            &["kind"],
            permits.map(|(kind, count)| (vec![(*kind).to_owned()], *count as u64)),
        )?;
        self.events(&gauges)?;
        self.searches(&gauges)?;
        self.indexes(&gauges)?;
        self.database(&gauges)?;
        add_health(&gauges, self.health, self.backups)?;
        add_replication(&gauges, self.replication)?;
        Ok(gauges.gather())
    }

    /// Adds gauges of the event log and models, by collection.
    fn events(&self, gauges: &Gauges) -> prometheus::Result<()> {
        type Figure = (&'static str, &'static str, fn(&BehaviorInfo) -> u64);
        let figures: [Figure; 6] = [
            (
                "vitrine_behavior_touches",
                "Items in events held in memory",
                |e| e.touches,
            ),
            ("vitrine_behavior_users", "Users in memory", |e| e.users),
            ("vitrine_behavior_sessions", "Sessions in memory", |e| {
                e.sessions
            }),
            ("vitrine_behavior_memory_bytes", "Memory of events", |e| {
                e.memory_bytes
            }),
            (
                "vitrine_events_expired",
                "Events removed since the start because of their age",
                |e| e.expired,
            ),
            (
                "vitrine_model_version",
                "Version of the active model, 0 for none",
                |e| e.model.unwrap_or(0),
            ),
        ];
        for (name, help, figure) in figures {
            let values = self.collections.iter();
            let values = values.map(|c| (vec![c.name.clone()], figure(&c.events)));
            gauges.add_integers(name, help, &["collection"], values)?;
        }
        Ok(())
    }

    /// Adds gauges of the search log, by collection.
    fn searches(&self, gauges: &Gauges) -> prometheus::Result<()> {
        type Figure = (&'static str, &'static str, fn(&SearchLogInfo) -> u64);
        let figures: [Figure; 4] = [
            ("stored", "Searches in the log", |s| s.stored),
            ("recorded", "Searches recorded since the start", |s| {
                s.recorded
            }),
            (
                "dropped",
                "Searches not recorded since the start: too many, or the disk is full",
                |s| s.dropped,
            ),
            (
                "expired",
                "Searches removed since the start because of their age or number",
                |s| s.expired,
            ),
        ];
        for (name, help, figure) in figures {
            let values = self.collections.iter();
            let values = values.map(|c| (vec![c.name.clone()], figure(&c.searches)));
            let name = format!("vitrine_search_log_{name}");
            gauges.add_integers(&name, help, &["collection"], values)?;
        }
        Ok(())
    }

    /// Adds gauges of the indexes, by collection and vector space.
    fn indexes(&self, gauges: &Gauges) -> prometheus::Result<()> {
        let by = &["collection", "space"];
        let all = || {
            self.collections.iter().flat_map(|c| {
                let indexes = c.indexes.iter();
                indexes.map(move |(space, index)| (vec![c.name.clone(), space.clone()], index))
            })
        };
        let plain: [IndexGauge; 7] = [
            ("sealed_vectors", "Vectors in sealed segments", |i| {
                Some(i.sealed)
            }),
            ("unsealed_vectors", "Vectors in the growing segment", |i| {
                Some(i.unsealed)
            }),
            ("segments", "Sealed segments", |i| Some(i.segments)),
            ("mapped_bytes", "Vectors mapped from files", |i| {
                Some(i.mapped_bytes)
            }),
            ("file_bytes", "Segment files", |i| Some(i.file_bytes)),
            (
                "unreachable_vectors",
                "Vectors that no graph search reaches, once checked",
                |i| i.unreachable,
            ),
            (
                "recall_samples",
                "Searches whose recall was measured",
                |i| Some(i.recall.as_ref()?.samples),
            ),
        ];
        for (name, help, value) in plain {
            let values = all().filter_map(|(labels, i)| Some((labels, value(i)?)));
            gauges.add_integers(&format!("vitrine_index_{name}"), help, by, values)?;
        }
        let building = all().filter_map(|(labels, i)| Some((labels, i.building.as_ref()?)));
        let building: Vec<_> = building.collect();
        let values = building.iter().map(|(l, b)| (l.clone(), b.vectors));
        gauges.add_integers(
            "vitrine_index_building_vectors",
            "Vectors of segments being built",
            by,
            values,
        )?;
        let values = building.iter().map(|(l, b)| (l.clone(), b.done));
        gauges.add_integers(
            "vitrine_index_building_done",
            "Vectors of segments being built that are done",
            by,
            values,
        )?;
        let memory = all().flat_map(|(labels, i)| {
            let components = [
                ("sealed", i.memory.sealed_bytes),
                ("unsealed", i.memory.unsealed_bytes),
                ("growing", i.memory.growing_bytes),
                ("building", i.memory.building_bytes),
            ];
            components.map(|(component, bytes)| {
                ([labels.as_slice(), &[component.to_owned()]].concat(), bytes)
            })
        });
        let by_component = &["collection", "space", "component"];
        gauges.add_integers(
            "vitrine_index_memory_bytes",
            "Memory of indexes",
            by_component,
            memory,
        )?;
        let recall = all().filter_map(|(labels, i)| Some((labels, i.recall.as_ref()?.mean)));
        gauges.add_floats(
            "vitrine_index_recall_at_10",
            "Recall of sampled searches",
            by,
            recall,
        )?;
        let bands = all().flat_map(|(labels, i)| {
            let bands = i.recall.iter().flat_map(|r| &r.by_selectivity);
            let bands = bands.map(move |(band, recall)| {
                (
                    [labels.as_slice(), std::slice::from_ref(band)].concat(),
                    recall.mean,
                )
            });
            bands.collect::<Vec<_>>()
        });
        gauges.add_floats(
            "vitrine_index_recall_at_10_by_selectivity",
            "Recall of sampled searches by the share of vectors that match their filter",
            &["collection", "space", "selectivity"],
            bands,
        )
    }

    /// Adds gauges of the whole database.
    fn database(&self, gauges: &Gauges) -> prometheus::Result<()> {
        let (usage, bounds) = (self.usage, self.bounds);
        let single = [
            (
                "memory_bytes",
                "Memory counted against limits.memory_bytes",
                Some(usage.memory_bytes),
            ),
            (
                "memory_limit_bytes",
                "limits.memory_bytes",
                bounds.memory_bytes,
            ),
            (
                "store_memory_bytes",
                "Memory of RocksDB",
                Some(usage.store_memory_bytes),
            ),
            (
                "store_disk_bytes",
                "Size of the RocksDB tables",
                Some(usage.store_disk_bytes),
            ),
            (
                "disk_free_bytes",
                "Free disk space of the data directory",
                usage.disk_free_bytes,
            ),
            (
                "disk_reserve_bytes",
                "limits.disk_reserve_bytes",
                Some(bounds.disk_reserve_bytes),
            ),
        ];
        for (name, help, value) in single {
            let values = value.map(|v| (Vec::new(), v)).into_iter();
            gauges.add_integers(&format!("vitrine_{name}"), help, &[], values)?;
        }
        let rejected = [
            ("memory", usage.refused_memory),
            ("disk", usage.refused_disk),
        ];
        let rejected = rejected.into_iter().map(|(b, n)| (vec![b.to_owned()], n));
        gauges.add_integers(
            "vitrine_writes_refused",
            "Writes rejected by a resource limit",
            &["bound"],
            rejected,
        )
    }
}

/// Name, help and value of an index gauge.
type IndexGauge<'a> = (&'a str, &'a str, fn(&IndexInfo) -> Option<u64>);
