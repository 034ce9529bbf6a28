//! Vectors of titles, cached in a file named by the hash of the encoder and the titles.

use std::{fs, path::Path};

use vitrine::Embedder;
use vitrine_indexer::{encode::Precision, models, space::Encoders};

use crate::Outcome;

/// Returns the vector of each title.
pub fn of(titles: &[&str], name: &str, cache: &Path) -> Outcome<Vec<Vec<f32>>> {
    let encoders = Encoders::load(&models::default_dir(), Precision::default())?;
    let dim = encoders.dims()["text"];
    let mut hash = blake3::Hasher::new();
    hash.update(encoders.fingerprint().as_bytes());
    for title in titles {
        hash.update(title.as_bytes()).update(b"\n");
    }
    let path = cache.join(format!("{name}-{}.f32", &hash.finalize().to_hex()[..16]));
    if !path.is_file() {
        let mut bytes = Vec::new();
        for chunk in titles.chunks(64) {
            for embedding in encoders.embed_text(chunk) {
                bytes.extend(embedding?["text"].iter().flat_map(|x| x.to_le_bytes()));
            }
        }
        fs::create_dir_all(cache)?;
        fs::write(&path, bytes)?;
    }
    let numbers: Vec<f32> = fs::read(&path)?
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    if numbers.len() != dim * titles.len() {
        return Err(format!("{} is damaged; remove it", path.display()).into());
    }
    Ok(numbers.chunks_exact(dim).map(<[f32]>::to_vec).collect())
}
