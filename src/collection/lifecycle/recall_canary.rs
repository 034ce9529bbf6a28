//! Recall canary: re-runs a sample of searches exactly, in the background, to estimate recall.
//!
//! At most one search per second leaves its vector, at negligible cost. One thread measures; it
//! pauses a hundred times as long as it works.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use vitrine_schemas::{RecallInfo, SelectivityRecall};

use crate::{
    Result,
    collection::Collection,
    index::{CandidateFilter, SearchParams, SpaceIndex},
};

/// Minimum time between two samples.
const SAMPLE_INTERVAL_MS: u64 = 1_000;

/// Maximum number of samples waiting to be measured; new ones replace old ones.
const MAX_WAITING: usize = 16;

/// Maximum number of measurements of a space; old ones are dropped, so that the mean is current.
const MAX_MEASUREMENTS: usize = 1_000;

/// Maximum number of hits that recall is computed over.
const RECALL_AT: usize = 10;

/// An answered search.
pub(in crate::collection) struct Sample {
    pub space: String,
    /// Its index; by then another one may have its name.
    pub index: Arc<SpaceIndex>,
    pub vector: Vec<f32>,
    pub limit: usize,
    pub ef: Option<usize>,
    pub filter: Arc<CandidateFilter>,
}

/// Measurements of a space.
type Measured = VecDeque<Measurement>;

struct Measurement {
    at: DateTime<Utc>,
    /// See [`selectivity_band`].
    selectivity: &'static str,
    recall: f64,
}

/// Returns the name of the range that a share of matching vectors is in.
fn selectivity_band(share: f64) -> &'static str {
    match share {
        0.5.. => "from_50_percent",
        0.1.. => "from_10_percent",
        0.01.. => "from_1_percent",
        _ => "below_1_percent",
    }
}

/// Samples and measurements of a collection.
pub(in crate::collection) struct RecallCanary {
    is_on: bool,
    started: Instant,
    /// Earliest time of the next sample, in milliseconds after `started`.
    next: AtomicU64,
    waiting: Mutex<VecDeque<Sample>>,
    measured: Mutex<BTreeMap<String, Measured>>,
}

impl RecallCanary {
    /// Returns a canary that takes samples, or none if it is off.
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            started: Instant::now(),
            next: AtomicU64::new(0),
            waiting: Mutex::default(),
            measured: Mutex::default(),
        }
    }

    /// Takes a search as a sample if the interval has passed.
    pub fn offer(&self, sample: impl FnOnce() -> Sample) {
        let now = self.started.elapsed().as_millis() as u64;
        let next = self.next.load(Relaxed);
        if self.is_on
            && now >= next
            && self
                .next
                .compare_exchange(next, now + SAMPLE_INTERVAL_MS, Relaxed, Relaxed)
                .is_ok()
            && let Some(mut waiting) = self.waiting.try_lock()
        {
            if waiting.len() == MAX_WAITING {
                waiting.pop_front();
            }
            waiting.push_back(sample());
        }
    }

    /// Returns the recall measured in a space; None before the first measurement.
    pub fn recall(&self, space: &str) -> Option<RecallInfo> {
        let measured = self.measured.lock();
        let all = measured.get(space)?;
        let since = all.front()?.at;
        let mut by_selectivity: BTreeMap<String, SelectivityRecall> = BTreeMap::new();
        for Measurement {
            selectivity,
            recall,
            ..
        } in all
        {
            let band = by_selectivity.entry((*selectivity).to_owned()).or_default();
            let sum = band.mean * band.samples as f64 + recall;
            band.worst = if band.samples == 0 {
                *recall
            } else {
                band.worst.min(*recall)
            };
            band.samples += 1;
            band.mean = sum / band.samples as f64;
        }
        Some(RecallInfo {
            mean: all.iter().map(|m| m.recall).sum::<f64>() / all.len() as f64,
            samples: all.len() as u64,
            since: since.to_rfc3339_opts(SecondsFormat::Secs, true),
            by_selectivity,
        })
    }

    /// Drops all samples and measurements: the names belong to other spaces now.
    pub fn forget(&self) {
        self.waiting.lock().clear();
        self.measured.lock().clear();
    }

    fn count(&self, space: String, selectivity: f64, recall: f64) {
        let mut measured = self.measured.lock();
        let all = measured.entry(space).or_default();
        if all.len() == MAX_MEASUREMENTS {
            all.pop_front();
        }
        all.push_back(Measurement {
            at: Utc::now(),
            selectivity: selectivity_band(selectivity),
            recall,
        });
    }
}

impl Collection {
    /// Measures the recall of a recent search; returns the time it took, None without a sample.
    pub(crate) fn measure_recall(&self) -> Result<Option<Duration>> {
        let Some(sample) = self.canary.waiting.lock().pop_front() else {
            return Ok(None);
        };
        let started = Instant::now();
        let index = &sample.index;
        let search = |k, exact| {
            let params = SearchParams {
                k,
                ef: if exact { None } else { sample.ef },
                exact,
                filter: Some(&sample.filter),
                ..SearchParams::default()
            };
            index.search(&sample.vector, &params)
        };
        let (found, stats) = search(sample.limit, false)?;
        let (truth, _) = search(sample.limit.min(RECALL_AT), true)?;
        if let Some(last) = truth.last() {
            // By distance: among equal distances any hit is right.
            let near = found.iter().take(truth.len());
            let good = near.filter(|n| n.distance <= last.distance).count();
            let selectivity = stats.matching as f64 / stats.vectors.max(1) as f64;
            let recall = good as f64 / truth.len() as f64;
            self.canary.count(sample.space, selectivity, recall);
        }
        Ok(Some(started.elapsed()))
    }

    /// Checks the reachability of one segment that was not checked yet; returns true if there was
    /// one.
    pub(crate) fn check_health(&self) -> bool {
        let spaces: Vec<_> = self.state.read().every_space().cloned().collect();
        spaces.iter().any(|space| space.check_reachability())
    }
}
