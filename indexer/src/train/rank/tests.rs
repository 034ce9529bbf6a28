//! Trainings on made-up candidates whose best order is known.

use std::collections::HashMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use vitrine_schemas::{FeatureRow, RankerSource, RankingFeatures, SearchMode};

use super::{
    clicks::{SearchRecord, SearchRecords, propensities},
    *,
};

const CANDIDATES: usize = 20;

fn parameters() -> Parameters {
    Parameters {
        trees: 60,
        leaves: 8,
        rate: 0.2,
        min_leaf: 10,
        l2: 0.1,
        ..Parameters::default()
    }
}

/// Returns candidates of a query: the relevance is a step of the second feature, which the order of
/// the search, the first feature, knows little of.
fn candidates(rng: &mut SmallRng) -> (RankingFeatures, HashMap<String, f64>) {
    let mut rows: Vec<[f32; 3]> = (0..CANDIDATES)
        .map(|_| {
            let quality: f32 = rng.random();
            [0.3 * quality + rng.random::<f32>(), quality, rng.random()]
        })
        .collect();
    rows.sort_by(|a, b| b[0].total_cmp(&a[0]));
    let gains = rows.iter().enumerate().filter(|(_, row)| row[1] > 0.8);
    let gains = gains.map(|(at, row)| (format!("i{at}"), f64::from(row[1])));
    let found = RankingFeatures {
        feature_version: 1,
        features: ["blend_score", "quality", "noise"]
            .map(str::to_owned)
            .to_vec(),
        mode: SearchMode::Hybrid,
        candidates: (0..)
            .zip(&rows)
            .map(|(at, row)| FeatureRow {
                id: format!("i{at}"),
                values: row.to_vec(),
            })
            .collect(),
    };
    (found, gains.collect())
}

fn dataset(queries: usize, seed: u64) -> Dataset {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut data = Dataset::default();
    for query in 0..queries {
        let (found, gains) = candidates(&mut rng);
        data.add(&format!("q{query}"), found, &gains)
            .expect("the same features");
    }
    data
}

fn training() -> Training {
    Training {
        source: RankerSource::Judgments,
        depth: CANDIDATES,
        folds: 3,
        parameters: parameters(),
    }
}

#[test]
fn a_known_order_is_learned_and_promoted() {
    let data = dataset(150, 1);
    let (report, ranker) = training()
        .run(&data, &Bins::of(&data), &mut |_| {})
        .expect("enough");
    assert!(report.figures.after > 0.95, "{:?}", report.figures);
    assert!(report.figures.before < 0.75, "{:?}", report.figures);
    assert!(report.promoted);
    assert_eq!(
        report.figures.queries as usize,
        report.folds.iter().map(|f| f.0).sum::<usize>()
    );
    let ranker = ranker.expect("a ranker");
    assert!(!ranker.model.trees.is_empty() && ranker.model.trees.len() <= 60);
    let (name, _) = ranker
        .training
        .importance
        .iter()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .expect("a feature");
    assert_eq!(name, "quality");
}

#[test]
fn noise_is_not_promoted() {
    let mut data = dataset(150, 2);
    let mut rng = SmallRng::seed_from_u64(3);
    data.values
        .iter_mut()
        .for_each(|value| *value = rng.random());
    let (report, _) = training()
        .run(&data, &Bins::of(&data), &mut |_| {})
        .expect("enough");
    assert!(!report.promoted, "{:?}", report.figures);
    assert!(report.text().contains("not be activated"));
}

#[test]
fn a_training_is_reproducible() {
    let data = dataset(80, 4);
    let bins = Bins::of(&data);
    let groups: Vec<usize> = (0..80).collect();
    let train = || {
        boost(
            &data,
            &bins,
            &groups[..60],
            &groups[60..],
            &parameters(),
            &mut |_| {},
        )
    };
    assert_eq!(train(), train());
}

#[test]
fn inner_nodes_have_the_mean_of_their_candidates() {
    let data = dataset(60, 5);
    let groups: Vec<usize> = (0..60).collect();
    let parameters = Parameters {
        query_share: 1.0,
        trees: 3,
        ..parameters()
    };
    let boosted = boost(
        &data,
        &Bins::of(&data),
        &groups,
        &[],
        &parameters,
        &mut |_| {},
    );
    let rows = data.ids.len();
    let mean = (0..rows)
        .map(|row| boosted.score(data.row(row)))
        .sum::<f64>()
        / rows as f64;
    let base: f64 = boosted
        .trees
        .iter()
        .map(|tree| f64::from(tree.value[0]))
        .sum();
    assert!((mean - base).abs() < 1e-4, "{mean} and {base}");
}

#[test]
fn too_few_queries_are_refused() {
    let data = dataset(10, 6);
    let error = training()
        .run(&data, &Bins::of(&data), &mut |_| {})
        .expect_err("too few");
    assert!(error.to_string().contains("at least 50"), "{error}");
}

/// Simulates clicks by the position-based model with known propensities.
fn clicks(data: &Dataset, propensity: impl Fn(usize) -> f64) -> SearchRecords {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut records = SearchRecords::default();
    for group in &data.groups {
        for _ in 0..40 {
            let mut record = SearchRecord {
                query: group.query.clone(),
                ..SearchRecord::default()
            };
            for (position, row) in group.rows.clone().take(10).enumerate() {
                let relevance = if data.row(row)[1] > 0.7 { 0.8 } else { 0.1 };
                let id = data.ids[row].clone();
                if rng.random::<f64>() < propensity(position) * relevance {
                    record.clicked.push(id.clone());
                }
                record.shown.push(id);
            }
            records.add(record);
        }
    }
    records
}

#[test]
fn propensities_of_simulated_clicks_are_found() {
    let data = dataset(150, 8);
    let known = |position: usize| 1.0 / (position as f64 + 1.0).powf(0.7);
    let records = clicks(&data, known);
    let found = propensities(&data, &Bins::of(&data), &records, 100).expect("enough clicks");
    for position in 0..10 {
        let (found, known) = (found.of(position), known(position));
        assert!(
            (found - known).abs() < 0.1,
            "{position}: {found}, known {known}"
        );
    }
    // Without bias there is nothing to correct.
    let records = clicks(&data, |_| 1.0);
    let found = propensities(&data, &Bins::of(&data), &records, 100).expect("enough clicks");
    assert!(
        (0..10).all(|position| found.of(position) > 0.85),
        "{found:?}"
    );
}

#[test]
fn corrected_clicks_are_relevance_at_every_position() {
    let data = dataset(150, 9);
    let known = |position: usize| 1.0 / (position as f64 + 1.0);
    let records = clicks(&data, known);
    let found = propensities(&data, &Bins::of(&data), &records, 100).expect("enough clicks");
    let gains = found.gains(&records);
    let mean = |positions: std::ops::Range<usize>| {
        let (mut sum, mut count) = (0.0, 0.0);
        for group in &data.groups {
            for row in group
                .rows
                .clone()
                .skip(positions.start)
                .take(positions.len())
            {
                if data.row(row)[1] > 0.7 {
                    sum += gains[&group.query][&data.ids[row]];
                    count += 1.0;
                }
            }
        }
        sum / count
    };
    let (first, last) = (mean(0..3), mean(6..9));
    assert!((first - last).abs() < 0.25, "{first} and {last}");
}

#[test]
fn searches_are_read_in_both_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("searches.jsonl");
    let lines = [
        r#"{"query": "Red  shoes", "shown": ["a", "b"], "clicked": ["b"], "purchased": ["b"]}"#,
        r#"{"query": "red shoes", "shown": ["b", "c"], "hits": 2, "plan": "lexical", "events": [
            {"kind": "click", "item": "c", "position": 2, "ts": "2026-01-01T00:00:00Z"}]}"#,
        r#"{"query": "re", "shown": ["x"], "typing": true}"#,
        "",
    ];
    let lines = lines.map(|line| line.replace('\n', " "));
    std::fs::write(&path, lines.join("\n")).expect("written");
    let records = SearchRecords::read(&path).expect("readable");
    assert_eq!(records.0.keys().collect::<Vec<_>>(), ["red shoes"]);
    let clicked: Vec<_> = records.0["red shoes"]
        .iter()
        .map(|r| r.clicked.concat())
        .collect();
    assert_eq!(clicked, ["b", "c"]);
    std::fs::write(&path, "{\"query\": 1}").expect("written");
    let error = SearchRecords::read(&path)
        .expect_err("not a search")
        .to_string();
    assert!(
        error.contains("line 1") && error.contains("expected"),
        "{error}"
    );
}
