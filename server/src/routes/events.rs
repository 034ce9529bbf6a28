//! Behavior events.

use std::{io::Write, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, BytesMut, Data, Json, Path, Payload},
};
use tempfile::NamedTempFile;
use tokio::sync::OwnedSemaphorePermit;
use vitrine_schemas::{
    Event, EventImportParams, EventLine, EventResult, EventStatus, EventSummary, EventsRequest,
    EventsResponse, ItemEvents, ItemEventsParams,
};

use super::ItemPath;
use crate::{
    error::{ApiError, ApiResult, REQUEST_ID, current_request_id},
    http::{
        body::{media_type, missing_media_type, next_chunk},
        params::Params,
        records::{BadRecord, Records},
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, NotFoundErrors, OverloadErrors, StorageErrors},
    },
    import::{
        Batches, EventParser, Format, ParquetEvents, Steps, StoredBatch, event_line, header_cells,
        mapping, respond, text_options,
    },
    state::AppState,
};

/// Maximum pause between chunks of a file.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes of a file buffered before they are written.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Store events
///
/// Stores an event or an array of events; one result each. A rejected event does not affect the
/// others: see its result. An event sent again under the same id is
/// stored once. An event dated up to a day in the future (wrong clock) is stored with the time of
/// arrival and marked `skewed`, a later one is rejected; one that arrives more than a week late is
/// stored and marked `late`.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", operation_id = "store_events",
    request_body(content = EventsRequest, example = json!([
        {"kind": "view", "collection": "shop", "user": "u1", "items": ["SKU1"]}
    ])),
    responses((status = 200, description = "One result per event", body = EventsResponse), AuthErrors, OverloadErrors, BodyErrors, StorageErrors),
)]
pub async fn post(
    context: RequestContext,
    body: Records<Event>,
) -> ApiResult<Json<EventsResponse>> {
    let (indexes, mut events): (Vec<u64>, Vec<Event>) = body.read.into_iter().unzip();
    for event in &mut events {
        context.restrict_shopper(&mut event.user, &mut event.session)?;
    }
    context.check(events.iter().map(|event| event.collection.as_str()))?;
    let mut results = context
        .write(move |database| database.append_events(&events))
        .await?;
    for (result, index) in results.iter_mut().zip(indexes) {
        result.index = index;
    }
    let rejected = |(index, record): (u64, BadRecord)| EventResult {
        index,
        status: EventStatus::Rejected,
        skewed: false,
        late: false,
        error: Some(record.error.detail),
    };
    results.extend(body.bad.into_iter().map(rejected));
    results.sort_by_key(|result| result.index);
    let mut summary = EventSummary::default();
    results.iter().for_each(|result| summary.count(result));
    Ok(Json(EventsResponse { results, summary }))
}

/// Import events
///
/// Streams in both directions. The body has one JSON event per line, CSV with a header, or a
/// Parquet file, which is read when it is complete. The response has one result per line, in order,
/// with the line number from 1 (the row number of a Parquet file); blank lines have no result. An
/// event reported as accepted is stored; if it is sent again, it is a duplicate, so an interrupted
/// import can be repeated. The last line is `{"summary": ...}`, or `{"error": ...}` if the import
/// was aborted. Read the response while you send: the server stops reading the body when you do
/// not.
#[utoipa::path(
    post, path = "/v1/events/import", tag = "events", operation_id = "import_events",
    params(EventImportParams),
    request_body(
        content(
            (String = "application/x-ndjson"), (String = "application/jsonl"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet")
        ),
        description = "Events: one per line, CSV or Parquet",
    ),
    responses(
        (status = 200, description = "One result per line", body = EventLine, content_type = "application/x-ndjson"),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors,
    ),
)]
pub async fn import(
    context: RequestContext,
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
    if media.is_none() {
        return Err(missing_media_type("application/x-ndjson"));
    }
    context.check(std::iter::once(params.collection.as_str()))?;
    let mapping = mapping(&params)?;
    let name = params.collection.clone();
    context
        .read(move |database| database.collection(&name).map(drop))
        .await?;
    let (collection, limits) = (params.collection.as_str(), &context.state.limits);
    let feed = if media.as_deref() == Some(PARQUET) {
        let turn = context.state.parquet_imports.clone().try_acquire_owned();
        let turn = turn.map_err(|_| ApiError::overloaded())?;
        let file = receive(payload, &context.state).await?;
        let (mapping, collection) = (mapping.clone(), collection.to_owned());
        let open = move || ParquetEvents::open(file, &mapping, &collection);
        let id = current_request_id();
        let opened = web::block(move || REQUEST_ID.sync_scope(id, open));
        let opened = opened.await.map_err(ApiError::internal)??;
        Feed::Parquet {
            file: Some(opened),
            _turn: turn,
        }
    } else {
        let format = match media.as_deref() {
            Some("text/csv") => Format::Csv,
            _ => Format::Ndjson,
        };
        let options = text_options(&params)?;
        let mut batches = Batches::new(
            payload,
            format,
            limits.import_line_bytes,
            options,
            context.state.stopping.clone(),
        );
        let parser = match format {
            Format::Ndjson => EventParser::json(&mapping, collection),
            Format::Csv => {
                let header = header_cells(batches.record().await?)?;
                EventParser::csv(&header, &mapping, collection)?
            }
        };
        Feed::Records(batches, Arc::new(parser))
    };
    let import = Import {
        feed,
        state: context.state,
        timeout: context.timeout,
        summary: EventSummary::default(),
    };
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(respond(import)))
}

/// Writes a body of at most `limits.import_file_bytes` to a temporary file.
async fn receive(mut payload: Payload, state: &AppState) -> ApiResult<NamedTempFile> {
    let limit = state.limits.import_file_bytes;
    let folder = state.database().uploads()?;
    let mut file = NamedTempFile::new_in(folder).map_err(ApiError::internal)?;
    let (mut buffer, mut size) = (BytesMut::new(), 0);
    loop {
        let chunk = next_chunk(&mut payload, CHUNK_TIMEOUT, &state.stopping).await?;
        let ended = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        size += chunk.len() as u64;
        if size > limit {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!(
                    "the file is longer than limits.import_file_bytes ({limit}); split it or raise the limit"
                ),
            ));
        }
        buffer.extend_from_slice(&chunk);
        if ended || buffer.len() >= WRITE_BUFFER_BYTES {
            let bytes = buffer.split();
            state.database().admit_upload(bytes.len() as u64)?;
            let write = move || file.write_all(&bytes).map(|()| file);
            let written = web::block(write).await.map_err(ApiError::internal)?;
            file = written.map_err(ApiError::internal)?;
        }
        if ended {
            return Ok(file);
        }
    }
}

/// Source of the events.
enum Feed {
    Records(Batches, Arc<EventParser>),
    Parquet {
        /// None while it is being read.
        file: Option<ParquetEvents>,
        _turn: OwnedSemaphorePermit,
    },
}

/// A running import.
struct Import {
    feed: Feed,
    state: Data<AppState>,
    /// Timeout of a batch.
    timeout: Duration,
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
                version: self.state.version().map(|version| version.to_string()),
            },
            Err(error) => EventLine::Error {
                error: error.problem(),
            },
        };
        (event_line(&last), false)
    }
}

impl Import {
    async fn store(&mut self) -> ApiResult<Option<StoredBatch>> {
        let database = self.state.database();
        match &mut self.feed {
            Feed::Records(batches, parser) => {
                let Some(batch) = batches.next().await? else {
                    return Ok(None);
                };
                let parser = parser.clone();
                let work = move || parser.store(batch, &database).map(Some);
                self.state.writes.run_in_turn(self.timeout, work).await
            }
            Feed::Parquet { file, .. } => {
                let Some(mut parquet) = file.take() else {
                    return Ok(None);
                };
                let work = move || parquet.store(&database).map(|stored| (stored, parquet));
                let (stored, parquet) = self.state.writes.run_in_turn(self.timeout, work).await?;
                *file = Some(parquet);
                Ok(stored)
            }
        }
    }
}

/// Events of an item
///
/// Returns the number of events by kind, and the latest events, newest first.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/events", tag = "events", operation_id = "item_events",
    params(ItemPath, ItemEventsParams),
    responses((status = 200, description = "Counts and events", body = ItemEvents), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn of_item(
    context: RequestContext,
    path: Path<ItemPath>,
    params: Params<ItemEventsParams>,
) -> ApiResult<Json<ItemEvents>> {
    let events = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.item_events(&path.id, params.limit)
    });
    Ok(Json(events.await?))
}
