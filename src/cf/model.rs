//! Byte format of [`Model`], and its scores.

use roaring::RoaringBitmap;

use super::{Model, Recommender, Request, Scored, stored::Format};
use crate::Result;

/// Format of stored models.
const FORMAT: Format = Format {
    magic: *b"VITRCF\0\x01",
    name: "a model",
};

impl Model {
    /// Serializes the model.
    ///
    /// # Errors
    /// None for a fitted model.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        FORMAT.write(self)
    }

    /// Deserializes the output of [`Model::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) for another format or version, damage, or
    /// inconsistent fields.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        FORMAT.read(bytes, Self::is_consistent)
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
            for index in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[index] ^= 0x41;
                assert!(Model::from_bytes(&flipped).is_err(), "{name} {index}");
                assert!(
                    Model::from_bytes(&bytes[..index]).is_err(),
                    "{name} {index}"
                );
                // Damage behind a valid checksum must not cause a panic, neither on reading nor on
                // scoring.
                if index >= 12 {
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
