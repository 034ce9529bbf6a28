//! Lines of JSON Lines files.

use std::io::{self, BufRead, Read};

use super::{
    SourceError,
    input::{Input, MAX_RECORD},
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
