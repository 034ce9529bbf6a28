//! The engine through its public interface.

mod aliases;
mod blend;
mod bounds;
mod browse;
mod compat;
mod cross;
mod dialogues;
mod events;
mod facets;
mod items;
mod lifecycle;
mod map;
mod model;
mod pages;
mod recommend;
mod reembedding;
mod rules;
mod search;
mod segments;
mod shopper;
mod states;
mod support;
mod synonyms;
mod understanding;
mod watch;
mod words;
