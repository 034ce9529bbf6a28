//! Relevance from clicks and purchases.
//!
//! Shoppers look at the first hits more than at later ones, so clicks alone would confirm whatever
//! ranking there was. The position-based model says that a hit is clicked if it is examined, which
//! depends on its position, and relevant, which depends on query and item. Both are estimated
//! without an intervention by expectation maximization, with relevance as a regression on the
//! ranking features (Wang et al. 2018), since most pairs of query and item are seen too seldom to
//! have an estimate of their own. A click then counts as the inverse of the probability that its
//! position is examined, so that gains are those of a ranking whose hits are all looked at
//! (Joachims et al. 2017).

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize};
use vitrine_schemas::EventKind;

use super::{Bins, Dataset, Parameters, logistic};
use crate::train::TrainError;

/// Positions with a propensity of their own; later ones share the last.
const MAX_POSITIONS: usize = 50;

/// Iterations of expectation maximization.
const ITERATIONS: usize = 30;

/// Maximum weight of a click, so that a few at late positions do not dominate (Ai et al. 2018).
const MAX_WEIGHT: f64 = 10.0;

/// Gain of a purchase, as a multiple of the gain of a click.
const PURCHASE_GAIN: f64 = 3.0;

/// Pseudo-count of the shrinkage of a position's examination probability towards that of the
/// previous position.
const PRIOR: f64 = 2.0;

/// A search with what was shown, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchRecord {
    /// Text of the query.
    pub query: String,
    /// Ids of the items shown, the first position first.
    pub shown: Vec<String>,
    /// Ids of those that were clicked.
    pub clicked: Vec<String>,
    /// Ids of those that were put into the cart or purchased.
    pub purchased: Vec<String>,
}

/// A line of a file of searches. What came of a search is in two lists, or in its events as in the
/// export of a server; other fields are ignored.
#[derive(Deserialize)]
struct Line {
    query: String,
    shown: Vec<String>,
    #[serde(default)]
    clicked: Vec<String>,
    #[serde(default)]
    purchased: Vec<String>,
    #[serde(default)]
    events: Vec<FollowUp>,
    /// True for a search as you type, whose hits are not the answer to a query.
    #[serde(default)]
    typing: bool,
}

/// An event that followed from a search.
#[derive(Deserialize)]
struct FollowUp {
    kind: EventKind,
    item: String,
}

impl Line {
    /// Returns the search; None for a search as you type.
    fn record(mut self) -> Option<SearchRecord> {
        for event in self.events {
            match event.kind {
                EventKind::AddToCart | EventKind::Purchase => self.purchased.push(event.item),
                EventKind::Click | EventKind::View => self.clicked.push(event.item),
                _ => {}
            }
        }
        (!self.typing).then_some(SearchRecord {
            query: self.query,
            shown: self.shown,
            clicked: self.clicked,
            purchased: self.purchased,
        })
    }
}

/// Searches by the text of the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchRecords(pub BTreeMap<String, Vec<SearchRecord>>);

impl SearchRecords {
    /// Reads a file of JSON lines: `query`, `shown`, `clicked`, `purchased`, or `events` instead of
    /// the last two.
    ///
    /// # Errors
    /// [`TrainError::SearchRecords`] with the line and how to fix it.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let error = |line: usize, reason: String| TrainError::SearchRecords {
            path: path.to_owned(),
            line,
            reason,
        };
        let file = File::open(path).map_err(|e| error(0, e.to_string()))?;
        let mut records = Self::default();
        for (number, line) in (1..).zip(BufReader::new(file).lines()) {
            let line = line.map_err(|e| error(number, e.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line =
                serde_json::from_str(&line).map_err(|e| error(number, e.to_string()))?;
            if let Some(record) = line.record() {
                records.add(record);
            }
        }
        Ok(records)
    }

    /// Adds a search; texts that differ in case and spaces only are one query.
    pub fn add(&mut self, record: SearchRecord) {
        let words: Vec<String> = record
            .query
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let query = words.join(" ");
        if !query.is_empty() && !record.shown.is_empty() {
            self.0.entry(query).or_default().push(record);
        }
    }
}

/// Probability that a position is examined, relative to the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Propensities(pub Vec<f64>);

impl Propensities {
    /// Returns the propensity of a position from 0.
    pub fn of(&self, position: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(position.min(last)).copied().unwrap_or(1.0)
    }

    /// Returns the gains of the items of each query: the mean over the searches that showed an
    /// item, of what a click or a purchase counts, over the propensity of its position. Purchases
    /// count more than clicks.
    pub fn gains(&self, records: &SearchRecords) -> BTreeMap<String, HashMap<String, f64>> {
        let of_query = |(query, searches): (&String, &Vec<SearchRecord>)| {
            let mut sums: HashMap<String, (f64, f64)> = HashMap::new();
            for search in searches {
                for (position, id) in search.shown.iter().enumerate() {
                    let weight = (1.0 / self.of(position).max(1e-6)).min(MAX_WEIGHT);
                    let gain = match (search.purchased.contains(id), search.clicked.contains(id)) {
                        (true, _) => PURCHASE_GAIN,
                        (false, true) => 1.0,
                        (false, false) => 0.0,
                    };
                    let (sum, count) = sums.entry(id.clone()).or_default();
                    *sum += gain * weight;
                    *count += 1.0;
                }
            }
            let means = sums.into_iter().map(|(id, (sum, count))| (id, sum / count));
            (query.clone(), means.collect())
        };
        records.0.iter().map(of_query).collect()
    }
}

/// An item at a position of a search.
struct Impression {
    row: u32,
    position: usize,
    is_clicked: bool,
}

/// Estimates the propensities of the positions. `data` has the candidates of the queries; what was
/// shown but is not among them is left out. Features of the ranks and scores of the blend are not
/// used: they would explain the position itself.
///
/// # Errors
/// [`TrainError::TooFew`]: fewer than `min_clicks` clicks.
pub fn propensities(
    data: &Dataset,
    bins: &Bins,
    records: &SearchRecords,
    min_clicks: usize,
) -> Result<Propensities, TrainError> {
    let impressions = impressions(data, records);
    let clicks = impressions.iter().filter(|i| i.is_clicked).count();
    if clicks < min_clicks {
        return Err(TrainError::TooFew {
            what: "clicks on items that the searches still find".to_owned(),
            found: clicks,
            min: min_clicks,
        });
    }
    let rows: Vec<u32> = impressions.iter().map(|i| i.row).collect();
    let features = relevance_features(data, bins);
    let parameters = Parameters {
        trees: 25,
        leaves: 15,
        rate: 0.2,
        min_leaf: (rows.len() / 500).clamp(5, 100),
        l2: 1.0,
        ..Parameters::default()
    };
    let longest = impressions.iter().map(|i| i.position + 1).max();
    let mut examined = Propensities::rates(&impressions, longest.unwrap_or(1));
    let mean = clicks as f64 / impressions.len().max(1) as f64;
    let mut relevant = vec![(2.0 * mean).min(0.5); rows.len()];
    for _ in 0..ITERATIONS {
        let (mut sums, mut counts) = (vec![0.0; examined.0.len()], vec![0.0; examined.0.len()]);
        let mut targets = Vec::with_capacity(rows.len());
        for (impression, relevant) in impressions.iter().zip(&relevant) {
            let (theta, gamma) = (examined.of(impression.position), *relevant);
            let missed = (1.0 - theta * gamma).max(1e-9);
            let (was_examined, was_relevant) = match impression.is_clicked {
                true => (1.0, 1.0),
                false => (
                    theta * (1.0 - gamma) / missed,
                    (1.0 - theta) * gamma / missed,
                ),
            };
            sums[impression.position] += was_examined;
            counts[impression.position] += 1.0;
            targets.push(was_relevant);
        }
        examined = Propensities::smoothed(&sums, &counts);
        relevant = logistic::fit(data, bins, &rows, &targets, &features, &parameters);
    }
    Ok(examined)
}

impl Propensities {
    /// Returns click rates relative to the first position, as a start.
    fn rates(impressions: &[Impression], positions: usize) -> Self {
        let (mut sums, mut counts) = (vec![0.0; positions], vec![0.0; positions]);
        for impression in impressions {
            sums[impression.position] += f64::from(u8::from(impression.is_clicked));
            counts[impression.position] += 1.0;
        }
        Self::smoothed(&sums, &counts)
    }

    /// Returns the rates of all positions over that of the first; positions that were seldom seen
    /// are like the one before.
    fn smoothed(sums: &[f64], counts: &[f64]) -> Self {
        let mut before = sums
            .first()
            .zip(counts.first())
            .map_or(1.0, |(s, c)| s / c.max(1.0));
        let mut rates = Vec::with_capacity(sums.len());
        for (sum, count) in sums.iter().zip(counts) {
            before = (sum + PRIOR * before) / (count + PRIOR);
            rates.push(before);
        }
        let first = rates.first().copied().unwrap_or(1.0).max(1e-6);
        Self(
            rates
                .into_iter()
                .map(|rate| (rate / first).clamp(1e-3, 1.0))
                .collect(),
        )
    }
}

fn impressions(data: &Dataset, records: &SearchRecords) -> Vec<Impression> {
    let mut impressions = Vec::new();
    for group in &data.groups {
        let Some(searches) = records.0.get(&group.query) else {
            continue;
        };
        let rows = group
            .rows
            .clone()
            .map(|row| (data.ids[row].as_str(), row as u32));
        let rows: HashMap<&str, u32> = rows.collect();
        for search in searches {
            for (position, id) in search.shown.iter().enumerate() {
                let Some(row) = rows.get(id.as_str()) else {
                    continue;
                };
                impressions.push(Impression {
                    row: *row,
                    position: position.min(MAX_POSITIONS - 1),
                    is_clicked: search.clicked.contains(id) || search.purchased.contains(id),
                });
            }
        }
    }
    impressions
}

/// Returns the features that relevance is estimated from, among those with bins: all but ranks and
/// the blend.
fn relevance_features(data: &Dataset, bins: &Bins) -> Vec<usize> {
    let is_relevance = |at: &usize| {
        let name = &data.features[bins.features[*at]];
        !name.ends_with("_rank") && !name.starts_with("blend_")
    };
    (0..bins.features.len()).filter(is_relevance).collect()
}
