//! ResNet ([He et al. 2015](https://arxiv.org/abs/1512.03385)), Wide ResNet, ResNeXt ([Xie et al.
//! 2016](https://arxiv.org/abs/1611.05431)) and the C and D variants ([He et al.
//! 2018](https://arxiv.org/abs/1812.01187)), with timm's names. Depths, widths and groups are read
//! from the tensors.

use super::Body;
use super::conv::{Conv, Norm, Steps};
use super::map::{Map, Padding};
use crate::encode::ModelError;
use crate::encode::kernels::Activation;
use crate::encode::weights::Weights;

const EPS: f32 = 1e-5;

struct Block {
    convs: Vec<Conv>,
    /// Convolution of the shortcut, and true if pooling comes first; `None` for the identity.
    shortcut: Option<(bool, Conv)>,
}

/// The network without its classifier.
pub struct ResNet {
    stem: Vec<Conv>,
    blocks: Vec<Block>,
    features: usize,
}

fn steps(kernel: usize, stride: usize, activation: Activation) -> Steps {
    Steps {
        stride,
        padding: Padding::half(kernel),
        activation,
    }
}

/// A convolution and its batch norm; the kernel's side sets the padding.
fn conv(
    w: &Weights,
    name: &str,
    norm: &str,
    input: usize,
    stride: usize,
    activation: Activation,
) -> Result<Conv, ModelError> {
    let kernel = w.kernel_side(name);
    let norm = Norm {
        name: norm,
        eps: EPS,
    };
    let steps = steps(kernel, stride, activation);
    Conv::load(w, name, Some(norm), input, steps)
}

impl ResNet {
    /// Loads tensors with timm's names.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn load(w: &Weights) -> Result<Self, ModelError> {
        let relu = Activation::Relu;
        let deep = w.contains("conv1.0.weight");
        let stem = if deep {
            let first = conv(w, "conv1.0", "conv1.1", 3, 2, relu)?;
            let second = conv(w, "conv1.3", "conv1.4", first.output(), 1, relu)?;
            let third = conv(w, "conv1.6", "bn1", second.output(), 1, relu)?;
            vec![first, second, third]
        } else {
            vec![conv(w, "conv1", "bn1", 3, 2, relu)?]
        };
        let mut channels = stem[stem.len() - 1].output();
        let mut blocks = Vec::new();
        for layer in 1..=4 {
            let mut number = 0;
            // The first block is required; the loader reports it if it is missing.
            while number == 0 || w.contains(&format!("layer{layer}.{number}.conv1.weight")) {
                let stride = if number == 0 && layer > 1 { 2 } else { 1 };
                let block = Block::load(w, &format!("layer{layer}.{number}"), channels, stride)?;
                channels = block.convs[block.convs.len() - 1].output();
                blocks.push(block);
                number += 1;
            }
        }
        Ok(Self {
            stem,
            blocks,
            features: channels,
        })
    }
}

impl Block {
    fn load(w: &Weights, name: &str, input: usize, stride: usize) -> Result<Self, ModelError> {
        let full = |module: &str| format!("{name}.{module}");
        let bottleneck = w.contains(&full("conv3.weight"));
        let count = if bottleneck { 3 } else { 2 };
        // The 3 x 3 convolution has the stride, as in torchvision and timm.
        let strided = if bottleneck { 2 } else { 1 };
        let (mut convs, mut channels): (Vec<Conv>, usize) = (Vec::new(), input);
        for number in 1..=count {
            let stride = if number == strided { stride } else { 1 };
            // The last activation is applied after the sum.
            let activation = if number == count {
                Activation::Identity
            } else {
                Activation::Relu
            };
            let names = (full(&format!("conv{number}")), full(&format!("bn{number}")));
            let conv = conv(w, &names.0, &names.1, channels, stride, activation)?;
            channels = conv.output();
            convs.push(conv);
        }
        let identity = Activation::Identity;
        let shortcut = if w.contains(&full("downsample.2.weight")) {
            // The D variant pools first.
            let (name, norm) = (full("downsample.1"), full("downsample.2"));
            Some((stride > 1, conv(w, &name, &norm, input, 1, identity)?))
        } else if w.contains(&full("downsample.0.weight")) || stride > 1 || channels != input {
            let (name, norm) = (full("downsample.0"), full("downsample.1"));
            Some((false, conv(w, &name, &norm, input, stride, identity)?))
        } else {
            None
        };
        if let Some((_, conv)) = &shortcut
            && conv.output() != channels
        {
            let expected = format!("{channels} output channels");
            return Err(w.misfit(&full("downsample.0.weight"), expected));
        }
        Ok(Self { convs, shortcut })
    }

    fn forward(&self, map: Map) -> Map {
        let mut out = self.convs[0].forward(&map);
        for conv in &self.convs[1..] {
            out = conv.forward(&out);
        }
        match &self.shortcut {
            None => out.add(&map),
            Some((true, conv)) => out.add(&conv.forward(&map.mean_pooled())),
            Some((false, conv)) => out.add(&conv.forward(&map)),
        }
        out.relu();
        out
    }
}

impl Body for ResNet {
    fn width(&self) -> usize {
        self.features
    }

    fn features(&self, mut map: Map) -> Vec<f32> {
        for conv in &self.stem {
            map = conv.forward(&map);
        }
        map = map.max_pooled();
        for block in &self.blocks {
            map = block.forward(map);
        }
        map.mean()
    }
}
