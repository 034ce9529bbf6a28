//! Similar items across categories: what they have in common beside their kind, what people do, and
//! shares of the page.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use vitrine::{
    Collection, Error, Training,
    cross::{CategorySample, Centering},
    distance,
    schemas::{Event, Fallback, Metric, SearchResponse, SimilarParams, Source},
};

use crate::support::{Fixture, messages, put};

fn params(value: Value) -> SimilarParams {
    serde_json::from_value(value).expect("params")
}

fn across(shop: &Collection, id: &str, mut more: Value) -> SearchResponse {
    more["scope"] = json!("cross");
    let answer = shop.similar(id, &params(more), None).expect("an answer");
    for hit in &answer.hits {
        let sum: f32 = hit.contributions.iter().map(|c| c.score).sum();
        assert!((sum - hit.score).abs() < 1e-5, "{hit:?}");
        let reason = hit.reason.as_ref().expect("a reason");
        assert_eq!(reason.items, [id]);
    }
    let scores: Vec<_> = answer.hits.iter().map(|h| h.score).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) || answer.diversity.is_some());
    answer
}

fn ids(answer: &SearchResponse) -> Vec<&str> {
    answer.hits.iter().map(|h| h.id.as_str()).collect()
}

fn kinds(answer: &SearchResponse) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for hit in &answer.hits {
        *kinds
            .entry(hit.item.category.as_deref().unwrap_or(""))
            .or_default() += 1;
    }
    kinds
}

/// Items of 40 styles in three categories, ten of each; bags are much farther from shoes than hats
/// are.
fn styles() -> Fixture {
    let fixture = Fixture::new();
    let shop = fixture.shop();
    let mut items = Vec::new();
    for (kind, category) in [(0.0, "Wear > Shoes"), (10.0, "Wear > Hats"), (40.0, "Bags")] {
        let name = category.rsplit(" > ").next().unwrap_or(category);
        for n in 0..400 {
            items.push(json!({
                "id": format!("{name}-{:02}-{}", n % 40, n / 40), "category": category,
                "brand": format!("b{}", n / 40), "title": format!("{name} of style {}", n % 40),
                "vectors": {"shared": [kind, f64::from(n % 40) * 10.0]}
            }));
        }
    }
    put(&shop, &items);
    fixture
}

#[test]
fn style_is_not_drowned_by_kind() {
    let fixture = styles();
    let shop = fixture.db.collection("shop").expect("open");
    let answer = across(&shop, "Shoes-07-0", json!({"limit": 20, "explain": true}));
    assert!(
        ids(&answer).iter().all(|id| id.contains("-07-")),
        "{:?}",
        ids(&answer)
    );
    assert_eq!(
        kinds(&answer),
        BTreeMap::from([("Wear > Hats", 10), ("Bags", 10)])
    );
    // By the vectors as they are, hats of other styles come before bags of the same.
    let plain = json!({"limit": 20, "filter": "NOT category = \"Wear > Shoes\""});
    let plain = shop
        .similar("Shoes-07-0", &params(plain), None)
        .expect("an answer");
    assert_eq!(kinds(&plain), BTreeMap::from([("Wear > Hats", 20)]));
    // Nobody has done anything: that is said, and all categories count alike.
    assert_eq!(
        answer.fallbacks,
        [Fallback::NoModel, Fallback::NoTransitions]
    );
    let sources: Vec<_> = answer.sources.iter().map(|s| s.source).collect();
    assert_eq!(sources, [Source::Query]);
    let reason = answer.hits[0].reason.clone().expect("a reason");
    assert_eq!(
        (reason.code.as_str(), reason.text.as_str()),
        ("similar", "Similar to Shoes of style 7")
    );
    assert_eq!(answer.plan, "exact");
    assert_eq!(answer.explain.expect("asked for").matching, 800);
    // A tenth of the items may change before it is fitted again.
    let gone: Vec<String> = (0..10).map(|n| format!("Bags-07-{n}")).collect();
    shop.delete(&gone).expect("deleted");
    let answer = across(&shop, "Shoes-07-0", json!({"limit": 20}));
    assert_eq!(kinds(&answer).get("Bags"), None);
}

#[test]
fn named_categories_share_the_page() {
    let fixture = styles();
    let shop = fixture.db.collection("shop").expect("open");
    let ask = |more: Value| across(&shop, "Shoes-07-0", more);
    let both = ask(json!({"categories": "Wear > Hats,Bags", "limit": 6}));
    assert_eq!(
        kinds(&both),
        BTreeMap::from([("Wear > Hats", 3), ("Bags", 3)])
    );
    assert_eq!(both.diversity.expect("shares").relaxed, 0);
    let one = ask(json!({"categories": "Bags", "limit": 6}));
    assert_eq!(kinds(&one), BTreeMap::from([("Bags", 6)]));
    // The item's own category is left out of one that is named.
    let above = ask(json!({"categories": "Wear", "limit": 6}));
    assert_eq!(kinds(&above), BTreeMap::from([("Wear > Hats", 6)]));
    // If one has too few, the other fills the page, and the answer reports it.
    let few = ask(json!({"categories": "Wear > Hats,Bags", "limit": 6,
        "filter": "NOT category = Bags"}));
    assert_eq!(kinds(&few), BTreeMap::from([("Wear > Hats", 6)]));
    assert_eq!(few.diversity.expect("shares").relaxed, 3);
    let quota = ask(json!({"max_per_category": 2, "limit": 4}));
    assert_eq!(
        kinds(&quota),
        BTreeMap::from([("Wear > Hats", 2), ("Bags", 2)])
    );
    // Without a scope they only say where to look.
    let near = params(json!({"categories": "Bags", "limit": 3}));
    let near = shop.similar("Shoes-07-0", &near, None).expect("an answer");
    assert_eq!(kinds(&near), BTreeMap::from([("Bags", 3)]));
    let same = params(json!({"categories": "Bags", "scope": "same"}));
    assert!(
        shop.similar("Shoes-07-0", &same, None)
            .expect("an answer")
            .hits
            .is_empty()
    );
    assert!(ask(json!({"categories": "Toys"})).hits.is_empty());
    for (bad, said) in [
        ("Bags,,Toys", "/categories has an empty name"),
        (&"a,".repeat(21), "the limit is 20"),
    ] {
        let error = shop.similar("Shoes-07-0", &params(json!({"categories": bad})), None);
        let text = messages(&error.expect_err("refused"));
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn behavior_leads_to_categories_and_items() {
    let fixture = styles();
    let shop = fixture.db.collection("shop").expect("open");
    put(
        &shop,
        &[json!({"id": "Lace", "title": "a lace", "category": "Laces"})],
    );
    // Three in four users who chose shoes chose bags of another style; hats were chosen once.
    let mut events = Vec::new();
    for user in 0..80 {
        let shoe = format!("Shoes-{:02}-0", user % 40);
        let other = match user % 4 {
            3 => format!("Hats-{:02}-1", user % 40),
            _ => "Bags-30-5".to_owned(),
        };
        let mut items = vec![shoe, other];
        if user == 7 || user == 47 {
            items.push("Lace".to_owned());
        }
        events.push(json!({"kind": "purchase", "collection": "shop", "user": format!("u{user}"), "items": items}));
    }
    let events: Vec<Event> = serde_json::from_value(Value::Array(events)).expect("events");
    fixture.db.append_events(&events).expect("stored");
    shop.train(&Training::default()).expect("trained");
    let answer = across(&shop, "Shoes-08-0", json!({"limit": 200}));
    assert!(answer.fallbacks.is_empty(), "{:?}", answer.fallbacks);
    let sources: Vec<_> = answer.sources.iter().map(|s| s.source).collect();
    assert_eq!(
        sources,
        [
            Source::Query,
            Source::Behavior,
            Source::Popularity,
            Source::Transition
        ]
    );
    // The bag of another style is there over the people, and says so.
    let bag = answer
        .hits
        .iter()
        .find(|hit| hit.id == "Bags-30-5")
        .expect("a bridge");
    let reason = bag.reason.clone().expect("a reason");
    assert_eq!(
        (reason.code.as_str(), reason.text.as_str()),
        (
            "bridge",
            "2 customers who chose Shoes of style 8 also chose this"
        )
    );
    // The one of two similar items whose category was chosen more often comes first.
    let chance = |id: &str| {
        let hit = answer.hits.iter().find(|hit| hit.id == id).expect("a hit");
        let parts = hit.contributions.iter();
        parts
            .filter(|c| c.source == Source::Transition)
            .map(|c| c.raw)
            .sum::<f32>()
    };
    // 60 of 82 pairs are with bags, and so are most beside anything: (60 + 10 * 60 / 86) / (82 +
    // 10).
    assert!(
        (chance("Bags-08-0") - 0.728).abs() < 0.01,
        "{}",
        chance("Bags-08-0")
    );
    assert!(
        (chance("Hats-08-0") - 0.242).abs() < 0.01,
        "{}",
        chance("Hats-08-0")
    );
    // An item without a vector is found by behavior, and answered for by it.
    let found = across(&shop, "Shoes-07-0", json!({"categories": "Laces"}));
    assert_eq!(ids(&found), ["Lace"]);
    let lace = across(&shop, "Lace", json!({"limit": 3}));
    assert_eq!(lace.fallbacks, [Fallback::NoVectors]);
    assert_eq!(
        (lace.hits[0].id.as_str(), lace.plan.as_str()),
        ("Shoes-07-0", "behavior")
    );
    let reason = lace.hits[0].reason.clone().expect("a reason");
    assert_eq!(reason.text, "2 customers who chose a lace also chose this");
    // An item that is neither similar nor chosen by the same users is there for its category or
    // popularity.
    let other = lace.hits.iter().find(|hit| hit.id == "Bags-30-5");
    let reason = other.expect("popular").reason.clone().expect("a reason");
    assert!(
        ["popular", "transition"].contains(&reason.code.as_str()),
        "{reason:?}"
    );
}

#[test]
fn without_vectors_and_behavior_there_is_no_answer() {
    let fixture = styles();
    let shop = fixture.db.collection("shop").expect("open");
    put(
        &shop,
        &[
            json!({"id": "Lace", "category": "Laces"}),
            json!({"id": "bare"}),
        ],
    );
    let ask = |id: &str, more: Value| shop.similar(id, &params(more), None).expect_err("refused");
    assert!(matches!(
        ask("Lace", json!({"scope": "cross"})),
        Error::NoVector { .. }
    ));
    assert!(
        messages(&ask("bare", json!({"scope": "cross"})))
            .contains("/scope item `bare` has no category")
    );
    assert!(matches!(
        ask("none", json!({"scope": "cross"})),
        Error::ItemNotFound(_)
    ));
    let space = ask("Lace", json!({"scope": "cross", "space": "smell"}));
    assert!(messages(&space).contains("/space"), "{space}");
    let now = Some(std::time::Instant::now());
    let late = shop.similar("Shoes-01-0", &params(json!({"scope": "cross"})), now);
    assert!(matches!(late, Err(Error::DeadlineExceeded)));
}

/// A shop of random vectors around a center each category, and its items as a plain list.
struct Random {
    fixture: Fixture,
    items: Vec<(String, String, Vec<f32>)>,
    metric: Metric,
}

impl Random {
    fn new(seed: u64, metric: Metric, categories: usize, count: usize, dim: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let fixture = Fixture::new();
        let config =
            json!({"vectors": {"shared": {"dim": dim, "metric": metric}}, "fingerprint": "f"});
        let config = serde_json::from_value(config).expect("a config");
        let shop = fixture.db.create_collection("shop", config).expect("made");
        let mut draw = |width: f32| -> Vec<f32> {
            (0..dim).map(|_| rng.random_range(-width..width)).collect()
        };
        let centers: Vec<_> = (0..categories).map(|_| draw(2.0)).collect();
        let mut items = Vec::new();
        for n in 0..count {
            let kind = n * n % categories;
            let mut vector: Vec<f32> = centers[kind]
                .iter()
                .zip(draw(1.0))
                .map(|(c, x)| c + x)
                .collect();
            if metric == Metric::Cosine {
                distance::normalize(&mut vector);
            }
            items.push((
                format!("i{n:05}"),
                format!("Top {} > Kind {kind}", kind % 3),
                vector,
            ));
        }
        let records: Vec<_> = items
            .iter()
            .map(|(id, category, vector)| json!({"id": id, "category": category, "vectors": {"shared": vector}}))
            .collect();
        for records in records.chunks(1000) {
            put(&shop, records);
        }
        Self {
            fixture,
            items,
            metric,
        }
    }

    /// Scores of all items of other categories, as they are defined.
    fn naive(&self, centering: &Centering, own: usize) -> BTreeMap<&str, f32> {
        let centered = |n: usize| {
            let (_, category, vector) = &self.items[n];
            let mut centered = centering.centered(category, vector);
            if self.metric == Metric::Cosine {
                distance::normalize(&mut centered);
            }
            centered
        };
        let query = centered(own);
        let others = (0..self.items.len()).filter(|n| self.items[*n].1 != self.items[own].1);
        let scored = others.map(|n| {
            let distance = distance::distance(self.metric, &query, &centered(n));
            (
                self.items[n].0.as_str(),
                distance::score(self.metric, distance),
            )
        });
        scored.collect()
    }

    fn centering(&self) -> Centering {
        let mut kinds: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (n, (_, category, _)) in (0..).zip(&self.items) {
            kinds.entry(category).or_default().push(n);
        }
        let kinds: Vec<_> = kinds
            .into_iter()
            .map(|(path, sample)| CategorySample {
                path: path.to_owned(),
                size: sample.len() as u64,
                sample,
            })
            .collect();
        Centering::fit(self.items[0].2.len(), &kinds, |n| {
            Some(self.items[n as usize].2.clone())
        })
    }

    /// Share of the best ten that an answer has; scores that it gives must be right.
    fn found(&self, centering: &Centering, own: usize) -> f64 {
        let shop = self.fixture.db.collection("shop").expect("open");
        let naive = self.naive(centering, own);
        let answer = across(&shop, &self.items[own].0, json!({"limit": 10}));
        let mut best: Vec<f32> = naive.values().copied().collect();
        best.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(answer.hits.len(), best.len().min(10));
        let last = best[answer.hits.len() - 1];
        let mut right = 0;
        for hit in &answer.hits {
            let (raw, wanted) = (hit.contributions[0].raw, naive[hit.id.as_str()]);
            assert!(
                (raw - wanted).abs() < 1e-3 * wanted.abs().max(1.0),
                "{raw} {wanted}"
            );
            right += usize::from(raw >= last - 1e-3 * last.abs().max(1.0));
        }
        right as f64 / answer.hits.len() as f64
    }
}

#[test]
fn a_small_shop_is_answered_as_defined() {
    for (seed, metric) in (0..).zip([Metric::Cosine, Metric::L2, Metric::Dot, Metric::Cosine]) {
        let random = Random::new(seed, metric, 4 + seed as usize, 150, 5);
        let centering = random.centering();
        for own in [0, 17, 149] {
            assert_eq!(random.found(&centering, own), 1.0, "{metric:?} {own}");
        }
    }
}

#[test]
fn a_large_shop_is_answered_nearly_so() {
    for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
        // More categories than are searched one by one.
        let random = Random::new(9, metric, 211, 6_000, 8);
        let centering = random.centering();
        let questions = (0..6_000).step_by(200);
        let count = questions.clone().count() as f64;
        let found = questions
            .map(|own| random.found(&centering, own))
            .sum::<f64>()
            / count;
        println!("{metric:?} {found}");
        assert!(found > 0.9, "{metric:?}: {found}");
    }
}
