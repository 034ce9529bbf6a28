//! Contributions of the sources to the score of a hit.

use vitrine_schemas::{Contribution, Source, SourceUse};

use crate::query::blend::Ranked;

/// Returns the summand of each source in the score of a hit.
pub(in crate::collection) fn contributions(hit: &Ranked) -> Vec<Contribution> {
    let contribution = |(source, score): (Source, f32)| {
        let signal = hit.candidate.signals.get(source);
        Contribution {
            source,
            rank: signal.filter(|s| s.rank > 0).map(|s| u64::from(s.rank)),
            raw: signal.map_or(0.0, |s| s.score),
            score,
        }
    };
    hit.contributions().into_iter().map(contribution).collect()
}

/// Returns the source that explains a hit: the one with the largest direct contribution, or else
/// the largest contribution of any source but the rules and the ranker, which change a score but
/// find no items.
pub(in crate::collection) fn main_source(
    hit: &Ranked,
    is_direct: impl Fn(Source, f32) -> bool,
) -> Option<Source> {
    let contributions = hit.contributions();
    let mut direct = contributions.iter();
    let direct = direct.find(|(source, score)| is_direct(*source, *score));
    let any = || contributions.iter().find(|(s, _)| !s.is_adjustment());
    direct.or_else(any).map(|(source, _)| *source)
}

/// Returns the weight of each source in a blend with its number of candidates, without the sources
/// that have none.
pub(in crate::collection) fn source_usage(
    weight: impl Fn(Source) -> f32,
    counts: impl IntoIterator<Item = (Source, u64)>,
) -> Vec<SourceUse> {
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let usage = counts.map(|(source, candidates)| SourceUse {
        source,
        weight: weight(source),
        candidates,
    });
    usage.collect()
}
