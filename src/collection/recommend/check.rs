//! Validation of recommendation requests.

use std::collections::BTreeMap;

use vitrine_schemas::{RecommendRequest, Source, WeightedItem};

use crate::{Error, Result};

/// Maximum number of items in each list of a request.
const MAX_LIST_LEN: usize = 1000;

/// Maximum weight of an item.
const MAX_WEIGHT: f32 = 1e6;

/// Validates the lists of a request.
pub(super) fn check_lists(request: &RecommendRequest) -> Result<()> {
    let lists = [
        ("/positives", request.positives.len()),
        ("/negatives", request.negatives.len()),
        ("/categories", request.categories.len()),
    ];
    for (pointer, len) in lists {
        if len > MAX_LIST_LEN {
            return Err(Error::invalid(
                pointer,
                format!("has {len} items; the limit is {MAX_LIST_LEN}"),
            ));
        }
    }
    check_items("/positives", &request.positives)?;
    check_items("/negatives", &request.negatives)
}

fn check_items(pointer: &str, items: &[WeightedItem]) -> Result<()> {
    let is_invalid = |w: f32| !(w.is_finite() && w > 0.0 && w <= MAX_WEIGHT);
    match items.iter().position(|item| is_invalid(item.weight)) {
        Some(i) => Err(Error::invalid(
            format!("{pointer}/{i}/weight"),
            "must be above 0 and at most 1000000; put disliked items in `negatives`",
        )),
        None => Ok(()),
    }
}

/// Validates the weights of a blend.
pub(super) fn check_weights(weights: &BTreeMap<Source, f32>) -> Result<()> {
    for (source, weight) in weights {
        let (name, detail) = match source {
            Source::Rules => ("rules", "cannot be weighted; rules carry their own factor"),
            Source::Freshness => (
                "freshness",
                "cannot be weighted; set `freshness` of the request",
            ),
            Source::Ranker => ("ranker", "cannot be weighted; `rerank` turns it on or off"),
            _ => ("", ""),
        };
        if source.is_adjustment() {
            return Err(Error::invalid(format!("/blend/weights/{name}"), detail));
        }
        if !(0.0..=1000.0).contains(weight) {
            let name = serde_json::to_value(source).unwrap_or_default();
            return Err(Error::invalid(
                format!("/blend/weights/{}", name.as_str().unwrap_or_default()),
                format!("expected 0 to 1000, got {weight}"),
            ));
        }
    }
    if weights.values().all(|w| *w == 0.0) {
        return Err(Error::invalid(
            "/blend/weights",
            "needs a source with a weight above 0",
        ));
    }
    Ok(())
}
