//! Validation of experiments: each variant is valid if a search with it could be.

use std::collections::HashSet;

use vitrine_schemas::{Experiment, ExperimentKind};

use super::check_preset;
use crate::{
    Error, Result,
    collection::{Collection, check_name},
};

/// Minimum and maximum number of variants.
const MIN_VARIANTS: usize = 2;
const MAX_VARIANTS: usize = 10;

pub(in crate::collection) fn experiment(
    experiment: &Experiment,
    collection: &Collection,
) -> Result<()> {
    check_name("/id", &experiment.id)?;
    let max = match experiment.kind {
        ExperimentKind::Split => MAX_VARIANTS,
        ExperimentKind::Interleaving => MIN_VARIANTS,
    };
    let count = experiment.variants.len();
    if !(MIN_VARIANTS..=max).contains(&count) {
        let detail = format!("expected {MIN_VARIANTS} to {max} variants, got {count}");
        return Err(Error::invalid("/variants", detail));
    }
    let mut names = HashSet::new();
    for (index, variant) in experiment.variants.iter().enumerate() {
        let pointer = |field: &str| format!("/variants/{index}/{field}");
        check_name(&pointer("name"), &variant.name)?;
        if !names.insert(&variant.name) {
            let detail = format!("duplicate name `{}`: each needs its own", variant.name);
            return Err(Error::invalid(pointer("name"), detail));
        }
        if !(0.0..=1e6).contains(&variant.share) {
            let detail = format!("expected 0 to 1000000, got {}", variant.share);
            return Err(Error::invalid(pointer("share"), detail));
        }
        let fields = check_preset::fields(&variant.search, collection);
        fields.map_err(|e| e.under(&pointer("search")))?;
    }
    let total: f64 = experiment.variants.iter().map(|v| v.share).sum();
    if total <= 0.0 {
        let detail = "expected a share above 0, got 0 for all variants";
        return Err(Error::invalid("/variants/0/share", detail));
    }
    Ok(())
}
