//! The first convolution: 3 x 3, stride 2, colors to 32 channels, as a matrix product over the
//! patches of each row.

use super::{Map, Precision, same_padding};
use crate::encode::kernels::{Activation, Aligned, Linear};

const KERNEL: usize = 3;
const STRIDE: usize = 2;
const COLORS: usize = 3;
/// Number of values of a patch.
const PATCH: usize = KERNEL * KERNEL * COLORS;

/// The convolution, with ReLU6.
pub struct Stem {
    linear: Linear,
    channels: usize,
}

impl Stem {
    /// Packs `weight` `[channels, colors, kernel, kernel]`.
    pub fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let channels = bias.len();
        let mut patches = Vec::with_capacity(weight.len());
        for planes in weight.chunks_exact(PATCH) {
            for tap in 0..KERNEL * KERNEL {
                patches.extend((0..COLORS).map(|color| planes[color * KERNEL * KERNEL + tap]));
            }
        }
        Self {
            linear: Linear::new(&patches, bias, Activation::Relu6, Precision::F32),
            channels,
        }
    }

    /// Applies the convolution to pixels `[side * side, colors]`.
    pub fn forward(&self, pixels: &[f32], side: usize) -> Map {
        let (output, before, _) = same_padding(side, KERNEL, STRIDE);
        let mut data = Aligned::zeros(output * output * self.channels);
        let mut patches = vec![0f32; output * PATCH];
        for (y, row) in data.chunks_exact_mut(output * self.channels).enumerate() {
            for (x, patch) in patches.chunks_exact_mut(PATCH).enumerate() {
                for (ky, line) in patch.chunks_exact_mut(KERNEL * COLORS).enumerate() {
                    // The part of the line inside of the image, if any.
                    let (top, left) = (y * STRIDE + ky, x * STRIDE);
                    let from = before.saturating_sub(left);
                    let to = (side + before).saturating_sub(left).min(KERNEL);
                    if top < before || top - before >= side || from >= to {
                        line.fill(0.0);
                        continue;
                    }
                    let start = ((top - before) * side + left + from - before) * COLORS;
                    line[..from * COLORS].fill(0.0);
                    line[to * COLORS..].fill(0.0);
                    line[from * COLORS..to * COLORS]
                        .copy_from_slice(&pixels[start..][..(to - from) * COLORS]);
                }
            }
            self.linear.forward(&patches, row);
        }
        Map { data, side: output }
    }
}
