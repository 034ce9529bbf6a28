//! What a network computes in.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Numbers of a text encoder's products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 8-bit integers: faster, and the vectors are slightly others (cosine 0.999), so they are a space of their own.
    Int8,
}

impl Precision {
    /// As it is written in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}
