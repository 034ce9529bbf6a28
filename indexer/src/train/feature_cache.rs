//! Cache of features on disk, keyed by content hash: encoding takes minutes and a training seconds,
//! so known contents are not encoded again.
//!
//! One append-only file for each modality and encoder, of records
//! `[hash 32][features 4 x width][crc32 4]`. Reading stops at a truncated or damaged record, and
//! the file is overwritten from there.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::TrainError;
use crate::encode::ModelError;

const HASH: usize = 32;
const CRC: usize = 4;

/// Cached features of one modality from one encoder.
pub struct FeatureCache {
    path: PathBuf,
    file: File,
    width: usize,
    /// Offset of the features in `values` by content hash.
    offsets: HashMap<[u8; HASH], usize>,
    values: Vec<f32>,
}

impl FeatureCache {
    /// Opens `dir/<modality>-<encoders>.features` and reads it; waits while another process has it
    /// open.
    ///
    /// # Errors
    /// The file cannot be read or created.
    pub fn open(
        dir: &Path,
        modality: &str,
        encoders: &str,
        width: usize,
    ) -> Result<Self, TrainError> {
        let path = dir.join(format!("{modality}-{encoders:.16}.features"));
        std::fs::create_dir_all(dir).map_err(|e| io(dir, e))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|e| io(&path, e))?;
        file.lock().map_err(|e| io(&path, e))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| io(&path, e))?;
        let (mut offsets, mut values) = (HashMap::new(), Vec::new());
        let size = HASH + 4 * width + CRC;
        let mut count = 0;
        for record in bytes.chunks_exact(size) {
            let (content, crc) = record.split_at(size - CRC);
            if crc32fast::hash(content).to_le_bytes() != crc {
                break;
            }
            let (hash, features) = content.split_at(HASH);
            offsets.insert(std::array::from_fn(|i| hash[i]), values.len());
            let number = |b: &[u8]| f32::from_le_bytes(std::array::from_fn(|i| b[i]));
            values.extend(features.chunks_exact(4).map(number));
            count += 1;
        }
        let end = (count * size) as u64;
        file.set_len(end).map_err(|e| io(&path, e))?;
        file.seek(SeekFrom::Start(end)).map_err(|e| io(&path, e))?;
        Ok(Self {
            path,
            file,
            width,
            offsets,
            values,
        })
    }

    /// Returns the features of the content with this hash.
    pub fn get(&self, hash: &blake3::Hash) -> Option<&[f32]> {
        let offset = *self.offsets.get(hash.as_bytes())?;
        self.values.get(offset..offset + self.width)
    }

    /// Adds the features of a content.
    ///
    /// # Errors
    /// They have another length than the cache, or cannot be written.
    pub fn put(&mut self, hash: &blake3::Hash, features: &[f32]) -> Result<(), TrainError> {
        if features.len() != self.width {
            let (width, expected) = (features.len(), self.width);
            let reason = format!("expected {expected} features for the cache, got {width}");
            return Err(TrainError::Features(reason));
        }
        let mut record = hash.as_bytes().to_vec();
        record.extend(features.iter().flat_map(|v| v.to_le_bytes()));
        let crc = crc32fast::hash(&record);
        record.extend(crc.to_le_bytes());
        self.file
            .write_all(&record)
            .map_err(|e| io(&self.path, e))?;
        self.offsets.insert(*hash.as_bytes(), self.values.len());
        self.values.extend_from_slice(features);
        Ok(())
    }
}

fn io(path: &Path, source: std::io::Error) -> TrainError {
    ModelError::Io {
        path: path.to_owned(),
        source,
    }
    .into()
}
