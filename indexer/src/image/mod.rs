//! Images: decoding to RGB pixels within limits, and preprocessing for a network.

mod decode;
mod resize;
mod thumbnail;

pub use decode::{ImageLimits, decode};
pub use resize::{Filter, Fit, Preprocess};
pub use thumbnail::thumbnail;

/// An error when an image is read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The image has no bytes.
    #[error("the image is empty (0 bytes)")]
    Empty,
    /// The file is too large.
    #[error("the image has {bytes} bytes; the limit is {max}")]
    TooManyBytes {
        /// Size of the file in bytes.
        bytes: usize,
        /// Maximum size in bytes.
        max: usize,
    },
    /// The image has too many pixels, as read from the header before decoding.
    #[error("the image is {width}x{height} pixels; the limit is {max} pixels")]
    TooManyPixels {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Maximum number of pixels.
        max: u64,
    },
    /// The format is not supported.
    #[error("unsupported image format; expected JPEG, PNG, WebP, GIF, BMP or TIFF")]
    UnknownFormat,
    /// The content is damaged, for example truncated.
    #[error("damaged or truncated {format} image: {reason}")]
    Damaged {
        /// Format detected from the content.
        format: String,
        /// Error of the decoder.
        reason: String,
    },
    /// Scaling failed.
    #[error("cannot resize the image: {0}")]
    Resize(String),
}
