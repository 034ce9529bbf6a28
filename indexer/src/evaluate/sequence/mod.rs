//! Evaluation of models of the order of choices: the next item of each user is held out, and ranked
//! among all items that are new to them.

mod data;
mod report;
mod study;
#[cfg(test)]
mod tests;

pub use data::SequenceData;
pub use report::{NextItemReport, RankedModel};
pub use study::NextItemStudy;
