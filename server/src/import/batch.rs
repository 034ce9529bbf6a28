//! Some records that are parsed and written together.

use vitrine::Collection;
use vitrine_schemas::{ImportLine, Item, WriteResponse, WriteStatus, WriteSummary};

use super::{Header, Record};
use crate::{
    body,
    embedders::Embedders,
    error::{ApiError, ApiResult},
    report,
};

/// A batch with so many records, or so many bytes, is written.
const FULL: usize = 256;
const FULL_BYTES: usize = 8 << 20;

/// How a record becomes an item.
pub enum Parser {
    /// It is a JSON object.
    Json,
    /// It is a row below a header.
    Csv(Header),
}

impl Parser {
    fn parse(&self, bytes: &[u8]) -> ApiResult<Item> {
        match self {
            Self::Json => body::parse(bytes),
            Self::Csv(header) => header.item(bytes),
        }
    }

    /// The id of a record that is no item, where it can be read.
    fn id(&self, bytes: &[u8]) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Identified {
            id: String,
        }
        match self {
            Self::Json => Some(serde_json::from_slice::<Identified>(bytes).ok()?.id),
            Self::Csv(header) => header.id(bytes),
        }
    }
}

/// Records to be written together.
#[derive(Default)]
pub struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

/// What became of a batch: lines of the answer, and totals.
pub struct Written {
    /// One line a record.
    pub lines: Vec<u8>,
    /// Totals.
    pub summary: WriteSummary,
    /// Nothing was stored, for want of room that sealing will make.
    pub retry: bool,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        self.bytes += record.size();
        self.records.push(record);
    }

    /// Whether it is to be written now.
    pub fn is_full(&self) -> bool {
        self.records.len() >= FULL || self.bytes >= FULL_BYTES
    }

    /// Whether it has no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records themselves.
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Parses and writes; a bad record costs itself only. What comes back as created or updated is stored. Where there is
    /// no room for the records, each is answered with that; [`Written::retry`] tells whether waiting would mend it.
    pub fn write(
        &self,
        parser: &Parser,
        collection: &Collection,
        embedders: &Embedders,
    ) -> ApiResult<Written> {
        let (mut items, mut read) = (Vec::new(), Vec::with_capacity(self.records.len()));
        for record in &self.records {
            let (id, fault) = match &record.bytes {
                None => (None, Some(too_long())),
                Some(bytes) => match parser.parse(bytes) {
                    Err(fault) => (parser.id(bytes), Some(fault)),
                    Ok(item) => {
                        let id = item.id.clone();
                        items.push(item);
                        (Some(id), None)
                    }
                },
            };
            read.push((record.line, id, fault));
        }
        let count = items.len();
        embedders.embed_twice(collection, &mut items);
        let mut retry = false;
        let outcomes: Vec<ApiResult<WriteStatus>> = match collection.upsert(items) {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|outcome| outcome.map_err(ApiError::from))
                .collect(),
            Err(e) if e.is_full() => {
                retry = matches!(e, vitrine::Error::Unsettled { .. });
                let refused = ApiError::from(e);
                (0..count).map(|_| Err(refused.clone())).collect()
            }
            Err(e) => return Err(e.into()),
        };
        let mut outcomes = outcomes.into_iter();
        let mut report = WriteResponse::default();
        for (line, id, fault) in read {
            let outcome = match fault {
                Some(fault) => Err(fault),
                None => outcomes
                    .next()
                    .unwrap_or_else(|| Err(ApiError::internal("an item has no outcome"))),
            };
            report::record(&mut report, line, id, outcome);
        }
        let results = report.results.into_iter().map(ImportLine::Result);
        Ok(Written {
            lines: results.flat_map(|result| line(&result)).collect(),
            summary: report.summary,
            retry,
        })
    }
}

/// One line of the answer.
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
