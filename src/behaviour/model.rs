//! What is learned from a log: models of one training, and their form as bytes.

use std::ops::Range;

use parking_lot::{RwLock, RwLockReadGuard};
use vitrine_schemas::ModelInfo;

use super::{Log, live::Live, popular::Popular};
use crate::{
    Error, Result,
    cf::{self, ItemKnn, Popularity, Recommender, SessionKnn},
};

/// Models of one training. Items have the numbers of the log.
pub(crate) struct Model {
    /// What goes with what. Locked under the log, if that is.
    live: RwLock<Live>,
    /// What people did.
    pub sessions: SessionKnn,
    /// What is popular, in order.
    pub popular: Popular,
    popularity: Popularity,
    /// What answers for people, where it is not `item_knn`.
    chosen: Option<cf::Model>,
    info: ModelInfo,
}

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
        }
    }

    /// What goes with what, events since the training included.
    pub fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read()
    }

    /// Counts rows of the log that are later than the training.
    pub(super) fn count(&self, log: &Log, rows: Range<u64>) {
        let mut live = self.live.write();
        rows.for_each(|row| live.count(log, row));
    }

    /// What answers for a history of items, where it is not `item_knn`.
    pub fn chosen(&self) -> Option<&dyn Recommender> {
        self.chosen
            .as_ref()
            .map(|chosen| chosen as &dyn Recommender)
    }

    /// Touches it has seen.
    pub(super) fn touches(&self) -> u64 {
        self.info.interactions
    }

    /// What it was learned from.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    pub(super) fn stored_as(&mut self, version: u64, bytes: u64) {
        self.info.version = version;
        self.info.stored_bytes = bytes;
    }

    /// Each model as it was learned behind its length in 8 bytes, little-endian: item-kNN, baskets, sessions, popularity,
    /// and the chosen one if it is another.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut put = |model: &cf::Model| -> Result<()> {
            let part = model.to_bytes()?;
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&part);
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

    /// The model that [`Model::to_bytes`] wrote.
    pub(super) fn from_bytes(mut bytes: &[u8], info: ModelInfo) -> Result<Self> {
        let mut models = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (part, rest) = rest.split_at_checked(length).ok_or_else(cut_short)?;
            models.push(cf::Model::from_bytes(part)?);
            bytes = rest;
        }
        if models.iter().any(|m| m.items() as u64 != info.items) || !bytes.is_empty() {
            return Err(cut_short());
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
            _ => Err(cut_short()),
        }
    }
}

fn cut_short() -> Error {
    Error::Corrupt {
        column: "models",
        detail: "a model is cut short, or its parts do not fit together".into(),
    }
}
