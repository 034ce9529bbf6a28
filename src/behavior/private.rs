//! Releases of a private collection: when they are due, what they count, and the model that is
//! served from them.
//!
//! Time is cut into periods. All releases about a period share one budget in zCDP; the last one,
//! after the end of the period, takes what is left. The entry in the ledger and the tables are one
//! write, synced before the tables are served, so that neither exists without the other. Sums over
//! periods and the decay of old ones are postprocessing and cost nothing.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};
use vitrine_schemas::{
    LedgerEntry, LedgerParams, ModelChoice, ModelInfo, PeriodBudget, PrivacyConfig, PrivacyLedger,
    PrivacyMechanism, ReleasedTable,
};

use super::{Behavior, Model, training_data::each_activity};
use crate::{
    Error, Result,
    cf::Popularity,
    events::rfc3339,
    privacy::{Release, epsilon_of, release, rho_of, users_for_pairs},
    storage::{Batch, ReleasedTables, Store},
};

/// Number of periods, the current one included, that are released and served.
const SERVED_PERIODS: i64 = 12;

/// Share of a release's cost for popularity if category pairs are released too.
const POPULARITY_SHARE: f64 = 0.7;

/// Maximum number of categories whose pairs are released: each pair gets noise, and of more pairs
/// more would rise above the threshold by chance.
const MAX_CATEGORIES: usize = 500;

/// Share of a budget below which nothing is left.
const NOTHING: f64 = 1e-6;

/// Time after the end of a period in which its events may still come.
const LATE: i64 = 86_400 * 1_000_000;

/// Time without an event of a past period after which an import of it is over.
const QUIET: Duration = Duration::from_secs(60);

/// Interval at which releases that are due are looked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Microseconds in a day.
const DAY: i64 = 86_400 * 1_000_000;

/// The catalog as releases see it. It is public.
pub(crate) struct PublicCatalog {
    /// Ids of the items.
    pub ids: Vec<String>,
    /// Paths of the categories.
    pub categories: Vec<String>,
    /// Number of the category of each item, if it has one.
    pub category_of: Vec<Option<u32>>,
}

/// Budget of a private collection.
pub(super) struct Private {
    config: PrivacyConfig,
    rho_per_period: f64,
    /// Locked during a release.
    spent: Mutex<Spent>,
    /// Times at which the last event of each past period came.
    arrivals: Mutex<BTreeMap<i64, Instant>>,
    /// Time at which releases are looked for again.
    next_check: Mutex<Instant>,
}

/// Account of the ledger.
struct Spent {
    last_number: u64,
    /// Cost by period, in zCDP.
    rho: BTreeMap<i64, f64>,
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

    fn length(&self) -> i64 {
        period_length(&self.config)
    }

    fn period_of(&self, micros: i64) -> i64 {
        micros.div_euclid(self.length())
    }

    fn start_of(&self, period: i64) -> i64 {
        period.saturating_mul(self.length())
    }

    fn served(&self, now: i64) -> RangeInclusive<i64> {
        let current = self.period_of(now);
        current - SERVED_PERIODS + 1..=current
    }

    /// Cost of a release before the end of a period.
    fn share(&self) -> f64 {
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
    fn due(&self, spent: &Spent, period: i64, now: i64) -> Option<f64> {
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
    fn on_demand(&self, spent: &Spent, period: i64, now: i64) -> Option<f64> {
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

impl Behavior {
    /// Returns the account of a private collection.
    fn private(&self) -> Result<&Private> {
        self.private.as_ref().ok_or_else(|| {
            let detail = "the collection is not private; create one with `privacy`";
            Error::invalid("", detail)
        })
    }

    /// Returns true if answers may contain of the behavior of others only what was released.
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Refuses what a private collection does not do.
    ///
    /// # Errors
    /// [`Error::PrivateCollection`] with `detail`.
    pub fn refuse_if_private(&self, detail: &str) -> Result<()> {
        match self.is_private() {
            true => Err(Error::PrivateCollection(detail.to_owned())),
            false => Ok(()),
        }
    }

    /// Refuses counts of pairs of items, in a private collection.
    pub fn refuse_pairs_if_private(&self) -> Result<()> {
        let Some(private) = &self.private else {
            return Ok(());
        };
        let most = private.config.max_items_per_user;
        let users = users_for_pairs(most, private.share());
        Err(Error::PrivateCollection(format!(
            "pairs of items are not released, since under epsilon {} they are noise in a shop of fewer than about {users} users per period; `recommend` and `similar` answer from popularity, categories and content",
            private.config.epsilon
        )))
    }

    /// Makes the releases that are due; returns true if there was one.
    pub fn release_due(&self, catalog: impl FnOnce() -> PublicCatalog) -> Result<bool> {
        let Some(private) = &self.private else {
            return Ok(false);
        };
        {
            let mut next = private.next_check.lock();
            if Instant::now() < *next {
                return Ok(false);
            }
            *next = Instant::now() + CHECK_INTERVAL;
        }
        let (now, spent) = (self.clock.now(), private.spent.lock());
        let periods = private.served(now);
        let due = periods.filter_map(|p| Some((p, private.due(&spent, p, now)?)));
        let due: Vec<_> = due.collect();
        self.release_periods(private, spent, &due, catalog)
    }

    /// Makes the releases that the budgets allow now.
    ///
    /// # Errors
    /// [`Error::PrivacyBudgetSpent`] if they allow none.
    pub fn release_now(&self, catalog: impl FnOnce() -> PublicCatalog) -> Result<ModelInfo> {
        let private = self.private()?;
        let (now, spent) = (self.clock.now(), private.spent.lock());
        let periods = private.served(now);
        let due = periods.filter_map(|p| Some((p, private.on_demand(&spent, p, now)?)));
        let due: Vec<_> = due.collect();
        if !self.release_periods(private, spent, &due, catalog)? {
            let end = private.start_of(private.period_of(now) + 1);
            let period_to = rfc3339(end);
            return Err(Error::PrivacyBudgetSpent { period_to });
        }
        let model = self.model().ok_or(Error::Cancelled)?;
        Ok(model.info().clone())
    }

    /// Releases the periods that have events; returns true if there was one.
    fn release_periods(
        &self,
        private: &Private,
        mut spent: MutexGuard<'_, Spent>,
        due: &[(i64, f64)],
        catalog: impl FnOnce() -> PublicCatalog,
    ) -> Result<bool> {
        if due.is_empty() || self.log.read().touches() == 0 {
            return Ok(false);
        }
        let catalog = catalog();
        let mut released = false;
        for (period, rho) in due {
            released |= self.release_period(private, &mut spent, *period, *rho, &catalog)?;
        }
        if released {
            drop(spent);
            self.serve_released()?;
        }
        Ok(released)
    }

    fn release_period(
        &self,
        private: &Private,
        spent: &mut Spent,
        period: i64,
        rho: f64,
        catalog: &PublicCatalog,
    ) -> Result<bool> {
        let users = self.items_by_user(private, period, catalog)?;
        if users.is_empty() {
            return Ok(false);
        }
        let most = private.config.max_items_per_user as usize;
        let categories = catalog.categories.len();
        let has_pairs = (2..=MAX_CATEGORIES).contains(&categories);
        let share = if has_pairs { POPULARITY_SHARE } else { 1.0 };
        let items = users.iter().cloned();
        let popularity = release(catalog.ids.len(), items, most, share * rho)?;
        let pairs = has_pairs.then(|| {
            let pairs = users.iter().map(|items| category_pairs(items, catalog));
            let cells = categories * (categories - 1) / 2;
            release(cells, pairs, most, (1.0 - share) * rho)
        });
        let pairs = pairs.transpose()?;
        let tables = released_tables(&popularity, pairs.as_ref(), catalog);
        let mut entries = vec![(ReleasedTable::Popularity, popularity)];
        entries.extend(pairs.map(|pairs| (ReleasedTable::CategoryPairs, pairs)));
        let mut batch = Batch::default();
        let (mut number, mut cost) = (spent.last_number, 0.0);
        for (table, release) in &entries {
            number += 1;
            cost += release.rho;
            let entry = self.ledger_entry(private, number, period, *table, release);
            batch.put_ledger_entry(self.collection, &entry)?;
        }
        batch.put_released(self.collection, period, &tables)?;
        // Under the lock of the list: nothing is written for a collection that was dropped.
        let list = self.list.lock();
        if list.is_none() {
            return Err(Error::Cancelled);
        }
        self.store.write(batch)?;
        self.store.flush()?;
        drop(list);
        spent.last_number = number;
        *spent.rho.entry(period).or_default() += cost;
        tracing::info!(
            period = rfc3339(private.start_of(period)),
            rho = cost,
            "privacy release"
        );
        Ok(true)
    }

    /// Returns the positions in the catalog of the items of each user, and of each session without
    /// a user, in a period. Items with repetitions.
    fn items_by_user(
        &self,
        private: &Private,
        period: i64,
        catalog: &PublicCatalog,
    ) -> Result<Vec<Vec<u32>>> {
        let positions: HashMap<&str, u32> =
            catalog.ids.iter().map(String::as_str).zip(0..).collect();
        let times = private.start_of(period)..private.start_of(period + 1);
        let mut users = Vec::new();
        let _replacing = self.replacing.lock();
        let (subjects, end) = {
            let log = self.log.read();
            (log.capacities(), log.end())
        };
        each_activity(&self.log, subjects, end, |log, activity| {
            if activity.repeats_user {
                return Ok(());
            }
            let touches = activity.touches.iter();
            let counted = touches.filter(|t| t.weight > 0.0 && times.contains(&t.micros));
            let items = counted.filter_map(|t| positions.get(log.name(t.item)).copied());
            let items: Vec<u32> = items.collect();
            if !items.is_empty() {
                users.push(items);
            }
            Ok(())
        })?;
        Ok(users)
    }

    fn ledger_entry(
        &self,
        private: &Private,
        number: u64,
        period: i64,
        table: ReleasedTable,
        release: &Release,
    ) -> LedgerEntry {
        LedgerEntry {
            number,
            released_at: rfc3339(self.clock.now()),
            period_from: rfc3339(private.start_of(period)),
            period_to: rfc3339(private.start_of(period + 1)),
            table,
            mechanism: PrivacyMechanism::DiscreteGaussian,
            sensitivity: release.sensitivity,
            sigma: release.sigma,
            rho: release.rho,
            cells: release.cells,
            released: release.counts.len() as u64,
        }
    }

    /// Serves a model of the released tables.
    pub(super) fn serve_released(&self) -> Result<()> {
        let Some(private) = &self.private else {
            return Ok(());
        };
        let mut tables = Vec::new();
        for period in private.served(self.clock.now()) {
            let seconds = private.start_of(period + 1) as f64 / 1e6;
            tables.push((seconds, self.store.released(self.collection, period)?));
        }
        let version = private.spent.lock().last_number;
        if version == 0 {
            return Ok(());
        }
        let half_life = self.config.read().half_life_days * 86_400.0;
        let mut log = self.log.write();
        let mut counts = Vec::new();
        let mut pairs: BTreeMap<(String, String), u32> = BTreeMap::new();
        for (seconds, tables) in tables {
            for (id, count) in tables.popularity {
                counts.push((log.number_of(&id), count, seconds));
            }
            for (a, b, count) in tables.category_pairs {
                *pairs.entry((a, b)).or_default() += count;
            }
        }
        let items = log.names().len();
        let mut popularity = Popularity::new(items, half_life)?;
        for (item, count, seconds) in counts {
            popularity.add(item, count as f32, seconds)?;
        }
        let info = released_info(version, items);
        let model = Model::of_released(popularity, pairs, info)?;
        *self.model.write() = Some(std::sync::Arc::new(model));
        Ok(())
    }

    /// Returns the budgets, and a page of the ledger.
    ///
    /// # Errors
    /// The collection is not private, or the limit is out of range.
    pub fn privacy_ledger(&self, params: &LedgerParams) -> Result<PrivacyLedger> {
        let private = self.private()?;
        let budget = |(period, rho): (&i64, &f64)| PeriodBudget {
            period_from: rfc3339(private.start_of(*period)),
            period_to: rfc3339(private.start_of(period + 1)),
            rho_spent: *rho,
            epsilon_spent: epsilon_of(*rho, private.config.delta),
            rho_left: (private.rho_per_period - rho).max(0.0),
        };
        let periods = {
            let spent = private.spent.lock();
            spent.rho.iter().rev().map(budget).collect()
        };
        let entries = self.store.ledger(self.collection)?.into_iter().rev();
        let before = params.before.unwrap_or(u64::MAX);
        let entries = entries.filter(|entry| entry.number < before);
        Ok(PrivacyLedger {
            privacy: private.config.clone(),
            rho_per_period: private.rho_per_period,
            periods,
            entries: entries.take(params.limit).collect(),
        })
    }
}

/// Returns the numbers of the pairs of different categories of some items.
fn category_pairs(items: &[u32], catalog: &PublicCatalog) -> Vec<u32> {
    let category = |item: &u32| catalog.category_of[*item as usize];
    let mut categories: Vec<u32> = items.iter().filter_map(category).collect();
    categories.sort_unstable();
    categories.dedup();
    let mut pairs = Vec::new();
    for (index, b) in categories.iter().enumerate() {
        pairs.extend(categories[..index].iter().map(|a| pair_number(*a, *b)));
    }
    pairs
}

/// Returns the number of a pair of categories, `a < b`.
fn pair_number(a: u32, b: u32) -> u32 {
    b * (b - 1) / 2 + a
}

fn released_tables(
    popularity: &Release,
    pairs: Option<&Release>,
    catalog: &PublicCatalog,
) -> ReleasedTables {
    let popularity = popularity.counts.iter();
    let popularity = popularity.map(|(item, n)| (catalog.ids[*item as usize].clone(), *n));
    let counted: HashMap<u32, u32> =
        pairs.map_or_else(HashMap::new, |pairs| pairs.counts.iter().copied().collect());
    let paths = &catalog.categories;
    let mut category_pairs = Vec::new();
    for b in 1..paths.len() as u32 {
        for a in 0..b {
            if let Some(count) = counted.get(&pair_number(a, b)) {
                let path = |category: u32| paths[category as usize].clone();
                category_pairs.push((path(a), path(b), *count));
            }
        }
        if counted.is_empty() {
            break;
        }
    }
    ReleasedTables {
        popularity: popularity.collect(),
        category_pairs,
    }
}

fn released_info(version: u64, items: usize) -> ModelInfo {
    ModelInfo {
        version,
        active: true,
        model: ModelChoice::Auto,
        parameters: [("released".to_owned(), true.into())].into(),
        held_out: Vec::new(),
        trained_at: Utc::now().to_rfc3339(),
        seconds: 0.0,
        estimated_bytes: 0,
        stored_bytes: 0,
        items: items as u64,
        people: 0,
        interactions: 0,
        baskets: 0,
        first_event: None,
        last_event: None,
    }
}

/// Returns the length of a period in microseconds.
fn period_length(config: &PrivacyConfig) -> i64 {
    i64::from(config.period_days) * DAY
}

fn period_of_entry(entry: &LedgerEntry, config: &PrivacyConfig) -> Result<i64> {
    let from = DateTime::parse_from_rfc3339(&entry.period_from).map_err(|e| Error::Corrupt {
        column: "models",
        detail: format!("privacy ledger, entry {}: {e}", entry.number),
    })?;
    Ok(from.timestamp_micros().div_euclid(period_length(config)))
}
