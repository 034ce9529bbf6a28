//! The interaction matrix: users x items in compressed sparse rows. No model belongs here.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Triples gathered before duplicates are first merged; later merges happen at twice the merged
/// size.
const FIRST_MERGE: usize = 1 << 20;

/// A sparse matrix in compressed rows: 8 bytes per entry and 8 per row. Columns ascend within a
/// row, without duplicates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    columns: usize,
    /// Row `r` is `offsets[r]..offsets[r + 1]` of `indices` and `values`.
    offsets: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

/// One row of a [`Matrix`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Columns, ascending.
    pub indices: &'a [u32],
    /// Value of each entry.
    pub values: &'a [f32],
}

impl<'a> Row<'a> {
    /// Iterates over the entries as (column, value).
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> + use<'a> {
        let columns = self.indices.iter().map(|c| *c as usize);
        columns.zip(self.values.iter().copied())
    }
}

impl Matrix {
    /// Creates a matrix of `rows` x `columns` from (row, column, weight); the weights of an entry
    /// are summed. While building it holds at most about three times the distinct entries,
    /// regardless of the number of triples.
    ///
    /// # Errors
    /// A row or column out of range, a weight that is not positive and finite, or more than
    /// 2^32 - 1 rows or columns.
    pub fn from_triples(
        rows: usize,
        columns: usize,
        triples: impl IntoIterator<Item = (u32, u32, f32)>,
    ) -> Result<Self> {
        for (pointer, size) in [("/users", rows), ("/items", columns)] {
            if u32::try_from(size).is_err() {
                return Err(Error::invalid(
                    pointer,
                    format!("expected at most {}, got {size}", u32::MAX),
                ));
            }
        }
        let (mut gathered, mut merge_at) = (Vec::new(), FIRST_MERGE);
        for (row, column, weight) in triples {
            check(rows, columns, row, column, weight)?;
            if gathered.len() == merge_at {
                merge(&mut gathered)?;
                merge_at = FIRST_MERGE.max(2 * gathered.len());
            }
            gathered.push((row, column, weight));
        }
        merge(&mut gathered)?;
        Ok(Self::from_sorted(rows, columns, &gathered))
    }

    fn from_sorted(rows: usize, columns: usize, triples: &[(u32, u32, f32)]) -> Self {
        let mut offsets = vec![0; rows + 1];
        for (row, _, _) in triples {
            offsets[*row as usize + 1] += 1;
        }
        accumulate(&mut offsets);
        Self {
            columns,
            offsets,
            indices: triples.iter().map(|t| t.1).collect(),
            values: triples.iter().map(|t| t.2).collect(),
        }
    }

    /// Returns true if the fields of a deserialized matrix are consistent.
    pub(super) fn is_consistent(&self) -> bool {
        let ascending = |indices: &[u32]| indices.is_sorted_by(|a, b| a < b);
        let inside = |indices: &[u32]| indices.last().is_none_or(|i| (*i as usize) < self.columns);
        self.offsets.first() == Some(&0)
            && self.offsets.is_sorted()
            && self.offsets.last() == Some(&self.indices.len())
            && self.indices.len() == self.values.len()
            && self.values.iter().all(|v| v.is_finite())
            && self
                .iter()
                .all(|row| ascending(row.indices) && inside(row.indices))
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        // A deserialized matrix has no offsets at all where it is damaged.
        self.offsets.len().saturating_sub(1)
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Returns true if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Returns a row; an empty one if out of range.
    pub fn row(&self, row: usize) -> Row<'_> {
        let span = match self.offsets.get(row..) {
            Some([start, end, ..]) => *start..*end,
            _ => 0..0,
        };
        Row {
            indices: &self.indices[span.clone()],
            values: &self.values[span],
        }
    }

    /// Iterates over all rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows()).map(|r| self.row(r))
    }

    /// Returns the transposed matrix.
    pub fn transpose(&self) -> Self {
        let mut offsets = vec![0; self.columns + 1];
        for column in &self.indices {
            offsets[*column as usize + 1] += 1;
        }
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        let mut indices = vec![0; self.len()];
        let mut values = vec![0.0; self.len()];
        for (number, row) in (0_u32..).zip(self.iter()) {
            for (column, value) in row.iter() {
                let index = next[column];
                next[column] += 1;
                indices[index] = number;
                values[index] = value;
            }
        }
        Self {
            columns: self.rows(),
            offsets,
            indices,
            values,
        }
    }

    /// Returns the matrix with each value replaced by `f(row, column, value)`.
    pub fn map(&self, f: impl Fn(usize, usize, f32) -> f32) -> Self {
        let rows = self.iter().enumerate();
        let values =
            rows.flat_map(|(r, row)| row.iter().map(move |(c, v)| (r, c, v)).collect::<Vec<_>>());
        let values = values.map(|(r, c, v)| f(r, c, v)).collect();
        Self {
            columns: self.columns,
            offsets: self.offsets.clone(),
            indices: self.indices.clone(),
            values,
        }
    }

    /// Returns the number of entries of each row.
    pub fn row_counts(&self) -> Vec<u32> {
        self.iter().map(|row| row.indices.len() as u32).collect()
    }

    /// Returns the number of entries of each column.
    pub fn column_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.columns];
        for column in &self.indices {
            counts[*column as usize] += 1;
        }
        counts
    }

    /// Returns the Euclidean norm of each row.
    pub fn row_norms(&self) -> Vec<f32> {
        let squares = |row: Row<'_>| {
            row.values
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
        };
        self.iter().map(|row| squares(row).sqrt() as f32).collect()
    }

    /// Returns the Euclidean norm of each column.
    pub fn column_norms(&self) -> Vec<f32> {
        let mut squares = vec![0.0_f64; self.columns];
        for (column, value) in self.indices.iter().zip(&self.values) {
            squares[*column as usize] += f64::from(*value).powi(2);
        }
        squares.iter().map(|s| s.sqrt() as f32).collect()
    }
}

fn check(rows: usize, columns: usize, row: u32, column: u32, weight: f32) -> Result<()> {
    let inside = [("/user", row, rows), ("/item", column, columns)];
    for (pointer, number, count) in inside {
        if number as usize >= count {
            return Err(Error::invalid(
                pointer,
                format!("expected a number below {count}, got {number}"),
            ));
        }
    }
    if !(weight > 0.0 && weight.is_finite()) {
        return Err(Error::invalid(
            "/weight",
            format!("expected a positive finite weight, got {weight}"),
        ));
    }
    Ok(())
}

/// Sorts by row and column, and sums duplicates.
fn merge(triples: &mut Vec<(u32, u32, f32)>) -> Result<()> {
    // Stable, so that equal input gives equal sums.
    triples.sort_by_key(|t| (t.0, t.1));
    triples.dedup_by(|later, kept| {
        let same = (later.0, later.1) == (kept.0, kept.1);
        if same {
            kept.2 += later.2;
        }
        same
    });
    if triples.iter().any(|t| !t.2.is_finite()) {
        return Err(Error::invalid(
            "/weight",
            "the weights of a user and item sum to more than f32 can hold",
        ));
    }
    Ok(())
}

/// Replaces counts by their running sums.
fn accumulate(offsets: &mut [usize]) {
    let mut sum = 0;
    for offset in offsets {
        sum += *offset;
        *offset = sum;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_triples_are_rejected() {
        for triple in [
            (2, 0, 1.0),
            (0, 3, 1.0),
            (0, 0, 0.0),
            (0, 0, -1.0),
            (0, 0, f32::NAN),
            (0, 0, f32::INFINITY),
        ] {
            let error = Matrix::from_triples(2, 3, [triple]).expect_err("rejected");
            assert!(error.is_user(), "{triple:?}: {error}");
        }
        assert!(Matrix::from_triples(1, 1, [(0, 0, f32::MAX); 2]).is_err());
        let empty = Matrix::from_triples(0, 0, []).expect("an empty matrix");
        assert!(empty.is_empty() && empty.transpose().rows() == 0);
        assert!(empty.row(7).indices.is_empty());
    }

    #[test]
    fn a_damaged_matrix_without_offsets_has_no_rows() {
        let damaged = Matrix {
            columns: 3,
            offsets: Vec::new(),
            indices: Vec::new(),
            values: Vec::new(),
        };
        assert!(damaged.rows() == 0 && !damaged.is_consistent());
    }

    #[test]
    fn duplicates_are_summed_in_any_order() {
        let triples = (0..3 * FIRST_MERGE as u32).map(|n| (n % 2, n % 3, 1.0));
        let matrix = Matrix::from_triples(2, 3, triples).expect("valid");
        assert_eq!(matrix.len(), 6);
        let each = FIRST_MERGE as f32 / 2.0;
        assert!(matrix.values.iter().all(|v| *v == each), "{matrix:?}");
    }

    proptest! {
        #[test]
        fn equals_a_map_of_entries(triples in prop::collection::vec((0_u32..7, 0_u32..5, 1_u8..4), 0..60)) {
            let triples: Vec<_> = triples.into_iter().map(|(r, c, w)| (r, c, f32::from(w))).collect();
            let mut map = BTreeMap::new();
            for (r, c, w) in &triples {
                *map.entry((*r as usize, *c as usize)).or_insert(0.0) += w;
            }
            let matrix = Matrix::from_triples(7, 5, triples).expect("valid");
            let entries = |m: &Matrix| -> Vec<_> {
                m.iter().enumerate().flat_map(|(r, row)| row.iter().map(|(c, v)| ((r, c), v)).collect::<Vec<_>>()).collect()
            };
            prop_assert_eq!(entries(&matrix), map.clone().into_iter().collect::<Vec<_>>());
            let transposed: BTreeMap<_, _> = entries(&matrix.transpose()).into_iter().map(|((c, r), v)| ((r, c), v)).collect();
            prop_assert_eq!(transposed, map);
            prop_assert_eq!(matrix.transpose().transpose(), matrix.clone());
            prop_assert_eq!(matrix.transpose().row_norms(), matrix.column_norms());
            prop_assert_eq!(matrix.transpose().row_counts(), matrix.column_counts());
            prop_assert_eq!(matrix.map(|_, _, v| v), matrix);
        }
    }
}
