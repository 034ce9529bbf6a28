//! Tests of the HTTP API in process, with test encoders that know three colors.

mod access;
mod analytics;
mod bad_requests;
mod book;
mod chinese;
mod collections;
mod colors;
mod conditions;
mod consent;
mod console;
mod description;
mod dialogues;
mod embeddings;
mod events;
mod experiments;
mod guards;

mod harness;
mod images;
mod import;
mod item_embedding;
mod items;
mod limits;
mod multi_search;
mod operations;
mod rankers;
mod recommend;
mod reembedding;
mod reports;
mod rules;
mod search;
mod settings;
mod snapshots;
mod speech;
mod understand;
mod user_tokens;
