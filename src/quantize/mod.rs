//! Compact codes of vectors, for the walk through a graph; answers are ranked again by the vectors themselves.
//!
//! Graphs, storage and the choice of the codes for a collection do not belong here.

mod int8;

pub use int8::Int8;
