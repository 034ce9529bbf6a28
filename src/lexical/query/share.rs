//! Shares of the documents of segments, for threads.

use std::ops::Range;

use tantivy::DocId;

use super::window::WINDOW;

/// Share of the documents of each segment.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// Number of the share, from 0.
    pub index: u32,
    /// Number of shares.
    pub count: u32,
}

impl Share {
    /// Returns the documents of a segment of `count` documents; they begin with a window.
    pub fn documents(self, count: DocId) -> Range<DocId> {
        let window = WINDOW as u32;
        let windows = u64::from(count.div_ceil(window));
        let start = |index: u32| {
            let first = windows * u64::from(index) / u64::from(self.count);
            (first as u32).saturating_mul(window).min(count)
        };
        start(self.index)..start(self.index + 1)
    }
}
