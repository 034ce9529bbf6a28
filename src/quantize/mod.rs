//! Compact codes of vectors, which graph searches compare; results are rescored by the vectors
//! themselves.
//!
//! Graphs, storage and the choice of the codes for a collection do not belong here.

mod fastscan;
mod int8;
mod principal;
mod projected;
mod rabitq;
mod rotation;
mod scaled_rows;
mod simd;

pub(crate) use self::{
    fastscan::BLOCK,
    int8::{CodeTerms, Int8, Int8Query},
    principal::PrincipalComponents,
    projected::{MAX_PROJECTED_DIM, Projected, ProjectedQuery, ProjectionFit, kept_components},
    rabitq::{RaBitQ, RotatedQuery},
    scaled_rows::ScaledRows,
};
