//! The state of the moment as Prometheus gauges.

use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry, proto::MetricFamily};
use vitrine::{
    Bounds,
    bounds::Usage,
    schemas::{BehaviorInfo, CollectionInfo, IndexInfo},
};

/// What is there now.
pub struct Moment<'a> {
    /// Collections.
    pub collections: &'a [CollectionInfo],
    /// Calls under way by kind.
    pub under_way: &'a [(&'a str, usize)],
    /// What the database takes.
    pub usage: &'a Usage,
    /// What it may take.
    pub bounds: Bounds,
}

impl Moment<'_> {
    /// All gauges.
    pub fn gather(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let gauges = Gauges(Registry::new());
        let names = |c: &CollectionInfo| vec![c.name.clone()];
        let items = self.collections.iter().map(|c| (names(c), c.items));
        gauges.whole(
            "vitrine_collection_items",
            "Live items",
            &["collection"],
            items,
        )?;
        let records = self.collections.iter();
        gauges.whole(
            "vitrine_collection_records_bytes",
            "Memory of ids and filters",
            &["collection"],
            records.map(|c| (names(c), c.records_bytes)),
        )?;
        let permits = self.under_way.iter();
        gauges.whole(
            "vitrine_permits_in_use",
            "Calls under way",
            &["kind"],
            permits.map(|(kind, count)| (vec![(*kind).to_owned()], *count as u64)),
        )?;
        self.events(&gauges)?;
        self.indexes(&gauges)?;
        self.database(&gauges)?;
        Ok(gauges.0.gather())
    }

    /// What of the events is in memory, by collection.
    fn events(&self, gauges: &Gauges) -> prometheus::Result<()> {
        type Figure = (&'static str, &'static str, fn(&BehaviorInfo) -> u64);
        let figures: [Figure; 6] = [
            (
                "vitrine_behavior_touches",
                "Items in events held in memory",
                |e| e.touches,
            ),
            ("vitrine_behavior_users", "Users in memory", |e| e.users),
            ("vitrine_behavior_sessions", "Visits in memory", |e| {
                e.sessions
            }),
            ("vitrine_behavior_memory_bytes", "Memory of events", |e| {
                e.memory_bytes
            }),
            (
                "vitrine_events_expired",
                "Events removed since the start for their age",
                |e| e.expired,
            ),
            (
                "vitrine_model_version",
                "Version of the model that answers, 0 for none",
                |e| e.model.unwrap_or(0),
            ),
        ];
        for (name, help, figure) in figures {
            let values = self.collections.iter();
            let values = values.map(|c| (vec![c.name.clone()], figure(&c.events)));
            gauges.whole(name, help, &["collection"], values)?;
        }
        Ok(())
    }

    /// By collection and space.
    fn indexes(&self, gauges: &Gauges) -> prometheus::Result<()> {
        let by = &["collection", "space"];
        let all = || {
            self.collections.iter().flat_map(|c| {
                let indexes = c.indexes.iter();
                indexes.map(move |(space, index)| (vec![c.name.clone(), space.clone()], index))
            })
        };
        let plain: [Plain; 7] = [
            ("sealed_vectors", "Vectors in sealed parts", |i| {
                Some(i.sealed)
            }),
            ("unsealed_vectors", "Vectors not sealed yet", |i| {
                Some(i.unsealed)
            }),
            ("parts", "Sealed parts", |i| Some(i.parts)),
            ("mapped_bytes", "Vectors mapped from files", |i| {
                Some(i.mapped_bytes)
            }),
            ("file_bytes", "Segment files", |i| Some(i.file_bytes)),
            (
                "unreachable_vectors",
                "Vectors that no walk reaches, once looked at",
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
            gauges.whole(&format!("vitrine_index_{name}"), help, by, values)?;
        }
        let building = all().filter_map(|(labels, i)| Some((labels, i.building.as_ref()?)));
        let building: Vec<_> = building.collect();
        let values = building.iter().map(|(l, b)| (l.clone(), b.vectors));
        gauges.whole(
            "vitrine_index_building_vectors",
            "Vectors of parts being built",
            by,
            values,
        )?;
        let values = building.iter().map(|(l, b)| (l.clone(), b.done));
        gauges.whole(
            "vitrine_index_building_done",
            "Vectors of them that are done",
            by,
            values,
        )?;
        let memory = all().flat_map(|(labels, i)| {
            let parts = [
                ("sealed", i.memory.sealed_bytes),
                ("unsealed", i.memory.unsealed_bytes),
                ("growing", i.memory.growing_bytes),
                ("building", i.memory.building_bytes),
            ];
            parts.map(|(part, bytes)| ([labels.as_slice(), &[part.to_owned()]].concat(), bytes))
        });
        let by_part = &["collection", "space", "component"];
        gauges.whole(
            "vitrine_index_memory_bytes",
            "Memory of indexes",
            by_part,
            memory,
        )?;
        let recall = all().filter_map(|(labels, i)| Some((labels, i.recall.as_ref()?.mean)));
        gauges.real(
            "vitrine_index_recall_at_10",
            "Recall of sampled searches",
            by,
            recall,
        )
    }

    /// Of the whole database.
    fn database(&self, gauges: &Gauges) -> prometheus::Result<()> {
        let (usage, bounds) = (self.usage, self.bounds);
        let single = [
            (
                "memory_bytes",
                "Memory that counts for limits.memory_bytes",
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
                "Tables of RocksDB",
                Some(usage.store_disk_bytes),
            ),
            (
                "disk_free_bytes",
                "Free disk of the data directory",
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
            gauges.whole(&format!("vitrine_{name}"), help, &[], values)?;
        }
        let refused = [
            ("memory", usage.refused_memory),
            ("disk", usage.refused_disk),
        ];
        let refused = refused.into_iter().map(|(b, n)| (vec![b.to_owned()], n));
        gauges.whole(
            "vitrine_writes_refused",
            "Writes that would have passed a bound",
            &["bound"],
            refused,
        )
    }
}

/// Name, help and value of a gauge of an index.
type Plain<'a> = (&'a str, &'a str, fn(&IndexInfo) -> Option<u64>);

struct Gauges(Registry);

impl Gauges {
    fn whole(
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

    fn real(
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
