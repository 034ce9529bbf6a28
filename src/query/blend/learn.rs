//! Learning a blend from candidate sets whose chosen items are known.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;
use vitrine_schemas::{BlendFigures, BlendMethod, Difference, Source};

use super::{BlendModel, Calibration, CandidateSet, model::evidence_share};
use crate::{Error, Result, cf::metrics::Interval};

/// Minimum number of examples, in each half, with a chosen item among the candidates.
const MIN_ANSWERED_EXAMPLES: usize = 20;

/// Maximum number of rounds over all coordinates; the ascent stops once a round gains nothing.
const MAX_ROUNDS: usize = 8;

/// Minimum gain of NDCG to accept a change, which keeps the blend simple.
const MIN_GAIN: f64 = 1e-5;

/// Factors by which a weight is changed.
const WEIGHT_FACTORS: [f32; 8] = [0.25, 0.5, 0.75, 0.9, 1.1, 1.33, 2.0, 4.0];
/// Fractions of the largest weight that a weight of 0 is changed to.
const START_FRACTIONS: [f32; 5] = [0.05, 0.1, 0.25, 0.5, 1.0];
/// Values of the two evidence constants that are compared.
const EVIDENCE_CONSTANTS: [f32; 8] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// A candidate set with the items that were chosen afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Candidates with their signals.
    pub candidate_set: CandidateSet,
    /// Internal ids of the chosen items, including those that no source found.
    pub chosen: Vec<u32>,
}

/// Options for learning and evaluating a blend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnOptions {
    /// Depth of the NDCG that is maximized.
    pub depth: usize,
    /// Number of bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            depth: 20,
            resamples: 1000,
            seed: 0,
        }
    }
}

/// Learns a blend on every other example and evaluates it on the rest.
///
/// Coordinate ascent on NDCG (Metzler and Croft 2007) over the weight and calibration of each
/// source and the two evidence constants. The same examples give the same blend.
///
/// # Errors
/// Too few examples with a chosen item among the candidates.
pub fn learn(examples: &[Example], options: &LearnOptions) -> Result<(BlendModel, BlendFigures)> {
    let prepared: Vec<_> = examples.iter().filter_map(Prepared::of).collect();
    let half = |n: usize| -> Vec<&Prepared<'_>> { prepared.iter().skip(n).step_by(2).collect() };
    let (fitted, held_out) = (half(0), half(1));
    for half in [&fitted, &held_out] {
        let useful = half.iter().filter(|e| e.chosen.contains(&true)).count();
        if useful < MIN_ANSWERED_EXAMPLES {
            return Err(Error::invalid(
                "/events",
                format!(
                    "there are {useful} held-out shoppers with a chosen item among the candidates in one \
                     half; at least {MIN_ANSWERED_EXAMPLES} are needed to learn a blend"
                ),
            ));
        }
    }
    let model = Ascent::new(&fitted, options.depth).climb();
    let figures = evaluate(&model, &held_out, options);
    Ok((model, figures))
}

/// An example prepared for evaluation.
struct Prepared<'a> {
    candidate_set: &'a CandidateSet,
    /// One flag per candidate, true if it was chosen.
    chosen: Vec<bool>,
    /// Number of distinct chosen items.
    relevant: usize,
}

impl<'a> Prepared<'a> {
    fn of(example: &'a Example) -> Option<Self> {
        let items: HashSet<_> = example.chosen.iter().copied().collect();
        let candidates = example.candidate_set.candidates.iter();
        (!items.is_empty()).then(|| Self {
            candidate_set: &example.candidate_set,
            chosen: candidates.map(|c| items.contains(&c.item)).collect(),
            relevant: items.len(),
        })
    }

    /// Returns the NDCG of the ranking by `totals`; candidates with a total of 0 are not ranked.
    fn ndcg(&self, totals: &[f32], depth: usize) -> f64 {
        let item = |place: usize| self.candidate_set.candidates[place].item;
        let hits = (0..totals.len()).filter(|at| self.chosen[*at] && totals[*at] > 0.0);
        let gain: f64 = hits
            .map(|at| {
                let above = totals.iter().enumerate().filter(|(other, total)| {
                    **total > totals[at] || (**total == totals[at] && item(*other) < item(at))
                });
                discount(above.count() + 1, depth)
            })
            .sum();
        let best: f64 = (1..=self.relevant.min(depth))
            .map(|place| discount(place, depth))
            .sum();
        gain / best
    }
}

fn discount(place: usize, depth: usize) -> f64 {
    if place > depth {
        return 0.0;
    }
    1.0 / (place as f64 + 1.0).log2()
}

/// Coordinate ascent over blends. The calibrated values of each source are precomputed, so that a
/// change costs one pass over them.
struct Ascent<'a> {
    examples: &'a [&'a Prepared<'a>],
    depth: usize,
    sources: Vec<SourceOptions>,
}

/// Calibrations of a source with their precomputed values.
struct SourceOptions {
    source: Source,
    calibrations: Vec<Calibration>,
    /// Factor, by calibration, that makes the best value of a candidate set 1 on average.
    units: Vec<f32>,
    /// Values by calibration, example and candidate.
    values: Vec<Vec<Vec<f32>>>,
}

/// A point of the ascent: a weight and a calibration per source, and the evidence constants.
#[derive(Clone)]
struct Point {
    weights: Vec<f32>,
    chosen: Vec<usize>,
    user_evidence: f32,
    item_evidence: f32,
}

impl<'a> Ascent<'a> {
    fn new(examples: &'a [&'a Prepared<'a>], depth: usize) -> Self {
        let labeled: Vec<_> = examples
            .iter()
            .map(|e| (e.candidate_set, e.chosen.as_slice()))
            .collect();
        let present = Source::VARIANTS.into_iter().filter(|source| {
            let mut candidates = examples.iter().flat_map(|e| &e.candidate_set.candidates);
            candidates.any(|c| c.signals.get(*source).is_some())
        });
        Self {
            sources: present.map(|s| SourceOptions::new(s, &labeled)).collect(),
            examples,
            depth,
        }
    }

    fn climb(&self) -> BlendModel {
        let count = self.sources.len();
        let alone = |one: usize| Point {
            weights: (0..count)
                .map(|n| if n == one { 1.0 } else { 0.0 })
                .collect(),
            chosen: vec![1; count],
            user_evidence: 0.0,
            item_evidence: 0.0,
        };
        let equal = Point {
            weights: vec![1.0; count],
            ..alone(0)
        };
        // Starts from each source alone and from all of them, since the ascent finds local maxima.
        let starts = (0..count).map(alone).chain([equal]);
        let best = starts
            .map(|start| self.ascend(start))
            .reduce(|a, b| if b.1 > a.1 { b } else { a });
        self.model(&best.map_or_else(|| alone(0), |(point, _)| point))
    }

    fn ascend(&self, mut at: Point) -> (Point, f64) {
        let mut best = self.mean(&at);
        for _ in 0..MAX_ROUNDS {
            let before = best;
            for coordinate in 0..2 * self.sources.len() + 2 {
                let points = self
                    .moves(&at, coordinate)
                    .into_iter()
                    .map(|point| (self.mean(&point), point));
                let best_point = points.reduce(|a, b| if b.0 > a.0 { b } else { a });
                if let Some((value, point)) = best_point
                    && value > best + MIN_GAIN
                {
                    (best, at) = (value, point);
                }
            }
            if best <= before {
                break;
            }
        }
        (at, best)
    }

    /// Returns the points that differ from `at` in one coordinate.
    fn moves(&self, at: &Point, coordinate: usize) -> Vec<Point> {
        let count = self.sources.len();
        let change = |apply: &dyn Fn(&mut Point)| {
            let mut point = at.clone();
            apply(&mut point);
            point
        };
        if let Some(n) = coordinate.checked_sub(2 * count) {
            return EVIDENCE_CONSTANTS
                .iter()
                .map(|half| {
                    change(&|p| match n {
                        0 => p.user_evidence = *half,
                        _ => p.item_evidence = *half,
                    })
                })
                .collect();
        }
        let source = coordinate / 2;
        if coordinate % 2 == 1 {
            return (0..self.sources[source].calibrations.len())
                .map(|n| change(&|p| p.chosen[source] = n))
                .collect();
        }
        let weight = at.weights[source];
        let others = at.weights.iter().filter(|w| **w > 0.0).count() > usize::from(weight > 0.0);
        let weights: Vec<f32> = if weight > 0.0 {
            WEIGHT_FACTORS
                .iter()
                .map(|f| weight * f)
                .chain(others.then_some(0.0))
                .collect()
        } else {
            let largest = at.weights.iter().copied().fold(0.0, f32::max);
            START_FRACTIONS.iter().map(|s| largest * s).collect()
        };
        weights
            .iter()
            .map(|weight| change(&|p| p.weights[source] = *weight))
            .collect()
    }

    /// Returns the mean NDCG, summed in the order of the examples so that it is the same on any
    /// number of threads.
    fn mean(&self, at: &Point) -> f64 {
        let one = |totals: &mut Vec<f32>, n: usize| {
            self.totals(at, n, totals);
            self.examples[n].ndcg(totals, self.depth)
        };
        let examples = (0..self.examples.len()).into_par_iter();
        let values: Vec<f64> = examples.map_init(Vec::new, one).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }

    fn totals(&self, at: &Point, example: usize, totals: &mut Vec<f32>) {
        let candidate_set = self.examples[example].candidate_set;
        totals.clear();
        totals.resize(candidate_set.candidates.len(), 0.0);
        let of_user = evidence_share(candidate_set.evidence, at.user_evidence);
        for (n, options) in self.sources.iter().enumerate() {
            let weight = at.weights[n] * options.units[at.chosen[n]];
            if weight == 0.0 {
                continue;
            }
            let values = &options.values[at.chosen[n]][example];
            let summed = totals.iter_mut().zip(values).zip(&candidate_set.candidates);
            if options.source.is_behavior() {
                for ((total, value), candidate) in summed {
                    let trust = of_user * evidence_share(candidate.events, at.item_evidence);
                    *total += weight * trust * value;
                }
            } else {
                summed.for_each(|((total, value), _)| *total += weight * value);
            }
        }
    }

    fn model(&self, at: &Point) -> BlendModel {
        let sum: f32 = at.weights.iter().sum();
        let all: BTreeMap<_, _> = self
            .sources
            .iter()
            .enumerate()
            .map(|(n, options)| {
                let chosen = at.chosen[n];
                let weight = at.weights[n] / sum * options.units[chosen];
                (options.source, (weight, options.calibrations[chosen]))
            })
            .collect();
        let weights = all.iter().map(|(source, (weight, _))| (*source, *weight));
        let mut model = BlendModel::of(BlendMethod::Learned, weights, |source| all[&source].1);
        model.user_evidence = at.user_evidence;
        model.item_evidence = at.item_evidence;
        model
    }
}

impl SourceOptions {
    fn new(source: Source, candidate_sets: &[(&CandidateSet, &[bool])]) -> Self {
        let calibrations = Calibration::options(source, candidate_sets);
        let values: Vec<Vec<Vec<f32>>> = calibrations
            .iter()
            .map(|calibration| {
                let of = |(candidate_set, _): &(&CandidateSet, &[bool])| {
                    let range = candidate_set.score_range(source);
                    let candidates = candidate_set.candidates.iter();
                    let values =
                        candidates.map(|c| calibration.value(c.signals.get(source), range));
                    values.collect()
                };
                candidate_sets.iter().map(of).collect()
            })
            .collect();
        let unit = |by_example: &Vec<Vec<f32>>| {
            let best = by_example
                .iter()
                .map(|q| q.iter().copied().fold(0.0, f32::max));
            let best: Vec<f32> = best.filter(|b| *b > 0.0).collect();
            let mean = best.iter().sum::<f32>() / best.len().max(1) as f32;
            if mean > 0.0 { 1.0 / mean } else { 0.0 }
        };
        Self {
            source,
            units: values.iter().map(unit).collect(),
            calibrations,
            values,
        }
    }
}

/// Returns the NDCG of the blend, of each source alone and of plain rank fusion on held-out
/// examples.
fn evaluate(
    model: &BlendModel,
    examples: &[&Prepared<'_>],
    options: &LearnOptions,
) -> BlendFigures {
    let figures = |blend: &BlendModel| -> Vec<f64> {
        let one = |example: &&Prepared<'_>| {
            let scored = blend.score(example.candidate_set);
            let totals: Vec<f32> = scored.iter().map(|r| r.score).collect();
            example.ndcg(&totals, options.depth)
        };
        examples.par_iter().map(one).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let alone: BTreeMap<Source, Vec<f64>> = model
        .parts
        .keys()
        .map(|source| {
            let only = BTreeMap::from([(*source, 1.0)]);
            (*source, figures(&BlendModel::weighted(None, &only)))
        })
        .collect();
    let learned = figures(model);
    let fused = figures(&BlendModel::rrf());
    let best = alone
        .values()
        .max_by(|a, b| mean(a).total_cmp(&mean(b)))
        .cloned()
        .unwrap_or_default();
    let over = |other: &[f64]| {
        let interval = Interval::of_difference(&learned, other, options.resamples, options.seed);
        Difference {
            mean: interval.mean,
            low: interval.low,
            high: interval.high,
        }
    };
    BlendFigures {
        questions: examples.len() as u64,
        depth: options.depth as u64,
        alone: alone.iter().map(|(s, values)| (*s, mean(values))).collect(),
        rrf: mean(&fused),
        learned: mean(&learned),
        over_rrf: over(&fused),
        over_best_source: over(&best),
    }
}
