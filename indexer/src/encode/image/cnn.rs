//! Convolutional networks in the form of timm: `config.json` with `architecture` and
//! `pretrained_cfg`, and `model.safetensors`.
//!
//! Batch norms are folded into the convolutions at load time. Feature maps are stored channels last
//! (NHWC), so convolutions are matrix products over patches. A file with tensors that the network
//! does not use is rejected, since it belongs to a variant that is not implemented.

use std::path::Path;

use ::image::RgbImage;
use serde::Deserialize;

use super::{ImageEncoder, Output};
use crate::encode::kernels::{Activation, Linear};
use crate::encode::weights::{Weights, read_json};
use crate::encode::{ModelError, Precision};
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

/// A network without its classifier.
trait Body: Send + Sync {
    /// Number of features.
    fn width(&self) -> usize;
    /// Returns the pooled features `[width]` of normalized pixels; they are not of unit length.
    fn features(&self, pixels: Map) -> Vec<f32>;
}

/// A family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// ResNet, Wide ResNet, ResNeXt.
    ResNet,
    /// ConvNeXt and ConvNeXt V2.
    ConvNext,
    /// EfficientNet, EfficientNet-Lite and EfficientNetV2.
    EfficientNet,
    /// The convolutional MobileNetV4.
    MobileNetV4,
}

impl Family {
    /// Returns the family of an architecture by its name in timm; `None` if it is not supported.
    pub fn of(architecture: &str) -> Option<Self> {
        let name = architecture.strip_prefix("tf_").unwrap_or(architecture);
        let unsupported = [
            "_gn", "_g8", "_ols", "_hnf", "_rms", "_zepto", "_cc_", "blur", "_aa", "hybrid",
        ];
        if unsupported.iter().any(|suffix| name.contains(suffix)) {
            return None;
        }
        let numbered = |rest: &str| {
            let letters = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            letters.len() < rest.len() && matches!(letters, "" | "c" | "d" | "s" | "t")
        };
        let scaled = |rest: &str| {
            let (depth, width) = rest.split_once('_').unwrap_or((rest, ""));
            numbered(depth) && (width.is_empty() || width.contains('x') || width == "2")
        };
        let family = if let Some(rest) = name.strip_prefix("wide_resnet") {
            scaled(rest).then_some(Self::ResNet)
        } else if let Some(rest) = name.strip_prefix("resnext") {
            scaled(rest).then_some(Self::ResNet)
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
        // TensorFlow's padding (`tf_`) is supported for one family only.
        family.filter(|family| name.len() == architecture.len() || *family == Self::EfficientNet)
    }

    /// Name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResNet => "ResNet",
            Self::ConvNext => "ConvNeXt",
            Self::EfficientNet => "EfficientNet",
            Self::MobileNetV4 => "MobileNetV4",
        }
    }

    /// Names of the supported architectures in timm, for messages.
    pub fn patterns(self) -> &'static str {
        match self {
            Self::ResNet => "resnet*, resnext*, wide_resnet*",
            Self::ConvNext => "convnext_*, convnextv2_*",
            Self::EfficientNet => {
                "efficientnet_b*, efficientnet_lite*, efficientnetv2_* (all three also with tf_)"
            }
            Self::MobileNetV4 => "mobilenetv4_conv_*",
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
                    residual_plain: true,
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
                    residual_plain: false,
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
    /// Returns the preprocessing that timm evaluates the model with.
    fn preprocess(&self, path: &Path) -> Result<Preprocess, ModelError> {
        let wrong = |reason: String| {
            Err(ModelError::invalid(
                path,
                format!("pretrained_cfg: {reason}"),
            ))
        };
        let [colors, height, width] = self.input_size;
        if colors != 3 || height != width || !(32..=1024).contains(&height) {
            return wrong(format!(
                "input_size {:?}: expected 3 colors of a square of 32 to 1024 pixels",
                self.input_size
            ));
        }
        if !(0.1..=1.0).contains(&self.crop_pct) {
            return wrong(format!(
                "crop_pct {} is out of range; expected 0.1 to 1",
                self.crop_pct
            ));
        }
        if self.std.iter().any(|s| *s <= 0.0) {
            return wrong("std must be positive".to_owned());
        }
        let scaled = (f64::from(height) / self.crop_pct).floor() as u32;
        Ok(Preprocess {
            fit: match self.crop_mode.as_str() {
                "center" => Fit::Shorter(scaled),
                "squash" => Fit::Both(scaled),
                other => {
                    return wrong(format!(
                        "crop_mode: expected center or squash, got `{other}`"
                    ));
                }
            },
            crop: height,
            filter: match self.interpolation.as_str() {
                "bicubic" => Filter::Bicubic,
                "bilinear" => Filter::Bilinear,
                other => {
                    return wrong(format!(
                        "interpolation: expected bicubic or bilinear, got `{other}`"
                    ));
                }
            },
            mean: self.mean,
            std: self.std,
        })
    }
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
            ModelError::invalid(&path, format!("unsupported architecture `{architecture}`"))
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
                "unexpected tensor `{tensor}`: not part of a {}, so the network is another one",
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
}

impl ImageEncoder for Cnn {
    fn dim(&self) -> usize {
        self.body.width()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn image_size(&self) -> u32 {
        self.preprocess.crop
    }

    fn forward(&self, image: &RgbImage) -> Result<Output, ModelError> {
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
