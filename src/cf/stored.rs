//! Byte format of stored models.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// Number of bytes of the magic that tell a kind of model from others.
const KIND_BYTES: usize = 6;

/// Format of a kind of model: 8 bytes of magic, of which the last is the version, the CRC-32 of the
/// rest (4 bytes, little-endian), and the model in postcard.
pub(super) struct Format {
    /// First bytes of a stored model.
    pub magic: [u8; 8],
    /// Name of the kind, for errors.
    pub name: &'static str,
}

impl Format {
    /// Returns true if stored bytes are those of a model of this kind, of any version.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.magic[..KIND_BYTES])
    }

    /// Serializes a model.
    pub fn write(&self, model: &impl Serialize) -> Result<Vec<u8>> {
        let body = self.magic.len() + 4;
        let start = [self.magic.as_slice(), &[0; 4]].concat();
        let bytes = postcard::to_extend(model, start);
        let mut bytes = bytes.map_err(|e| Error::Storage(e.to_string()))?;
        let crc = crc32fast::hash(&bytes[body..]);
        bytes[self.magic.len()..body].copy_from_slice(&crc.to_le_bytes());
        Ok(bytes)
    }

    /// Deserializes a model, which must be consistent.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another kind or version, damage, or inconsistent fields.
    pub fn read<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        is_consistent: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let corrupt = |detail: &str| Error::Corrupt {
            column: "models",
            detail: format!("{}: {detail}", self.name),
        };
        let body = bytes.strip_prefix(&self.magic);
        let body = body.ok_or_else(|| corrupt("of another kind, or another version"))?;
        let (crc, body) = body
            .split_first_chunk()
            .ok_or_else(|| corrupt("truncated"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(corrupt("checksum mismatch"));
        }
        let (model, rest) =
            postcard::take_from_bytes::<T>(body).map_err(|e| corrupt(&e.to_string()))?;
        match rest.is_empty() && is_consistent(&model) {
            true => Ok(model),
            false => Err(corrupt("inconsistent fields")),
        }
    }
}
