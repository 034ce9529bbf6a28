//! HTTP API of Vitrine. Translates between HTTP and the engine; no search, storage or model code lives here.

pub mod app;
pub mod body;
pub mod cached;
pub mod call;
pub mod cli;
pub mod config;
pub mod dialogues;
pub mod embedders;
pub mod error;
pub mod gauges;
pub mod import;
pub mod keys;
pub mod limits;
pub mod machine;
pub mod middleware;
pub mod openapi;
pub mod photos;
pub mod preset;
pub mod report;
pub mod reports;
pub mod routes;
pub mod search;
pub mod serve;
pub mod state;
pub mod tasks;
pub mod telemetry;
