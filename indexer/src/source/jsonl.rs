//! JSON Lines: one item per line in the format of the API, or any object with a mapping.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::json;
use vitrine_schemas::Item;

use super::{
    Mapping, Record, SourceError,
    cells::{self, Row},
    input::{Input, MAX_RECORD},
    rules::Rules,
};

/// Returns the lines that are not blank, numbered from 1.
pub(super) fn lines(
    mut input: Input,
) -> impl Iterator<Item = Result<(u64, Vec<u8>), SourceError>> + Send + use<> {
    let mut line = 0;
    std::iter::from_fn(move || {
        loop {
            let bytes = match next_line(&mut input.reader) {
                Ok(bytes) => bytes?,
                Err(source) => {
                    let name = input.name.clone();
                    return Some(Err(SourceError::Read { name, line, source }));
                }
            };
            line += 1;
            if !bytes.trim_ascii().is_empty() {
                return Some(Ok((line, bytes)));
            }
        }
    })
}

/// Returns the records of a JSON Lines stream.
pub(super) fn records(
    input: Input,
    mapping: &Mapping,
) -> impl Iterator<Item = Result<Record, SourceError>> + Send + use<> {
    let rules = mapping.rules().cloned();
    lines(input).map(move |line| {
        let (line, bytes) = line?;
        Ok(record(line, &bytes, rules.as_ref()))
    })
}

/// Reads the next line, of which at most one byte beyond the limit is kept.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader
        .by_ref()
        .take(MAX_RECORD as u64 + 1)
        .read_until(b'\n', &mut line)?;
    if line.len() > MAX_RECORD && !line.ends_with(b"\n") {
        reader.skip_until(b'\n')?;
    }
    Ok((!line.is_empty()).then_some(line))
}

fn record(line: u64, bytes: &[u8], rules: Option<&Rules>) -> Record {
    let (id, item) = match read(bytes, rules) {
        Ok(item) => (Some(item.id.clone()), Ok(item)),
        Err((id, reason)) => (id, Err(reason)),
    };
    Record { line, id, item }
}

fn read(bytes: &[u8], rules: Option<&Rules>) -> Result<Item, (Option<String>, String)> {
    let plain = |reason: String| (None, reason);
    let text = text(bytes).map_err(plain)?;
    let Some(rules) = rules else {
        return serde_json::from_str(text).map_err(|e| item_error(text, &e));
    };
    let row: Row =
        serde_json::from_str(text).map_err(|e| plain(format!("expected a JSON object: {e}")))?;
    let id = cells::text(&row, &rules.id).ok().flatten();
    rules.item(&row).map_err(|reason| (id, reason))
}

/// Returns a line as text, if it is UTF-8 and not too long.
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.trim_ascii_end().len() > MAX_RECORD {
        return Err("the line is longer than 16 MiB".to_owned());
    }
    std::str::from_utf8(bytes)
        .map_err(|e| {
            let at = e.valid_up_to();
            format!("the line is not UTF-8 from byte {at} on; set --encoding if the file is in another encoding")
        })
}

/// Returns the id of an invalid item and the error with its field, which the parser alone does not
/// name.
fn item_error(text: &str, error: &serde_json::Error) -> (Option<String>, String) {
    let Ok(row) = serde_json::from_str::<Row>(text) else {
        return (None, format!("expected a JSON object: {error}"));
    };
    let reason = row.iter().find_map(|(field, value)| {
        let mut alone = json!({ "id": "" });
        alone[field] = value.clone();
        let error = Item::deserialize(&alone).err()?;
        Some(format!("field `{field}`: {error}"))
    });
    (
        cells::text(&row, "id").ok().flatten(),
        reason.unwrap_or_else(|| error.to_string()),
    )
}
