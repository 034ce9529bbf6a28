//! Candidates with their features in files, for other programs.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{
    error::CommandError,
    train::rank::{Dataset, fold_of},
};

/// Writes `features.npy` (a row of float32 per candidate), `names.txt` (a feature per line) and
/// `rows.csv` (query number, fold, ideal DCG, item, gain).
pub(super) fn write(
    folder: &Path,
    data: &Dataset,
    folds: usize,
    seed: u64,
) -> Result<(), CommandError> {
    let error = |source| CommandError::File {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(error)?;
    matrix(&folder.join("features.npy"), data).map_err(error)?;
    fs::write(folder.join("names.txt"), data.features.join("\n") + "\n").map_err(error)?;
    rows(&folder.join("rows.csv"), data, folds, seed).map_err(error)
}

fn matrix(path: &Path, data: &Dataset) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let shape = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        data.ids.len(),
        data.features.len()
    );
    // The header ends at a multiple of 64 bytes.
    let length = (10 + shape.len() + 1).next_multiple_of(64) - 10;
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(length as u16).to_le_bytes())?;
    write!(file, "{shape:<width$}\n", width = length - 1)?;
    for value in &data.values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}

fn rows(path: &Path, data: &Dataset, folds: usize, seed: u64) -> io::Result<()> {
    let mut file = csv::Writer::from_path(path).map_err(io::Error::other)?;
    file.write_record(["query", "fold", "ideal", "item", "gain"])
        .map_err(io::Error::other)?;
    for (number, group) in data.groups.iter().enumerate() {
        let fold = fold_of(&group.query, folds, seed);
        for row in group.rows.clone() {
            let record = (number, fold, group.ideal, &data.ids[row], data.gains[row]);
            file.serialize(record).map_err(io::Error::other)?;
        }
    }
    file.flush()
}
