//! Rows one behind the other, in pieces, so that growing copies none.

use vitrine_schemas::EventKind;

/// No row, no person, no item.
pub(super) const NONE: u32 = u32::MAX;

/// Rows of a piece.
const PIECE: usize = 1 << 15;

/// One item in one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// [`NONE`] where it was erased.
    pub item: u32,
    pub user: u32,
    pub session: u32,
    /// The row before of the same user.
    pub before_user: u32,
    /// The row before of the same session.
    pub before_session: u32,
    /// Since 1970.
    pub seconds: u32,
    /// NaN where the event has none.
    pub value: f32,
    pub kind: EventKind,
}

impl Row {
    /// Microseconds since 1970, to the second.
    pub fn micros(&self) -> i64 {
        i64::from(self.seconds) * 1_000_000
    }
}

const _: () = assert!(size_of::<Row>() == 32);

#[derive(Default)]
pub(super) struct Rows(Vec<Vec<Row>>);

impl Rows {
    pub fn len(&self) -> u64 {
        let last = self.0.last().map_or(0, Vec::len);
        (self.0.len().saturating_sub(1) * PIECE + last) as u64
    }

    /// Number of the next row; none where numbers are used up.
    pub fn next(&self) -> Option<u32> {
        u32::try_from(self.len()).ok().filter(|n| *n != NONE)
    }

    pub fn push(&mut self, row: Row) {
        match self.0.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(row),
            None => {
                // The first piece grows with a small shop; later ones are whole.
                let size = if self.0.is_empty() { 16 } else { PIECE };
                let mut piece = Vec::with_capacity(size);
                piece.push(row);
                self.0.push(piece);
            }
        }
    }

    fn get(&self, at: u32) -> Option<&Row> {
        let at = at as usize;
        self.0.get(at / PIECE)?.get(at % PIECE)
    }

    /// Rows from one on, erased ones included.
    pub fn iter(&self, from: u64) -> impl Iterator<Item = &Row> {
        let (piece, within) = (from as usize / PIECE, from as usize % PIECE);
        let rest = self.0.get(piece..).unwrap_or_default();
        rest.iter().flatten().skip(within)
    }

    /// The rows of a person from the latest back, without erased ones.
    pub fn chain(
        &self,
        last: u32,
        before: impl Fn(&Row) -> u32,
    ) -> impl Iterator<Item = (u32, &Row)> {
        let mut at = last;
        let all = std::iter::from_fn(move || {
            let (row, number) = (self.get(at)?, at);
            at = before(row);
            Some((number, row))
        });
        all.filter(|(_, row)| row.item != NONE)
    }

    /// Erases a row; what it was.
    pub fn erase(&mut self, at: u32) -> Option<Row> {
        let piece = self.0.get_mut(at as usize / PIECE)?;
        let row = piece.get_mut(at as usize % PIECE)?;
        let erased = Row { item: NONE, ..*row };
        Some(std::mem::replace(row, erased))
    }

    pub fn memory(&self) -> usize {
        self.0.iter().map(|piece| piece.capacity()).sum::<usize>() * size_of::<Row>()
    }
}
