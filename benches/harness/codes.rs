//! Names of the codes of a segment on the command line.

use clap::ValueEnum;
use vitrine::index::Codes;

#[derive(Clone, Copy, ValueEnum)]
pub enum CodesName {
    None,
    Auto,
    Int8,
    Rabitq,
}

impl From<CodesName> for Codes {
    fn from(name: CodesName) -> Self {
        match name {
            CodesName::None => Self::None,
            CodesName::Auto => Self::Projected,
            CodesName::Int8 => Self::Int8,
            CodesName::Rabitq => Self::RaBitQ,
        }
    }
}
