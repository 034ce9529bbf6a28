//! How good a space is on held-out items: does a text find its photo, a photo its text, a photo its kin?

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::encode::ModelError;

/// Where lists are cut for NDCG and for kinship.
pub const TOP: usize = 10;

/// One direction of retrieval, each query having one right answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Share of queries whose answer comes first.
    pub recall_1: f64,
    /// Share of queries whose answer is among the first 5.
    pub recall_5: f64,
    /// Share of queries whose answer is among the first 10.
    pub recall_10: f64,
    /// NDCG@10: 1 / log2(rank + 1) within the first 10, on average.
    pub ndcg_10: f64,
}

impl Retrieval {
    /// Of ranks, 0 the first.
    pub fn of(ranks: &[f64]) -> Self {
        let within = |k: f64| mean(ranks.iter().map(|r| f64::from(u8::from(*r < k))));
        Self {
            recall_1: within(1.0),
            recall_5: within(5.0),
            recall_10: within(10.0),
            ndcg_10: mean(ranks.iter().copied().map(gain)),
        }
    }
}

/// A space measured on held-out items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Text in, photo out.
    pub text_to_photo: Retrieval,
    /// Photo in, text out.
    pub photo_to_text: Retrieval,
    /// Of the 10 photos nearest to a photo, the share that has its label; where labels are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_label: Option<f64>,
    /// Mean of what was measured (NDCG@10 of both directions, `same_label`): what trainings and promotions go by.
    pub score: f64,
}

/// [`Quality`] and the part of each item in its score, so that two spaces can be compared item by item.
pub struct Measured {
    /// The whole.
    pub quality: Quality,
    /// Each item's score; their mean is that of `quality`.
    pub scores: Vec<f64>,
}

/// Measures unit vectors `[n, d]` of the texts and photos of n items against each other. Equal vectors share a rank:
/// a text that several items have is found in its turn, not always first.
///
/// # Errors
/// The shapes differ.
pub fn measure(
    text: &Tensor,
    photo: &Tensor,
    labels: Option<&[u32]>,
) -> Result<Measured, ModelError> {
    let forth = ranks(text, photo)?;
    let back = ranks(photo, text)?;
    let kin = labels.map(|labels| kinship(photo, labels)).transpose()?;
    let scores: Vec<f64> = (0..forth.len())
        .map(|i| {
            let retrieval = gain(forth[i]) + gain(back[i]);
            match &kin {
                Some(kin) => (retrieval + kin[i]) / 3.0,
                None => retrieval / 2.0,
            }
        })
        .collect();
    let quality = Quality {
        text_to_photo: Retrieval::of(&forth),
        photo_to_text: Retrieval::of(&back),
        same_label: kin.map(|kin| mean(kin.into_iter())),
        score: mean(scores.iter().copied()),
    };
    Ok(Measured { quality, scores })
}

/// Rank of row i of `answers` for row i of `queries`, 0 the first; ties are split.
fn ranks(queries: &Tensor, answers: &Tensor) -> Result<Vec<f64>, ModelError> {
    let scores: Vec<Vec<f32>> = queries.matmul(&answers.t()?)?.to_vec2()?;
    let rank = |(i, row): (usize, &Vec<f32>)| {
        let own = row[i];
        let above = row.iter().filter(|s| **s > own + 1e-6).count();
        let beside = row.iter().filter(|s| (**s - own).abs() <= 1e-6).count();
        above as f64 + (beside as f64 - 1.0).max(0.0) / 2.0
    };
    Ok(scores.iter().enumerate().map(rank).collect())
}

/// For each row the share of its label among its [`TOP`] nearest other rows.
///
/// # Errors
/// A computation failed.
pub fn kinship(x: &Tensor, labels: &[u32]) -> Result<Vec<f64>, ModelError> {
    let rows: Vec<Vec<f32>> = x.matmul(&x.t()?)?.to_vec2()?;
    let share = |(i, row): (usize, &Vec<f32>)| {
        let mut others: Vec<usize> = (0..row.len()).filter(|j| *j != i).collect();
        let top = TOP.min(others.len());
        if top == 0 {
            return 0.0;
        }
        others.select_nth_unstable_by(top - 1, |a, b| row[*b].total_cmp(&row[*a]));
        let kin = others[..top].iter().filter(|j| labels[**j] == labels[i]);
        kin.count() as f64 / top as f64
    };
    Ok(rows.iter().enumerate().map(share).collect())
}

fn gain(rank: f64) -> f64 {
    if rank < TOP as f64 {
        1.0 / (rank + 2.0).log2()
    } else {
        0.0
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), v| (sum + v, n + 1));
    if n == 0 { 0.0 } else { sum / n as f64 }
}
