//! Photos: bytes to RGB pixels within limits, then to the input of a network.

mod decode;
mod resize;
mod thumbnail;

pub use decode::{ImageLimits, decode};
pub use resize::{Filter, Fit, Preprocess};
pub use thumbnail::thumbnail;

/// Why a photo could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No bytes at all.
    #[error("the image is empty (0 bytes)")]
    Empty,
    /// More bytes than allowed.
    #[error("the image has {bytes} bytes; the limit is {max}")]
    TooManyBytes {
        /// Size of the file.
        bytes: usize,
        /// Allowed size.
        max: usize,
    },
    /// More pixels than allowed, told by the header before decoding.
    #[error("the image is {width}x{height} pixels; the limit is {max} pixels")]
    TooManyPixels {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Allowed number of pixels.
        max: u64,
    },
    /// The content is none of the supported formats.
    #[error("unknown image format; JPEG, PNG, WebP, GIF, BMP and TIFF are read")]
    UnknownFormat,
    /// The content is damaged, for example cut off.
    #[error("damaged or truncated {format} image: {reason}")]
    Damaged {
        /// Format found in the content.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// Scaling failed.
    #[error("cannot resize the image: {0}")]
    Resize(String),
}
