//! The indexer: reads catalogs, embeds images and text, fills collections.
//! The only crate that names candle, image and tokenizers; it serves HTTP to other shops alone
//! (`federate`).

pub mod audio;
pub mod cli;
pub mod encode;
pub mod error;
pub mod evaluate;
pub mod events;
pub mod federate;
mod files;
mod fixed_point;
pub mod image;
pub mod models;
pub mod pipeline;
pub mod reembedding;
pub mod settings;
pub mod sink;
pub mod source;
pub mod space;
pub mod train;
