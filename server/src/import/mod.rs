//! Streaming imports: splits the body into records, parses and writes them in batches, and streams
//! the results back.

mod batch;
mod batches;
mod events;
mod header;
mod record;
mod stream;
pub mod write_report;

pub use batch::{Batch, Parser, Written, is_pending, line};
pub use batches::Batches;
pub use events::{EventParser, ParquetEvents, StoredBatch, event_line, mapping, text_options};
pub use header::Header;
pub(crate) use header::header_cells;
pub use record::{Content, Format, Record, Splitter};
pub(crate) use stream::{Steps, respond};
