//! Tests of the evaluation of queries: scores compared with the formula, by reading every text.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use roaring::RoaringBitmap;

use super::{LexicalQuery, LexicalResults, LexicalSelection};
use crate::lexical::{LexicalIndex, QueryRewrite, Texts, analyzer::analyze};

const WORDS: [&str; 8] = [
    "red", "blue", "shoe", "hat", "kettle", "steel", "lamp", "1000",
];

fn random_text(random: &mut SmallRng, most: usize) -> String {
    let count = random.random_range(0..=most);
    let words = (0..count).map(|_| WORDS[random.random_range(0..WORDS.len())]);
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the score and coverage of a document, as documented in `evaluate`.
fn expected(query: &[String], texts: &Texts, all: &[Texts]) -> Option<(f32, f32)> {
    const BOOSTS: [f32; 5] = [1.0, 0.8, 0.6, 0.5, 0.4];
    let terms = |text: &str| -> Vec<String> { analyze(text).into_iter().map(|t| t.term).collect() };
    let count = all.len() as f32;
    let (mut score, mut covered, mut weights, mut coverages) = (0.0, 0.0, 0.0, 0.0);
    let weight = |word: &String| {
        let frequency = |field: usize| {
            all.iter()
                .filter(|t| terms(&t[field]).contains(word))
                .count()
        };
        let most = (0..5).map(frequency).max().unwrap_or(0) as f32;
        let idf = (1.0 + (count - most + 0.5).max(0.0) / (most + 0.5)).ln();
        if word == "1000" { 1.5 * idf } else { idf }
    };
    for word in query {
        let mut best = 0.0_f32;
        for (field, boost) in BOOSTS.iter().enumerate() {
            let own = terms(&texts[field]);
            let total: usize = all.iter().map(|t| terms(&t[field]).len()).sum();
            let mean = (total as f32 / count).max(1.0);
            let frequency = own.iter().filter(|term| *term == word).count() as f32;
            let norm = 0.9 * (0.25 + 0.75 * own.len() as f32 / mean);
            best = best.max(boost * frequency * 1.9 / (frequency + norm));
        }
        let weight = weight(word);
        score += weight * best;
        weights += weight;
        coverages += weight.sqrt();
        if best > 0.0 {
            covered += weight.sqrt();
        }
    }
    for pair in query.windows(2) {
        let adjacent = |field: usize| terms(&texts[field]).windows(2).any(|two| two == pair);
        let best = (0..5)
            .filter(|field| adjacent(*field))
            .map(|field| BOOSTS[field]);
        let best = best.fold(0.0, f32::max);
        score += 0.3 * best * (weight(&pair[0]) + weight(&pair[1]));
    }
    let coverage = covered / coverages;
    (covered > 0.0).then_some((score / weights * coverage, coverage))
}

fn search(index: &LexicalIndex, count: usize, text: &str, relevance: f32) -> LexicalResults {
    let all: RoaringBitmap = (0..count as u32).collect();
    let selection = LexicalSelection {
        k: count,
        eligible: &all,
        boosted: None,
        relevance,
        extra_items: &all,
        visible: &all,
    };
    let query = LexicalQuery {
        text: text.to_owned(),
        ..LexicalQuery::default()
    };
    let found = index.search(&query, &QueryRewrite::default(), &selection);
    found.expect("an answer")
}

#[test]
fn scores_are_those_of_the_formula() {
    let mut random = SmallRng::seed_from_u64(19);
    for round in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let index = LexicalIndex::open(folder.path(), &Default::default()).expect("an index");
        let texts: Vec<Texts> = (0..30)
            .map(|_| std::array::from_fn(|field| random_text(&mut random, 3 + field)))
            .collect();
        // Several segments; items without text are not in the index.
        let texts: Vec<Texts> = texts
            .into_iter()
            .filter(|t| t.iter().any(|f| !f.is_empty()))
            .collect();
        for (number, chunk) in texts.chunks(11).enumerate() {
            let from = (number * 11) as u32;
            let items = (from..).zip(chunk.iter().cloned());
            index.add(items, from + chunk.len() as u32).expect("added");
            index.refresh().expect("visible");
        }
        let mut words: Vec<&str> = WORDS.to_vec();
        words.rotate_left(round % WORDS.len());
        let text = words[..1 + round % 4].join(" ");
        let terms: Vec<String> = analyze(&text).into_iter().map(|t| t.term).collect();
        let found = search(&index, texts.len(), &text, 0.0);
        let mut most = 0.0_f32;
        for (id, own) in texts.iter().enumerate() {
            let hit = found.matches.iter().find(|m| m.internal_id == id as u32);
            let wanted = expected(&terms, own, &texts);
            assert_eq!(hit.is_some(), wanted.is_some(), "{text}: {own:?}");
            let (Some(hit), Some((score, coverage))) = (hit, wanted) else {
                continue;
            };
            assert!(
                (hit.score - score).abs() < 1e-4 * score.max(1.0),
                "{text}: {hit:?} {score} {own:?}"
            );
            assert!(
                (hit.coverage - coverage).abs() < 1e-4,
                "{text}: {hit:?} {coverage}"
            );
            most = most.max(coverage);
        }
        assert!((found.coverage - most).abs() < 1e-4, "{text}");
        assert_eq!(found.all.len(), found.matches.len() as u64);
    }
}

#[test]
fn matches_with_a_small_share_of_the_best_score_are_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = LexicalIndex::open(folder.path(), &Default::default()).expect("an index");
    let titles = [
        "red steel kettle",
        "steel hammer for every house",
        "red shoe",
    ];
    let texts = titles.map(|title| {
        let mut texts = Texts::default();
        texts[0] = title.to_owned();
        texts
    });
    index.add((0..).zip(texts), 3).expect("added");
    index.refresh().expect("visible");
    let ids = |relevance| -> Vec<u32> {
        let found = search(&index, 3, "red steel kettle", relevance);
        assert_eq!(found.all.iter().count(), found.matches.len());
        found.matches.iter().map(|m| m.internal_id).collect()
    };
    assert_eq!(ids(0.0).len(), 3);
    assert_eq!(ids(0.5), [0]);
    assert_eq!(ids(1.0), [0]);
}

/// Returns a text of words of which the first are much more frequent than the last.
fn skewed_text(random: &mut SmallRng) -> String {
    let count = random.random_range(1..8);
    let words = (0..count).map(|_| {
        let share: f32 = random.random();
        WORDS[(share * share * share * WORDS.len() as f32) as usize]
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn neither_threads_nor_left_out_documents_change_a_result() {
    const ITEMS: u32 = 40_000;
    let mut random = SmallRng::seed_from_u64(7);
    let folder = tempfile::tempdir().expect("a folder");
    let index = LexicalIndex::open(folder.path(), &Default::default()).expect("an index");
    for from in [0, 30_000] {
        let until = if from == 0 { 30_000 } else { ITEMS };
        let items = (from..until).map(|id| {
            let mut texts = Texts::default();
            texts[0] = skewed_text(&mut random);
            if id % 3 == 0 {
                texts[4] = skewed_text(&mut random);
            }
            (id, texts)
        });
        index.add(items.collect::<Vec<_>>(), until).expect("added");
        index.refresh().expect("visible");
    }
    index.remove((0..ITEMS).step_by(101)).expect("removed");
    index.refresh().expect("visible");
    let all: RoaringBitmap = (0..ITEMS).collect();
    for round in 0..80 {
        let mut text = skewed_text(&mut random);
        if round % 10 == 0 {
            text = format!("\"{text}\" red");
        }
        let share = [1, 2, 5][round % 3];
        let eligible: RoaringBitmap = (0..ITEMS).filter(|id| id % share == 0).collect();
        let extra_items = (0..50).map(|_| random.random_range(0..ITEMS)).collect();
        let boosted: RoaringBitmap = (0..ITEMS).filter(|id| id % 7 == 0).collect();
        let results = |relevance, threads| {
            let selection = LexicalSelection {
                k: 10,
                eligible: &eligible,
                boosted: (round % 2 == 0).then_some(&boosted),
                extra_items: &extra_items,
                relevance,
                visible: &all,
            };
            let query = LexicalQuery {
                text: text.clone(),
                prefix: round % 4 == 0,
                all: round % 13 == 0,
                ..LexicalQuery::default()
            };
            let rewrite = QueryRewrite::default();
            let found = index.search_on(&query, &rewrite, &selection, |_| threads);
            found.expect("an answer")
        };
        // A limit of relevance, however small, needs the scores of all documents.
        let wanted = results(f32::MIN_POSITIVE, 1);
        for found in [results(0.0, 1), results(0.0, 3)] {
            assert_eq!(found.matches, wanted.matches, "{text}");
            assert_eq!(found.extra_scores, wanted.extra_scores, "{text}");
            assert_eq!(found.unfiltered_top, wanted.unfiltered_top, "{text}");
            assert_eq!(found.coverage, wanted.coverage, "{text}");
            assert!(found.all == wanted.all, "{text}");
        }
    }
}
