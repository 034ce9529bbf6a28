use std::collections::HashMap;

use proptest::prelude::*;

use super::{CategorySample, Centering, Transitions};

/// Categories of `count` items each; `make` returns the vector of the n-th item of a category.
fn shop(
    paths: &[&str],
    count: u32,
    make: impl Fn(usize, u32) -> Vec<f32>,
) -> (Vec<CategorySample>, HashMap<u32, Vec<f32>>) {
    let mut vectors = HashMap::new();
    let categories = paths.iter().enumerate().map(|(category, path)| {
        let first = category as u32 * count;
        vectors.extend((0..count).map(|n| (first + n, make(category, n))));
        CategorySample {
            path: (*path).to_owned(),
            size: u64::from(count),
            sample: (first..first + count).collect(),
        }
    });
    (categories.collect(), vectors)
}

fn fit(
    dim: usize,
    (categories, vectors): &(Vec<CategorySample>, HashMap<u32, Vec<f32>>),
) -> Centering {
    Centering::fit(dim, categories, |number| vectors.get(&number).cloned())
}

#[test]
fn differences_between_categories_are_removed_and_those_within_are_kept() {
    // Component 0 differs between categories only, component 1 within categories only, and
    // component 2 far more within categories than between them.
    let categories = ["A", "B", "C", "D"];
    let shop = shop(&categories, 2_000, |category, n| {
        let style = if n % 2 == 0 { 1.0 } else { -1.0 };
        let audience = if n % 5 < [2, 3, 3, 2][category] {
            4.0
        } else {
            -4.0
        };
        vec![3.0 * category as f32, style, audience]
    });
    let centering = fit(3, &shop);
    let vector = |category: usize, n: u32| &shop.1[&(category as u32 * 2_000 + n)];
    let centered =
        |category: usize, n: u32| centering.centered(categories[category], vector(category, n));
    let spread = |values: [f32; 2]| (values[0] - values[1]).abs();
    // A and D are 9 apart, of which shrinkage leaves a twentieth.
    assert!(spread([centered(0, 0)[0], centered(3, 0)[0]]) < 1.0);
    assert!(spread([centered(0, 0)[1], centered(0, 1)[1]]) == 2.0);
    assert!(spread([centered(0, 0)[1], centered(3, 0)[1]]) < 0.1);
    // The means of component 2 are -0.8 and 0.8. The share b / (b + w) of them is removed, with b
    // below 1 and w above 15.
    let far = spread([centered(0, 0)[2], centered(1, 0)[2]]);
    assert!(far < 0.2, "equal for the same audience: {far}");
    let mean =
        |category: usize| (0..2_000).map(|n| centered(category, n)[2]).sum::<f32>() / 2_000.0;
    assert!(mean(1) - mean(0) > 1.4, "{} {}", mean(1), mean(0));
}

#[test]
fn small_categories_shrink_towards_their_parents() {
    let paths = ["Wear > Shoes", "Wear > Hats", "Home > Lamps"];
    let (mut categories, vectors) = shop(&paths, 500, |category, n| {
        let noise = (n % 7) as f32 - 3.0;
        vec![[10.0, 12.0, -10.0][category], noise]
    });
    let mut vectors = vectors;
    vectors.insert(9_000, vec![50.0, 0.0]);
    let lone = |path: &str| CategorySample {
        path: path.to_owned(),
        size: 1,
        sample: vec![9_000],
    };
    categories.push(lone("Wear > Gloves"));
    let centering = fit(2, &(categories, vectors));
    // The mean of the category is 50, of which a hundredth counts.
    let (gloves, wear) = (
        centering.offset("Wear > Gloves")[0],
        centering.offset("Wear")[0],
    );
    assert!((gloves - wear).abs() < 1.0, "{gloves} {wear}");
    assert!(wear > 5.0 && centering.offset("Home")[0] < -5.0);
    assert_eq!(
        centering.offset("Wear > Scarves > Silk"),
        centering.offset("Wear")
    );
    assert_eq!(centering.offset("Toys"), centering.offset(""));
    assert!(centering.bytes() > 0);
}

#[test]
fn without_vectors_nothing_is_subtracted() {
    for categories in [Vec::new(), shop(&["A"], 3, |_, _| Vec::new()).0] {
        let centering = Centering::fit(2, &categories, |_| None);
        assert_eq!(centering.centered("A", &[1.0, 2.0]), [1.0, 2.0]);
    }
    // With one category, the overall mean is subtracted.
    let one = shop(&["A"], 4, |_, n| vec![n as f32, 1.0]);
    assert_eq!(fit(2, &one).centered("A", &[1.0, 2.0]), [-0.5, 1.0]);
}

#[test]
fn transitions_by_hand() {
    let categories = ["A", "B", "C"].map(str::to_owned).to_vec();
    // 30 users have A and B, 10 have A and C, 5 only A, twice.
    let users = (0..45).map(|n| match n {
        0..30 => vec![0, 1, 1],
        30..40 => vec![2, 0],
        _ => vec![0, 0],
    });
    let transitions = Transitions::count(categories, users);
    assert_eq!(transitions.users("A", "B"), 30);
    assert_eq!(transitions.users("B", "A"), 30);
    assert_eq!(transitions.users("B", "C"), 0);
    assert_eq!(transitions.users("B", "Z"), 0);
    // Beside A, B is chosen 30 of 40 times: (30 + 10 * 0.75) / (40 + 10).
    assert_eq!(transitions.probability("A", "B"), Some(0.75));
    // Beside B, A is chosen 40 of 50 times: (30 + 10 * 0.8) / (30 + 10).
    assert_eq!(transitions.probability("B", "A"), Some(0.95));
    assert_eq!(transitions.probability("A", "A"), None);
    // A category without users has the overall frequencies.
    assert_eq!(transitions.probability("Z", "A"), Some(0.5));
    assert!(Transitions::default().is_empty());
    assert_eq!(Transitions::default().probability("A", "B"), None);
}

proptest! {
    #[test]
    fn transitions_are_those_of_the_formula(
        users in prop::collection::vec(prop::collection::vec(0_u32..5, 0..6), 0..30)
    ) {
        let names: Vec<String> = (0..5).map(|n| format!("k{n}")).collect();
        let transitions = Transitions::count(names.clone(), users.iter().cloned());
        let both = |a: u32, b: u32| {
            users.iter().filter(|p| p.contains(&a) && p.contains(&b)).count() as f32
        };
        let from = |a: u32| (0..5).filter(|b| *b != a).map(|b| both(a, b)).sum::<f32>();
        for a in 0..5 {
            let elsewhere: f32 = (0..5).filter(|b| *b != a).map(from).sum();
            let mut sum = 0.0;
            for b in (0..5).filter(|b| *b != a) {
                let probability = transitions.probability(&names[a as usize], &names[b as usize]);
                if elsewhere == 0.0 {
                    prop_assert_eq!(probability, None);
                    continue;
                }
                let expected = (both(a, b) + 10.0 * from(b) / elsewhere) / (from(a) + 10.0);
                let probability = probability.expect("a probability");
                prop_assert!((probability - expected).abs() < 1e-5, "{} {}", probability, expected);
                sum += probability;
            }
            prop_assert!(elsewhere == 0.0 || (sum - 1.0).abs() < 1e-4, "{}", sum);
        }
    }

    #[test]
    fn the_order_of_categories_changes_nothing(
        sizes in prop::collection::vec(1_u32..40, 2..6), seed in 0_u32..1000
    ) {
        let value = |n: u32| ((n.wrapping_mul(2_654_435_761).wrapping_add(seed)) % 1000) as f32 / 100.0;
        let vector = |n: u32| Some(vec![value(n), value(n + 7), value(n * 3)]);
        let mut first = 0;
        let mut categories = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let path = format!("{} > {index}", ["A", "B"][index % 2]);
            categories.push(CategorySample { path, size: u64::from(*size), sample: (first..first + size).collect() });
            first += size;
        }
        let one = Centering::fit(3, &categories, vector);
        categories.reverse();
        let other = Centering::fit(3, &categories, vector);
        for category in &categories {
            for (a, b) in one.offset(&category.path).iter().zip(other.offset(&category.path)) {
                prop_assert!((a - b).abs() < 1e-3, "{} {}", a, b);
                prop_assert!(a.is_finite());
            }
        }
    }
}
