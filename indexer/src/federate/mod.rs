//! Federated training: shops train heads together, and none shows its data to anyone.
//!
//! In each round every shop trains on its own pairs of text and image from the common heads on
//! ([`Shop`]) and sends the change of the parameters: clipped, as integers, and masked
//! ([`secagg`]), so that the coordinator sees the sum alone. It applies their mean ([`Global`]).
//! At the end each shop adopts the heads only if they win on pairs that it held out.

mod error;
mod global;
pub mod http;
pub mod messages;
pub mod noise;
mod plan;
#[cfg(test)]
mod samples;
pub mod secagg;
pub mod session;
mod shop;
pub mod simulate;
mod state;
#[cfg(test)]
mod tests;
pub mod vector;

pub use self::{
    error::FederateError,
    global::Global,
    plan::{Features, PROTOCOL, Plan, ServerOptimizer},
    shop::{Shop, Update},
};
