//! Features of the candidates of a search.

mod agreement;
mod facts;
mod local;
mod scores;
mod words;

use super::{
    Candidate, QueryText,
    features::{Feature, Row},
};

/// Returns the features of the candidates of a search, which are ordered by the blend.
pub(crate) fn feature_rows(query: &QueryText, candidates: &[Candidate]) -> Vec<Row> {
    let mut rows = vec![Row::empty(); candidates.len()];
    scores::set(candidates, &mut rows);
    words::set(query, candidates, &mut rows);
    local::set(query, candidates, &mut rows);
    agreement::set(candidates, &mut rows);
    facts::set(candidates, &mut rows);
    set_query(query, &mut rows);
    rows
}

/// Sets the features of the query, the same for all candidates; they tell the trees which other
/// features to trust.
fn set_query(query: &QueryText, rows: &mut [Row]) {
    let greatest = |feature| max(rows.iter().map(|row| row.get(feature)));
    let coverage = greatest(Feature::TitleCoverage);
    let dense = greatest(Feature::DenseScore);
    let spread = greatest(Feature::DenseGap);
    let is_full = |row: &&Row| row.get(Feature::TitleCoverage) > 0.999;
    let full = rows.iter().filter(is_full).count() as f32;
    let numbers = query.words.iter().filter(|word| word.is_number).count() as f32;
    let count = query.words.len() as f32;
    for row in rows {
        row.set(Feature::QueryWords, count);
        row.set(Feature::QueryNumbers, numbers);
        row.set(Feature::QueryIdf, query.total_idf / count.max(1.0));
        row.set(Feature::QueryMaxIdf, max(query.words.iter().map(|w| w.idf)));
        row.set(Feature::BestCoverage, coverage);
        row.set(Feature::FullMatches, full.ln_1p());
        row.set(Feature::BestDense, dense);
        row.set(Feature::DenseSpread, spread);
        let own = row.get(Feature::TitleCoverage);
        row.set(Feature::TitleCoverageGap, coverage - own);
    }
}

/// Returns the greatest of some values of 0 or more, 0 without any.
fn max(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, f32::max)
}
