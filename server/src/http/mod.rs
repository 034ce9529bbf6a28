//! HTTP: access control, request context and bodies, conditional requests, and the error responses
//! of the OpenAPI document. No route lives here.

pub mod access;
pub mod body;
pub mod body_limits;
pub mod etag;
pub mod middleware;
pub mod params;
pub mod records;
pub mod replication;
pub mod request_context;
pub mod responses;
pub mod same_origin;
pub mod visibility;
