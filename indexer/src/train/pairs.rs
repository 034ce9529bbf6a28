//! The examples of a training: items with a text and a photo, as frozen features, and how they are split.

use candle_core::{Device, Tensor};

use super::TrainError;

/// One item.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// Its category path, empty where it has none.
    pub category: String,
    /// What photos of a kind share: the value of the label attribute, else the category.
    pub label: String,
    /// Features of its text.
    pub text: Vec<f32>,
    /// Mean features of its photos.
    pub photo: Vec<f32>,
    /// Its text and its photos in the shared space without heads.
    pub untrained: [Vec<f32>; 2],
}

/// Examples as matrices; row i of each is example i.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// Ids.
    pub ids: Vec<String>,
    /// Features of the texts `[n, text]`.
    pub text: Tensor,
    /// Features of the photos `[n, photo]`.
    pub photo: Tensor,
    /// Labels as numbers, equal within one `Pairs` only.
    pub labels: Vec<u32>,
    /// Texts and photos in the shared space without heads `[n, d]`.
    pub untrained: [Tensor; 2],
}

impl Pairs {
    /// Of examples.
    ///
    /// # Errors
    /// There are none, or their features differ in length.
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Result<Self, TrainError> {
        let examples: Vec<&Example> = examples.into_iter().collect();
        if examples.is_empty() {
            return Err(TrainError::TooFew {
                what: "items with text and photo".to_owned(),
                found: 0,
                least: 1,
            });
        }
        let mut names: Vec<&str> = examples.iter().map(|e| e.label.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let label = |e: &&Example| {
            let place = names.binary_search(&e.label.as_str()).unwrap_or_default();
            u32::try_from(place).unwrap_or(u32::MAX)
        };
        Ok(Self {
            ids: examples.iter().map(|e| e.id.clone()).collect(),
            text: matrix(examples.iter().map(|e| e.text.as_slice()))?,
            photo: matrix(examples.iter().map(|e| e.photo.as_slice()))?,
            labels: examples.iter().map(label).collect(),
            untrained: [
                matrix(examples.iter().map(|e| e.untrained[0].as_slice()))?,
                matrix(examples.iter().map(|e| e.untrained[1].as_slice()))?,
            ],
        })
    }

    /// Number of examples, 1 or more.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether labels say anything: some are shared, and there is more than one.
    pub fn has_labels(&self) -> bool {
        let most = self.labels.iter().max().map_or(0, |m| *m as usize + 1);
        most > 1 && most < self.len()
    }
}

fn matrix<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Result<Tensor, TrainError> {
    let (mut all, mut n, mut width) = (Vec::new(), 0usize, 0);
    for row in rows {
        width = row.len();
        n += 1;
        all.extend_from_slice(row);
    }
    if all.len() != n * width {
        return Err(TrainError::Features(
            "features of different length; they come from different encoders".to_owned(),
        ));
    }
    Ok(Tensor::from_vec(all, (n, width), &Device::Cpu)?)
}

/// Puts examples into the order that a split goes by: that of a hash of seed and id, so that an item stays on its
/// side whatever else the catalog holds and however it is sorted.
pub fn shuffled(mut examples: Vec<Example>, seed: u64) -> Vec<Example> {
    examples
        .sort_by_cached_key(|e| *blake3::hash(format!("{seed} {}", e.id).as_bytes()).as_bytes());
    examples
}
