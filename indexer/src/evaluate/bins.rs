//! Users and items binned by their number of events.

use std::collections::HashMap;

use rayon::prelude::*;
use vitrine::cf::metrics::{Figures, Interval};

use super::{
    measure::Answers,
    protocol::Trial,
    report::{ItemBin, UserBin},
};

/// Lower bounds of the bins, in events.
const EDGES: [usize; 5] = [0, 1, 5, 20, 100];

/// Returns the bin of a number of events.
fn bin(events: usize) -> usize {
    EDGES.partition_point(|edge| *edge <= events) - 1
}

fn label(bin: usize) -> String {
    match (EDGES[bin], EDGES.get(bin + 1)) {
        (0, _) => "0".to_owned(),
        (from, Some(next)) => format!("{from}-{}", next - 1),
        (from, None) => format!("{from}+"),
    }
}

/// Returns the metrics of the users in each non-empty bin.
pub fn by_user(figures: &[Figures], trial: &Trial, resamples: usize, seed: u64) -> Vec<UserBin> {
    let of = |n: usize| {
        let pairs = figures.iter().zip(&trial.tasks);
        let inside: Vec<_> = pairs
            .filter(|(_, task)| bin(task.events) == n)
            .map(|(f, _)| f)
            .collect();
        let interval = |figure: fn(&Figures) -> f64| {
            let values: Vec<_> = inside.iter().map(|f| figure(f)).collect();
            Interval::bootstrap(&values, resamples, seed)
        };
        (!inside.is_empty()).then(|| UserBin {
            events: label(n),
            users: inside.len(),
            recall: interval(|f| f.recall),
            ndcg: interval(|f| f.ndcg),
        })
    };
    (0..EDGES.len()).into_par_iter().filter_map(of).collect()
}

/// Counts the held-out items of each bin that were among the first `k`.
pub fn by_item(answers: &Answers, trial: &Trial, k: usize) -> Vec<ItemBin> {
    let mut events: HashMap<u32, usize> = HashMap::new();
    for i in &trial.train {
        *events.entry(i.item).or_default() += 1;
    }
    let mut counts = [(0, 0); EDGES.len()];
    for (list, task) in answers.lists.iter().zip(&trial.tasks) {
        for item in &task.relevant {
            let (held_out, hits) = &mut counts[bin(events.get(item).copied().unwrap_or(0))];
            *held_out += 1;
            *hits += usize::from(list.iter().take(k).any(|s| s.item == *item));
        }
    }
    let bins = counts
        .iter()
        .enumerate()
        .filter(|(_, (held_out, _))| *held_out > 0);
    bins.map(|(n, (held_out, hits))| ItemBin {
        events: label(n),
        held_out: *held_out,
        recall: *hits as f64 / *held_out as f64,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_names() {
        let names: Vec<_> = [0, 1, 4, 5, 19, 20, 99, 100, 5000]
            .map(|n| label(bin(n)))
            .into();
        assert_eq!(
            names,
            [
                "0", "1-4", "1-4", "5-19", "5-19", "20-99", "20-99", "100+", "100+"
            ]
        );
    }
}
