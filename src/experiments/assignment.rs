//! Assignment of users to variants.

use vitrine_schemas::Experiment;

/// Returns the index of the variant of a user or session: by a hash of its name and the id of the
/// experiment, in proportion to the shares. It depends on nothing else, so it is stable.
///
/// # Examples
///
/// ```
/// use vitrine::{experiments::variant_of, schemas::Experiment};
///
/// let experiment: Experiment = serde_json::from_str(
///     r#"{"id": "mode", "variants": [{"name": "a"}, {"name": "b", "share": 3}]}"#,
/// )?;
/// let users = (0..1000).map(|n| format!("user {n}"));
/// let in_b = users.filter(|user| variant_of(&experiment, user) == 1).count();
/// assert!((700..800).contains(&in_b));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn variant_of(experiment: &Experiment, subject: &str) -> usize {
    let total: f64 = experiment.variants.iter().map(|v| v.share).sum();
    let mut rest = unit(&experiment.id, subject) * total;
    for (index, variant) in experiment.variants.iter().enumerate() {
        if rest < variant.share {
            return index;
        }
        rest -= variant.share;
    }
    // Only by rounding.
    experiment.variants.len().saturating_sub(1)
}

/// Returns a number from 0 to 1, exclusive, by a hash of two texts.
fn unit(salt: &str, text: &str) -> f64 {
    // 53 bits are exact in a float.
    (hash(salt, text) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a hash of two texts.
pub(super) fn hash(salt: &str, text: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in [salt, text] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes = *hasher.finalize().as_bytes();
    u64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}
