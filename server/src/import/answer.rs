//! The answer of an import, streamed as it is made.

use std::convert::Infallible;

use actix_web::web::Bytes;
use futures_util::{Stream, stream};

use crate::error::{REQUEST_ID, current_request_id};

/// An import under way.
pub(crate) trait Steps {
    /// Lines of the answer, and whether more follow.
    async fn step(&mut self) -> (Vec<u8>, bool);
}

/// The lines of all steps; each step knows the id of the request.
pub(crate) fn answer(import: impl Steps) -> impl Stream<Item = Result<Bytes, Infallible>> {
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
