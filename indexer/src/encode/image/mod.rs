//! Image encoders: images to features and class logits.

use ::image::RgbImage;

use super::ModelError;

pub mod cnn;
pub mod efficientnet_lite;
pub(super) mod preprocessing;

/// Output of an image encoder for one image.
#[derive(Debug, Clone)]
pub struct Output {
    /// Pooled features `[dim]`, not normalized.
    pub features: Vec<f32>,
    /// Class logits `[classes]`.
    pub logits: Vec<f32>,
}

/// An encoder of images alone.
pub trait ImageEncoder: Send + Sync {
    /// Number of pooled features.
    fn dim(&self) -> usize;
    /// Number of classes; 0 without a classifier.
    fn classes(&self) -> usize;
    /// Side of the square that images are scaled to, in pixels.
    fn image_size(&self) -> u32;

    /// Returns the features and logits of one image.
    ///
    /// # Errors
    /// Scaling failed.
    fn forward(&self, image: &RgbImage) -> Result<Output, ModelError>;

    /// Number of features that heads are trained on.
    fn head_width(&self) -> usize {
        self.dim()
    }

    /// [`ImageEncoder::forward`] with the features for heads, `[head_width]`.
    ///
    /// # Errors
    /// Scaling failed.
    fn forward_for_heads(&self, image: &RgbImage) -> Result<(Output, Vec<f32>), ModelError> {
        let output = self.forward(image)?;
        let features = output.features.clone();
        Ok((output, features))
    }
}
