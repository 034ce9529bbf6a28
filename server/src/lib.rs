//! HTTP API of Vitrine. Translates between HTTP and the engine; no ranking, storage or model code
//! lives here: encoders and interleaving are called, not implemented.
//!
//! Imports point downward: `cli`, `serve`, `app`, `openapi`, `routes`, `search` and `import`,
//! `http`, `state`, then the modules that the state consists of, and `error` and `config` at the
//! bottom.

pub mod app;
pub mod auth;
pub mod backup;
pub mod book;
pub mod cli;
pub mod config;
pub mod dialogue_store;
pub mod embedders;
pub mod embedding;
pub mod error;
pub mod evaluations;
pub mod file_watch;
pub mod http;
pub mod images;
pub mod import;
pub mod machine;
pub mod openapi;
pub mod ops;
pub mod replication;
pub mod routes;
pub mod search;
pub mod serve;
pub mod served;
pub mod speech;
pub mod state;
pub mod tls;
