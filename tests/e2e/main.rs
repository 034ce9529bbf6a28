//! End-to-end tests with real binaries, processes and HTTP.

mod architecture;
mod catalog;
mod crash;
mod durability;
mod harness;
mod import_circles;
mod reembedding;
mod replication;
mod sources;
mod startup;
mod tls;
mod traces;
