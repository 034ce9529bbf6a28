//! Networks of inverted residual blocks, with timm's names: EfficientNet ([Tan and Le
//! 2019](https://arxiv.org/abs/1905.11946)), its Lite form, EfficientNetV2 ([Tan and Le
//! 2021](https://arxiv.org/abs/2104.00298)) and the convolutional MobileNetV4 ([Qin et al.
//! 2024](https://arxiv.org/abs/2404.10518)). Depths, widths, kernels and kinds of blocks are read
//! from the tensors; only the strides are not stored, and these are constants of a family.

use super::Body;
use super::conv::{Conv, Norm, Steps};
use super::map::{Map, Padding};
use crate::encode::ModelError;
use crate::encode::Precision;
use crate::encode::kernels::{Activation, Linear};
use crate::encode::weights::Weights;

/// Differences between the families.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    pub activation: Activation,
    /// True for TensorFlow's SAME padding.
    pub same: bool,
    /// Epsilon of the batch norms.
    pub eps: f32,
    /// Stride of each stage's first block.
    pub strides: &'static [usize],
    /// True if a block of one convolution has a residual connection when it keeps the shape.
    pub residual_plain: bool,
    /// True if the last convolution is after the pooling, not before it.
    pub pooled_head: bool,
}

/// Strides of EfficientNet and EfficientNetV2, whose small variants have one stage less.
pub const EFFICIENTNET: &[usize] = &[1, 2, 2, 2, 1, 2, 1];
/// Strides of MobileNetV4.
pub const MOBILENET_V4: &[usize] = &[2, 2, 2, 2, 1];

/// Squeeze and excitation ([Hu et al. 2017](https://arxiv.org/abs/1709.01507)).
struct Excitation {
    reduce: Linear,
    expand: Linear,
    inner: usize,
}

struct Block {
    /// All convolutions but the last.
    convs: Vec<Conv>,
    excitation: Option<Excitation>,
    last: Conv,
    residual: bool,
}

/// The network without its classifier.
pub struct Mobile {
    stem: Conv,
    blocks: Vec<Block>,
    head: Conv,
    pooled_head: bool,
}

/// Kinds of blocks: their convolutions in order, each with its norm. A block is of the kind whose
/// first and last convolutions it has.
const KINDS: [&[(&str, &str)]; 5] = [
    // Fused: one convolution expands and has the stride.
    &[("conv_exp", "bn1"), ("conv_pwl", "bn2")],
    // Inverted residual.
    &[("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")],
    // Inverted residual without expansion.
    &[("conv_dw", "bn1"), ("conv_pw", "bn2")],
    // Single convolution.
    &[("conv", "bn1")],
    // Universal inverted bottleneck; either of its two depthwise convolutions may be missing.
    &[
        ("dw_start.conv", "dw_start.bn"),
        ("pw_exp.conv", "pw_exp.bn"),
        ("dw_mid.conv", "dw_mid.bn"),
        ("pw_proj.conv", "pw_proj.bn"),
    ],
];

impl Style {
    fn conv(
        &self,
        w: &Weights,
        (name, norm): (&str, &str),
        input: usize,
        stride: usize,
        activation: Activation,
    ) -> Result<Conv, ModelError> {
        let kernel = w.kernel_side(name);
        let steps = Steps {
            stride,
            padding: if self.same {
                Padding::Same
            } else {
                Padding::half(kernel)
            },
            activation,
        };
        let norm = Norm {
            name: norm,
            eps: self.eps,
        };
        Conv::load(w, name, Some(norm), input, steps)
    }
}

impl Mobile {
    /// Loads tensors with timm's names.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(w: &Weights, style: &Style) -> Result<Self, ModelError> {
        let act = style.activation;
        let stem = style.conv(w, ("conv_stem", "bn1"), 3, 2, act)?;
        let mut channels = stem.output();
        let mut blocks = Vec::new();
        for (stage, first) in style.strides.iter().enumerate() {
            let mut number = 0;
            loop {
                let name = format!("blocks.{stage}.{number}");
                let Some(kind) = kind(w, &name) else { break };
                let stride = if number == 0 { *first } else { 1 };
                let block = Block::load(w, style, &name, kind, channels, stride)?;
                channels = block.last.output();
                blocks.push(block);
                number += 1;
            }
        }
        let norm = if style.pooled_head {
            "norm_head"
        } else {
            "bn2"
        };
        let head = style.conv(w, ("conv_head", norm), channels, 1, act)?;
        Ok(Self {
            stem,
            blocks,
            head,
            pooled_head: style.pooled_head,
        })
    }
}

/// Returns the kind of the block `name`; `None` if there is no such block.
fn kind(w: &Weights, name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    let has = |module: &str| w.contains(&format!("{name}.{module}.weight"));
    KINDS.into_iter().find(|convs| {
        let universal = convs.len() == 4 && has("pw_exp.conv");
        universal || (has(convs[0].0) && has(convs[convs.len() - 1].0))
    })
}

impl Block {
    fn load(
        w: &Weights,
        style: &Style,
        name: &str,
        kind: &[(&str, &str)],
        input: usize,
        stride: usize,
    ) -> Result<Self, ModelError> {
        let full = |module: &str| format!("{name}.{module}");
        // Only depthwise convolutions of a universal block may be missing.
        let present: Vec<&(&str, &str)> = kind
            .iter()
            .filter(|(conv, _)| {
                !conv.starts_with("dw_") || w.contains(&format!("{}.weight", full(conv)))
            })
            .collect();
        // With several spatial convolutions, the middle one has the stride.
        let strided = present.iter().rposition(|(conv, _)| {
            matches!(
                *conv,
                "conv_exp" | "conv_dw" | "conv" | "dw_start.conv" | "dw_mid.conv"
            )
        });
        let (mut convs, mut channels): (Vec<Conv>, usize) = (Vec::new(), input);
        let mut before_last = input;
        for (number, (conv, norm)) in present.iter().enumerate() {
            let last = number + 1 == present.len();
            let is_linear = *conv == "dw_start.conv" || (last && *conv != "conv");
            let activation = if is_linear {
                Activation::Identity
            } else {
                style.activation
            };
            let stride = if Some(number) == strided { stride } else { 1 };
            let names = (full(conv), full(norm));
            let conv = style.conv(w, (&names.0, &names.1), channels, stride, activation)?;
            (before_last, channels) = (channels, conv.output());
            convs.push(conv);
        }
        let plain = present.len() == 1;
        let excitation = w.contains(&full("se.conv_reduce.weight"));
        let Some(last) = convs.pop() else {
            return Err(w.misfit(&full("conv.weight"), "a convolution".to_owned()));
        };
        Ok(Self {
            excitation: excitation
                .then(|| Excitation::load(w, style, &full("se"), before_last))
                .transpose()?,
            residual: stride == 1 && channels == input && (!plain || style.residual_plain),
            convs,
            last,
        })
    }

    fn forward(&self, map: Map) -> Map {
        let mut out: Option<Map> = None;
        for conv in &self.convs {
            out = Some(conv.forward(out.as_ref().unwrap_or(&map)));
        }
        if let (Some(excitation), Some(out)) = (&self.excitation, &mut out) {
            excitation.apply(out);
        }
        let mut out = self.last.forward(out.as_ref().unwrap_or(&map));
        if self.residual {
            out.add(&map);
        }
        out
    }
}

impl Excitation {
    fn load(w: &Weights, style: &Style, name: &str, channels: usize) -> Result<Self, ModelError> {
        let reduce = format!("{name}.conv_reduce");
        let inner = w
            .shape(&format!("{reduce}.weight"))
            .and_then(|s| s.first().copied());
        let inner = inner.unwrap_or(0);
        let linear = |name: &str, input: usize, output: usize, activation| {
            let weight = w.flat(&format!("{name}.weight"), &[output, input, 1, 1])?;
            let bias = w.flat(&format!("{name}.bias"), &[output])?;
            Ok::<_, ModelError>(Linear::new(&weight, bias, activation, Precision::F32))
        };
        Ok(Self {
            reduce: linear(&reduce, channels, inner, style.activation)?,
            expand: linear(
                &format!("{name}.conv_expand"),
                inner,
                channels,
                Activation::Identity,
            )?,
            inner,
        })
    }

    fn apply(&self, map: &mut Map) {
        let mut inner = vec![0f32; self.inner];
        self.reduce.forward(&map.mean(), &mut inner);
        let mut gate = vec![0f32; map.channels];
        self.expand.forward(&inner, &mut gate);
        gate.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
        for pixel in map.data.chunks_exact_mut(map.channels) {
            pixel.iter_mut().zip(&gate).for_each(|(x, g)| *x *= g);
        }
    }
}

impl Body for Mobile {
    fn width(&self) -> usize {
        self.head.output()
    }

    fn features(&self, map: Map) -> Vec<f32> {
        let mut map = self.stem.forward(&map);
        for block in &self.blocks {
            map = block.forward(map);
        }
        if !self.pooled_head {
            return self.head.forward(&map).mean();
        }
        let mut pooled = Map::zeros(1, map.channels);
        pooled.data.copy_from_slice(&map.mean());
        self.head.forward(&pooled).mean()
    }
}
