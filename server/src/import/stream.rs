//! Response of an import, streamed while it runs.

use std::convert::Infallible;

use actix_web::web::Bytes;
use futures_util::{Stream, stream};

use crate::error::{REQUEST_ID, current_request_id};

/// A running import.
pub(crate) trait Steps {
    /// Returns lines of the response, and true if more follow.
    async fn step(&mut self) -> (Vec<u8>, bool);
}

/// Streams the lines of all steps; each step runs with the id of the request.
pub(crate) fn respond(import: impl Steps) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let id = current_request_id();
    stream::unfold(Some(import), move |import| {
        let id = id.clone();
        async move {
            let mut import = import?;
            let (lines, more) = REQUEST_ID.scope(id, import.step()).await;
            Some((Ok(lines.into()), more.then_some(import)))
        }
    })
}
