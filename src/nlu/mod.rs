//! Query understanding without a model: constraints of queries (`understanding`) and turns of
//! dialogues (`dialogue`), by the values of a collection (`vocabulary`), its items (`catalog`) and
//! words of shoppers in English, Chinese and German (`lexicon/*.toml`). The same text always gives
//! the same result.

mod amounts;
pub mod catalog;
pub mod dialogue;
mod language;
mod letters;
mod lexicon;
mod measures;
mod numbers;
mod spelling;
mod tokens;
pub mod understanding;
mod vocabulary;
