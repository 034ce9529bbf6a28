//! The items to be embedded as records of a source, in the order of their versions: one that is written meanwhile comes last, or
//! in the next run.

use std::collections::VecDeque;

use vitrine_schemas::PendingItem;

use super::{Known, OnTheWay, PAGE, lock};
use crate::sink::HttpSink;
use crate::source::{Record, SourceError};

/// Items that lack vectors.
pub(super) struct Pending {
    server: HttpSink,
    fingerprint: String,
    known: OnTheWay,
    page: VecDeque<PendingItem>,
    after: Option<u32>,
    is_over: bool,
}

impl Pending {
    /// Those that lack vectors of the encoders with this fingerprint. Each is noted in `known` before it is given out.
    pub fn new(server: HttpSink, fingerprint: &str, known: OnTheWay) -> Self {
        Self {
            server,
            fingerprint: fingerprint.to_owned(),
            known,
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
                    // Not on and on: where writes never cease, neither would this.
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
        lock(&self.known).insert(item.id.clone(), Known { version, spaces });
        Some(Ok(Record {
            line: version.into(),
            id: Some(item.id.clone()),
            item: Ok(item),
        }))
    }
}
