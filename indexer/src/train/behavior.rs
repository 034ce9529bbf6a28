//! Behavior features of items, learned from choices alone.

use std::collections::HashMap;

use vitrine::cf::{Ials, IalsOptions, Matrix};

use super::TrainError;
use crate::space::heads::BehaviorFeatures;

/// Number of features of an item.
const FACTORS: usize = 64;

/// Minimum number of users who chose an item for it to have features: with fewer, the factors
/// identify these users and little else.
const MIN_USERS: usize = 3;

/// Returns the factors of items in the matrix of users and their choices (iALS, see [`Ials`]), by
/// item id.
///
/// # Errors
/// The factors cannot be fitted.
pub fn features(choices: &[Vec<String>], seed: u64) -> Result<BehaviorFeatures, TrainError> {
    let mut ids: Vec<&str> = choices.iter().flatten().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut features = BehaviorFeatures::new(FACTORS);
    if ids.is_empty() {
        return Ok(features);
    }
    let columns: HashMap<&str, u32> = ids.iter().copied().zip(0..).collect();
    let triples = (0..)
        .zip(choices)
        .flat_map(|(user, items)| items.iter().map(move |id| (user, id)));
    let triples = triples.map(|(user, id)| (user, columns[id.as_str()], 1.0));
    let failed = |e: vitrine::Error| TrainError::Features(format!("factors of behavior: {e}"));
    let matrix = Matrix::from_triples(choices.len(), ids.len(), triples).map_err(failed)?;
    let options = IalsOptions {
        factors: FACTORS,
        seed,
        ..IalsOptions::default()
    };
    let fitted = Ials::fit(&matrix, &options).map_err(failed)?;
    let mut users = vec![0_usize; ids.len()];
    for items in choices {
        let mut unique: Vec<&String> = items.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        unique
            .iter()
            .for_each(|id| users[columns[id.as_str()] as usize] += 1);
    }
    for (id, users) in ids.iter().zip(users).filter(|(_, n)| *n >= MIN_USERS) {
        if let Some(factors) = fitted.item(columns[id]) {
            features.push(id, users as f32, factors);
        }
    }
    Ok(features)
}
