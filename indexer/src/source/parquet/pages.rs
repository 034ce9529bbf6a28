//! Sizes of the pages of a Parquet file, read from their headers without decoding them: a page of a
//! few bytes may claim to become gigabytes, and a reader believes it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
};

use parquet::file::{
    metadata::RowGroupMetaData,
    reader::{FileReader, SerializedFileReader},
};

use super::footer::check_footer;

/// Nesting of structs in a page header; valid ones have 3.
const MAX_DEPTH: usize = 8;

/// Checks that a reader of the file holds at most `limit` bytes of pages: it has a page of each
/// column at a time, as stored and decompressed.
///
/// # Errors
/// The cause: the pages are too large, or the file is damaged.
pub fn check_pages(file: &File, limit: u64) -> Result<(), String> {
    let damaged = |e: &dyn std::fmt::Display| format!("the file is damaged: {e}");
    check_footer(file).map_err(|e| damaged(&e))?;
    let check = || {
        let reader = SerializedFileReader::new(file.try_clone().map_err(|e| damaged(&e))?);
        let reader = reader.map_err(|e| damaged(&e))?;
        let mut headers = BufReader::with_capacity(512, file.try_clone().map_err(|e| damaged(&e))?);
        for group in reader.metadata().row_groups() {
            let bytes = largest_pages(&mut headers, group).map_err(|e| damaged(&e))?;
            if bytes > limit {
                return Err(format!(
                    "expected pages of at most {limit} bytes together, one of each column, got \
                     {bytes}; write the file with smaller pages"
                ));
            }
        }
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|_| Err(damaged(&"invalid metadata")))
}

/// Returns the sum of the sizes of the largest page of each column.
fn largest_pages(file: &mut (impl Read + Seek), group: &RowGroupMetaData) -> io::Result<u64> {
    let mut sum = 0_u64;
    for column in group.columns() {
        let (start, length) = column.byte_range();
        let end = start.saturating_add(length);
        let (mut at, mut largest) = (start, 0);
        while at < end {
            file.seek(SeekFrom::Start(at))?;
            let mut header = Header::default();
            header.read(file, 0)?;
            let [_, uncompressed, compressed] = header.sizes.map(u64::from);
            largest = largest.max(uncompressed + compressed);
            at = file.stream_position()?.saturating_add(compressed);
        }
        sum = sum.saturating_add(largest);
    }
    Ok(sum)
}

/// The first fields of a page header: type, uncompressed and compressed size. Headers are structs
/// of Thrift's compact protocol.
#[derive(Default)]
struct Header {
    sizes: [u32; 3],
}

impl Header {
    /// Reads a struct; the fields of nested ones are skipped.
    fn read(&mut self, file: &mut (impl Read + Seek), depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(invalid());
        }
        let mut id = 0_i64;
        loop {
            let field = byte(file)?;
            if field == 0 {
                return Ok(());
            }
            id = match i64::from(field >> 4) {
                0 => zigzag(varint(file)?),
                delta => id + delta,
            };
            let kind = field & 15;
            match (depth, kind, id) {
                (0, 5, 1..=3) => {
                    let size = u32::try_from(zigzag(varint(file)?)).map_err(|_| invalid())?;
                    self.sizes[id as usize - 1] = size;
                }
                _ => self.skip(file, kind, depth)?,
            }
        }
    }

    fn skip(&mut self, file: &mut (impl Read + Seek), kind: u8, depth: usize) -> io::Result<()> {
        match kind {
            1 | 2 => Ok(()),
            3 => byte(file).map(drop),
            4..=6 => varint(file).map(drop),
            7 => file.seek_relative(8),
            8 => {
                let length = i64::try_from(varint(file)?).map_err(|_| invalid())?;
                file.seek_relative(length)
            }
            12 => self.read(file, depth + 1),
            // Lists, sets and maps do not occur in page headers.
            _ => Err(invalid()),
        }
    }
}

fn byte(file: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn varint(file: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(file)?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(number);
        }
    }
    Err(invalid())
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "invalid page header")
}
