//! Fitted models as values: one of several kinds, and as bytes.

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{
    Ease, GraphFilter, Ials, ItemKnn, Popularity, Recommender, Request, Scored, SessionKnn,
};
use crate::{Error, Result};

/// First bytes of a stored model; the last is the version of the format.
const MAGIC: [u8; 8] = *b"VITRCF\0\x01";

/// A fitted model of any kind.
///
/// Its byte form is 8 bytes that name the format, the CRC-32 of the rest (4 bytes, little-endian), and the model in
/// postcard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Model {
    /// What is popular.
    Popularity(Popularity),
    /// Item neighbourhoods.
    ItemKnn(ItemKnn),
    /// A filter on the graph of users and items.
    GraphFilter(GraphFilter),
    /// Each item from all others.
    Ease(Ease),
    /// Vectors of items.
    Ials(Ials),
    /// Sessions to compare with.
    SessionKnn(SessionKnn),
}

impl Model {
    /// The name of the kind, as in settings.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Popularity(_) => "popularity",
            Self::ItemKnn(_) => "item-knn",
            Self::GraphFilter(_) => "graph-filter",
            Self::Ease(_) => "ease",
            Self::Ials(_) => "ials",
            Self::SessionKnn(_) => "session-knn",
        }
    }

    /// To be stored.
    ///
    /// # Errors
    /// None that a fitted model can cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let start = [MAGIC.as_slice(), &[0; 4]].concat();
        let mut bytes =
            postcard::to_extend(self, start).map_err(|e| Error::Storage(e.to_string()))?;
        let crc = crc32fast::hash(&bytes[MAGIC.len() + 4..]);
        bytes[MAGIC.len()..][..4].copy_from_slice(&crc.to_le_bytes());
        Ok(bytes)
    }

    /// The model that [`Model::to_bytes`] was called on.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for anything else: another format, damage, parts that do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = |detail: String| Error::Corrupt {
            column: "models",
            detail,
        };
        let body = bytes
            .strip_prefix(&MAGIC)
            .ok_or_else(|| corrupt("not a model, or of another version".to_owned()))?;
        let (crc, body) = body
            .split_first_chunk()
            .ok_or_else(|| corrupt("cut short".to_owned()))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(corrupt("the checksum does not match".to_owned()));
        }
        let (model, rest) =
            postcard::take_from_bytes::<Self>(body).map_err(|e| corrupt(e.to_string()))?;
        if !rest.is_empty() || !model.is_sound() {
            return Err(corrupt("the parts do not fit together".to_owned()));
        }
        Ok(model)
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Popularity(model) => model.is_sound(),
            Self::ItemKnn(model) => model.is_sound(),
            Self::GraphFilter(model) => model.is_sound(),
            Self::Ease(model) => model.is_sound(),
            // Checked while it is read.
            Self::Ials(_) => true,
            Self::SessionKnn(model) => model.is_sound(),
        }
    }

    fn recommender(&self) -> &dyn Recommender {
        match self {
            Self::Popularity(model) => model,
            Self::ItemKnn(model) => model,
            Self::GraphFilter(model) => model,
            Self::Ease(model) => model,
            Self::Ials(model) => model,
            Self::SessionKnn(model) => model,
        }
    }
}

impl Recommender for Model {
    fn items(&self) -> usize {
        self.recommender().items()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        self.recommender().scores(history, out);
    }

    fn batch_scores(&self, histories: &[&[(u32, f32)]], out: &mut Vec<f32>) {
        self.recommender().batch_scores(histories, out);
    }

    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        self.recommender().recommend(history, k, excluded)
    }

    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        self.recommender().recommend_many(requests, k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::tests::{models, random};

    fn scores(model: &Model) -> Vec<f32> {
        let mut scores = Vec::new();
        model.scores(&[(1, 1.0), (4, 2.0)], &mut scores);
        scores
    }

    #[test]
    fn comes_back_from_its_bytes() {
        let matrix = random(1, 40, 12, 0.3);
        for (name, fit) in models() {
            let model = fit(&matrix);
            let bytes = model.to_bytes().expect("stored");
            let back = Model::from_bytes(&bytes).expect(name);
            assert_eq!((back.kind(), back.items()), (model.kind(), 12));
            assert_eq!(scores(&back), scores(&model), "{name}");
            assert_eq!(back.to_bytes().expect("stored"), bytes, "{name}");
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let matrix = random(1, 10, 6, 0.4);
        for (name, fit) in models() {
            let bytes = fit(&matrix).to_bytes().expect("stored");
            for place in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[place] ^= 0x41;
                assert!(Model::from_bytes(&flipped).is_err(), "{name} {place}");
                assert!(
                    Model::from_bytes(&bytes[..place]).is_err(),
                    "{name} {place}"
                );
                // A wrong writer has a right checksum: whatever it wrote must not panic, now or when asked.
                if place >= 12 {
                    let crc = crc32fast::hash(&flipped[12..]);
                    flipped[8..12].copy_from_slice(&crc.to_le_bytes());
                    if let Ok(model) = Model::from_bytes(&flipped) {
                        scores(&model);
                    }
                }
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert!(Model::from_bytes(&longer).is_err(), "{name}");
        }
    }
}
