//! Bulk import: items stream in, results stream out. A client must read the response while it
//! sends: otherwise the server stops reading the body.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload},
};
use vitrine::Collection;
use vitrine_indexer::source::text::TextOptions;
use vitrine_schemas::{ImportLine, WaitFor, WriteParams, WriteSummary};

use super::CollectionPath;
use crate::{
    embedding::{is_pending, state_of},
    error::ApiResult,
    http::{
        body::{media_type, missing_media_type},
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, NotFoundErrors, OverloadErrors},
    },
    import::{Batches, Format, Header, Parser, Steps, header_cells, line, respond},
    state::AppState,
};

/// Pause between retries while vectors are being sealed.
const SEAL_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Import items
///
/// Streams in both directions. The body has one JSON object per line, or CSV whose header names
/// item fields and attributes of the collection. The response has one result per line, in order,
/// with the line number from 1; blank lines have no result. An item reported as created or updated
/// is stored. The last line is `{"summary": ...}`, or `{"error": ...}` if the import was aborted.
/// If memory or disk is full, lines are rejected with `memory_full`, `memory_full_until_sealed` or
/// `disk_full`, after waiting for vectors to be sealed: send those again later. Read the response
/// while you send: the server stops reading the body when you do not.
///
/// Items without vectors are embedded by the server as those of `PUT`. An import does not wait for
/// that unless `wait=embedded`, and then before its last line; it slows down while too many items
/// are pending.
#[utoipa::path(
    post, path = "/v1/collections/{c}/items/import", tag = "items", operation_id = "import_items",
    params(CollectionPath, WriteParams),
    request_body(
        content((String = "application/x-ndjson"), (String = "application/jsonl"), (String = "text/csv")),
        description = "Items, one per line",
    ),
    responses(
        (status = 200, description = "One result per line", body = ImportLine, content_type = "application/x-ndjson"),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors,
    ),
)]
pub async fn import(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<WriteParams>,
    request: HttpRequest,
    payload: Payload,
) -> ApiResult<HttpResponse> {
    let types = ["application/x-ndjson", "application/jsonl", "text/csv"];
    let format = match media_type(&request, &types)?.as_deref() {
        Some("text/csv") => Format::Csv,
        Some(_) => Format::Ndjson,
        None => return Err(missing_media_type("application/x-ndjson")),
    };
    let (collection, config) = context
        .write(move |database| {
            let collection = database.collection(&path.c)?;
            let config = collection.config();
            Ok((collection, config))
        })
        .await?;
    let limit = context.state.limits.import_line_bytes;
    let mut batches = Batches::new(
        payload,
        format,
        limit,
        TextOptions::default(),
        context.state.stopping.clone(),
    );
    let parser = match format {
        Format::Ndjson => Parser::Json,
        Format::Csv => {
            let header = header_cells(batches.record().await?)?;
            Parser::Csv(Header::read(&header, &config)?)
        }
    };
    let import = Import {
        batches,
        target: Arc::new((parser, collection)),
        state: context.state,
        timeout: context.timeout,
        params: params.0,
        pending: Vec::new(),
        failed: None,
        summary: WriteSummary::default(),
    };
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(respond(import)))
}

/// A running import.
struct Import {
    batches: Batches,
    target: Arc<(Parser, Arc<Collection>)>,
    state: Data<AppState>,
    /// Timeout of a batch.
    timeout: Duration,
    summary: WriteSummary,
    params: WriteParams,
    /// Items whose vectors follow, if the import waits for them.
    pending: Vec<String>,
    /// Error line to be sent once the rest of the body is read.
    failed: Option<Vec<u8>>,
}

impl Steps for Import {
    async fn step(&mut self) -> (Vec<u8>, bool) {
        if let Some(last) = self.failed.take() {
            // A client that sends its whole body first would otherwise see a broken connection.
            self.batches.discard(self.timeout).await;
            return (last, false);
        }
        match self.write_batch().await {
            Ok(Some(lines)) => (lines, true),
            Ok(None) => {
                self.wait_embedded().await;
                let summary = self.summary.clone();
                let version = self.state.version().map(|version| version.to_string());
                (line(&ImportLine::Summary { summary, version }), false)
            }
            Err(error) => {
                let error = error.problem();
                self.failed = Some(line(&ImportLine::Error { error }));
                (Vec::new(), true)
            }
        }
    }
}

impl Import {
    async fn write_batch(&mut self) -> ApiResult<Option<Vec<u8>>> {
        let Some(batch) = self.batches.next().await? else {
            return Ok(None);
        };
        let batch = Arc::new(batch);
        let params = self.params;
        let deadline = Instant::now() + self.timeout;
        let written = loop {
            let (target, batch, state) = (self.target.clone(), batch.clone(), self.state.clone());
            let write = move || batch.write(&target.0, &target.1, &state.embedding, &params);
            let written = self.state.writes.run_in_turn(self.timeout, write).await?;
            if !written.retry || Instant::now() >= deadline {
                break written;
            }
            // Sealing and embedding make room; waiting slows the sender down.
            tokio::time::sleep(SEAL_POLL_INTERVAL).await;
        };
        self.summary += written.summary;
        if params.wait == Some(WaitFor::Embedded) {
            self.pending.extend(written.pending);
            self.count_embedded();
        }
        Ok(Some(written.lines))
    }

    /// Counts pending items by their state once they are no longer pending.
    fn count_embedded(&mut self) {
        let (collection, counts) = (&self.target.1, &mut self.summary.embedding);
        self.pending.retain(|id| {
            let stays = is_pending(collection, id);
            if !stays {
                counts.pending = counts.pending.saturating_sub(1);
                counts.count(state_of(collection, id).status);
            }
            stays
        });
    }

    /// Waits until the items of the import are embedded, as long as there is progress.
    async fn wait_embedded(&mut self) {
        let mut before = usize::MAX;
        while !self.pending.is_empty() && self.pending.len() < before {
            before = self.pending.len();
            let (collection, embedding) = (&self.target.1, &self.state.embedding);
            embedding
                .wait(collection, &self.pending, self.timeout)
                .await;
            self.count_embedded();
        }
    }
}
