//! Federated training over HTTP: the coordinator's server and the shops' client. A shared key
//! admits shops; each then has a secret of its own. Connections are encrypted with `https`.

mod api;
mod member;
mod server;
#[cfg(test)]
mod tests;
mod work;

pub use self::{
    api::Api,
    member::{Finished, Member},
    server::{Listen, Serving, Summary, serve},
    work::Progress,
};

/// Header with the secret of a shop.
const MEMBER: &str = "x-vitrine-member";

/// Media type of vectors and heads.
const BYTES: &str = "application/octet-stream";
