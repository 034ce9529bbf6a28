//! Budget of a private collection: what was spent about each period, and when and at which cost
//! something is released.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use vitrine_schemas::{LedgerEntry, PrivacyConfig};

use crate::{
    Error, Result, behavior::daily::DAY, clock::rfc3339_micros, privacy::rho_of, storage::Store,
};

/// Number of periods, the current one included, that are released and served.
const SERVED_PERIODS: i64 = 12;

/// Share of a budget below which nothing is left.
const NOTHING: f64 = 1e-6;

/// Time without an event of a past period after which an import of it is over.
const QUIET: Duration = Duration::from_secs(60);

/// Interval at which releases that are due are looked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Time after the end of a period in which its events may still come.
const LATE: i64 = DAY;

/// Budget of a private collection.
pub struct Private {
    pub config: PrivacyConfig,
    /// Budget of each period in zCDP.
    pub rho_per_period: f64,
    /// Locked during a release.
    pub spent: Mutex<Spent>,
    /// Times at which the last event of each past period came.
    arrivals: Mutex<BTreeMap<i64, Instant>>,
    /// Time at which releases are looked for again.
    next_check: Mutex<Instant>,
}

/// Account of the ledger.
pub struct Spent {
    /// Number of the last entry.
    pub last_number: u64,
    /// Cost by period, in zCDP.
    pub rho: BTreeMap<i64, f64>,
}

impl Private {
    /// Reads the account of a collection.
    pub fn open(store: &Store, collection: u32, config: &PrivacyConfig) -> Result<Self> {
        let mut private = Self {
            config: config.clone(),
            rho_per_period: rho_of(config.epsilon, config.delta),
            spent: Mutex::new(Spent {
                last_number: 0,
                rho: BTreeMap::new(),
            }),
            arrivals: Mutex::default(),
            next_check: Mutex::new(Instant::now()),
        };
        let spent = private.spent.get_mut();
        for entry in store.ledger(collection)? {
            spent.last_number = entry.number;
            let period = period_of_entry(&entry, config)?;
            *spent.rho.entry(period).or_default() += entry.rho;
        }
        Ok(private)
    }

    /// Notes the arrival of an event.
    pub fn note_arrival(&self, micros: i64, now: i64) {
        let (period, current) = (self.period_of(micros), self.period_of(now));
        if period < current && self.served(now).contains(&period) {
            let mut arrivals = self.arrivals.lock();
            arrivals.retain(|period, _| self.served(now).contains(period));
            arrivals.insert(period, Instant::now());
        }
    }

    /// Returns true if it is time to look for releases, and sets the next time.
    pub fn is_time(&self) -> bool {
        let mut next = self.next_check.lock();
        let is_time = Instant::now() >= *next;
        if is_time {
            *next = Instant::now() + CHECK_INTERVAL;
        }
        is_time
    }

    /// Returns the periods that a release is made of now, with its cost each.
    pub fn periods(&self, now: i64, cost: impl Fn(i64) -> Option<f64>) -> Vec<(i64, f64)> {
        let periods = self.served(now);
        periods
            .filter_map(|period| Some((period, cost(period)?)))
            .collect()
    }

    fn length(&self) -> i64 {
        period_length(&self.config)
    }

    pub fn period_of(&self, micros: i64) -> i64 {
        micros.div_euclid(self.length())
    }

    pub fn start_of(&self, period: i64) -> i64 {
        period.saturating_mul(self.length())
    }

    pub fn served(&self, now: i64) -> RangeInclusive<i64> {
        let current = self.period_of(now);
        current - SERVED_PERIODS + 1..=current
    }

    /// Cost of a release before the end of a period.
    pub fn share(&self) -> f64 {
        self.rho_per_period / f64::from(self.config.releases_per_period)
    }

    fn left(&self, spent: &Spent, period: i64) -> f64 {
        let left = self.rho_per_period - spent.rho.get(&period).copied().unwrap_or(0.0);
        if left > NOTHING * self.rho_per_period {
            left
        } else {
            0.0
        }
    }

    /// Returns the cost of the release about a period that is due now; None if none is.
    pub fn due(&self, spent: &Spent, period: i64, now: i64) -> Option<f64> {
        let left = self.left(spent, period);
        let passed = now - self.start_of(period);
        if left == 0.0 || passed < 0 {
            return None;
        }
        if passed >= self.length() + LATE.min(self.length()) {
            let arrivals = self.arrivals.lock();
            let is_quiet = arrivals.get(&period).is_none_or(|at| at.elapsed() >= QUIET);
            return is_quiet.then_some(left);
        }
        // The last share is kept for the end of the period.
        let releases = i64::from(self.config.releases_per_period);
        let begun = (passed / (self.length() / releases)).min(releases - 1);
        let spent = ((self.rho_per_period - left) / self.share()).round() as i64;
        (spent < begun).then(|| self.share().min(left))
    }

    /// Returns the cost of a release that is asked for; None if the budget does not allow it.
    pub fn on_demand(&self, spent: &Spent, period: i64, now: i64) -> Option<f64> {
        let left = self.left(spent, period);
        let is_over = now >= self.start_of(period) + self.length();
        let cost = if is_over {
            left
        } else {
            self.share().min(left)
        };
        (cost > 0.0).then_some(cost)
    }
}

/// Returns the length of a period in microseconds.
fn period_length(config: &PrivacyConfig) -> i64 {
    i64::from(config.period_days) * DAY
}

fn period_of_entry(entry: &LedgerEntry, config: &PrivacyConfig) -> Result<i64> {
    let from = rfc3339_micros("/period_from", &entry.period_from).map_err(|e| Error::Corrupt {
        column: "models",
        detail: format!("privacy ledger, entry {}: {e}", entry.number),
    })?;
    Ok(from.div_euclid(period_length(config)))
}
