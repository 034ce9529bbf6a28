//! Files and records of the data directory that are read as a whole.

use vitrine::{
    cf::{Model, Recommender, SequenceModel},
    collection::check_state,
};

/// Bytes of a state file before its body: magic, checksum, length.
const STATE_HEAD: usize = 20;

/// Bytes of a model before its body: magic, checksum.
const MODEL_HEAD: usize = 12;

/// Reads a state file, as it is and with a valid checksum and length.
pub fn state(input: &[u8]) {
    let _ = check_state(input);
    let mut valid = input.to_vec();
    if let Some((head, body)) = valid.split_at_mut_checked(STATE_HEAD) {
        head[8..12].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        head[12..].copy_from_slice(&(body.len() as u64).to_le_bytes());
        let _ = check_state(&valid);
    }
}

/// Reads a stored model or network, as it is and with a valid checksum, and asks it for scores.
pub fn model(input: &[u8]) {
    let _ = Model::from_bytes(input);
    let mut valid = input.to_vec();
    if let Some((head, body)) = valid.split_at_mut_checked(MODEL_HEAD) {
        head[8..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    }
    if let Ok(model) = Model::from_bytes(&valid) {
        score(&model);
    }
    if let Ok(network) = SequenceModel::from_bytes(&valid) {
        score(&network);
    }
}

fn score(model: &dyn Recommender) {
    let history = [(0, 1.0), (3, 2.0), (u32::MAX, 1.0)];
    let mut scores = Vec::new();
    model.scores(&history, &mut scores);
    assert_eq!(scores.len(), model.items(), "a score of each item");
    let best = model.recommend(&history, 3, &Default::default());
    assert!(best.len() <= 3, "at most as many as requested");
}
