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
    /// Loads the tensors below `name`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(
        w: &Weights,
        name: &str,
        hidden: usize,
        heads: usize,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for part in ["query", "key", "value"] {
            weight.extend(w.flat(&format!("{name}.self.{part}.weight"), &[hidden, hidden])?);
            bias.extend(w.flat(&format!("{name}.self.{part}.bias"), &[hidden])?);
        }
        let output = w.flat(&format!("{name}.output.dense.weight"), &[hidden, hidden])?;
        let output_bias = w.flat(&format!("{name}.output.dense.bias"), &[hidden])?;
        Ok(Self {
            hidden,
            heads,
            qkv: Linear::new(&weight, bias, Activation::Identity, precision),
            output: Linear::new(&output, output_bias, Activation::Identity, precision),
        })
    }

    /// Adds to the tokens `x` `[tokens, hidden]` of texts of these lengths what each gathers from its text.
    pub fn add(&self, x: &mut [f32], lengths: &[usize]) {
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
    fn head(&self, qkv: &[f32], len: usize, head: usize, buffers: &mut Buffers, out: &mut [f32]) {
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
            ..Epilogue::NONE
        };
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
