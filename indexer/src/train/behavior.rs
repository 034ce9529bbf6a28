//! What is known of items by who chose them, learned from choices alone.

use std::collections::HashMap;

use vitrine::cf::{Ials, IalsOptions, Matrix};

use super::TrainError;
use crate::space::heads::BehaviorFeatures;

/// Numbers an item has.
const FACTORS: usize = 64;

/// Fewest people who chose an item for it to have any: of fewer, the factors say who that was and little else.
const LEAST_PEOPLE: usize = 3;

/// Factors of items in the matrix of people and what they chose (iALS, see [`Ials`]), each item's by id.
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
    let numbers: HashMap<&str, u32> = ids.iter().copied().zip(0..).collect();
    let triples = (0..)
        .zip(choices)
        .flat_map(|(person, own)| own.iter().map(move |id| (person, id)));
    let triples = triples.map(|(person, id)| (person, numbers[id.as_str()], 1.0));
    let failed = |e: vitrine::Error| TrainError::Features(format!("factors of behaviour: {e}"));
    let matrix = Matrix::from_triples(choices.len(), ids.len(), triples).map_err(failed)?;
    let options = IalsOptions {
        factors: FACTORS,
        seed,
        ..IalsOptions::default()
    };
    let fitted = Ials::fit(&matrix, &options).map_err(failed)?;
    let mut people = vec![0_usize; ids.len()];
    for own in choices {
        let mut own: Vec<&String> = own.iter().collect();
        own.sort_unstable();
        own.dedup();
        own.iter()
            .for_each(|id| people[numbers[id.as_str()] as usize] += 1);
    }
    for (id, people) in ids.iter().zip(people).filter(|(_, n)| *n >= LEAST_PEOPLE) {
        if let Some(own) = fitted.item(numbers[id]) {
            features.push(id, people as f32, own);
        }
    }
    Ok(features)
}
