//! Photo networks in timm's files: `config.json` with `architecture` and `pretrained_cfg`, and `model.safetensors`.
//!
//! Batch norms are folded into the convolutions at load. Pixels lie with their channels side by side, so convolutions are
//! products over patches. A file with tensors that the network does not use is refused: part of it was not understood.

use std::path::Path;

use ::image::RgbImage;
use serde::Deserialize;

use super::kernels::{Activation, Linear};
use super::weights::{Weights, read_json};
use super::{ModelError, Precision};
use crate::image::{Filter, Fit, Preprocess};
use convnext::ConvNext;
use map::Map;
use mobile::{EFFICIENTNET, MOBILENET_V4, Mobile, Style};
use resnet::ResNet;

mod conv;
mod convnext;
mod map;
mod mobile;
mod resnet;

/// A network up to its pooled features.
trait Body: Send + Sync {
    /// Number of features.
    fn width(&self) -> usize;
    /// Features of normalised pixels, not of unit length.
    fn features(&self, pixels: Map) -> Vec<f32>;
}

/// A family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// ResNet, Wide ResNet, ResNeXt.
    ResNet,
    /// ConvNeXt and its second version.
    ConvNext,
    /// EfficientNet, its Lite form and its second version.
    EfficientNet,
    /// The convolutional MobileNetV4.
    MobileNetV4,
}

impl Family {
    /// Of timm's name of an architecture; `None`: not known here.
    pub fn of(architecture: &str) -> Option<Self> {
        let name = architecture.strip_prefix("tf_").unwrap_or(architecture);
        let odd = [
            "_gn", "_g8", "_ols", "_hnf", "_rms", "_zepto", "_cc_", "blur", "_aa", "hybrid",
        ];
        if odd.iter().any(|part| name.contains(part)) {
            return None;
        }
        let numbered = |rest: &str| {
            let letters = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            letters.len() < rest.len() && matches!(letters, "" | "c" | "d" | "s" | "t")
        };
        let grown = |rest: &str| {
            let (depth, width) = rest.split_once('_').unwrap_or((rest, ""));
            numbered(depth) && (width.is_empty() || width.contains('x') || width == "2")
        };
        let family = if let Some(rest) = name.strip_prefix("wide_resnet") {
            grown(rest).then_some(Self::ResNet)
        } else if let Some(rest) = name.strip_prefix("resnext") {
            grown(rest).then_some(Self::ResNet)
        } else if let Some(rest) = name.strip_prefix("resnet") {
            numbered(rest).then_some(Self::ResNet)
        } else if name.starts_with("convnext_") || name.starts_with("convnextv2_") {
            Some(Self::ConvNext)
        } else if ["efficientnet_b", "efficientnet_lite", "efficientnetv2_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            Some(Self::EfficientNet)
        } else {
            name.starts_with("mobilenetv4_conv_")
                .then_some(Self::MobileNetV4)
        };
        // TensorFlow's padding is known of one family alone.
        family.filter(|family| name.len() == architecture.len() || *family == Self::EfficientNet)
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet => "ResNet",
            Self::ConvNext => "ConvNeXt",
            Self::EfficientNet => "EfficientNet",
            Self::MobileNetV4 => "MobileNetV4",
        }
    }

    /// Name of the classifier's tensors.
    fn classifier(self) -> &'static str {
        match self {
            Self::ResNet => "fc",
            Self::ConvNext => "head.fc",
            Self::EfficientNet | Self::MobileNetV4 => "classifier",
        }
    }

    fn body(self, w: &Weights, architecture: &str) -> Result<Box<dyn Body>, ModelError> {
        let tensorflow = architecture.starts_with("tf_");
        Ok(match self {
            Self::ResNet => Box::new(ResNet::load(w)?),
            Self::ConvNext => {
                let eps = if architecture.contains("xxlarge") {
                    1e-5
                } else {
                    1e-6
                };
                Box::new(ConvNext::load(w, eps)?)
            }
            Self::EfficientNet => {
                let style = Style {
                    activation: if architecture.contains("_lite") {
                        Activation::Relu6
                    } else {
                        Activation::Silu
                    },
                    same: tensorflow,
                    eps: if tensorflow { 1e-3 } else { 1e-5 },
                    strides: EFFICIENTNET,
                    around_plain: true,
                    pooled_head: false,
                };
                Box::new(Mobile::load(w, &style)?)
            }
            Self::MobileNetV4 => {
                let style = Style {
                    activation: Activation::Relu,
                    same: false,
                    eps: 1e-5,
                    strides: MOBILENET_V4,
                    around_plain: false,
                    pooled_head: true,
                };
                Box::new(Mobile::load(w, &style)?)
            }
        })
    }
}

#[derive(Deserialize)]
struct ConfigFile {
    architecture: String,
    pretrained_cfg: Pretrained,
}

#[derive(Deserialize)]
struct Pretrained {
    input_size: [u32; 3],
    #[serde(default = "default_crop")]
    crop_pct: f64,
    #[serde(default = "default_mode")]
    crop_mode: String,
    #[serde(default = "default_filter")]
    interpolation: String,
    mean: [f32; 3],
    std: [f32; 3],
}

fn default_crop() -> f64 {
    0.875
}

fn default_mode() -> String {
    "center".to_owned()
}

fn default_filter() -> String {
    "bilinear".to_owned()
}

impl Pretrained {
    /// As timm evaluates.
    fn preprocess(&self, path: &Path) -> Result<Preprocess, ModelError> {
        let wrong = |reason: String| {
            Err(ModelError::invalid(
                path,
                format!("pretrained_cfg: {reason}"),
            ))
        };
        let [colours, height, width] = self.input_size;
        if colours != 3 || height != width || !(32..=1024).contains(&height) {
            return wrong(format!(
                "input_size {:?}; 3 colours of a square of 32 to 1024 pixels are known",
                self.input_size
            ));
        }
        if !(0.1..=1.0).contains(&self.crop_pct) {
            return wrong(format!("crop_pct {}, it must be 0.1 to 1", self.crop_pct));
        }
        if self.std.iter().any(|s| *s <= 0.0) {
            return wrong("std has a number that is not above 0".to_owned());
        }
        let scaled = (f64::from(height) / self.crop_pct).floor() as u32;
        Ok(Preprocess {
            fit: match self.crop_mode.as_str() {
                "center" => Fit::Shorter(scaled),
                "squash" => Fit::Both(scaled),
                other => return wrong(format!("crop_mode `{other}`; center and squash are known")),
            },
            crop: height,
            filter: match self.interpolation.as_str() {
                "bicubic" => Filter::Bicubic,
                "bilinear" => Filter::Bilinear,
                other => {
                    return wrong(format!(
                        "interpolation `{other}`; bicubic and bilinear are known"
                    ));
                }
            },
            mean: self.mean,
            std: self.std,
        })
    }
}

/// What the network says of one photo.
#[derive(Debug, Clone)]
pub struct Output {
    /// Pooled features, not of unit length.
    pub features: Vec<f32>,
    /// Class logits; empty where there is no classifier.
    pub logits: Vec<f32>,
}

/// A network and its preprocessing.
pub struct Cnn {
    preprocess: Preprocess,
    body: Box<dyn Body>,
    classifier: Option<Linear>,
    classes: usize,
}

impl Cnn {
    /// Loads a model folder.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config: ConfigFile = read_json(&path)?;
        let architecture = &config.architecture;
        let family = Family::of(architecture).ok_or_else(|| {
            ModelError::invalid(&path, format!("architecture `{architecture}` is not known"))
        })?;
        let preprocess = config.pretrained_cfg.preprocess(&path)?;
        let w = Weights::load(&dir.join("model.safetensors"), family.name())?;
        let body = family.body(&w, architecture)?;
        let name = family.classifier();
        let shape = w.shape(&format!("{name}.weight")).unwrap_or_default();
        let classes = shape.first().copied().unwrap_or(0);
        let classifier = if classes > 0 {
            let weight = w.flat(&format!("{name}.weight"), &[classes, body.width()])?;
            let bias = w.flat(&format!("{name}.bias"), &[classes])?;
            Some(Linear::new(
                &weight,
                bias,
                Activation::Identity,
                Precision::F32,
            ))
        } else {
            None
        };
        if let Some(tensor) = w.unused() {
            let reason = format!(
                "tensor `{tensor}` is no part of a {} as it is known here: another kind of network",
                family.name()
            );
            return Err(ModelError::invalid(dir.join("model.safetensors"), reason));
        }
        Ok(Self {
            preprocess,
            body,
            classifier,
            classes,
        })
    }

    /// Number of features.
    pub fn dim(&self) -> usize {
        self.body.width()
    }

    /// Number of classes; 0: there is no classifier.
    pub fn classes(&self) -> usize {
        self.classes
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
        let pixels = self.preprocess.interleaved(image);
        let pixels = pixels.map_err(|e| ModelError::Compute(e.to_string()))?;
        let mut map = Map::zeros(self.preprocess.crop as usize, 3);
        map.data.copy_from_slice(&pixels);
        let features = self.body.features(map);
        let mut logits = vec![0f32; self.classes];
        if let Some(classifier) = &self.classifier {
            classifier.forward(&features, &mut logits);
        }
        Ok(Output { features, logits })
    }
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn names_of_architectures() {
        for (name, family) in [
            ("resnet18", Some(Family::ResNet)),
            ("resnet50d", Some(Family::ResNet)),
            ("resnext50_32x4d", Some(Family::ResNet)),
            ("wide_resnet50_2", Some(Family::ResNet)),
            ("resnet50_gn", None),
            ("resnetv2_50", None),
            ("seresnet50", None),
            ("resnetaa50", None),
            ("convnext_tiny", Some(Family::ConvNext)),
            ("convnextv2_nano", Some(Family::ConvNext)),
            ("convnext_atto_ols", None),
            ("efficientnet_b0", Some(Family::EfficientNet)),
            ("tf_efficientnet_lite4", Some(Family::EfficientNet)),
            ("tf_efficientnetv2_b0", Some(Family::EfficientNet)),
            ("efficientnet_es", None),
            ("mobilenetv4_conv_small", Some(Family::MobileNetV4)),
            ("mobilenetv4_hybrid_medium", None),
            ("mobilenetv4_conv_blur_medium", None),
            ("tf_mobilenetv3_small_100", None),
            ("tf_resnet50", None),
            ("vit_base_patch16_224", None),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }
}
