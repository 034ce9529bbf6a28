//! NumPy's file format, version 1, as far as the benches need it.

use std::{fs, io, path::Path};

/// f32 in rows.
pub struct Matrix {
    pub columns: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// Returns the numbers, row by row.
    #[allow(dead_code, reason = "one of the benches needs them")]
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    #[allow(dead_code, reason = "one of the benches takes the data")]
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.columns)
    }

    /// Reads little-endian f32 in C order.
    pub fn read(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let bytes = fs::read(path)?;
        let wrong = || format!("{}: not a two-dimensional f32 .npy", path.display());
        let header_len = bytes.get(8..10).ok_or_else(wrong)?;
        let start = 10 + usize::from(u16::from_le_bytes([header_len[0], header_len[1]]));
        let header = std::str::from_utf8(bytes.get(10..start).ok_or_else(wrong)?)?;
        if !header.contains("'<f4'") || header.contains("True") {
            return Err(wrong().into());
        }
        let shape = header.split(['(', ')']).nth(1).ok_or_else(wrong)?;
        let columns = shape.split(',').nth(1).ok_or_else(wrong)?.trim().parse()?;
        let numbers = bytes[start..].chunks_exact(4);
        Ok(Self {
            columns,
            data: numbers
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        })
    }
}

/// Writes u32 in rows.
#[allow(dead_code, reason = "one of the benches only reads")]
pub fn write(
    path: &Path,
    rows: usize,
    columns: usize,
    numbers: impl Iterator<Item = u32>,
) -> io::Result<()> {
    let header =
        format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = padded - 1).into_bytes());
    bytes.extend(numbers.flat_map(u32::to_le_bytes));
    fs::write(path, bytes)
}
