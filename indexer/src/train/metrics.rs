//! How good a space is on held-out items: does a text find its photo, a photo its text, a photo its kin?

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::CoPurchases;
use crate::encode::ModelError;

/// Where lists are cut for NDCG and for kinship.
pub const TOP: usize = 10;

/// People that are asked for what they chose, and those asked at once.
const MOST_PEOPLE: usize = 2_000;
const BLOCK: usize = 128;

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

/// NDCG@10 of items that the same people chose, one score a person: of their items, one (that of the least hash) asks for those of
/// other categories than its own among all such `items`, by unit vectors `[items, d]`. At most 2,000 people are asked.
///
/// # Errors
/// A computation failed.
pub fn measure_co_purchases(items: &Tensor, chosen: &CoPurchases) -> Result<Vec<f64>, ModelError> {
    let mut people: Vec<(blake3::Hash, &Vec<u32>, u32)> = chosen
        .people()
        .iter()
        .filter_map(|own| {
            let hash = |item: &u32| blake3::hash(format!("{own:?} {item}").as_bytes());
            let others = |left: &u32| own.iter().any(|right| chosen.is_pair(*left, *right));
            let asked = own.iter().copied().filter(others);
            let asked = asked.min_by_key(|item| *hash(item).as_bytes())?;
            Some((hash(&asked), own, asked))
        })
        .collect();
    people.sort_by_key(|(hash, ..)| *hash.as_bytes());
    people.truncate(MOST_PEOPLE);
    let mut scores = Vec::with_capacity(people.len());
    for block in people.chunks(BLOCK) {
        let asked: Vec<u32> = block.iter().map(|(_, _, asked)| *asked).collect();
        let asked = items.index_select(&Tensor::new(asked, &Device::Cpu)?, 0)?;
        let rows: Vec<Vec<f32>> = asked.matmul(&items.t()?)?.to_vec2()?;
        for ((_, own, asked), row) in block.iter().zip(rows) {
            let allowed = (0..)
                .zip(&row)
                .filter(|(item, _)| chosen.is_pair(*asked, *item));
            let mut ranked: Vec<(u32, f32)> = allowed.map(|(item, score)| (item, *score)).collect();
            let best = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            if ranked.len() > TOP {
                ranked.select_nth_unstable_by(TOP, best);
                ranked.truncate(TOP);
            }
            ranked.sort_by(best);
            let wanted = own.iter().filter(|item| chosen.is_pair(*asked, **item));
            let ideal: f64 = (0..wanted.count().min(TOP)).map(|at| gain(at as f64)).sum();
            let found = ranked
                .iter()
                .enumerate()
                .filter(|(_, (item, _))| own.contains(item));
            scores.push(found.map(|(at, _)| gain(at as f64)).sum::<f64>() / ideal);
        }
    }
    Ok(scores)
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

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), v| (sum + v, n + 1));
    if n == 0 { 0.0 } else { sum / n as f64 }
}
