//! Metrics of a space on held-out items: retrieval from text to image and from image to text, class
//! purity of image neighborhoods, and retrieval of co-purchased items.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::CoPurchases;
use crate::encode::ModelError;

/// Cutoff of NDCG, and number of neighbors in [`same_label_share`].
pub const TOP: usize = 10;

/// Maximum number of users in [`measure_co_purchases`].
const MAX_USERS: usize = 2_000;
/// Number of queries of one matrix product.
const BLOCK: usize = 128;

/// Metrics of one direction of retrieval, where each query has one correct answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Share of queries whose answer is first.
    pub recall_1: f64,
    /// Share of queries whose answer is among the first 5.
    pub recall_5: f64,
    /// Share of queries whose answer is among the first 10.
    pub recall_10: f64,
    /// NDCG@10: mean of 1 / log2(rank + 1) within the first 10.
    pub ndcg_10: f64,
}

impl Retrieval {
    /// Computes the metrics from ranks; the first rank is 0.
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
    /// Text in, image out.
    #[serde(alias = "text_to_photo")]
    pub text_to_image: Retrieval,
    /// Image in, text out.
    #[serde(alias = "photo_to_text")]
    pub image_to_text: Retrieval,
    /// Share of the 10 nearest images that have the label of the query image; absent without
    /// labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_label: Option<f64>,
    /// Mean of the metrics (NDCG@10 of both directions, `same_label`): the criterion of early
    /// stopping and promotions.
    pub score: f64,
}

/// [`Quality`] with the score of each item, so that two spaces can be compared item by item.
pub struct Measured {
    /// Metrics over all items.
    pub quality: Quality,
    /// Score of each item; their mean is the score of `quality`.
    pub scores: Vec<f64>,
}

/// Measures unit vectors `[n, d]` of the texts and images of n items against each other. Equal
/// vectors share a mean rank, so a text that several items have does not always rank first.
///
/// # Errors
/// The shapes differ.
pub fn measure(
    text: &Tensor,
    image: &Tensor,
    labels: Option<&[u32]>,
) -> Result<Measured, ModelError> {
    let text_to_image = ranks(text, image)?;
    let image_to_text = ranks(image, text)?;
    let same_label = labels.map(|labels| same_label_share(image, labels));
    let same_label = same_label.transpose()?;
    let scores: Vec<f64> = (0..text_to_image.len())
        .map(|i| {
            let retrieval = gain(text_to_image[i]) + gain(image_to_text[i]);
            match &same_label {
                Some(shares) => (retrieval + shares[i]) / 3.0,
                None => retrieval / 2.0,
            }
        })
        .collect();
    let quality = Quality {
        text_to_image: Retrieval::of(&text_to_image),
        image_to_text: Retrieval::of(&image_to_text),
        same_label: same_label.map(|shares| mean(shares.into_iter())),
        score: mean(scores.iter().copied()),
    };
    Ok(Measured { quality, scores })
}

/// NDCG@10 of co-purchases, one score for each user: one of their items (that of the smallest hash)
/// is the query for their items of other categories, among all `items` of other categories, by unit
/// vectors `[items, d]`. At most 2,000 users are measured.
///
/// # Errors
/// A computation failed.
pub fn measure_co_purchases(items: &Tensor, chosen: &CoPurchases) -> Result<Vec<f64>, ModelError> {
    let mut users: Vec<(blake3::Hash, &Vec<u32>, u32)> = chosen
        .users()
        .iter()
        .filter_map(|choices| {
            let hash = |item: &u32| blake3::hash(format!("{choices:?} {item}").as_bytes());
            let has_pair = |left: &u32| choices.iter().any(|right| chosen.is_pair(*left, *right));
            let queries = choices.iter().copied().filter(has_pair);
            let query = queries.min_by_key(|item| *hash(item).as_bytes())?;
            Some((hash(&query), choices, query))
        })
        .collect();
    users.sort_by_key(|(hash, ..)| *hash.as_bytes());
    users.truncate(MAX_USERS);
    let mut scores = Vec::with_capacity(users.len());
    for block in users.chunks(BLOCK) {
        let queries: Vec<u32> = block.iter().map(|(_, _, query)| *query).collect();
        let queries = items.index_select(&Tensor::new(queries, &Device::Cpu)?, 0)?;
        let rows: Vec<Vec<f32>> = queries.matmul(&items.t()?)?.to_vec2()?;
        for ((_, choices, query), row) in block.iter().zip(rows) {
            let candidates = (0..)
                .zip(&row)
                .filter(|(item, _)| chosen.is_pair(*query, *item));
            let mut ranked: Vec<(u32, f32)> =
                candidates.map(|(item, score)| (item, *score)).collect();
            let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            if ranked.len() > TOP {
                ranked.select_nth_unstable_by(TOP, order);
                ranked.truncate(TOP);
            }
            ranked.sort_by(order);
            let relevant = choices.iter().filter(|item| chosen.is_pair(*query, **item));
            let ideal: f64 = (0..relevant.count().min(TOP))
                .map(|rank| gain(rank as f64))
                .sum();
            let hits = ranked
                .iter()
                .enumerate()
                .filter(|(_, (item, _))| choices.contains(item));
            scores.push(hits.map(|(rank, _)| gain(rank as f64)).sum::<f64>() / ideal);
        }
    }
    Ok(scores)
}

/// Returns the rank of row i of `answers` for row i of `queries`, from 0; ties get their mean rank.
fn ranks(queries: &Tensor, answers: &Tensor) -> Result<Vec<f64>, ModelError> {
    let scores: Vec<Vec<f32>> = queries.matmul(&answers.t()?)?.to_vec2()?;
    let rank = |(i, row): (usize, &Vec<f32>)| {
        let score = row[i];
        let above = row.iter().filter(|s| **s > score + 1e-6).count();
        let tied = row.iter().filter(|s| (**s - score).abs() <= 1e-6).count();
        above as f64 + (tied as f64 - 1.0).max(0.0) / 2.0
    };
    Ok(scores.iter().enumerate().map(rank).collect())
}

/// Returns for each row the share of its label among its [`TOP`] nearest other rows.
///
/// # Errors
/// A computation failed.
pub fn same_label_share(x: &Tensor, labels: &[u32]) -> Result<Vec<f64>, ModelError> {
    let rows: Vec<Vec<f32>> = x.matmul(&x.t()?)?.to_vec2()?;
    let share = |(i, row): (usize, &Vec<f32>)| {
        let mut others: Vec<usize> = (0..row.len()).filter(|j| *j != i).collect();
        let top = TOP.min(others.len());
        if top == 0 {
            return 0.0;
        }
        others.select_nth_unstable_by(top - 1, |a, b| row[*b].total_cmp(&row[*a]));
        let same = others[..top].iter().filter(|j| labels[**j] == labels[i]);
        same.count() as f64 / top as f64
    };
    Ok(rows.iter().enumerate().map(share).collect())
}

/// Discounted gain of a relevant item at a rank, from 0.
fn gain(rank: f64) -> f64 {
    if rank < TOP as f64 {
        1.0 / (rank + 2.0).log2()
    } else {
        0.0
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), v| (sum + v, n + 1));
    if n == 0 { 0.0 } else { sum / n as f64 }
}
