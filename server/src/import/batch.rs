//! Batches of records that are parsed and written together.

use vitrine::{Collection, Written as WrittenItem};
use vitrine_schemas::{
    EmbeddingStatus, ImportLine, Item, WriteParams, WriteResponse, WriteSummary,
};

use super::{Content, Header, Record};
use crate::{
    embedding::ItemEmbedding,
    error::{ApiError, ApiResult},
    http::body,
    import::write_report,
};

/// Records at which a batch is full.
const BATCH_RECORDS: usize = 256;

/// Bytes at which a batch is full.
const BATCH_BYTES: usize = 8 << 20;

/// Parser of item records.
pub enum Parser {
    /// Records are JSON objects.
    Json,
    /// Records are CSV rows below this header.
    Csv(Header),
}

impl Parser {
    fn parse(&self, content: &Content) -> ApiResult<Item> {
        match (self, content) {
            (Self::Json, Content::Line(bytes)) => body::parse(bytes),
            (Self::Csv(header), Content::Cells(cells)) => header.item(cells),
            (_, Content::Undecodable(reason)) => Err(ApiError::invalid("", reason.clone())),
            (_, Content::TooLong) => Err(too_long()),
            (Self::Json, Content::Cells(_)) | (Self::Csv(_), Content::Line(_)) => {
                Err(ApiError::internal("a record of another format"))
            }
        }
    }

    /// Returns the id of an invalid record, if it can be read.
    fn id(&self, content: &Content) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Identified {
            id: String,
        }
        match (self, content) {
            (Self::Json, Content::Line(bytes)) => {
                Some(serde_json::from_slice::<Identified>(bytes).ok()?.id)
            }
            (Self::Csv(header), Content::Cells(cells)) => header.id(cells),
            _ => None,
        }
    }
}

/// Records to be written together.
#[derive(Default)]
pub struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

/// Outcome of a batch: lines of the response, and totals.
pub struct Written {
    /// One line per record.
    pub lines: Vec<u8>,
    /// Totals.
    pub summary: WriteSummary,
    /// Ids of items whose vectors follow.
    pub pending: Vec<String>,
    /// True if nothing was stored because memory is full until vectors are sealed, or too many
    /// items are pending.
    pub retry: bool,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        self.bytes += record.size();
        self.records.push(record);
    }

    /// Returns true if the batch is to be written now.
    pub fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// Returns true if the batch has no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the records.
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Parses and writes the batch; an invalid record does not affect the others. Records reported
    /// as created or updated are stored. If memory, disk or the queue of pending items is full,
    /// every record is rejected with that error; [`Written::retry`] is true if waiting helps.
    pub fn write(
        &self,
        parser: &Parser,
        collection: &Collection,
        embedding: &ItemEmbedding,
        params: &WriteParams,
    ) -> ApiResult<Written> {
        let (mut items, mut read) = (Vec::new(), Vec::with_capacity(self.records.len()));
        for record in &self.records {
            let (id, error) = match parser.parse(&record.content) {
                Err(error) => (parser.id(&record.content), Some(error)),
                Ok(item) => {
                    let id = item.id.clone();
                    items.push(item);
                    (Some(id), None)
                }
            };
            read.push((record.line, id, error));
        }
        let count = items.len();
        let brings_vectors = items.iter().all(|item| !item.vectors.is_empty());
        let room = match brings_vectors {
            true => Ok(()),
            false => embedding.admit(collection, params),
        };
        let refused = |error: ApiError| (0..count).map(|_| Err(error.clone())).collect();
        let mut retry = room.is_err();
        let outcomes: Vec<ApiResult<WrittenItem>> = match room {
            Err(full) => refused(full),
            Ok(()) => match embedding.write(collection, params, items) {
                Ok(outcomes) => {
                    let outcomes = outcomes.into_iter();
                    outcomes.map(|o| o.map_err(ApiError::from)).collect()
                }
                Err(e) if e.is_full() => {
                    retry = matches!(e, vitrine::Error::MemoryFullUntilSealed { .. });
                    refused(ApiError::from(e))
                }
                Err(e) => return Err(e.into()),
            },
        };
        let mut outcomes = outcomes.into_iter();
        let mut report = WriteResponse::default();
        let mut pending = Vec::new();
        for (line, id, error) in read {
            let outcome = match error {
                Some(error) => Err(error),
                None => outcomes
                    .next()
                    .unwrap_or_else(|| Err(ApiError::internal("an item has no outcome"))),
            };
            if let (Ok(written), Some(id)) = (&outcome, &id)
                && is_pending(written)
            {
                pending.push(id.clone());
            }
            write_report::record(&mut report, line, id, outcome);
        }
        let results = report.results.into_iter().map(ImportLine::Result);
        Ok(Written {
            lines: results.flat_map(|result| line(&result)).collect(),
            summary: report.summary,
            pending,
            retry,
        })
    }
}

/// Returns true if the vectors of a written item follow.
pub fn is_pending(written: &WrittenItem) -> bool {
    let status = written.embedding.as_ref().map(|state| state.status);
    status == Some(EmbeddingStatus::Pending)
}

/// Serializes a line of the response.
pub fn line(line: &ImportLine) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn too_long() -> ApiError {
    ApiError::new(
        actix_web::http::StatusCode::PAYLOAD_TOO_LARGE,
        "line_too_long",
        "the line is longer than limits.import_line_bytes; shorten it or raise the limit",
    )
}
