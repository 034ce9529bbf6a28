//! The first convolution: 3 x 3, stride 2, colours to 32 channels, as a product over the patches of each row.

use super::super::kernels::{Activation, Aligned, Linear};
use super::{Map, Precision, same_padding};

const KERNEL: usize = 3;
const STRIDE: usize = 2;
const COLOURS: usize = 3;
/// Values of a patch.
const PATCH: usize = KERNEL * KERNEL * COLOURS;

/// The convolution, with ReLU6.
pub struct Stem {
    linear: Linear,
    channels: usize,
}

impl Stem {
    /// Of `weight` `[channels, colours, kernel, kernel]`.
    pub fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let channels = bias.len();
        let mut patches = Vec::with_capacity(weight.len());
        for planes in weight.chunks_exact(PATCH) {
            for place in 0..KERNEL * KERNEL {
                patches.extend((0..COLOURS).map(|colour| planes[colour * KERNEL * KERNEL + place]));
            }
        }
        Self {
            linear: Linear::new(&patches, bias, Activation::Relu6, Precision::F32),
            channels,
        }
    }

    /// Of pixels `[side * side, colours]`.
    pub fn forward(&self, pixels: &[f32], side: usize) -> Map {
        let (output, before, _) = same_padding(side, KERNEL, STRIDE);
        let mut data = Aligned::zeros(output * output * self.channels);
        let mut patches = vec![0f32; output * PATCH];
        for (y, row) in data.chunks_exact_mut(output * self.channels).enumerate() {
            for (x, patch) in patches.chunks_exact_mut(PATCH).enumerate() {
                for (ky, line) in patch.chunks_exact_mut(KERNEL * COLOURS).enumerate() {
                    // Where the line lies in the picture, in part or not at all.
                    let (top, left) = (y * STRIDE + ky, x * STRIDE);
                    let from = before.saturating_sub(left);
                    let to = (side + before).saturating_sub(left).min(KERNEL);
                    if top < before || top - before >= side || from >= to {
                        line.fill(0.0);
                        continue;
                    }
                    let start = ((top - before) * side + left + from - before) * COLOURS;
                    line[..from * COLOURS].fill(0.0);
                    line[to * COLOURS..].fill(0.0);
                    line[from * COLOURS..to * COLOURS]
                        .copy_from_slice(&pixels[start..][..(to - from) * COLOURS]);
                }
            }
            self.linear.forward(&patches, row);
        }
        Map { data, side: output }
    }
}
