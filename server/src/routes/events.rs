//! Behaviour events.

use std::{io::Write, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, BytesMut, Data, Json, Path, Payload, Query as Params},
};
use tempfile::NamedTempFile;
use vitrine_schemas::{
    EventImportParams, EventLine, EventSummary, EventsRequest, EventsResponse, ItemEvents,
    ItemEventsParams,
};

use super::ItemPath;
use crate::{
    body::{Body, media_type, next_chunk},
    call::Call,
    error::{ApiError, ApiResult, REQUEST_ID, current_request_id},
    import::{
        Batches, EventParser, Format, ParquetEvents, Steps, StoredEvents, answer, event_line,
        mapping,
    },
    openapi::{Bodied, Gated, Keyed, Named, Stored},
    state::AppState,
};

/// Longest pause of the sender of a file.
const PATIENCE: Duration = Duration::from_secs(600);

/// Bytes of a file gathered before they are written.
const GATHERED: usize = 1 << 20;

/// Store events
///
/// One event or an array of them; one result each. An event sent again under its id is stored once. One dated up to a
/// day in the future (a wrong clock) is stored with the time of arrival and marked `skewed`, a later one is refused;
/// one that comes more than a week after its time is stored and marked `late`.
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
    let results = call
        .write(move |database| database.append_events(&events))
        .await?;
    let mut summary = EventSummary::default();
    results.iter().for_each(|result| summary.count(result));
    Ok(Json(EventsResponse { results, summary }))
}

/// Import events
///
/// Streamed in and out. The body holds an event a line, or CSV with a header, or a Parquet file, which is read once it is
/// all there. The answer has one result a line, in order, with the line's number from 1 (of a Parquet file the row's);
/// blank lines have none. An event told to be accepted is stored; sent again, it is a duplicate, so that an import that
/// broke off is simply sent again. The last line is `{"summary": ...}`, or `{"error": ...}` where the import was given
/// up. Read the answer while you send: the server stops reading when you do.
#[utoipa::path(
    post, path = "/v1/events/import", tag = "events", operation_id = "import_events",
    params(EventImportParams),
    request_body(
        content(
            (String = "application/x-ndjson"), (String = "application/jsonl"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet")
        ),
        description = "Events",
    ),
    responses(
        (status = 200, description = "One result a line", body = EventLine, content_type = "application/x-ndjson"),
        Keyed, Gated, Bodied, Named, Stored,
    ),
)]
pub async fn import(
    call: Call,
    params: Params<EventImportParams>,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    const PARQUET: &str = "application/vnd.apache.parquet";
    let types = [
        "application/x-ndjson",
        "application/jsonl",
        "text/csv",
        PARQUET,
    ];
    let media = media_type(&request, &types)?;
    call.check(std::iter::once(params.collection.as_str()))?;
    let mapping = mapping(&params)?;
    let name = params.collection.clone();
    call.read(move |database| database.collection(&name).map(drop))
        .await?;
    let (collection, limits) = (params.collection.as_str(), &call.state.limits);
    let feed = if media.as_deref() == Some(PARQUET) {
        let file = receive(payload, limits.import_file_bytes).await?;
        let (mapping, collection) = (mapping.clone(), collection.to_owned());
        let open = move || ParquetEvents::open(file, &mapping, &collection);
        let id = current_request_id();
        let opened = web::block(move || REQUEST_ID.sync_scope(id, open));
        let opened = opened.await.map_err(ApiError::internal)??;
        Feed::Parquet(Some(opened))
    } else {
        let format = match media.as_deref() {
            Some("text/csv") => Format::Csv,
            _ => Format::Ndjson,
        };
        let mut batches = Batches::new(payload, format, limits.import_line_bytes);
        let parser = match format {
            Format::Ndjson => EventParser::json(&mapping, collection),
            Format::Csv => {
                let header = batches.record().await?.and_then(|record| record.bytes);
                EventParser::csv(&header.unwrap_or_default(), &mapping, collection)?
            }
        };
        Feed::Records(batches, Arc::new(parser))
    };
    let import = Import {
        feed,
        state: call.state,
        time: call.time,
        summary: EventSummary::default(),
    };
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(answer(import)))
}

/// Writes a body of at most `limit` bytes into a file of its own.
async fn receive(mut payload: Payload, limit: u64) -> ApiResult<NamedTempFile> {
    let mut file = NamedTempFile::new().map_err(ApiError::internal)?;
    let (mut gathered, mut size) = (BytesMut::new(), 0);
    loop {
        let chunk = next_chunk(&mut payload, PATIENCE).await?;
        let ended = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        size += chunk.len() as u64;
        if size > limit {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!(
                    "the file is larger than limits.import_file_bytes, {limit}; send it in parts"
                ),
            ));
        }
        gathered.extend_from_slice(&chunk);
        if ended || gathered.len() >= GATHERED {
            let bytes = gathered.split();
            let write = move || file.write_all(&bytes).map(|()| file);
            let written = web::block(write).await.map_err(ApiError::internal)?;
            file = written.map_err(ApiError::internal)?;
        }
        if ended {
            return Ok(file);
        }
    }
}

/// Where the events come from.
enum Feed {
    Records(Batches, Arc<EventParser>),
    /// Away while it is read.
    Parquet(Option<ParquetEvents>),
}

/// An import under way.
struct Import {
    feed: Feed,
    state: Data<AppState>,
    /// A batch may take so long.
    time: Duration,
    summary: EventSummary,
}

impl Steps for Import {
    async fn step(&mut self) -> (Vec<u8>, bool) {
        let last = match self.store().await {
            Ok(Some(stored)) => {
                self.summary += stored.summary;
                return (stored.lines, true);
            }
            Ok(None) => EventLine::Summary {
                summary: self.summary.clone(),
            },
            Err(fault) => EventLine::Error {
                error: fault.problem(),
            },
        };
        (event_line(&last), false)
    }
}

impl Import {
    async fn store(&mut self) -> ApiResult<Option<StoredEvents>> {
        let database = self.state.database.clone();
        match &mut self.feed {
            Feed::Records(batches, parser) => {
                let Some(batch) = batches.next().await? else {
                    return Ok(None);
                };
                let parser = parser.clone();
                let work = move || parser.store(batch, &database).map(Some);
                self.state.writes.run_in_turn(self.time, work).await
            }
            Feed::Parquet(place) => {
                let Some(mut parquet) = place.take() else {
                    return Ok(None);
                };
                let work = move || parquet.store(&database).map(|stored| (stored, parquet));
                let (stored, parquet) = self.state.writes.run_in_turn(self.time, work).await?;
                *place = Some(parquet);
                Ok(stored)
            }
        }
    }
}

/// Events of an item
///
/// How many of each kind there are, and the latest, the newest first.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/events", tag = "events", operation_id = "item_events",
    params(ItemPath, ItemEventsParams),
    responses((status = 200, description = "Counts and events", body = ItemEvents), Keyed, Gated, Named),
)]
pub async fn of_item(
    call: Call,
    path: Path<ItemPath>,
    params: Params<ItemEventsParams>,
) -> ApiResult<Json<ItemEvents>> {
    let found = call.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.item_events(&path.id, params.limit)
    });
    Ok(Json(found.await?))
}
