//! Behaviour events.

use actix_web::web::Json;
use vitrine_schemas::{EventsRequest, EventsResponse};

use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Stored},
};

/// Store events
///
/// One event or an array of them; one result each. An event sent again under its id is stored once.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", operation_id = "store_events",
    request_body(content = EventsRequest, example = json!([
        {"kind": "view", "collection": "shop", "user": "u1", "items": ["SKU1"]}
    ])),
    responses((status = 200, description = "One result an event", body = EventsResponse), Keyed, Gated, Bodied, Stored),
)]
pub async fn post(call: Call, body: Body<EventsRequest>) -> ApiResult<Json<EventsResponse>> {
    let events = body.0.into_vec();
    call.check(events.iter().map(|event| event.collection.as_str()))?;
    let results = call.write(move |database| database.append_events(&events));
    Ok(Json(EventsResponse {
        results: results.await?,
    }))
}
