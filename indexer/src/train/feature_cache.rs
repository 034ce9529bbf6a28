//! Features on disk by content hash: encoders take minutes, a training seconds, so what was seen is not seen again.
//!
//! One file a kind and encoder, of records `[hash 32][features 4 x width][crc32 4]`, appended to. A record cut off or damaged
//! ends what is read, and what follows it is written anew.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::TrainError;
use crate::encode::ModelError;

const HASH: usize = 32;
const CRC: usize = 4;

/// Features of one kind from one encoder.
pub struct FeatureCache {
    path: PathBuf,
    file: File,
    width: usize,
    places: HashMap<[u8; HASH], usize>,
    values: Vec<f32>,
}

impl FeatureCache {
    /// Opens `dir/<kind>-<encoders>.features` and reads it; a second program waits until the first is done.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(dir: &Path, kind: &str, encoders: &str, width: usize) -> Result<Self, TrainError> {
        let path = dir.join(format!("{kind}-{encoders:.16}.features"));
        std::fs::create_dir_all(dir).map_err(|e| io(dir, e))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|e| io(&path, e))?;
        file.lock().map_err(|e| io(&path, e))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| io(&path, e))?;
        let (mut places, mut values) = (HashMap::new(), Vec::new());
        let size = HASH + 4 * width + CRC;
        let mut whole = 0;
        for record in bytes.chunks_exact(size) {
            let (content, crc) = record.split_at(size - CRC);
            if crc32fast::hash(content).to_le_bytes() != crc {
                break;
            }
            let (hash, features) = content.split_at(HASH);
            places.insert(std::array::from_fn(|i| hash[i]), values.len());
            let number = |b: &[u8]| f32::from_le_bytes(std::array::from_fn(|i| b[i]));
            values.extend(features.chunks_exact(4).map(number));
            whole += 1;
        }
        let end = (whole * size) as u64;
        file.set_len(end).map_err(|e| io(&path, e))?;
        file.seek(SeekFrom::Start(end)).map_err(|e| io(&path, e))?;
        Ok(Self {
            path,
            file,
            width,
            places,
            values,
        })
    }

    /// Features of the content with this hash.
    pub fn get(&self, hash: &blake3::Hash) -> Option<&[f32]> {
        let place = *self.places.get(hash.as_bytes())?;
        self.values.get(place..place + self.width)
    }

    /// Adds features, [`FeatureCache::get`] finds them from now on.
    ///
    /// # Errors
    /// They are not `width` many, or cannot be written.
    pub fn put(&mut self, hash: &blake3::Hash, features: &[f32]) -> Result<(), TrainError> {
        if features.len() != self.width {
            let (found, wanted) = (features.len(), self.width);
            let reason = format!("{found} features for a cache of {wanted}");
            return Err(TrainError::Features(reason));
        }
        let mut record = hash.as_bytes().to_vec();
        record.extend(features.iter().flat_map(|v| v.to_le_bytes()));
        let crc = crc32fast::hash(&record);
        record.extend(crc.to_le_bytes());
        self.file
            .write_all(&record)
            .map_err(|e| io(&self.path, e))?;
        self.places.insert(*hash.as_bytes(), self.values.len());
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
