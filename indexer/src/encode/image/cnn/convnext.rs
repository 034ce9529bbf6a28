//! ConvNeXt ([Liu et al. 2022](https://arxiv.org/abs/2201.03545)) and ConvNeXt V2 ([Woo et al.
//! 2023](https://arxiv.org/abs/2301.00808)), with timm's names. Depths and widths are read from the
//! tensors.

use super::Body;
use super::conv::{Conv, Steps};
use super::map::{Map, Padding};
use crate::encode::kernels::{Activation, Aligned, Linear, layer_norm};
use crate::encode::weights::Weights;
use crate::encode::{ModelError, Precision};

/// Number of pixels that the wide layers process at a time.
const PIXELS: usize = 64;
/// Added to the mean response, the divisor.
const RESPONSE_EPS: f32 = 1e-6;

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

/// Global response normalization.
struct Response {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Block {
    depthwise: Conv,
    norm: Norm,
    up: Linear,
    response: Option<Response>,
    /// Second linear layer with the layer scale folded in.
    down: Linear,
    inner: usize,
}

struct Stage {
    /// Downsampling; that of the first stage is the stem.
    downsample: (Option<Norm>, Conv, Option<Norm>),
    blocks: Vec<Block>,
}

/// The network without its classifier.
pub struct ConvNext {
    stages: Vec<Stage>,
    norm: Norm,
    channels: usize,
}

impl Norm {
    fn load(w: &Weights, name: &str, channels: usize, eps: f32) -> Result<Self, ModelError> {
        Ok(Self {
            weight: w.flat(&format!("{name}.weight"), &[channels])?,
            bias: w.flat(&format!("{name}.bias"), &[channels])?,
            eps,
        })
    }

    fn apply(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, self.eps);
    }
}

/// A convolution without overlap: its stride is the size of its kernel.
fn patches(w: &Weights, name: &str, input: usize) -> Result<Conv, ModelError> {
    let kernel = w
        .shape(&format!("{name}.weight"))
        .and_then(|s| s.get(2).copied());
    let steps = Steps {
        stride: kernel.unwrap_or(1).max(1),
        padding: Padding::Even(0),
        activation: Activation::Identity,
    };
    Conv::load(w, name, None, input, steps)
}

impl ConvNext {
    /// Loads tensors with timm's names; `eps` is that of the layer norms.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(w: &Weights, eps: f32) -> Result<Self, ModelError> {
        let (mut stages, mut channels): (Vec<Stage>, usize) = (Vec::new(), 3);
        for number in 0..4 {
            let name = |part: String| format!("stages.{number}.{part}");
            let downsample = if number == 0 {
                let conv = patches(w, "stem.0", 3)?;
                let norm = Norm::load(w, "stem.1", conv.output(), eps)?;
                (None, conv, Some(norm))
            } else {
                let norm = Norm::load(w, &name("downsample.0".into()), channels, eps)?;
                (
                    Some(norm),
                    patches(w, &name("downsample.1".into()), channels)?,
                    None,
                )
            };
            channels = downsample.1.output();
            let mut blocks = Vec::new();
            while blocks.is_empty()
                || w.contains(&name(format!("blocks.{}.conv_dw.weight", blocks.len())))
            {
                let name = name(format!("blocks.{}", blocks.len()));
                blocks.push(Block::load(w, &name, channels, eps)?);
            }
            stages.push(Stage { downsample, blocks });
        }
        Ok(Self {
            stages,
            norm: Norm::load(w, "head.norm", channels, eps)?,
            channels,
        })
    }
}

impl Block {
    fn load(w: &Weights, name: &str, channels: usize, eps: f32) -> Result<Self, ModelError> {
        let full = |module: &str| format!("{name}.{module}");
        let steps = Steps {
            stride: 1,
            padding: Padding::half(7),
            activation: Activation::Identity,
        };
        let shape = w.shape(&full("conv_dw.weight")).unwrap_or_default();
        if shape != [channels, 1, 7, 7] {
            let expected = format!("{:?}", [channels, 1, 7, 7]);
            return Err(w.misfit(&full("conv_dw.weight"), expected));
        }
        let depthwise = Conv::load(w, &full("conv_dw"), None, channels, steps)?;
        let inner = w
            .shape(&full("mlp.fc1.bias"))
            .and_then(|s| s.first().copied());
        let inner = inner.unwrap_or(4 * channels);
        // Linear layers or 1 x 1 convolutions, whose weights are the same.
        let matrix = |name: &str, output: usize, input: usize| {
            let name = format!("{name}.weight");
            let convolution = w.shape(&name).is_some_and(|shape| shape.len() == 4);
            let shape = [output, input, 1, 1];
            w.flat(&name, &shape[..if convolution { 4 } else { 2 }])
        };
        let up = matrix(&full("mlp.fc1"), inner, channels)?;
        let up_bias = w.flat(&full("mlp.fc1.bias"), &[inner])?;
        let mut down = matrix(&full("mlp.fc2"), channels, inner)?;
        let mut down_bias = w.flat(&full("mlp.fc2.bias"), &[channels])?;
        if w.contains(&full("gamma")) {
            let gamma = w.flat(&full("gamma"), &[channels])?;
            for ((row, bias), scale) in down.chunks_exact_mut(inner).zip(&mut down_bias).zip(gamma)
            {
                row.iter_mut().for_each(|x| *x *= scale);
                *bias *= scale;
            }
        }
        let response = if w.contains(&full("mlp.grn.weight")) {
            Some(Response {
                weight: w.flat(&full("mlp.grn.weight"), &[inner])?,
                bias: w.flat(&full("mlp.grn.bias"), &[inner])?,
            })
        } else {
            None
        };
        let linear = |weight: &[f32], bias, activation| {
            Linear::new(weight, bias, activation, Precision::F32)
        };
        Ok(Self {
            depthwise,
            norm: Norm::load(w, &full("norm"), channels, eps)?,
            up: linear(&up, up_bias, Activation::Gelu),
            response,
            down: linear(&down, down_bias, Activation::Identity),
            inner,
        })
    }

    /// Adds the output of the block to `map`.
    fn apply(&self, map: &mut Map) {
        let mut seen = self.depthwise.forward(map);
        self.norm.apply(&mut seen.data);
        let channels = map.channels;
        // The response is normalized over the whole map, so all wide pixels are needed at a time.
        let at_once = match self.response {
            Some(_) => map.side * map.side,
            None => PIXELS,
        };
        let mut wide = Aligned::zeros(at_once.min(map.side * map.side) * self.inner);
        let rows = seen.data.chunks(at_once * channels);
        for (seen, out) in rows.zip(map.data.chunks_mut(at_once * channels)) {
            let wide = &mut wide[..seen.len() / channels * self.inner];
            self.up.forward(seen, wide);
            if let Some(response) = &self.response {
                response.apply(wide);
            }
            self.down.add(wide, out);
        }
    }
}

impl Response {
    fn apply(&self, pixels: &mut [f32]) {
        let channels = self.weight.len();
        let mut norms = vec![0f32; channels];
        for pixel in pixels.chunks_exact(channels) {
            norms
                .iter_mut()
                .zip(pixel)
                .for_each(|(sum, x)| *sum += x * x);
        }
        norms.iter_mut().for_each(|x| *x = x.sqrt());
        let mean = norms.iter().sum::<f32>() / channels as f32 + RESPONSE_EPS;
        let scale: Vec<f32> = norms
            .iter()
            .zip(&self.weight)
            .map(|(n, w)| 1.0 + w * n / mean)
            .collect();
        for pixel in pixels.chunks_exact_mut(channels) {
            for ((x, scale), bias) in pixel.iter_mut().zip(&scale).zip(&self.bias) {
                *x = *x * scale + bias;
            }
        }
    }
}

impl Body for ConvNext {
    fn width(&self) -> usize {
        self.channels
    }

    fn features(&self, mut map: Map) -> Vec<f32> {
        for stage in &self.stages {
            let (before, conv, after) = &stage.downsample;
            if let Some(norm) = before {
                norm.apply(&mut map.data);
            }
            map = conv.forward(&map);
            if let Some(norm) = after {
                norm.apply(&mut map.data);
            }
            for block in &stage.blocks {
                block.apply(&mut map);
            }
        }
        let mut features = map.mean();
        self.norm.apply(&mut features);
        features
    }
}
