//! EfficientNet-Lite0 ([Tan and Le 2019](https://arxiv.org/abs/1905.11946); the Lite form has no squeeze-and-excitation
//! and ReLU6 in place of swish), with the parameter names of the `efficientnet_lite_pytorch` checkpoint.
//!
//! Batch norm (eps 1e-3) is folded into the convolutions at load. Pixels lie with their channels side by side, so 1x1
//! convolutions are matrix products over pixels.

use std::path::Path;

use ::image::RgbImage;
use serde::Deserialize;

use super::kernels::{Activation, Aligned, Depthwise, Linear};
use super::weights::{Weights, read_json};
use super::{ModelError, Precision};
use crate::image::{Filter, Fit, Preprocess};
use block::Block;
use stem::Stem;

mod block;
mod stem;

const NAME: &str = "EfficientNet-Lite0";
const EPS: f32 = 1e-3;
/// Number of pooled features.
pub const FEATURES: usize = 1280;
/// Number of ImageNet classes.
pub const CLASSES: usize = 1000;
/// Channels of the maps that [`EfficientNetLite::observe`] shows.
pub const MAP_CHANNELS: [usize; 9] = [32, 16, 24, 40, 80, 112, 192, 320, FEATURES];
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

/// The network and its preprocessing.
pub struct EfficientNetLite {
    preprocess: Preprocess,
    stem: Stem,
    blocks: Vec<Block>,
    head: Linear,
    classifier: Linear,
}

/// Pixels `[side * side, channels]`.
struct Map {
    data: Aligned<f32>,
    side: usize,
}

/// Pixels to add around a map for a convolution padded as TensorFlow's SAME: (side of its output, before, in all).
fn same_padding(side: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
    let output = side.div_ceil(stride);
    let padding = ((output - 1) * stride + kernel).saturating_sub(side);
    (output, padding / 2, padding)
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
            fit: Fit::Shorter(config.resize),
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
        let pointwise = |conv: &str, norm: &str, cin, cout, activation| {
            let (weight, bias) = folded(w, conv, norm, &[cout, cin, 1, 1])?;
            Ok::<_, ModelError>(Linear::new(&weight, bias, activation, Precision::F32))
        };
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
                let relu6 = Activation::Relu6;
                let expand = (expansion != 1)
                    .then(|| pointwise(&name("_expand_conv"), &name("_bn0"), cin, wide, relu6))
                    .transpose()?;
                let shape = [wide, 1, kernel, kernel];
                let (weight, bias) = folded(w, &name("_depthwise_conv"), &name("_bn1"), &shape)?;
                blocks.push(Block {
                    expand,
                    depthwise: Depthwise::new(&weight, bias, kernel, stride, relu6.range()),
                    project: pointwise(
                        &name("_project_conv"),
                        &name("_bn2"),
                        wide,
                        output,
                        Activation::Identity,
                    )?,
                    input: cin,
                    output,
                });
            }
        }
        Ok(Self {
            preprocess,
            stem: Stem::new(&stem, stem_bias),
            blocks,
            head: pointwise("_conv_head", "_bn1", 320, FEATURES, Activation::Relu6)?,
            classifier: Linear::new(
                &w.flat("_fc.weight", &[CLASSES, FEATURES])?,
                w.flat("_fc.bias", &[CLASSES])?,
                Activation::Identity,
                Precision::F32,
            ),
        })
    }

    /// Side of the square that photos are scaled to.
    pub fn image_size(&self) -> u32 {
        self.preprocess.crop
    }

    /// Features and logits of one photo.
    ///
    /// # Errors
    /// Scaling failed.
    pub fn forward(&self, image: &RgbImage) -> Result<Output, ModelError> {
        self.observe(image, &mut |_, _| ())
    }

    /// [`EfficientNetLite::forward`] that shows `see` the feature map after the stem (0), after each of the seven
    /// stages (1 to 7) and after the head (8): the map's number, then its values `[side * side, channels]`,
    /// [`MAP_CHANNELS`] many channels.
    ///
    /// # Errors
    /// As [`EfficientNetLite::forward`].
    pub fn observe(
        &self,
        image: &RgbImage,
        see: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Output, ModelError> {
        let pixels = self.preprocess.interleaved(image);
        let pixels = pixels.map_err(|e| ModelError::Compute(e.to_string()))?;
        let mut map = self.stem.forward(&pixels, self.preprocess.crop as usize);
        see(0, &map.data);
        let mut blocks = self.blocks.iter();
        for (stage, (repeats, ..)) in STAGES.iter().enumerate() {
            for block in blocks.by_ref().take(*repeats) {
                map = block.forward(map);
            }
            see(stage + 1, &map.data);
        }
        let area = map.side * map.side;
        let mut wide = Aligned::zeros(area * FEATURES);
        self.head.forward(&map.data, &mut wide);
        see(STAGES.len() + 1, &wide);
        let mut features = vec![0f32; FEATURES];
        for pixel in wide.chunks_exact(FEATURES) {
            features
                .iter_mut()
                .zip(pixel)
                .for_each(|(sum, x)| *sum += x);
        }
        features.iter_mut().for_each(|sum| *sum /= area as f32);
        let mut logits = vec![0f32; CLASSES];
        self.classifier.forward(&features, &mut logits);
        Ok(Output { features, logits })
    }
}
