//! Events: validity, time of arrival, and the user or session they belong to.
//!
//! Storing them belongs to [`database`](crate::database).

mod arrival;
mod check;
mod subject;

pub(crate) use arrival::{Arrival, day, rfc3339};
pub(crate) use check::{check, normalize};
pub use subject::Subject;
