//! Candidates with their features in files, for other programs and for later trainings.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use vitrine_schemas::SearchMode;

use crate::{
    error::CommandError,
    train::rank::{Dataset, Group, fold_of},
};

/// First bytes of a NumPy file, version 1.
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// Description of the columns.
#[derive(Serialize, Deserialize)]
struct Meta {
    feature_version: u32,
    mode: Option<SearchMode>,
    features: Vec<String>,
}

/// A candidate of a query.
#[derive(Serialize, Deserialize)]
struct Row {
    query: String,
    fold: usize,
    ideal: f64,
    item: String,
    gain: f32,
}

/// Writes `features.npy` (a row of float32 per candidate), `meta.json` (names of the features) and
/// `rows.csv` (query, fold, ideal DCG@10, item, gain).
pub(super) fn write(
    folder: &Path,
    data: &Dataset,
    folds: usize,
    seed: u64,
) -> Result<(), CommandError> {
    let error = |source| file_error(folder, source);
    fs::create_dir_all(folder).map_err(error)?;
    let meta = Meta {
        feature_version: data.feature_version,
        mode: data.mode,
        features: data.features.clone(),
    };
    let meta = serde_json::to_string_pretty(&meta).map_err(io::Error::other);
    let written = meta.and_then(|meta| fs::write(folder.join("meta.json"), meta));
    written.map_err(error)?;
    write_matrix(&folder.join("features.npy"), data).map_err(error)?;
    write_rows(&folder.join("rows.csv"), data, folds, seed).map_err(error)
}

/// Reads what [`write`] has written.
pub(super) fn read(folder: &Path) -> Result<Dataset, CommandError> {
    let read = || -> io::Result<Dataset> {
        let meta = fs::read_to_string(folder.join("meta.json"))?;
        let meta: Meta = serde_json::from_str(&meta).map_err(io::Error::other)?;
        let mut data = Dataset {
            features: meta.features,
            feature_version: meta.feature_version,
            mode: meta.mode,
            values: read_matrix(&folder.join("features.npy"))?,
            ..Dataset::default()
        };
        read_rows(&folder.join("rows.csv"), &mut data)?;
        let expected = data.ids.len() * data.features.len();
        if data.values.len() != expected {
            let found = data.values.len();
            let reason = format!("features.npy: expected {expected} values, got {found}");
            return Err(io::Error::other(reason));
        }
        Ok(data)
    };
    read().map_err(|source| file_error(folder, source))
}

fn file_error(folder: &Path, source: io::Error) -> CommandError {
    CommandError::File {
        path: folder.to_owned(),
        source,
    }
}

fn write_matrix(path: &Path, data: &Dataset) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let shape = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        data.ids.len(),
        data.features.len()
    );
    // The header ends at a multiple of 64 bytes, with a line feed.
    let length = (MAGIC.len() + 2 + shape.len() + 1).next_multiple_of(64) - MAGIC.len() - 2;
    file.write_all(MAGIC)?;
    file.write_all(&(length as u16).to_le_bytes())?;
    writeln!(file, "{shape:<width$}", width = length - 1)?;
    for value in &data.values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}

fn read_matrix(path: &Path) -> io::Result<Vec<f32>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let invalid = || io::Error::other("features.npy: expected a matrix of float32, in C order");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(invalid)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(invalid)?;
    let (header, values) = rest
        .split_at_checked(usize::from(u16::from_le_bytes(*length)))
        .ok_or_else(invalid)?;
    let header = String::from_utf8_lossy(header);
    if !header.contains("'<f4'") || !header.contains("'fortran_order': False") {
        return Err(invalid());
    }
    let (values, _) = values.as_chunks::<4>();
    Ok(values
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}

fn write_rows(path: &Path, data: &Dataset, folds: usize, seed: u64) -> io::Result<()> {
    let mut file = csv::Writer::from_path(path).map_err(io::Error::other)?;
    for group in &data.groups {
        for row in group.rows.clone() {
            let row = Row {
                query: group.query.clone(),
                fold: fold_of(&group.query, folds, seed),
                ideal: group.ideal,
                item: data.ids[row].clone(),
                gain: data.gains[row],
            };
            file.serialize(row).map_err(io::Error::other)?;
        }
    }
    file.flush()
}

/// Reads the rows; those of a query follow each other.
fn read_rows(path: &Path, data: &mut Dataset) -> io::Result<()> {
    let mut file = csv::Reader::from_path(path).map_err(io::Error::other)?;
    for row in file.deserialize() {
        let row: Row = row.map_err(io::Error::other)?;
        let at = data.ids.len();
        match data.groups.last_mut() {
            Some(group) if group.query == row.query => group.rows.end = at + 1,
            _ => data.groups.push(Group {
                query: row.query,
                rows: at..at + 1,
                ideal: row.ideal,
            }),
        }
        data.ids.push(row.item);
        data.gains.push(row.gain);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let data = Dataset {
            features: vec!["a".into(), "b".into()],
            feature_version: 1,
            mode: Some(SearchMode::Hybrid),
            groups: vec![
                Group {
                    query: "red, \"shoes\"".into(),
                    rows: 0..2,
                    ideal: 1.5,
                },
                Group {
                    query: "hat".into(),
                    rows: 2..3,
                    ideal: 0.0,
                },
            ],
            ids: vec!["x".into(), "y".into(), "x".into()],
            values: vec![1.0, -0.5, 2.0, 1e-9, 3.0, f32::MAX],
            gains: vec![1.0, 0.25, 0.0],
        };
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &data, 5, 0).expect("written");
        assert_eq!(read(folder.path()).expect("read"), data);
        fs::write(folder.path().join("features.npy"), "no matrix").expect("written");
        assert!(read(folder.path()).is_err());
    }
}
