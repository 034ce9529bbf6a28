//! Self-attention of several heads ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)).

use super::super::ModelError;
use super::super::kernels::{
    Activation, Aligned, Epilogue, Linear, Packed, Place, Rows, matmul, softmax,
};
use super::super::weights::Weights;
use crate::encode::Precision;

/// Rows of a product at once: they stay in the core's own cache.
const ROWS: usize = 64;
/// Floats of the widest vectors.
const VECTOR: usize = 16;

/// Queries, keys and values in one product, heads, and the layer behind them.
pub struct Attention {
    hidden: usize,
    heads: usize,
    qkv: Linear,
    output: Linear,
}

impl Attention {
    /// Of the tensors called `qkv` (query, key, value) and the layer behind the heads.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(
        w: &Weights,
        qkv: &[String; 3],
        output: Linear,
        hidden: usize,
        heads: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for part in qkv {
            weight.extend(w.flat(&format!("{part}.weight"), &[hidden, hidden])?);
            bias.extend(w.flat(&format!("{part}.bias"), &[hidden])?);
        }
        Ok(Self {
            hidden,
            heads,
            qkv: Linear::new(&weight, bias, Activation::Identity, precision),
            output,
        })
    }

    /// Adds to the tokens `x` `[tokens, hidden]` of texts of these lengths what each gathers from its text.
    pub fn add(&self, x: &mut [f32], lengths: &[usize], distances: Option<&Distances>) {
        let mut qkv = Aligned::zeros(3 * x.len());
        let step = ROWS * self.hidden;
        for (x, qkv) in x.chunks(step).zip(qkv.chunks_mut(3 * step)) {
            self.qkv.forward(x, qkv);
        }
        let mut gathered = Aligned::zeros(x.len());
        let mut buffers = Buffers::new(lengths.iter().copied().max().unwrap_or(0));
        let mut start = 0;
        for len in lengths {
            let end = start + len * self.hidden;
            for head in 0..self.heads {
                self.head(
                    &qkv[3 * start..3 * end],
                    *len,
                    head,
                    distances,
                    &mut buffers,
                    &mut gathered[start..end],
                );
            }
            start = end;
        }
        for (x, gathered) in x.chunks_mut(step).zip(gathered.chunks(step)) {
            self.output.add(gathered, x);
        }
    }

    /// One head of one text: `softmax(Q K^T / sqrt(width)) V`. Keys are padded to whole vectors; the bias hides what is no key.
    fn head(
        &self,
        qkv: &[f32],
        len: usize,
        head: usize,
        distances: Option<&Distances>,
        buffers: &mut Buffers,
        out: &mut [f32],
    ) {
        let (hidden, width) = (self.hidden, self.hidden / self.heads);
        let (stride, at, padded) = (3 * hidden, head * width, len.next_multiple_of(VECTOR));
        let Buffers {
            right,
            scores,
            mask,
        } = buffers;
        let scores = &mut scores[..len * padded];
        let mask = &mask[mask.len() - VECTOR - len..][..padded];
        let scaled = Epilogue {
            scale: 1.0 / (width as f32).sqrt(),
            bias: Some(mask),
            add: distances.is_some(),
            ..Epilogue::NONE
        };
        if let Some(distances) = distances {
            for (row, scores) in scores.chunks_exact_mut(padded).enumerate() {
                scores[..len].copy_from_slice(distances.row(head, row, len));
                scores[len..].fill(0.0);
            }
        }
        right.set_transposed(&qkv[hidden + at..], stride, width, padded);
        matmul(
            Rows {
                data: &qkv[at..],
                stride,
                rows: len,
            },
            right,
            scaled,
            scores,
            Place::rows(padded),
        );
        softmax(scores, padded);
        right.set(&qkv[2 * hidden + at..], stride, padded, width);
        let weights = Rows {
            data: scores,
            stride: padded,
            rows: len,
        };
        matmul(
            weights,
            right,
            Epilogue::NONE,
            &mut out[at..],
            Place::rows(hidden),
        );
    }
}

/// Distance beyond which all are one.
const FARTHEST: f32 = 128.0;

/// What a head adds to its scores for how far a key lies from the query, the same in all layers (Raffel et al. 2019,
/// [T5](https://arxiv.org/abs/1910.10683)).
pub struct Distances {
    /// By head, for key minus query from `-(most - 1)` to `most - 1`.
    by_head: Vec<Vec<f32>>,
    most: usize,
}

impl Distances {
    /// Of the table `[buckets, heads]`, for texts of up to `most` tokens.
    pub fn new(table: &[f32], [buckets, heads]: [usize; 2], most: usize) -> Self {
        let before = (1..most).rev().map(|n| bucket(n, buckets / 2));
        let after = (0..most).map(|n| {
            let upper = if n > 0 { buckets / 2 } else { 0 };
            upper + bucket(n, buckets / 2)
        });
        let places: Vec<usize> = before.chain(after).collect();
        let of = |head| places.iter().map(|at| table[at * heads + head]).collect();
        Self {
            by_head: (0..heads).map(of).collect(),
            most,
        }
    }

    /// For the query at `row` and the keys `0..len`.
    fn row(&self, head: usize, row: usize, len: usize) -> &[f32] {
        &self.by_head[head][self.most - 1 - row..][..len]
    }
}

/// Half of the buckets are of one distance each, the others grow with its logarithm.
fn bucket(distance: usize, buckets: usize) -> usize {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    let far = (distance as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln();
    (exact + (far * (buckets - exact) as f32) as usize).min(buckets - 1)
}

/// What heads work in, one after another.
struct Buffers {
    right: Packed,
    scores: Aligned<f32>,
    /// As many zeros as the longest text has tokens, then minus infinity for a vector: the end of it masks a text.
    mask: Vec<f32>,
}

impl Buffers {
    fn new(longest: usize) -> Self {
        let mut mask = vec![0.0; longest];
        mask.resize(longest + VECTOR, f32::NEG_INFINITY);
        Self {
            right: Packed::empty(),
            scores: Aligned::zeros(longest * longest.next_multiple_of(VECTOR)),
            mask,
        }
    }
}
