//! Bulk writes: items stream in, results stream out. A client reads the answer while it sends: who does not read is
//! not read from either.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use vitrine::Collection;
use vitrine_schemas::{ImportLine, WriteSummary};

use super::CollectionPath;
use crate::{
    body::media_type,
    call::Call,
    error::ApiResult,
    import::{Batches, Format, Header, Parser, Steps, answer, line},
    openapi::{Bodied, Gated, Keyed, Named},
    state::AppState,
};

/// Between two looks whether sealing has made room.
const SEALING: Duration = Duration::from_millis(250);

/// Import items
///
/// Streamed in and out. The body holds a JSON object a line, or CSV: its header names fields of an item and
/// attributes of the collection. The answer has one result a line, in order, with the line's number from 1; blank lines
/// have none. An item told to be created or updated is stored. The last line is `{"summary": ...}`, or `{"error": ...}`
/// where the import was given up. Where memory or disk is short, lines are rejected as `memory_full`, `memory_full_until_sealed` or
/// `disk_full`, after waiting for what sealing frees: send those again once there is room. Read the answer while you send: the server stops reading when you do.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/import", tag = "items", operation_id = "import_items",
    params(CollectionPath),
    request_body(
        content((String = "application/x-ndjson"), (String = "application/jsonl"), (String = "text/csv")),
        description = "Items, one a line",
    ),
    responses(
        (status = 200, description = "One result a line", body = ImportLine, content_type = "application/x-ndjson"),
        Keyed, Gated, Bodied, Named,
    ),
)]
pub async fn import(
    call: Call,
    path: Path<CollectionPath>,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    let types = ["application/x-ndjson", "application/jsonl", "text/csv"];
    let format = match media_type(&request, &types)?.as_deref() {
        Some("text/csv") => Format::Csv,
        _ => Format::Ndjson,
    };
    let (collection, config) = call
        .write(move |database| {
            let collection = database.collection(&path.c)?;
            let config = collection.config();
            Ok((collection, config))
        })
        .await?;
    let mut batches = Batches::new(payload, format, call.state.limits.import_line_bytes);
    let parser = match format {
        Format::Ndjson => Parser::Json,
        Format::Csv => {
            let header = batches.record().await?.and_then(|record| record.bytes);
            Parser::Csv(Header::read(&header.unwrap_or_default(), &config)?)
        }
    };
    let import = Import {
        batches,
        target: Arc::new((parser, collection)),
        state: call.state,
        time: call.time,
        summary: WriteSummary::default(),
    };
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(answer(import)))
}

/// An import under way.
struct Import {
    batches: Batches,
    target: Arc<(Parser, Arc<Collection>)>,
    state: Data<AppState>,
    /// A batch may take so long.
    time: Duration,
    summary: WriteSummary,
}

impl Steps for Import {
    async fn step(&mut self) -> (Vec<u8>, bool) {
        let last = match self.write_batch().await {
            Ok(Some(lines)) => return (lines, true),
            Ok(None) => ImportLine::Summary {
                summary: self.summary.clone(),
            },
            Err(fault) => ImportLine::Error {
                error: fault.problem(),
            },
        };
        (line(&last), false)
    }
}

impl Import {
    async fn write_batch(&mut self) -> ApiResult<Option<Vec<u8>>> {
        let Some(batch) = self.batches.next().await? else {
            return Ok(None);
        };
        let batch = Arc::new(batch);
        let until = Instant::now() + self.time;
        let written = loop {
            let (target, batch, state) = (self.target.clone(), batch.clone(), self.state.clone());
            let write = move || batch.write(&target.0, &target.1, &state.embedders);
            let written = self.state.writes.run_in_turn(self.time, write).await?;
            if !written.retry || Instant::now() >= until {
                break written;
            }
            // Sealing will make room; the sender is slowed down by the waiting.
            tokio::time::sleep(SEALING).await;
        };
        self.summary += written.summary;
        Ok(Some(written.lines))
    }
}
