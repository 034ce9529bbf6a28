//! Attention of many rows to the frames of an encoded clip.

use rayon::prelude::*;

use crate::encode::kernels::{Aligned, Epilogue, Packed, Place, Rows, matmul, softmax};

/// Number of floats of the widest vectors.
const VECTOR: usize = 16;
/// Rows of one matrix product, whose scores stay in the cache of the core.
const ROWS: usize = 64;

/// Keys and values of all heads.
pub struct Memory {
    heads: Vec<Head>,
    /// Zero for each frame, minus infinity for the padding after them.
    mask: Vec<f32>,
}

/// Keys `[width, frames]` and values `[frames, width]` of a head.
struct Head {
    keys: Packed,
    values: Packed,
}

impl Memory {
    /// Packs keys and values of `frames` frames. Those of a frame start `stride` values after those
    /// of the one before; those of a head are `width` values.
    pub fn new(
        keys: &[f32],
        values: &[f32],
        stride: usize,
        frames: usize,
        [heads, width]: [usize; 2],
    ) -> Self {
        let padded = frames.next_multiple_of(VECTOR);
        let head = |head: usize| {
            let mut packed = Head {
                keys: Packed::empty(),
                values: Packed::empty(),
            };
            let (keys, values) = (&keys[head * width..], &values[head * width..]);
            packed.keys.set_transposed(keys, stride, width, padded);
            packed.values.set(values, stride, padded, width);
            packed
        };
        let mut mask = vec![0.0; frames];
        mask.resize(padded, f32::NEG_INFINITY);
        Self {
            heads: (0..heads).into_par_iter().map(head).collect(),
            mask,
        }
    }

    /// Returns `softmax(Q K^T / sqrt(width)) V` of all heads, `[rows, heads * width]`, for queries
    /// that start `stride` values apart.
    pub fn attend(&self, queries: &[f32], stride: usize, rows: usize) -> Vec<f32> {
        let width = self.heads.first().map_or(0, |head| head.values.n);
        let hidden = width * self.heads.len();
        let by_head: Vec<Vec<f32>> = (self.heads.par_iter().enumerate())
            .map(|(number, head)| {
                let queries = &queries[number * width..];
                let mut out = vec![0.0; rows * width];
                let mut scores = Aligned::zeros(ROWS.min(rows) * self.mask.len());
                for (block, out) in out.chunks_mut(ROWS * width).enumerate() {
                    let queries = Rows {
                        data: &queries[block * ROWS * stride..],
                        stride,
                        rows: out.len() / width,
                    };
                    self.block(head, queries, &mut scores, out);
                }
                out
            })
            .collect();
        let mut out = vec![0.0; rows * hidden];
        for (number, head) in by_head.iter().enumerate() {
            let rows = out.chunks_exact_mut(hidden).zip(head.chunks_exact(width));
            rows.for_each(|(out, head)| out[number * width..][..width].copy_from_slice(head));
        }
        out
    }

    fn block(&self, head: &Head, queries: Rows, scores: &mut [f32], out: &mut [f32]) {
        let (padded, width) = (self.mask.len(), head.values.n);
        let scores = &mut scores[..queries.rows * padded];
        let scaled = Epilogue {
            scale: 1.0 / (width as f32).sqrt(),
            bias: Some(&self.mask),
            ..Epilogue::NONE
        };
        matmul(queries, &head.keys, scaled, scores, Place::rows(padded));
        softmax(scores, padded);
        let weights = Rows {
            data: scores,
            stride: padded,
            rows: queries.rows,
        };
        matmul(
            weights,
            &head.values,
            Epilogue::NONE,
            out,
            Place::rows(width),
        );
    }
}
