//! The format: magic `E5S1` and version, sizes of the network, the vocabulary with scores, a table
//! of character replacements, and the directory of tensors. Integers are little-endian.

use std::collections::BTreeMap;

use super::{FormatError, Reader};

const MAGIC: &[u8] = b"E5S1";
const VERSION: u32 = 1;

/// Weights that share a scale.
pub const BLOCK: usize = 32;

/// Bytes of a block: the scale as f16, then two weights a byte.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

/// A parsed file.
pub struct File<'a> {
    pub sizes: Sizes,
    /// Pieces with their log probabilities, by token id.
    pub pieces: Vec<(&'a str, f32)>,
    pub special: Special,
    tensors: BTreeMap<&'a str, &'a [u8]>,
}

/// Sizes of the network.
pub struct Sizes {
    pub hidden: usize,
    pub layers: usize,
    pub inner: usize,
    pub vocabulary: usize,
    pub positions: usize,
    pub types: usize,
}

/// Ids of the special tokens.
pub struct Special {
    pub start: usize,
    pub end: usize,
    pub padding: usize,
    pub unknown: usize,
}

impl<'a> File<'a> {
    /// Parses a file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(FormatError("expected it to begin with E5S1".into()));
        }
        let version = reader.u32()?;
        if version != VERSION {
            let reason = format!("expected version {VERSION}, got {version}");
            return Err(FormatError(reason));
        }
        let [hidden, layers, _heads, inner, vocabulary, positions, types] = sizes(&mut reader)?;
        let _epsilon = reader.u32()?;
        let [block] = sizes(&mut reader)?;
        if block != BLOCK {
            let reason = format!("expected blocks of {BLOCK} weights, got {block}");
            return Err(FormatError(reason));
        }
        let [count, start, end, padding, unknown] = sizes(&mut reader)?;
        let pieces = pieces(&mut reader, count)?;
        skip_replacements(&mut reader)?;
        Ok(Self {
            sizes: Sizes {
                hidden,
                layers,
                inner,
                vocabulary,
                positions,
                types,
            },
            pieces,
            special: Special {
                start,
                end,
                padding,
                unknown,
            },
            tensors: tensors(&mut reader)?,
        })
    }

    fn tensor(&self, name: &str, bytes: usize) -> Result<&'a [u8], FormatError> {
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| FormatError(format!("tensor `{name}` is missing")))?;
        if tensor.len() == bytes {
            return Ok(tensor);
        }
        Err(FormatError(format!(
            "expected tensor `{name}` of {bytes} bytes, got {}",
            tensor.len()
        )))
    }

    /// Returns `count` weights that are stored as f32.
    pub fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, FormatError> {
        Ok(floats(self.tensor(name, count * 4)?).collect())
    }

    /// Returns `count` weights that are stored in 4 bits: a block's first half is in the low
    /// halves of its bytes, and 8 stands for zero.
    pub fn nibbles(&self, name: &str, count: usize) -> Result<Vec<f32>, FormatError> {
        let blocks = self.tensor(name, count / BLOCK * BLOCK_BYTES)?;
        let mut weights = Vec::with_capacity(count);
        for block in blocks.chunks_exact(BLOCK_BYTES) {
            let scale = half::f16::from_le_bytes([block[0], block[1]]).to_f32();
            let weight = |nibble: u8| (f32::from(nibble) - 8.0) * scale;
            weights.extend(block[2..].iter().map(|byte| weight(byte & 15)));
            weights.extend(block[2..].iter().map(|byte| weight(byte >> 4)));
        }
        Ok(weights)
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let words = bytes.chunks_exact(4);
    words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

fn u64(reader: &mut Reader<'_>) -> Result<usize, FormatError> {
    let value = u64::from_le_bytes(reader.array()?);
    usize::try_from(value).map_err(|e| FormatError(e.to_string()))
}

/// Reads sizes, which are i32 and not negative.
fn sizes<const N: usize>(reader: &mut Reader<'_>) -> Result<[usize; N], FormatError> {
    let mut sizes = [0; N];
    for size in &mut sizes {
        let value = i32::from_le_bytes(reader.array()?);
        *size = usize::try_from(value)
            .map_err(|_| FormatError(format!("expected a size, got {value}")))?;
    }
    Ok(sizes)
}

/// Reads the vocabulary: bytes of all texts, their bounds, scores, texts.
fn pieces<'a>(reader: &mut Reader<'a>, count: usize) -> Result<Vec<(&'a str, f32)>, FormatError> {
    let length = u64(reader)?;
    let mut bounds = reader.take((count + 1) * 4)?.chunks_exact(4);
    let scores = floats(reader.take(count * 4)?);
    let texts = reader.take(length)?;
    let mut bound = || {
        let bytes = bounds.next().unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | usize::from(*byte))
    };
    let mut start = bound();
    let piece = |score| {
        let end = bound();
        let text = texts
            .get(start..end)
            .and_then(|t| std::str::from_utf8(t).ok());
        start = end;
        let text = text.ok_or_else(|| FormatError(format!("no text of a piece at {end}")))?;
        Ok((text, score))
    };
    scores.map(piece).collect()
}

/// Skips the character replacements, which are those of NFKC and of SentencePiece's `nmt`.
fn skip_replacements(reader: &mut Reader<'_>) -> Result<(), FormatError> {
    sizes::<1>(reader)?;
    let length = reader.u32()?;
    reader.take(length as usize)?;
    Ok(())
}

fn tensors<'a>(reader: &mut Reader<'a>) -> Result<BTreeMap<&'a str, &'a [u8]>, FormatError> {
    let [count] = sizes(reader)?;
    let tensor = |_| {
        let length = u16::from_le_bytes(reader.array()?);
        let name = std::str::from_utf8(reader.take(length.into())?)
            .map_err(|e| FormatError(format!("name of a tensor: {e}")))?;
        let [_kind] = reader.array()?;
        let _weights = reader.u32()?;
        let (start, bytes) = (u64(reader)?, u64(reader)?);
        let end = start.saturating_add(bytes);
        let tensor = reader.part(start..end);
        let reason = || FormatError(format!("tensor `{name}` exceeds the file"));
        Ok((name, tensor.ok_or_else(reason)?))
    };
    (0..count).map(tensor).collect()
}
