use std::collections::HashMap;

use proptest::prelude::*;

use super::{Centring, Kind, Transitions};

/// Categories of `count` items each; the vector of the n-th of them is what `make` says.
fn shop(
    paths: &[&str],
    count: u32,
    make: impl Fn(usize, u32) -> Vec<f32>,
) -> (Vec<Kind>, HashMap<u32, Vec<f32>>) {
    let mut vectors = HashMap::new();
    let kinds = paths.iter().enumerate().map(|(place, path)| {
        let first = place as u32 * count;
        vectors.extend((0..count).map(|n| (first + n, make(place, n))));
        Kind {
            path: (*path).to_owned(),
            size: u64::from(count),
            sample: (first..first + count).collect(),
        }
    });
    (kinds.collect(), vectors)
}

fn fit(dim: usize, (kinds, vectors): &(Vec<Kind>, HashMap<u32, Vec<f32>>)) -> Centring {
    Centring::fit(dim, kinds, |number| vectors.get(&number).cloned())
}

#[test]
fn what_only_tells_categories_apart_goes_and_what_varies_within_stays() {
    // Along 0 categories differ and their items do not; along 1 items differ alike in all; along 2 items differ within
    // categories far more than categories do.
    let kinds = ["A", "B", "C", "D"];
    let shop = shop(&kinds, 2_000, |kind, n| {
        let style = if n % 2 == 0 { 1.0 } else { -1.0 };
        let for_whom = if n % 5 < [2, 3, 3, 2][kind] {
            4.0
        } else {
            -4.0
        };
        vec![3.0 * kind as f32, style, for_whom]
    });
    let centring = fit(3, &shop);
    let own = |kind: usize, n: u32| &shop.1[&(kind as u32 * 2_000 + n)];
    let centred = |kind: usize, n: u32| centring.centred(kinds[kind], own(kind, n));
    let spread = |values: [f32; 2]| (values[0] - values[1]).abs();
    // A and D are 9 apart; a twentieth of it is what shrinkage leaves.
    assert!(spread([centred(0, 0)[0], centred(3, 0)[0]]) < 1.0);
    assert!(spread([centred(0, 0)[1], centred(0, 1)[1]]) == 2.0);
    assert!(spread([centred(0, 0)[1], centred(3, 0)[1]]) < 0.1);
    // The means along 2 are -0.8 and 0.8. They are kept but for b / (b + w) of them, with b below 1 and w above 15.
    let far = spread([centred(0, 0)[2], centred(1, 0)[2]]);
    assert!(far < 0.2, "the same for the same people: {far}");
    let mean = |kind: usize| (0..2_000).map(|n| centred(kind, n)[2]).sum::<f32>() / 2_000.0;
    assert!(mean(1) - mean(0) > 1.4, "{} {}", mean(1), mean(0));
}

#[test]
fn small_categories_lean_on_those_above() {
    let paths = ["Wear > Shoes", "Wear > Hats", "Home > Lamps"];
    let (mut kinds, vectors) = shop(&paths, 500, |kind, n| {
        let noise = (n % 7) as f32 - 3.0;
        vec![[10.0, 12.0, -10.0][kind], noise]
    });
    let mut vectors = vectors;
    vectors.insert(9_000, vec![50.0, 0.0]);
    let lone = |path: &str| Kind {
        path: path.to_owned(),
        size: 1,
        sample: vec![9_000],
    };
    kinds.push(lone("Wear > Gloves"));
    let centring = fit(2, &(kinds, vectors));
    // Its own mean is 50, a hundredth of it counts.
    let (gloves, wear) = (
        centring.offset("Wear > Gloves")[0],
        centring.offset("Wear")[0],
    );
    assert!((gloves - wear).abs() < 1.0, "{gloves} {wear}");
    assert!(wear > 5.0 && centring.offset("Home")[0] < -5.0);
    assert_eq!(
        centring.offset("Wear > Scarves > Silk"),
        centring.offset("Wear")
    );
    assert_eq!(centring.offset("Toys"), centring.offset(""));
    assert!(centring.bytes() > 0);
}

#[test]
fn nothing_to_learn_from_takes_nothing_off() {
    for kinds in [Vec::new(), shop(&["A"], 3, |_, _| Vec::new()).0] {
        let centring = Centring::fit(2, &kinds, |_| None);
        assert_eq!(centring.centred("A", &[1.0, 2.0]), [1.0, 2.0]);
    }
    // All of one category: the mean of all goes.
    let one = shop(&["A"], 4, |_, n| vec![n as f32, 1.0]);
    assert_eq!(fit(2, &one).centred("A", &[1.0, 2.0]), [-0.5, 1.0]);
}

#[test]
fn transitions_by_hand() {
    let kinds = ["A", "B", "C"].map(str::to_owned).to_vec();
    // 30 people have A and B, 10 have A and C, 5 only A, twice.
    let people = (0..45).map(|n| match n {
        0..30 => vec![0, 1, 1],
        30..40 => vec![2, 0],
        _ => vec![0, 0],
    });
    let transitions = Transitions::count(kinds, people);
    assert_eq!(transitions.people("A", "B"), 30);
    assert_eq!(transitions.people("B", "A"), 30);
    assert_eq!(transitions.people("B", "C"), 0);
    assert_eq!(transitions.people("B", "Z"), 0);
    // Beside A, B is chosen 30 of 40 times: (30 + 10 * 0.75) / (40 + 10).
    assert_eq!(transitions.probability("A", "B"), Some(0.75));
    // Beside B, A is chosen 40 of 50 times: (30 + 10 * 0.8) / (30 + 10).
    assert_eq!(transitions.probability("B", "A"), Some(0.95));
    assert_eq!(transitions.probability("A", "A"), None);
    // Of a category nobody chose of, what is usual.
    assert_eq!(transitions.probability("Z", "A"), Some(0.5));
    assert!(Transitions::default().is_empty());
    assert_eq!(Transitions::default().probability("A", "B"), None);
}

proptest! {
    #[test]
    fn transitions_are_those_of_the_formula(
        people in prop::collection::vec(prop::collection::vec(0_u32..5, 0..6), 0..30)
    ) {
        let names: Vec<String> = (0..5).map(|n| format!("k{n}")).collect();
        let transitions = Transitions::count(names.clone(), people.iter().cloned());
        let both = |a: u32, b: u32| {
            people.iter().filter(|p| p.contains(&a) && p.contains(&b)).count() as f32
        };
        let from = |a: u32| (0..5).filter(|b| *b != a).map(|b| both(a, b)).sum::<f32>();
        for a in 0..5 {
            let elsewhere: f32 = (0..5).filter(|b| *b != a).map(from).sum();
            let mut sum = 0.0;
            for b in (0..5).filter(|b| *b != a) {
                let found = transitions.probability(&names[a as usize], &names[b as usize]);
                if elsewhere == 0.0 {
                    prop_assert_eq!(found, None);
                    continue;
                }
                let wanted = (both(a, b) + 10.0 * from(b) / elsewhere) / (from(a) + 10.0);
                let found = found.expect("a chance");
                prop_assert!((found - wanted).abs() < 1e-5, "{} {}", found, wanted);
                sum += found;
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
        let mut kinds = Vec::new();
        for (place, size) in sizes.iter().enumerate() {
            let path = format!("{} > {place}", ["A", "B"][place % 2]);
            kinds.push(Kind { path, size: u64::from(*size), sample: (first..first + size).collect() });
            first += size;
        }
        let one = Centring::fit(3, &kinds, vector);
        kinds.reverse();
        let other = Centring::fit(3, &kinds, vector);
        for kind in &kinds {
            for (a, b) in one.offset(&kind.path).iter().zip(other.offset(&kind.path)) {
                prop_assert!((a - b).abs() < 1e-3, "{} {}", a, b);
                prop_assert!(a.is_finite());
            }
        }
    }
}
