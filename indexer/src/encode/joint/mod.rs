//! Joint encoders: texts and images into one space, run by candle.
//!
//! [`JointEncoder`] does what all of them share: tokenization, preprocessing and normalization. A
//! module below adds a network and a loader.

use ::image::RgbImage;
use candle_core::{Device, Tensor};

use super::text::tokenizer::TextTokenizer;
use super::{ModelError, normalize};
use crate::image::Preprocess;

pub(super) mod chinese_clip;
pub(super) mod clip;
pub(super) mod mobile_clip;
pub(super) mod siglip;

/// The network of a joint encoder.
trait JointNetwork: Send + Sync {
    /// Returns the features `[1, dim]` of the tokens of one text, not normalized.
    fn text(&self, ids: &[u32]) -> Result<Tensor, ModelError>;
    /// Returns the features `[1, dim]` of pixels `[1, 3, side, side]`, not normalized.
    fn image(&self, pixels: &Tensor) -> Result<Tensor, ModelError>;
}

/// Tokenization of texts for a joint encoder.
struct TextInput {
    tokenizer: TextTokenizer,
    /// True if white space around a text is removed first.
    trim: bool,
    /// Length that texts are padded to, and the token that pads them.
    padding: Option<(usize, u32)>,
}

/// An encoder of texts and images into one space.
pub struct JointEncoder {
    /// See [`JointEncoder::params`].
    params: &'static str,
    dim: usize,
    text: TextInput,
    image: Preprocess,
    network: Box<dyn JointNetwork>,
}

impl JointEncoder {
    /// Version of the implementation, part of the fingerprint: changed with anything in the
    /// architecture's module that changes vectors.
    pub fn params(&self) -> &'static str {
        self.params
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Side of the square that images are scaled to, in pixels.
    pub fn image_size(&self) -> u32 {
        self.image.crop
    }

    /// Number of tokens of a text after truncation.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.text.tokenizer.count(text)
    }

    /// Returns the unit vector `[dim]` of a text.
    ///
    /// # Errors
    /// The tokenizer or a matrix product failed.
    pub fn text(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        unit(&self.network.text(&self.text.ids(text)?)?)
    }

    /// Returns the unit vector `[dim]` of an image.
    ///
    /// # Errors
    /// Scaling or a matrix product failed.
    pub fn image(&self, image: &RgbImage) -> Result<Vec<f32>, ModelError> {
        let pixels = self.image.apply(image);
        let pixels = pixels.map_err(|e| ModelError::Compute(e.to_string()))?;
        let side = self.image.crop as usize;
        let pixels = Tensor::from_vec(pixels, (1, 3, side, side), &Device::Cpu)?;
        unit(&self.network.image(&pixels)?)
    }
}

impl TextInput {
    fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let text = if self.trim { text.trim() } else { text };
        let mut ids = self.tokenizer.ids(text)?;
        if let Some((length, id)) = self.padding {
            ids.resize(length, id);
        }
        Ok(ids)
    }
}

/// Token ids `[1, tokens]`.
fn row(ids: &[u32]) -> Result<Tensor, ModelError> {
    Ok(Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?)
}

/// Features `[1, dim]` as a unit vector `[dim]`.
fn unit(features: &Tensor) -> Result<Vec<f32>, ModelError> {
    let mut vector: Vec<f32> = features.flatten_all()?.to_vec1()?;
    normalize(&mut vector);
    Ok(vector)
}
