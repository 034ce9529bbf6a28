//! Training examples: items with a text and an image, as frozen features, and their order for
//! splits.

use candle_core::{Device, Tensor};

use super::TrainError;

/// An item with text and image.
#[derive(Debug, Clone)]
pub struct Example {
    /// Item id.
    pub id: String,
    /// Category path; empty if the item has none.
    pub category: String,
    /// Class label of the images: the value of the label attribute, else the category.
    pub label: String,
    /// Features of the text.
    pub text: Vec<f32>,
    /// Mean features of the images.
    pub image: Vec<f32>,
    /// Text and images in the shared space without heads.
    pub untrained: [Vec<f32>; 2],
}

/// Examples as matrices; row i of each matrix is example i.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// Item ids.
    pub ids: Vec<String>,
    /// Features of the texts `[n, text]`.
    pub text: Tensor,
    /// Features of the images `[n, image]`.
    pub image: Tensor,
    /// Labels as numbers, which are comparable within one `Pairs` only.
    pub labels: Vec<u32>,
    /// Texts and images in the shared space without heads `[n, d]`.
    pub untrained: [Tensor; 2],
}

impl Pairs {
    /// Returns pairs of features for tests, with ids `{prefix}-{row}` and one label.
    ///
    /// # Panics
    /// A matrix cannot be made.
    #[cfg(test)]
    pub(crate) fn of_features(prefix: u64, count: usize, text: &[f32], image: &[f32]) -> Self {
        let matrix = |values: &[f32]| {
            let shape = (count, values.len() / count);
            Tensor::from_slice(values, shape, &Device::Cpu).expect("a matrix")
        };
        let (text, image) = (matrix(text), matrix(image));
        Self {
            ids: (0..count).map(|n| format!("{prefix}-{n}")).collect(),
            labels: vec![0; count],
            untrained: [text.clone(), text.clone()],
            text,
            image,
        }
    }

    /// Builds the matrices of examples.
    ///
    /// # Errors
    /// There are no examples, or their features differ in length.
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Result<Self, TrainError> {
        let examples: Vec<&Example> = examples.into_iter().collect();
        if examples.is_empty() {
            return Err(TrainError::TooFew {
                what: "items with text and image".to_owned(),
                found: 0,
                min: 1,
            });
        }
        let mut names: Vec<&str> = examples.iter().map(|e| e.label.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let label = |e: &&Example| {
            let index = names.binary_search(&e.label.as_str()).unwrap_or_default();
            u32::try_from(index).unwrap_or(u32::MAX)
        };
        Ok(Self {
            ids: examples.iter().map(|e| e.id.clone()).collect(),
            text: matrix(examples.iter().map(|e| e.text.as_slice()))?,
            image: matrix(examples.iter().map(|e| e.image.as_slice()))?,
            labels: examples.iter().map(label).collect(),
            untrained: [
                matrix(examples.iter().map(|e| e.untrained[0].as_slice()))?,
                matrix(examples.iter().map(|e| e.untrained[1].as_slice()))?,
            ],
        })
    }

    /// Number of examples, at least 1.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Always returns false.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns true if the labels are informative: there are several, and some are shared.
    pub fn has_labels(&self) -> bool {
        let count = self.labels.iter().max().map_or(0, |max| *max as usize + 1);
        count > 1 && count < self.len()
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
            "features differ in length: they come from different encoders".to_owned(),
        ));
    }
    Ok(Tensor::from_vec(all, (n, width), &Device::Cpu)?)
}

/// Sorts examples by a hash of seed and id, so that an item is always in the same set of a split,
/// independently of the order of the catalog.
pub fn shuffled(mut examples: Vec<Example>, seed: u64) -> Vec<Example> {
    examples
        .sort_by_cached_key(|e| *blake3::hash(format!("{seed} {}", e.id).as_bytes()).as_bytes());
    examples
}
