//! Check of the footer of a Parquet file before the crate parses it: a list says how many elements
//! it has, and the crate reserves memory for all of them before it reads the first. Without the
//! check, a file of a few bytes could end the process.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// Bytes after the footer: its length, and `PAR1`.
const TAIL: u64 = 8;

/// Maximum number of elements of a list. The longest are the columns of a schema and the row
/// groups.
const MAX_ELEMENTS: u64 = 1 << 20;

/// Maximum nesting of values that are skipped.
const MAX_DEPTH: usize = 64;

/// Type of a value, as the crate reads it.
#[derive(Clone, Copy)]
enum Type {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Type),
    /// Fields by their ids.
    Struct(&'static [(i64, Type)]),
}

use Type::{Binary, Bool, Byte, Double, I16, I32, I64, List, Struct};

const EMPTY: Type = Struct(&[]);
const UNIT: Type = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const TIME: Type = Struct(&[(1, Bool), (2, UNIT)]);

const LOGICAL_TYPE: Type = Struct(&[
    (5, Struct(&[(1, I32), (2, I32)])),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, I32)])),
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (6, EMPTY),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
]);

const SCHEMA_ELEMENT: Type = Struct(&[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, Binary),
    (5, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, LOGICAL_TYPE),
]);

const KEY_VALUE: Type = Struct(&[(1, Binary), (2, Binary)]);

const STATISTICS: Type = Struct(&[
    (1, Binary),
    (2, Binary),
    (3, I64),
    (4, I64),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
]);

const BOX: Type = Struct(&[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
]);

const COLUMN: Type = Struct(&[
    (1, I32),
    (2, List(&I32)),
    (3, List(&Binary)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&KEY_VALUE)),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, STATISTICS),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
    (17, Struct(&[(1, BOX), (2, List(&I32))])),
]);

const COLUMN_CHUNK: Type = Struct(&[
    (1, Binary),
    (2, I64),
    (3, COLUMN),
    (4, I64),
    (5, I32),
    (6, I64),
    (7, I32),
]);

const ROW_GROUP: Type = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]))),
    (5, I64),
    (6, I64),
    (7, I16),
]);

const FOOTER: Type = Struct(&[
    (1, I32),
    (2, List(&SCHEMA_ELEMENT)),
    (3, I64),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY)]))),
]);

/// Checks that the lists of a footer are in it as long as they claim to be.
///
/// # Errors
/// The file cannot be read, or is not one that the crate could read.
pub fn check_footer(mut file: &File) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let tail_at = end.checked_sub(TAIL).ok_or_else(invalid)?;
    let mut tail = [0; 4];
    file.seek(SeekFrom::Start(tail_at))?;
    file.read_exact(&mut tail)?;
    let length = u64::from(u32::from_le_bytes(tail));
    let start = tail_at.checked_sub(length).ok_or_else(invalid)?;
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    Walk { rest: &footer }.value(FOOTER)
}

/// Bytes in Thrift's compact protocol that are not walked yet.
struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn value(&mut self, kind: Type) -> io::Result<()> {
        match kind {
            // In a struct, the type of the field is the value.
            Bool => Ok(()),
            Byte => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            Double => self.skip_bytes(8),
            Binary => self.binary(),
            List(element) => {
                for _ in 0..self.list()?.0 {
                    self.value(*element)?;
                }
                Ok(())
            }
            Struct(fields) => {
                let mut last = 0;
                while let Some((id, code)) = self.field(last)? {
                    match fields.iter().find(|(known, _)| *known == id) {
                        Some((_, kind)) if kind.codes().contains(&code) => self.value(*kind)?,
                        Some(_) => return Err(invalid()),
                        None => self.skip(code, 0)?,
                    }
                    last = id;
                }
                Ok(())
            }
        }
    }

    /// Reads the head of a field: its id, and the code of its type; None at the end of a struct.
    fn field(&mut self, last: i64) -> io::Result<Option<(i64, u8)>> {
        let head = self.byte()?;
        let code = head & 15;
        if code == 0 {
            return Ok(None);
        }
        let id = match i64::from(head >> 4) {
            0 => {
                let number = self.varint()?;
                (number >> 1) as i64 ^ -((number & 1) as i64)
            }
            delta => last + delta,
        };
        let is_id = (i64::from(i16::MIN)..=i64::from(i16::MAX)).contains(&id);
        is_id.then_some(Some((id, code))).ok_or_else(invalid)
    }

    /// Reads the head of a list: its length, and the code of the type of its elements.
    fn list(&mut self) -> io::Result<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        // Each element has a byte at least.
        if count > MAX_ELEMENTS || count > self.rest.len() as u64 {
            return Err(invalid());
        }
        Ok((count, head & 15))
    }

    /// Skips a value of a field that is not known.
    fn skip(&mut self, code: u8, depth: usize) -> io::Result<()> {
        match code {
            _ if depth > MAX_DEPTH => Err(invalid()),
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            8 => self.binary(),
            9 => {
                let (count, code) = self.list()?;
                (0..count).try_for_each(|_| self.skip(code, depth + 1))
            }
            12 => {
                let mut last = 0;
                while let Some((id, code)) = self.field(last)? {
                    self.skip(code, depth + 1)?;
                    last = id;
                }
                Ok(())
            }
            _ => Err(invalid()),
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(invalid)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(invalid())
    }

    fn binary(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.varint()?).map_err(|_| invalid())?;
        self.skip_bytes(length)
    }

    fn skip_bytes(&mut self, count: usize) -> io::Result<()> {
        self.rest = self.rest.get(count..).ok_or_else(invalid)?;
        Ok(())
    }
}

impl Type {
    /// Codes of the type in the head of a field.
    fn codes(self) -> &'static [u8] {
        match self {
            Bool => &[1, 2],
            Byte => &[3],
            I16 => &[4],
            I32 => &[5],
            I64 => &[6],
            Double => &[7],
            Binary => &[8],
            List(_) => &[9],
            Struct(_) => &[12],
        }
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "invalid footer")
}
