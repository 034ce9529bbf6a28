//! The indexer: reads catalogs, embeds photos and text, fills collections.
//! The only crate that names candle, image and tokenizers; HTTP serving does not live here.

pub mod encode;
pub mod image;
pub mod models;
pub mod space;
