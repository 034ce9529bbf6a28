//! A stream of items or events in, a stream of results out: records are cut out of the body, then parsed and written in batches.

mod answer;
mod batch;
mod batches;
mod events;
mod header;
mod record;

pub(crate) use answer::{Steps, answer};
pub use batch::{Batch, Parser, Written, line};
pub use batches::Batches;
pub use events::{EventParser, ParquetEvents, StoredEvents, event_line, mapping};
pub use header::Header;
pub use record::{Format, Record, Splitter};
