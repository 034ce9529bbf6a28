//! Real binaries, real processes, real HTTP: what a user of the server would do, and what a power cut would.

mod architecture;
mod catalog;
mod crash;
mod harness;
mod reembedding;
mod startup;
