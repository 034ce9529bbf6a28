//! Multi-head self-attention ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)).

use crate::encode::ModelError;
use crate::encode::Precision;
use crate::encode::kernels::{
    Activation, Aligned, Epilogue, Linear, Packed, Place, Rows, matmul, softmax,
};
use crate::encode::weights::Weights;

/// Number of rows of one matrix product, which stay in the cache of the core.
const ROWS: usize = 64;
/// Number of floats of the widest vectors.
const VECTOR: usize = 16;

/// Attention, with queries, keys and values in one product, and its output layer.
pub struct Attention {
    hidden: usize,
    heads: usize,
    qkv: Linear,
    output: Linear,
}

impl Attention {
    /// Loads the tensors called `qkv` (query, key, value); `output` is the layer after the heads.
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
        for name in qkv {
            weight.extend(w.flat(&format!("{name}.weight"), &[hidden, hidden])?);
            bias.extend(w.flat(&format!("{name}.bias"), &[hidden])?);
        }
        Ok(Self {
            hidden,
            heads,
            qkv: Linear::new(&weight, bias, Activation::Identity, precision),
            output,
        })
    }

    /// Adds the attention output to the tokens `x` `[tokens, hidden]` of texts with these lengths.
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

    /// Computes one head of one text: `softmax(Q K^T / sqrt(width)) V`. Keys are padded to whole
    /// SIMD vectors; the bias masks the padding.
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
        let (stride, offset, padded) = (3 * hidden, head * width, len.next_multiple_of(VECTOR));
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
        right.set_transposed(&qkv[hidden + offset..], stride, width, padded);
        matmul(
            Rows {
                data: &qkv[offset..],
                stride,
                rows: len,
            },
            right,
            scaled,
            scores,
            Place::rows(padded),
        );
        softmax(scores, padded);
        right.set(&qkv[2 * hidden + offset..], stride, padded, width);
        let weights = Rows {
            data: scores,
            stride: padded,
            rows: len,
        };
        matmul(
            weights,
            right,
            Epilogue::NONE,
            &mut out[offset..],
            Place::rows(hidden),
        );
    }
}

/// Distance above which all distances share a bucket.
const MAX_DISTANCE: f32 = 128.0;

/// Relative position bias of each head, shared by all layers (Raffel et al. 2019,
/// [T5](https://arxiv.org/abs/1910.10683)).
pub struct Distances {
    /// Bias by head, for key minus query from `-(max - 1)` to `max - 1`.
    by_head: Vec<Vec<f32>>,
    max: usize,
}

impl Distances {
    /// Expands the table `[buckets, heads]`, for texts of up to `max` tokens.
    pub fn new(table: &[f32], [buckets, heads]: [usize; 2], max: usize) -> Self {
        let before = (1..max).rev().map(|n| bucket(n, buckets / 2));
        let after = (0..max).map(|n| {
            let upper = if n > 0 { buckets / 2 } else { 0 };
            upper + bucket(n, buckets / 2)
        });
        let buckets: Vec<usize> = before.chain(after).collect();
        let of = |head| buckets.iter().map(|b| table[b * heads + head]).collect();
        Self {
            by_head: (0..heads).map(of).collect(),
            max,
        }
    }

    /// Returns the bias of the query at `row` for the keys `0..len`.
    fn row(&self, head: usize, row: usize, len: usize) -> &[f32] {
        &self.by_head[head][self.max - 1 - row..][..len]
    }
}

/// Returns the bucket of a distance: half of the buckets have one distance each, the others are
/// logarithmic.
fn bucket(distance: usize, buckets: usize) -> usize {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    let far = (distance as f32 / exact as f32).ln() / (MAX_DISTANCE / exact as f32).ln();
    (exact + (far * (buckets - exact) as f32) as usize).min(buckets - 1)
}

/// Scratch buffers of the heads.
struct Buffers {
    right: Packed,
    scores: Aligned<f32>,
    /// Zeros for the tokens of the longest text, then one vector of minus infinity; a suffix of it
    /// is the mask of a text.
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
