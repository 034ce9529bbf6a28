//! What is learned from a log: models of one training, and their form as bytes.

use vitrine_schemas::ModelInfo;

use super::popular::Popular;
use crate::{
    Error, Result,
    cf::{self, ItemKnn, Popularity, Recommender},
};

/// Models of one training. Items have the numbers of the log.
pub(crate) struct Model {
    /// Items that the same people touched.
    pub item_knn: ItemKnn,
    /// Items bought together.
    pub baskets: ItemKnn,
    /// What is popular, in order.
    pub popular: Popular,
    popularity: Popularity,
    /// What answers for people, where it is not `item_knn`.
    chosen: Option<cf::Model>,
    info: ModelInfo,
}

impl Model {
    pub(super) fn new(
        item_knn: ItemKnn,
        baskets: ItemKnn,
        popularity: Popularity,
        chosen: Option<cf::Model>,
        info: ModelInfo,
    ) -> Self {
        Self {
            popular: Popular::of(&popularity),
            item_knn,
            baskets,
            popularity,
            chosen,
            info,
        }
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

    /// Each model behind its length in 8 bytes, little-endian: item-kNN, baskets, popularity, and the chosen one if
    /// it is another.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut put = |model: &cf::Model| -> Result<()> {
            let part = model.to_bytes()?;
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&part);
            Ok(())
        };
        put(&cf::Model::ItemKnn(self.item_knn.clone()))?;
        put(&cf::Model::ItemKnn(self.baskets.clone()))?;
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
        match (models.next(), models.next(), models.next(), models.next()) {
            (
                Some(cf::Model::ItemKnn(item_knn)),
                Some(cf::Model::ItemKnn(baskets)),
                Some(cf::Model::Popularity(popularity)),
                chosen,
            ) => Ok(Self::new(item_knn, baskets, popularity, chosen, info)),
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
