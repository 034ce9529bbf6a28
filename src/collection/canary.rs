//! The recall canary: a few real searches are done again exactly, in the background, to tell how well the graphs find.
//!
//! A search leaves its vector at most once a second, which costs it nothing to speak of. The measuring is done by a single
//! thread that rests a hundred times as long as it works.

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
use vitrine_schemas::RecallInfo;

use super::Collection;
use crate::{
    Result,
    index::{Allowed, SpaceIndex},
};

/// Between two samples.
const EVERY_MS: u64 = 1_000;

/// Samples that wait to be measured; newer ones take the place of older ones.
const WAITING: usize = 16;

/// Measurements of a space that count: older ones are dropped, so that the mean tells of now.
const COUNTED: usize = 1_000;

/// Hits looked at.
const AT: usize = 10;

/// A search that was answered.
pub(super) struct Sample {
    pub space: String,
    /// Its index: by its name, another may be found by then.
    pub index: Arc<SpaceIndex>,
    pub vector: Vec<f32>,
    pub limit: usize,
    pub ef: Option<usize>,
    pub allowed: Arc<Allowed>,
}

/// When a space was measured, and its recall.
type Measured = VecDeque<(DateTime<Utc>, f64)>;

/// Samples and measurements of a collection.
pub(super) struct Canary {
    is_on: bool,
    started: Instant,
    /// Milliseconds after `started`.
    next: AtomicU64,
    waiting: Mutex<VecDeque<Sample>>,
    measured: Mutex<BTreeMap<String, Measured>>,
}

impl Canary {
    /// Takes samples or not.
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            started: Instant::now(),
            next: AtomicU64::new(0),
            waiting: Mutex::default(),
            measured: Mutex::default(),
        }
    }

    /// Takes a search, where it is time for one.
    pub fn offer(&self, sample: impl FnOnce() -> Sample) {
        let now = self.started.elapsed().as_millis() as u64;
        let next = self.next.load(Relaxed);
        if self.is_on
            && now >= next
            && self
                .next
                .compare_exchange(next, now + EVERY_MS, Relaxed, Relaxed)
                .is_ok()
            && let Some(mut waiting) = self.waiting.try_lock()
        {
            if waiting.len() == WAITING {
                waiting.pop_front();
            }
            waiting.push_back(sample());
        }
    }

    /// What was measured in a space; None before anything was.
    pub fn recall(&self, space: &str) -> Option<RecallInfo> {
        let measured = self.measured.lock();
        let all = measured.get(space)?;
        let (since, _) = all.front()?;
        Some(RecallInfo {
            mean: all.iter().map(|(_, recall)| recall).sum::<f64>() / all.len() as f64,
            samples: all.len() as u64,
            since: since.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }

    /// Forgets what was measured: other spaces have taken the names.
    pub fn forget(&self) {
        self.waiting.lock().clear();
        self.measured.lock().clear();
    }

    fn count(&self, space: String, recall: f64) {
        let mut measured = self.measured.lock();
        let all = measured.entry(space).or_default();
        if all.len() == COUNTED {
            all.pop_front();
        }
        all.push_back((Utc::now(), recall));
    }
}

impl Collection {
    /// Measures the recall of a search of late; what it took, None where there is none to measure.
    pub(crate) fn measure_recall(&self) -> Result<Option<Duration>> {
        let Some(sample) = self.canary.waiting.lock().pop_front() else {
            return Ok(None);
        };
        let started = Instant::now();
        let index = &sample.index;
        let search = |k, exact| {
            let ef = if exact { None } else { sample.ef };
            let found = index.search(&sample.vector, k, ef, exact, &sample.allowed, None)?;
            Ok::<_, crate::Error>(found.0)
        };
        let found = search(sample.limit, false)?;
        let truth = search(sample.limit.min(AT), true)?;
        if let Some(last) = truth.last() {
            // By distance: of equals it does not matter which were found.
            let near = found.iter().take(truth.len());
            let good = near.filter(|n| n.distance <= last.distance).count();
            self.canary
                .count(sample.space, good as f64 / truth.len() as f64);
        }
        Ok(Some(started.elapsed()))
    }

    /// Looks whether walks reach all of a sealed part that was not looked at yet; whether there was one.
    pub(crate) fn check_health(&self) -> bool {
        let spaces: Vec<_> = self.state.read().every_space().cloned().collect();
        spaces.iter().any(|space| space.check_health())
    }
}
