//! Gradients of nDCG (LambdaRank, Burges 2010): each pair of candidates of a query pushes the one
//! with the greater gain up, by as much as nDCG would change if they swapped their ranks.

use rayon::prelude::*;

use super::{Dataset, NDCG_DEPTH, Parameters, discount, histogram::Gradients};

/// Adds the gradients of some queries; those of other candidates are 0.
pub(super) fn gradients(
    data: &Dataset,
    groups: &[usize],
    scores: &[f64],
    parameters: &Parameters,
) -> Gradients {
    let own = |group: &usize| {
        let group = &data.groups[*group];
        let rows = group.rows.clone();
        let gains = &data.gains[rows.clone()];
        let pairs = of_query(
            gains,
            &scores[rows.clone()],
            group.ideal,
            parameters.truncation,
        );
        (rows, pairs)
    };
    let all: Vec<_> = groups.par_iter().map(own).collect();
    let mut gradients = Gradients {
        first: vec![0.0; scores.len()],
        second: vec![0.0; scores.len()],
    };
    for (rows, pairs) in all {
        for (row, (first, second)) in rows.zip(pairs) {
            gradients.first[row] = first as f32;
            gradients.second[row] = second as f32;
        }
    }
    gradients
}

/// Returns the first and second derivatives for the candidates of a query.
fn of_query(gains: &[f32], scores: &[f64], ideal: f64, truncation: usize) -> Vec<(f64, f64)> {
    let mut derivatives = vec![(0.0, 0.0); gains.len()];
    if ideal <= 0.0 {
        return derivatives;
    }
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let spread = match (order.first(), order.last()) {
        (Some(first), Some(last)) => scores[*first] - scores[*last],
        _ => 0.0,
    };
    let mut total = 0.0;
    for (upper, a) in order.iter().enumerate().take(truncation.max(NDCG_DEPTH)) {
        for (lower, b) in order.iter().enumerate().skip(upper + 1) {
            let difference = f64::from(gains[*a]) - f64::from(gains[*b]);
            if difference == 0.0 {
                continue;
            }
            let (better, worse) = if difference > 0.0 { (*a, *b) } else { (*b, *a) };
            let margin = scores[better] - scores[worse];
            let mut change = difference.abs() * (discount(upper) - discount(lower)) / ideal;
            if spread > 0.0 {
                // Pairs that are far apart already matter less (as in LightGBM).
                change /= 0.01 + margin.abs();
            }
            let wrong = 1.0 / (1.0 + margin.exp());
            let push = change * wrong;
            let bend = change * wrong * (1.0 - wrong);
            derivatives[better].0 -= push;
            derivatives[worse].0 += push;
            derivatives[better].1 += bend;
            derivatives[worse].1 += bend;
            total += 2.0 * push;
        }
    }
    if total > 0.0 {
        // Queries with many pairs must not outweigh the others.
        let norm = (1.0 + total).log2() / total;
        for (first, second) in &mut derivatives {
            *first *= norm;
            *second *= norm;
        }
    }
    derivatives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relevant_candidate_at_the_end_is_pushed_up() {
        let derivatives = of_query(&[0.0, 0.0, 2.0], &[3.0, 2.0, 1.0], 2.0, 10);
        assert!(derivatives[2].0 < 0.0);
        assert!(derivatives[0].0 > 0.0 && derivatives[1].0 > 0.0);
        let sum: f64 = derivatives.iter().map(|d| d.0).sum();
        assert!(sum.abs() < 1e-12, "pairs push in both directions alike");
        assert!(derivatives.iter().all(|d| d.1 >= 0.0));
    }

    #[test]
    fn queries_without_gains_have_no_gradients() {
        assert_eq!(of_query(&[0.0; 3], &[1.0; 3], 0.0, 10), [(0.0, 0.0); 3]);
        assert!(of_query(&[], &[], 1.0, 10).is_empty());
    }
}
