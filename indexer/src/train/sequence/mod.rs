//! Training of networks that read a history item by item: a GRU with tied item vectors, by sampled
//! softmax (GRU4Rec, [Hidasi et al. 2016](https://arxiv.org/abs/1511.06939); losses as in
//! [Hidasi and Czapp 2023](https://arxiv.org/abs/2307.14956)). Half of the negatives, which a batch
//! shares, are drawn from all items, half from its choices, with the correction for that. Served by
//! [`vitrine::cf::SequenceModel`].

mod adam;
mod backprop;
mod ranks;
mod recipe;
mod softmax;
#[cfg(test)]
mod tests;
mod trainer;

pub use ranks::{Question, gain};
pub use recipe::SequenceRecipe;
pub use trainer::{SequenceEpoch, SequenceTrainer, TrainedSequence};
