//! The HTTP API in process, with encoders made of three words.

mod access;
mod chinese;
mod collections;
mod colors;
mod console;
mod description;
mod dialogues;
mod embeddings;
mod events;
mod faults;
mod harness;
mod images;
mod import;
mod items;
mod limits;
mod multi_search;
mod recommend;
mod reembedding;
mod reports;
mod rules;
mod search;
mod settings;
mod understand;
