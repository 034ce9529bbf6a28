//! Federated training: shops train heads together, and none shows its data to anyone.

pub mod secagg;
