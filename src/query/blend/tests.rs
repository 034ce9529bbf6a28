use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use vitrine_schemas::{BlendMethod, Source};

use crate::{Error, cf::Scored, query::blend::*};

fn list(items: &[(u32, f32)]) -> Vec<Scored> {
    let scored = |(item, score): &(u32, f32)| Scored {
        item: *item,
        score: *score,
    };
    items.iter().map(scored).collect()
}

fn order(model: &BlendModel, candidate_set: &CandidateSet) -> Vec<u32> {
    let ranked = model.rank(candidate_set);
    ranked.iter().map(|r| r.candidate.item).collect()
}

#[test]
fn without_labels_it_is_weighted_reciprocal_rank_fusion() {
    let lists = [
        (Source::Behavior, list(&[(7, 0.9), (3, 0.1)])),
        (Source::Content, list(&[(3, 0.8), (5, 0.7)])),
        (Source::Popularity, list(&[(5, 0.2)])),
    ];
    let mut candidate_set = CandidateSet::of(3.0, &lists);
    candidate_set
        .candidates
        .iter_mut()
        .for_each(|c| c.events = 48.0);
    let ranked = BlendModel::rrf().rank(&candidate_set);
    // Three items of a history and a constant of one, 48 events with the item and one of 16:
    // behavior counts 9/16.
    let behavior = 9.0 / 16.0;
    let expected = [
        (5, 0.5 / 62.0 + 1.0 / 61.0),
        (3, behavior / 62.0 + 0.5 / 61.0),
        (7, behavior / 61.0),
    ];
    for (found, (item, score)) in ranked.iter().zip(expected) {
        assert_eq!(found.candidate.item, item);
        assert!((found.score - score).abs() < 1e-7, "{found:?}");
    }
    let first = ranked[1].contributions()[0].0;
    assert_eq!(first, Source::Behavior, "the greatest part first");
    assert_eq!(ranked.len(), 3);
}

#[test]
fn popularity_counts_little_while_there_are_few_events() {
    let weight = |events| {
        let blend = BlendModel::rrf().with_events(events);
        (
            blend.weight(Source::Popularity, 5.0),
            blend.weight(Source::Content, 5.0),
        )
    };
    assert_eq!(weight(0), (0.0, 0.5));
    assert_eq!(weight(20), (0.5, 0.5));
    assert!(weight(10_000).0 > 0.99);
}

#[test]
fn vectors_count_more_where_words_leave_the_query_uncovered() {
    let lists = [
        (Source::Lexical, list(&[(1, 0.4)])),
        (Source::Query, list(&[(2, 0.8), (3, 0.1), (4, -0.9)])),
    ];
    let mut set = CandidateSet::of(0.0, &lists);
    set.background = (0.2, 0.1);
    let model = BlendModel::hybrid();
    set.coverage = 1.0;
    assert_eq!(order(&model, &set), [1, 2, 3, 4]);
    set.coverage = 0.3;
    assert_eq!(
        order(&model, &set),
        [2, 1, 3, 4],
        "6 deviations above the mean"
    );
    let weight = |source| model.weight_in(source, &set);
    assert!((weight(Source::Query) - (0.025 + 0.7 * 0.15)).abs() < 1e-6);
    assert_eq!(weight(Source::Lexical), 1.0);
    let last = model.rank(&set)[3];
    assert!(last.score > 0.0, "items below the mean keep their order");
    set.background = (0.0, 0.0);
    assert!(model.rank(&set).iter().all(|hit| hit.score.is_finite()));
}

#[test]
fn what_others_found_is_scored_without_a_rank() {
    let lists = [
        (Source::Behavior, list(&[(1, 1.0), (2, 0.5)])),
        (Source::Content, list(&[(1, 0.4)])),
    ];
    let mut candidate_set = CandidateSet::of(1.0, &lists);
    candidate_set.score_missing(Source::Content, |item| (item == 2).then_some(0.9));
    let given = BTreeMap::from([(Source::Content, 1.0)]);
    assert_eq!(
        order(&BlendModel::weighted(None, &given), &candidate_set),
        [2, 1]
    );
    // Ranks are of the source's own list.
    assert_eq!(order(&BlendModel::rrf_with(&given), &candidate_set), [1, 2]);
}

#[test]
fn evidence_moves_weight_from_content_to_behavior() {
    let mut model = BlendModel::weighted(
        None,
        &BTreeMap::from([(Source::Behavior, 1.0), (Source::Content, 0.5)]),
    );
    (model.user_evidence, model.item_evidence) = (2.0, 3.0);
    let asked = |evidence, events| {
        let lists = [
            (Source::Behavior, list(&[(1, 1.0)])),
            (Source::Content, list(&[(2, 1.0)])),
        ];
        let mut candidate_set = CandidateSet::of(evidence, &lists);
        candidate_set.candidates[0].events = events;
        order(&model, &candidate_set)
    };
    assert_eq!(asked(1.0, 100.0), [2, 1], "one item of history");
    assert_eq!(asked(20.0, 100.0), [1, 2], "twenty");
    assert_eq!(
        asked(20.0, 2.0),
        [2, 1],
        "twenty, but hardly anybody had the item"
    );
}

/// Questions of 40 candidates: one source knows what is chosen, one is noise, one knows a little.
fn examples(count: usize, seed: u64) -> Vec<Example> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut one = || {
        let taste: Vec<f32> = (0..40).map(|_| rng.random()).collect();
        let mut noisy = |noise: f32| {
            let seen = |(n, t): (u32, &f32)| (n, t + noise * rng.random::<f32>());
            let mut scores: Vec<_> = (0..).zip(&taste).map(seen).collect();
            scores.sort_by(|a, b| b.1.total_cmp(&a.1));
            list(&scores)
        };
        let lists = [
            (Source::Behavior, noisy(0.3)),
            (Source::Content, noisy(0.5)),
            (Source::Popularity, noisy(100.0)),
        ];
        let mut best: Vec<u32> = (0..40).collect();
        best.sort_by(|a, b| taste[*b as usize].total_cmp(&taste[*a as usize]));
        best.truncate(3);
        Example {
            candidate_set: CandidateSet::of(5.0, &lists),
            chosen: best,
        }
    };
    (0..count).map(|_| one()).collect()
}

#[test]
fn what_was_learned_beats_every_source_and_rank_fusion_on_the_other_half() {
    let options = LearnOptions {
        depth: 5,
        ..Default::default()
    };
    let (model, figures) = learn(&examples(2000, 1), &options).expect("learned");
    assert_eq!(model.method, BlendMethod::Learned);
    assert!(figures.beats_others(), "{figures:?}");
    assert!(figures.over_best_source.low > 0.0, "{figures:?}");
    assert_eq!(figures.questions, 1000);
    let learned_share = |source: Source| {
        let part = model.parts[&source];
        part.weight
    };
    assert!(learned_share(Source::Behavior) > 0.0 && learned_share(Source::Content) > 0.0);
    // The noise may break ties, no more.
    let fresh = examples(300, 2);
    let mut without = model.clone();
    without.parts.remove(&Source::Popularity);
    let changed = fresh
        .iter()
        .filter(|e| order(&model, &e.candidate_set)[0] != order(&without, &e.candidate_set)[0]);
    assert!(changed.count() < 60);
}

/// One source knows, the others are noise: nothing can be learned that beats it.
#[test]
fn what_chance_alone_makes_better_is_not_promoted() {
    let (mut higher, mut promoted) = (0, 0);
    for seed in 0..40 {
        let mut examples = examples(120, 100 + seed);
        for example in &mut examples {
            let known = |source: Source| -> Vec<Scored> {
                let candidates = example.candidate_set.candidates.iter();
                let score = |c: &Candidate| Some((c.item, c.signals.get(source)?.score));
                let mut found: Vec<_> = candidates.filter_map(score).collect();
                found.sort_by(|a, b| b.1.total_cmp(&a.1));
                list(&found)
            };
            let lists = [Source::Behavior, Source::Popularity].map(|s| (s, known(s)));
            example.candidate_set = CandidateSet::of(5.0, &lists);
        }
        let options = LearnOptions {
            depth: 5,
            ..Default::default()
        };
        let (_, figures) = learn(&examples, &options).expect("learned");
        higher += usize::from(figures.over_best_source.mean > 0.0);
        promoted += usize::from(figures.beats_others());
    }
    assert!(promoted <= 3, "{promoted} of 40 by chance");
    assert!(higher > promoted, "{higher} had a higher mean");
}

#[test]
fn learning_is_repeatable_and_survives_the_store() {
    let examples = examples(100, 3);
    let learn = || learn(&examples, &LearnOptions::default()).expect("learned");
    let (model, figures) = learn();
    assert_eq!(learn(), (model.clone(), figures));
    let bytes = model.encode().expect("encodes");
    assert_eq!(BlendModel::decode(&bytes).expect("decodes"), model);
    let text = String::from_utf8(bytes).expect("JSON");
    for bad in [
        text.replace("\"format\":1", "\"format\":9"),
        text.replace("\"item_evidence\":", "\"item_evidence\":-1"),
        text[..text.len() / 2].to_owned(),
    ] {
        let found = BlendModel::decode(bad.as_bytes());
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
    }
}

#[test]
fn too_little_to_learn_from_is_said() {
    let examples = examples(30, 4);
    let error = learn(&examples, &LearnOptions::default()).expect_err("15 in a half");
    assert!(error.to_string().contains("15"), "{error}");
    assert!(learn(&[], &LearnOptions::default()).is_err());
}

proptest! {
    #[test]
    fn parts_add_up_to_the_score(
        scores in prop::collection::vec((0_usize..6, 0_u32..20, -3.0_f32..10.0), 0..60),
        weights in prop::collection::vec(0.0_f32..100.0, 6), evidence in 0.0_f32..50.0, method in 0..3
    ) {
        let mut lists: Vec<_> = Source::VARIANTS.into_iter().map(|s| (s, Vec::new())).collect();
        for (source, item, score) in scores {
            lists[source].1.push(Scored { item, score });
        }
        let candidate_set = CandidateSet::of(evidence, &lists);
        let weights = Source::VARIANTS.into_iter().zip(weights).collect();
        let model = match method {
            0 => BlendModel::rrf(),
            1 => BlendModel::rrf_with(&weights),
            _ => BlendModel::weighted(None, &weights),
        };
        let ranked = model.rank(&candidate_set);
        prop_assert_eq!(ranked.len(), candidate_set.candidates.len());
        prop_assert!(ranked.is_sorted_by(|a, b| a.score >= b.score));
        for one in ranked {
            let sum: f32 = one.contributions().iter().map(|(_, part)| part).sum();
            prop_assert!((sum - one.score).abs() <= 1e-5 * one.score.max(1.0), "{} {}", sum, one.score);
            prop_assert!(one.contributions().is_sorted_by(|a, b| a.1 >= b.1));
        }
    }
}

#[test]
fn multiplied_scores_are_ranked_anew() {
    let lists = [
        (Source::Content, list(&[(1, 4.0), (2, 3.0), (3, 2.0)])),
        (Source::Newest, list(&[(1, 1.0), (4, 0.5)])),
    ];
    let mut set = CandidateSet::of(1.0, &lists);
    set.score_missing(Source::Content, |item| (item == 4).then_some(1.0));
    let factor = |c: &Candidate| if c.item == 1 { 0.25 } else { 0.5 };
    let factors: Vec<f32> = set.candidates.iter().map(factor).collect();
    let aged = set.multiplied(&factors);
    let signal = |item: u32, source| {
        let candidate = aged.candidates.iter().find(|c| c.item == item);
        let signal = candidate.expect("a candidate").signals.get(source);
        signal.map(|signal| (signal.score, signal.rank))
    };
    assert_eq!(signal(1, Source::Content), Some((1.0, 2)));
    assert_eq!(signal(2, Source::Content), Some((1.5, 1)));
    assert_eq!(signal(3, Source::Content), Some((1.0, 3)));
    assert_eq!(signal(4, Source::Content), Some((0.5, 0)), "in no list");
    assert_eq!(signal(1, Source::Newest), Some((1.0, 1)), "ordered by age");
}
