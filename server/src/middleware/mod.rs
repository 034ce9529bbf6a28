//! What happens around every request: its id, its key, its metrics.

pub mod auth;
pub mod request_id;
