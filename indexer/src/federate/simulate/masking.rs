//! A sum with the whole protocol of secure aggregation, and a check of its messages.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::federate::{
    FederateError,
    secagg::{Advertised, Aggregation, Context, Id, SecureError},
};

/// Number of participants that mask at a time.
const BATCH: usize = 8;

/// Returns the sum of all vectors but those of the shops that leave `early`, and the greatest
/// correlation of a message with its vector, in multiples of what chance gives.
///
/// # Errors
/// Too few shops stay.
pub fn masked_sum(
    round: u32,
    vectors: &[Vec<u32>],
    early: &BTreeSet<usize>,
    late: &BTreeSet<usize>,
) -> Result<(Vec<u32>, f64), FederateError> {
    let context = Context {
        session: "simulation".to_owned(),
        round,
        attempt: 1,
    };
    let too_many = |_| FederateError::Plan("expected at most 255 shops".to_owned());
    let ids: Vec<Id> = (1..=vectors.len())
        .map(|n| Id::try_from(n).map_err(too_many))
        .collect::<Result<_, _>>()?;
    let (mut keys, mut advertised) = (BTreeMap::new(), Vec::new());
    for id in &ids {
        let participant = Advertised::new(context.clone())?;
        keys.insert(*id, participant.keys());
        advertised.push((*id, participant));
    }
    let mut sum = Aggregation::new(context, keys, vectors[0].len())?;
    let mut participants = Vec::new();
    for (id, participant) in advertised {
        let (participant, sealed) = participant.share(id, sum.roster().clone())?;
        sum.add_shares(id, sealed)?;
        participants.push((id, participant));
    }
    let (mut greatest, mut staying) = (0.0_f64, Vec::new());
    let mut rest = participants.into_iter().zip(vectors).enumerate();
    loop {
        // Few at a time: each vector has some millions of numbers.
        let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let masked: Vec<_> = batch
            .into_par_iter()
            .filter(|(shop, _)| !early.contains(shop))
            .map(|(shop, ((id, participant), vector))| {
                let (participant, masked) = participant.mask(&sum.inbox(id), vector.clone())?;
                let correlation = correlation(vector, &masked);
                Ok::<_, SecureError>((shop, id, participant, masked, correlation))
            })
            .collect::<Result<_, _>>()?;
        for (shop, id, participant, masked, correlation) in masked {
            sum.add_masked(id, &masked)?;
            greatest = greatest.max(correlation.abs());
            staying.push((shop, id, participant));
        }
    }
    let survivors = sum.survivors().clone();
    for (shop, id, participant) in staying {
        if !late.contains(&shop) {
            sum.add_revealed(id, &participant.reveal(&survivors)?)?;
        }
    }
    Ok((sum.sum()?, greatest * (vectors[0].len() as f64).sqrt()))
}

/// Pearson's correlation of two vectors, read as signed integers.
fn correlation(a: &[u32], b: &[u32]) -> f64 {
    let n = a.len().max(1) as f64;
    let signed = |v: &u32| f64::from(*v as i32);
    let mean = |v: &[u32]| v.iter().map(signed).sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (signed(x) - mean_a, signed(y) - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt().max(f64::MIN_POSITIVE)
}
