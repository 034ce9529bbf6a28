//! Models of one training, and their byte format.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use vitrine_schemas::{CategoryTransfer, HeldOut, ModelInfo};

use super::{
    Log,
    live::{self, Live},
    popular::Popular,
};
use crate::{
    Error, Result,
    cf::{
        self, DomainModel, ItemKnn, ItemKnnOptions, Matrix, Popularity, Recommender, SequenceModel,
        SequentialRules, SequentialRulesOptions, ServedNetwork, SessionKnn, SessionKnnOptions,
    },
};

/// Pause between refreshes of the popular items: at least this, and this multiple of the duration
/// of the last one.
const MIN_REFRESH_PAUSE: Duration = Duration::from_secs(5);
const REFRESH_PAUSE_FACTOR: u32 = 50;

/// State of the refreshes of the popular items.
#[derive(Default)]
struct Refresh {
    is_outdated: bool,
    /// Time of the earliest next one.
    next: Option<Instant>,
}

/// Models of one training. Items have the numbers of the log.
pub(crate) struct Model {
    /// Item neighborhoods, sequential rules and popularity. Lock order: after the log, if both are
    /// locked.
    live: RwLock<Live>,
    /// Sessions of the log, for session-kNN.
    pub sessions: SessionKnn,
    /// Popular items in order, as last refreshed.
    popular: RwLock<Arc<Popular>>,
    refresh: Mutex<Refresh>,
    /// Model for the history of a user, if other than `item_knn`.
    chosen: Option<Chosen>,
    /// Network trained on sequences, if one was promoted. It is kept by trainings of the others.
    network: Option<ServedNetwork>,
    info: ModelInfo,
    /// True if it was stored by a version without sequential rules.
    lacks_rules: bool,
    /// Number of users by pair of categories, if the model is of released tables alone.
    released_pairs: Option<CategoryPairs>,
}

/// A model for the history of a user.
pub(super) enum Chosen {
    /// One for all items.
    One(Box<cf::Model>),
    /// By category, since some recommendations are better with less of the others.
    ByDomain(Box<DomainModel>),
}

impl Chosen {
    fn recommender(&self) -> &dyn Recommender {
        match self {
            Self::One(model) => &**model,
            Self::ByDomain(model) => &**model,
        }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::One(model) => model.to_bytes(),
            Self::ByDomain(model) => model.to_bytes(),
        }
    }
}

/// Number of users by pair of category paths.
pub(crate) type CategoryPairs = BTreeMap<(String, String), u32>;

impl Model {
    pub(super) fn new(
        live: Live,
        sessions: SessionKnn,
        chosen: Option<Chosen>,
        info: ModelInfo,
    ) -> Self {
        Self {
            popular: RwLock::new(Arc::new(Popular::of(&live.popularity))),
            refresh: Mutex::default(),
            live: RwLock::new(live),
            sessions,
            chosen,
            network: None,
            info,
            lacks_rules: false,
            released_pairs: None,
        }
    }

    /// Creates the model of a private collection: of the tables that were released with noise, and
    /// of nothing else. No item has neighbors.
    pub(super) fn of_released(
        popularity: Popularity,
        pairs: CategoryPairs,
        info: ModelInfo,
    ) -> Result<Self> {
        let items = popularity.items();
        let nothing = Matrix::from_triples(0, items, Vec::new())?;
        let none = ItemKnn::fit(&nothing, &ItemKnnOptions::default())?;
        let rules = SequentialRules::new(items, SequentialRulesOptions::default())?;
        let live = Live::new(none.clone(), none, rules, popularity);
        let sessions = SessionKnn::new(items, SessionKnnOptions::default())?;
        Ok(Self {
            released_pairs: Some(pairs),
            ..Self::new(live, sessions, None, info)
        })
    }

    /// Returns the number of users by pair of categories, if the model is of released tables alone.
    pub fn released_pairs(&self) -> Option<&CategoryPairs> {
        self.released_pairs.as_ref()
    }

    /// Counts the rows before `end` in the sequential rules, if the model was stored without them.
    pub(super) fn complete(&self, log: &Log, end: u64) -> Result<()> {
        if self.lacks_rules {
            self.live.write().rules = live::rules_of(log, end)?;
        }
        Ok(())
    }

    /// Returns the item neighborhoods and rules, updated with the events since the training.
    pub fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read()
    }

    /// Counts rows of the log that the training did not read.
    pub(super) fn count(&self, log: &Log, rows: Range<u64>) {
        if self.released_pairs.is_some() || rows.is_empty() {
            return;
        }
        let mut live = self.live.write();
        rows.for_each(|row| live.count(log, row));
        drop(live);
        self.refresh.lock().is_outdated = true;
    }

    /// Returns the popular items in order. New events count after the next refresh.
    pub fn popular(&self) -> Arc<Popular> {
        self.popular.read().clone()
    }

    /// Sorts the popular items again if there are new events and the last refresh is long enough
    /// ago.
    pub(super) fn refresh_popular(&self) {
        let mut refresh = self.refresh.lock();
        let started = Instant::now();
        if !refresh.is_outdated || refresh.next.is_some_and(|next| started < next) {
            return;
        }
        refresh.is_outdated = false;
        let popularity = self.live.read().popularity.clone();
        *self.popular.write() = Arc::new(Popular::of(&popularity));
        let pause = REFRESH_PAUSE_FACTOR * started.elapsed();
        refresh.next = Some(Instant::now() + pause.max(MIN_REFRESH_PAUSE));
    }

    /// Returns the model for a history of items, if other than `item_knn`.
    pub fn chosen(&self) -> Option<&dyn Recommender> {
        self.chosen.as_ref().map(Chosen::recommender)
    }

    /// Returns the network trained on sequences, if one was promoted.
    pub fn network(&self) -> Option<&ServedNetwork> {
        self.network.as_ref()
    }

    /// Returns the models with a network.
    pub fn with_network(self, network: Option<Arc<SequenceModel>>) -> Self {
        Self {
            network: network.map(ServedNetwork::new),
            ..self
        }
    }

    /// Returns the models with the estimates of their training.
    pub(super) fn with_estimates(
        mut self,
        bytes: u64,
        held_out: Vec<HeldOut>,
        transfers: Vec<CategoryTransfer>,
    ) -> Self {
        self.info.estimated_bytes = bytes;
        self.info.held_out = held_out;
        self.info.transfers = transfers;
        self
    }

    /// Returns the number of touches in the log at the training.
    pub(super) fn touches(&self) -> u64 {
        self.info.interactions
    }

    /// Returns the version, settings and statistics of the training.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    pub(super) fn stored_as(&mut self, version: u64, bytes: u64) {
        self.info.version = version;
        self.info.stored_bytes = bytes;
    }

    /// Serializes the models, which must be as trained, each after its length in 8 bytes,
    /// little-endian: item-kNN, baskets, sessions, popularity, sequential rules, and if there are
    /// any the chosen model and the network.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut put_bytes = |encoded: Vec<u8>| {
            bytes.extend_from_slice(&(encoded.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&encoded);
        };
        let mut put = |model: &cf::Model| -> Result<()> {
            put_bytes(model.to_bytes()?);
            Ok(())
        };
        let live = self.live();
        put(&cf::Model::ItemKnn(live.item_knn.fitted().clone()))?;
        put(&cf::Model::ItemKnn(live.trained_baskets().clone()))?;
        put(&cf::Model::SessionKnn(self.sessions.clone()))?;
        put(&cf::Model::Popularity(live.popularity.clone()))?;
        put(&cf::Model::SequentialRules(live.rules.clone()))?;
        if let Some(chosen) = &self.chosen {
            put_bytes(chosen.to_bytes()?);
        }
        if let Some(network) = &self.network {
            put_bytes(network.model().to_bytes()?);
        }
        Ok(bytes)
    }

    /// Deserializes the output of [`Model::to_bytes`]. Earlier versions stored no rules:
    /// [`Model::complete`] counts them.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes are truncated, damaged or inconsistent.
    pub(super) fn from_bytes(mut bytes: &[u8], info: ModelInfo) -> Result<Self> {
        let (mut models, mut by_domain, mut network) = (Vec::new(), None, None);
        while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (encoded, rest) = rest.split_at_checked(length).ok_or_else(inconsistent)?;
            if SequenceModel::is_stored_in(encoded) {
                let model = Arc::new(SequenceModel::from_bytes(encoded)?);
                network = Some(ServedNetwork::new(model));
            } else if DomainModel::is_stored_in(encoded) {
                by_domain = Some(DomainModel::from_bytes(encoded)?);
            } else {
                models.push(cf::Model::from_bytes(encoded)?);
            }
            bytes = rest;
        }
        let counts = models.iter().map(Recommender::items);
        let mut counts = counts.chain(by_domain.iter().map(Recommender::items));
        if counts.any(|items| items as u64 != info.items) || !bytes.is_empty() {
            return Err(inconsistent());
        }
        let mut models = models.into_iter().peekable();
        let mut next = || models.next();
        match (next(), next(), next(), next()) {
            (
                Some(cf::Model::ItemKnn(item_knn)),
                Some(cf::Model::ItemKnn(baskets)),
                Some(cf::Model::SessionKnn(sessions)),
                Some(cf::Model::Popularity(popularity)),
            ) => {
                let is_rules = |m: &cf::Model| matches!(m, cf::Model::SequentialRules(_));
                let rules = match models.next_if(is_rules) {
                    Some(cf::Model::SequentialRules(rules)) => Some(rules),
                    _ => None,
                };
                let lacks_rules = rules.is_none();
                let none = || SequentialRules::new(0, SequentialRulesOptions::default());
                let rules = rules.map_or_else(none, Ok)?;
                let live = Live::new(item_knn, baskets, rules, popularity);
                let by_domain = by_domain.map(|model| Chosen::ByDomain(Box::new(model)));
                let chosen =
                    by_domain.or_else(|| models.next().map(|model| Chosen::One(Box::new(model))));
                Ok(Self {
                    lacks_rules,
                    network,
                    ..Self::new(live, sessions, chosen, info)
                })
            }
            _ => Err(inconsistent()),
        }
    }
}

fn inconsistent() -> Error {
    Error::Corrupt {
        column: "models",
        detail: "truncated or inconsistent model".into(),
    }
}
