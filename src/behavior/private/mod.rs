//! Releases of a private collection: when they are due, what they count, and the model that is
//! served from them.
//!
//! Time is cut into periods. All releases about a period share one budget in zCDP; the last one,
//! after the end of the period, takes what is left. The entry in the ledger and the tables are one
//! write, synced before the tables are served, so that neither exists without the other. Sums over
//! periods and the decay of old ones are postprocessing and cost nothing.

mod budget;
mod tables;

use std::{
    collections::{BTreeMap, HashMap},
    iter::repeat_n,
    sync::Arc,
};

use chrono::Utc;
use parking_lot::MutexGuard;
use vitrine_schemas::{
    Event, EventKind, LedgerEntry, LedgerParams, ModelChoice, ModelInfo, PeriodBudget,
    PrivacyLedger, PrivacyMechanism, ReleasedTable,
};

pub(super) use self::budget::Private;
pub(crate) use self::tables::PublicCatalog;
use self::{
    budget::Spent,
    tables::{category_pairs, released_tables},
};
use super::{Behavior, Model};
use crate::{
    Error, Result,
    cf::Popularity,
    events::{Subject, rfc3339},
    privacy::{Release, epsilon_of, release, users_for_pairs},
    storage::Batch,
};

/// Share of a release's cost for popularity if category pairs are released too.
const POPULARITY_SHARE: f64 = 0.7;

/// Maximum number of categories whose pairs are released: each pair gets noise, and of more pairs
/// more would rise above the threshold by chance.
const MAX_CATEGORIES: usize = 500;

/// Number of likes by item, less those taken back.
type ItemCounts = BTreeMap<u32, i32>;

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
        if !private.is_time() {
            return Ok(false);
        }
        let (now, spent) = (self.clock.now(), private.spent.lock());
        let due = private.periods(now, |period| private.due(&spent, period, now));
        self.release_periods(private, spent, &due, catalog)
    }

    /// Makes the releases that the budgets allow now.
    ///
    /// # Errors
    /// [`Error::PrivacyBudgetSpent`] if they allow none.
    pub fn release_now(&self, catalog: impl FnOnce() -> PublicCatalog) -> Result<ModelInfo> {
        let private = self.private()?;
        let (now, spent) = (self.clock.now(), private.spent.lock());
        let due = private.periods(now, |period| private.on_demand(&spent, period, now));
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
        let costs: BTreeMap<i64, f64> = due.iter().copied().collect();
        let users = self.items_by_user(private, &costs, &catalog)?;
        if users.is_empty() {
            return Ok(false);
        }
        let released = users.iter().try_for_each(|(period, users)| {
            self.release_period(private, &mut spent, *period, costs[period], users, &catalog)
        });
        drop(spent);
        // If one failed, those before it are paid for.
        self.serve_released()?;
        released.map(|()| true)
    }

    fn release_period(
        &self,
        private: &Private,
        spent: &mut Spent,
        period: i64,
        rho: f64,
        users: &[Vec<u32>],
        catalog: &PublicCatalog,
    ) -> Result<()> {
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
        // Spent from here on, even if it is not synced: a replica may have it already.
        spent.last_number = number;
        *spent.rho.entry(period).or_default() += cost;
        self.store.flush()?;
        drop(list);
        tracing::info!(
            period = rfc3339(private.start_of(period)),
            rho = cost,
            "privacy release"
        );
        Ok(())
    }

    /// Returns, by period, the positions in the catalog of the items of each user, and of each
    /// session without a user; repetitions included. Periods without any are left out.
    ///
    /// The stored events are counted, not those of the log in memory: that is bounded for all users
    /// together, so that the events of one could push out those of others.
    fn items_by_user(
        &self,
        private: &Private,
        periods: &BTreeMap<i64, f64>,
        catalog: &PublicCatalog,
    ) -> Result<BTreeMap<i64, Vec<Vec<u32>>>> {
        let positions: HashMap<&str, u32> =
            catalog.ids.iter().map(String::as_str).zip(0..).collect();
        let mut users: BTreeMap<i64, BTreeMap<Subject, ItemCounts>> = BTreeMap::new();
        self.store.scan_events(self.collection, |at, event| {
            let period = private.period_of(at.micros);
            let sign = self.sign(&event);
            if sign == 0 || !periods.contains_key(&period) || !self.permits_training(&event) {
                return Ok(true);
            }
            let user = event.user.map(Subject::User);
            if let Some(subject) = user.or_else(|| event.session.map(Subject::Session)) {
                let counts = users.entry(period).or_default().entry(subject).or_default();
                for item in event
                    .items
                    .iter()
                    .filter_map(|id| positions.get(id.as_str()))
                {
                    *counts.entry(*item).or_default() += sign;
                }
            }
            Ok(true)
        })?;
        let mut lists = BTreeMap::new();
        for (period, users) in users {
            let users = users.into_values().map(repeated);
            let users: Vec<_> = users.filter(|items| !items.is_empty()).collect();
            if !users.is_empty() {
                lists.insert(period, users);
            }
        }
        Ok(lists)
    }

    /// Returns 1 for an event that likes its items, -1 for one that takes that back, and 0 for
    /// another one.
    fn sign(&self, event: &Event) -> i32 {
        let is_liked = |weight| weight > 0.0;
        match event.kind {
            EventKind::Return => -1,
            _ => i32::from(self.log.read().weight(event).is_some_and(is_liked)),
        }
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
        // The number of items with events is not released.
        let info = released_info(version, 0);
        let model = Model::of_released(popularity, pairs, info)?;
        *self.model.write() = Some(Arc::new(model));
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

/// Returns the items that are left, each as often as it was liked.
fn repeated(counts: ItemCounts) -> Vec<u32> {
    let times = |(item, count)| repeat_n(item, usize::try_from(count).unwrap_or(0));
    counts.into_iter().flat_map(times).collect()
}

fn released_info(version: u64, items: usize) -> ModelInfo {
    ModelInfo {
        version,
        active: true,
        model: ModelChoice::Auto,
        parameters: [("released".to_owned(), true.into())].into(),
        held_out: Vec::new(),
        transfers: Vec::new(),
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
