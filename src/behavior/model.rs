//! Models of one training, and their byte format.

use std::{collections::BTreeMap, ops::Range};

use parking_lot::{RwLock, RwLockReadGuard};
use vitrine_schemas::ModelInfo;

use super::{Log, live::Live, popular::Popular};
use crate::{
    Error, Result,
    cf::{
        self, ItemKnn, ItemKnnOptions, Matrix, Popularity, Recommender, SessionKnn,
        SessionKnnOptions,
    },
};

/// Models of one training. Items have the numbers of the log.
pub(crate) struct Model {
    /// Item neighborhoods. Lock order: after the log, if both are locked.
    live: RwLock<Live>,
    /// Sessions of the log, for session-kNN.
    pub sessions: SessionKnn,
    /// Popular items in order.
    pub popular: Popular,
    popularity: Popularity,
    /// Model for the history of a user, if other than `item_knn`.
    chosen: Option<cf::Model>,
    info: ModelInfo,
    /// Number of users by pair of categories, if the model is of released tables alone.
    released_pairs: Option<CategoryPairs>,
}

/// Number of users by pair of category paths.
pub(crate) type CategoryPairs = BTreeMap<(String, String), u32>;

impl Model {
    pub(super) fn new(
        (item_knn, baskets): (ItemKnn, ItemKnn),
        sessions: SessionKnn,
        popularity: Popularity,
        chosen: Option<cf::Model>,
        info: ModelInfo,
    ) -> Self {
        Self {
            popular: Popular::of(&popularity),
            live: RwLock::new(Live::new(item_knn, baskets)),
            sessions,
            popularity,
            chosen,
            info,
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
        let sessions = SessionKnn::new(items, SessionKnnOptions::default())?;
        Ok(Self {
            released_pairs: Some(pairs),
            ..Self::new((none.clone(), none), sessions, popularity, None, info)
        })
    }

    /// Returns the number of users by pair of categories, if the model is of released tables alone.
    pub fn released_pairs(&self) -> Option<&CategoryPairs> {
        self.released_pairs.as_ref()
    }

    /// Returns the item neighborhoods, updated with the events since the training.
    pub fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read()
    }

    /// Counts rows of the log that the training did not read.
    pub(super) fn count(&self, log: &Log, rows: Range<u64>) {
        if self.released_pairs.is_some() {
            return;
        }
        let mut live = self.live.write();
        rows.for_each(|row| live.count(log, row));
    }

    /// Returns the model for a history of items, if other than `item_knn`.
    pub fn chosen(&self) -> Option<&dyn Recommender> {
        self.chosen
            .as_ref()
            .map(|chosen| chosen as &dyn Recommender)
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

    /// Serializes the models as trained, each after its length in 8 bytes, little-endian: item-kNN,
    /// baskets, sessions, popularity, and the chosen model if there is another.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut put = |model: &cf::Model| -> Result<()> {
            let encoded = model.to_bytes()?;
            bytes.extend_from_slice(&(encoded.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&encoded);
            Ok(())
        };
        let live = self.live();
        put(&cf::Model::ItemKnn(live.item_knn.fitted().clone()))?;
        put(&cf::Model::ItemKnn(live.baskets.fitted().clone()))?;
        put(&cf::Model::SessionKnn(self.sessions.clone()))?;
        put(&cf::Model::Popularity(self.popularity.clone()))?;
        self.chosen.as_ref().map_or(Ok(()), put)?;
        Ok(bytes)
    }

    /// Deserializes the output of [`Model::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes are truncated, damaged or inconsistent.
    pub(super) fn from_bytes(mut bytes: &[u8], info: ModelInfo) -> Result<Self> {
        let mut models = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (encoded, rest) = rest.split_at_checked(length).ok_or_else(inconsistent)?;
            models.push(cf::Model::from_bytes(encoded)?);
            bytes = rest;
        }
        if models.iter().any(|m| m.items() as u64 != info.items) || !bytes.is_empty() {
            return Err(inconsistent());
        }
        let mut models = models.into_iter();
        let mut next = || models.next();
        match (next(), next(), next(), next()) {
            (
                Some(cf::Model::ItemKnn(item_knn)),
                Some(cf::Model::ItemKnn(baskets)),
                Some(cf::Model::SessionKnn(sessions)),
                Some(cf::Model::Popularity(popularity)),
            ) => {
                let behavior = (item_knn, baskets);
                Ok(Self::new(behavior, sessions, popularity, next(), info))
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
