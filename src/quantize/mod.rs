//! Compact codes of vectors, for the walk through a graph; answers are ranked again by the vectors themselves.
//!
//! Graphs, storage and the choice of the codes for a collection do not belong here.

mod fastscan;
mod int8;
mod principal;
mod projected;
mod rabitq;
mod rotation;
mod simd;

pub(crate) use self::{
    fastscan::BLOCK,
    int8::{Int8, Query, Terms},
    principal::Principal,
    projected::{Fit, MOST_DIM, Projected, ProjectedQuery, kept},
    rabitq::{RaBitQ, RotatedQuery},
};
