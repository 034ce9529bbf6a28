//! Numeric precision of a text encoder.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Numeric precision of a text encoder's matrix products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 8-bit integers: faster, with slightly different vectors (cosine 0.999), which are therefore
    /// a separate space.
    Int8,
}

impl Precision {
    /// Name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}
