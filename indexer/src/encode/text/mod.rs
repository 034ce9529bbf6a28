//! Text encoders and tokenization.

pub mod bert;
pub mod tokenizer;
