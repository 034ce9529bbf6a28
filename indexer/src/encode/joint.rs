//! Models of texts and photos in one space, run by candle.

use std::path::Path;

use ::image::RgbImage;
use candle_core::{Device, Tensor};

use super::architecture::Architecture;
use super::chinese_clip::ChineseClip;
use super::clip::Clip;
use super::mobile_clip::MobileClip;
use super::siglip::Siglip;
use super::{ModelError, normalise};
use crate::image::Preprocess;

/// A model for both.
pub trait Joint: Send + Sync {
    /// Goes into the fingerprint: changed with anything in the model's file that moves vectors.
    fn params(&self) -> &'static str;
    /// Length of a vector.
    fn dim(&self) -> usize;
    /// Side of the square that photos are scaled to, pixels.
    fn image_size(&self) -> u32;
    /// Number of tokens seen, after truncation.
    fn count_tokens(&self, text: &str) -> usize;
    /// Unit vector `[dim]` of a text.
    ///
    /// # Errors
    /// The tokenizer or a product failed.
    fn text(&self, text: &str) -> Result<Vec<f32>, ModelError>;
    /// Unit vector `[dim]` of a photo.
    ///
    /// # Errors
    /// Scaling or a product failed.
    fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError>;
}

/// Loads the model in `dir`; `None`: it is no joint one.
///
/// # Errors
/// A file is missing or does not fit.
pub fn load(dir: &Path, architecture: Architecture) -> Result<Option<Box<dyn Joint>>, ModelError> {
    Ok(match architecture {
        Architecture::Clip => Some(Box::new(Clip::load(dir)?)),
        Architecture::ChineseClip => Some(Box::new(ChineseClip::load(dir)?)),
        Architecture::Siglip => Some(Box::new(Siglip::load(dir)?)),
        Architecture::MobileClip => Some(Box::new(MobileClip::load(dir)?)),
        Architecture::Sentence(_) | Architecture::EfficientNetLite | Architecture::Cnn(_) => None,
    })
}

/// A photo as candle's networks take it, `[1, 3, side, side]`.
pub(super) fn pixels(preprocess: &Preprocess, image: &RgbImage) -> Result<Tensor, ModelError> {
    let pixels = preprocess.apply(image);
    let pixels = pixels.map_err(|e| ModelError::Compute(e.to_string()))?;
    let side = preprocess.crop as usize;
    Ok(Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?)
}

/// Features `[1, dim]` as a unit vector.
pub(super) fn unit(features: &Tensor) -> Result<Vec<f32>, ModelError> {
    let mut vector: Vec<f32> = features.flatten_all()?.to_vec1()?;
    normalise(&mut vector);
    Ok(vector)
}
