//! Pending items as records of a source, in the order of their versions: an item written meanwhile
//! comes last, or in the next run.

use std::collections::VecDeque;

use vitrine_schemas::PendingItem;

use super::{InFlight, ItemState, PAGE, lock};
use crate::sink::HttpSink;
use crate::source::{Record, SourceError};

/// Iterator over items that lack vectors.
pub(super) struct Pending {
    server: HttpSink,
    fingerprint: String,
    in_flight: InFlight,
    page: VecDeque<PendingItem>,
    after: Option<u32>,
    is_over: bool,
}

impl Pending {
    /// Returns items that lack vectors of the encoders with this fingerprint. Each is recorded in
    /// `in_flight` before it is returned.
    pub fn new(server: HttpSink, fingerprint: &str, in_flight: InFlight) -> Self {
        Self {
            server,
            fingerprint: fingerprint.to_owned(),
            in_flight,
            page: VecDeque::new(),
            after: None,
            is_over: false,
        }
    }
}

impl Iterator for Pending {
    type Item = Result<Record, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && !self.is_over {
            match self.server.pending(&self.fingerprint, self.after, PAGE) {
                Ok(page) => {
                    self.after = page.next;
                    // Bounded: with continuous writes this would never end.
                    self.is_over = page.next.is_none();
                    self.page = page.items.into();
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(SourceError::Server(Box::new(error))));
                }
            }
        }
        let PendingItem {
            version,
            spaces,
            item,
        } = self.page.pop_front()?;
        lock(&self.in_flight).insert(item.id.clone(), ItemState { version, spaces });
        Some(Ok(Record::new(version.into(), item)))
    }
}
