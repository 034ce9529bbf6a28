//! Rows of the log in chunks, so that growing copies no row.

use vitrine_schemas::EventKind;

/// Marker for no row, user, session or item.
pub(super) const NONE: u32 = u32::MAX;

/// Rows per chunk.
const CHUNK_ROWS: usize = 1 << 15;

/// One item in one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Number of the item; [`NONE`] if the row is erased.
    pub item: u32,
    pub user: u32,
    pub session: u32,
    /// Previous row of the same user.
    pub before_user: u32,
    /// Previous row of the same session.
    pub before_session: u32,
    /// Seconds since 1970.
    pub seconds: u32,
    /// Value of the event; NaN if absent.
    pub value: f32,
    pub kind: EventKind,
    /// True for a click of an item that was shown before to the same user or session.
    pub follows_impression: bool,
}

impl Row {
    /// Returns true for an impression, and for the click that followed one.
    pub fn is_exposure(&self) -> bool {
        self.kind == EventKind::Impression || self.follows_impression
    }

    /// Returns microseconds since 1970, with a resolution of one second.
    pub fn micros(&self) -> i64 {
        i64::from(self.seconds) * 1_000_000
    }
}

const _: () = assert!(size_of::<Row>() == 32);

/// Rows by number, in the order of arrival.
#[derive(Default)]
pub(super) struct Rows(Vec<Vec<Row>>);

impl Rows {
    pub fn len(&self) -> u64 {
        let last = self.0.last().map_or(0, Vec::len);
        (self.0.len().saturating_sub(1) * CHUNK_ROWS + last) as u64
    }

    /// Returns the number of the next row; None if the numbers are exhausted.
    pub fn next(&self) -> Option<u32> {
        u32::try_from(self.len()).ok().filter(|n| *n != NONE)
    }

    pub fn push(&mut self, row: Row) {
        match self.0.last_mut().filter(|chunk| chunk.len() < CHUNK_ROWS) {
            Some(chunk) => chunk.push(row),
            None => {
                // The first chunk grows as needed, which saves memory in a small shop.
                let size = if self.0.is_empty() { 16 } else { CHUNK_ROWS };
                let mut chunk = Vec::with_capacity(size);
                chunk.push(row);
                self.0.push(chunk);
            }
        }
    }

    /// Returns a row, also an erased one.
    pub fn get(&self, number: u32) -> Option<&Row> {
        let number = number as usize;
        self.0.get(number / CHUNK_ROWS)?.get(number % CHUNK_ROWS)
    }

    /// Iterates over the rows from number `from` on, erased ones included.
    pub fn iter(&self, from: u64) -> impl Iterator<Item = &Row> {
        let (chunk, within) = (from as usize / CHUNK_ROWS, from as usize % CHUNK_ROWS);
        let rest = self.0.get(chunk..).unwrap_or_default();
        rest.iter().flatten().skip(within)
    }

    /// Iterates over the linked rows of a user or session from the latest back, without erased
    /// ones.
    pub fn chain(
        &self,
        last: u32,
        before: impl Fn(&Row) -> u32,
    ) -> impl Iterator<Item = (u32, &Row)> {
        let mut next = last;
        let all = std::iter::from_fn(move || {
            let (row, number) = (self.get(next)?, next);
            next = before(row);
            Some((number, row))
        });
        all.filter(|(_, row)| row.item != NONE)
    }

    /// Erases a row; returns its former content.
    pub fn erase(&mut self, number: u32) -> Option<Row> {
        let chunk = self.0.get_mut(number as usize / CHUNK_ROWS)?;
        let row = chunk.get_mut(number as usize % CHUNK_ROWS)?;
        let erased = Row { item: NONE, ..*row };
        Some(std::mem::replace(row, erased))
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        self.0.iter().map(|chunk| chunk.capacity()).sum::<usize>() * size_of::<Row>()
    }
}
