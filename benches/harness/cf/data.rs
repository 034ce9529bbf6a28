//! Files of interactions.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use flate2::read::GzDecoder;

use crate::Outcome;

/// Format of a line.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Form {
    /// `user item item ...`
    Lists,
    /// `user item weight`
    Triples,
}

/// Reads the pairs of user and item of a gzip file.
pub fn pairs(path: &Path, form: Form) -> Outcome<Vec<(u32, u32)>> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut pairs = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let numbers: Vec<u32> = line?
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match (form, numbers.as_slice()) {
            (Form::Lists, [user, items @ ..]) => {
                pairs.extend(items.iter().map(|item| (*user, *item)));
            }
            (Form::Triples, [user, item, _]) => pairs.push((*user, *item)),
            (_, other) => return Err(format!("{}: {other:?}", path.display()).into()),
        }
    }
    Ok(pairs)
}

/// Returns one more than the largest number.
pub fn count(numbers: impl Iterator<Item = u32>) -> usize {
    numbers.max().map_or(0, |n| n as usize + 1)
}
