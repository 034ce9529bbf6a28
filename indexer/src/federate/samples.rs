//! Small plans and pairs for tests.

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{Features, Plan};
use crate::train::{Pairs, Recipe};

pub const TEXT: usize = 6;
pub const IMAGE: usize = 8;

pub fn plan(rounds: u32) -> Plan {
    let features = Features {
        encoders: "encoders of a test".to_owned(),
        text: TEXT,
        image: IMAGE,
    };
    Plan {
        recipe: Recipe {
            dim: 4,
            image_hidden: 0,
            dropout: 0.0,
            feature_dropout: 0.0,
            batch: 16,
            rate: 0.01,
            ..Recipe::default()
        },
        rounds,
        local_epochs: 2,
        full_weight_pairs: 100,
        ..Plan::new(features)
    }
}

/// Pairs whose texts and images are two views of the same hidden vectors.
pub fn pairs(count: usize, seed: u64) -> Pairs {
    let mut fixed = SmallRng::seed_from_u64(99);
    let mut map = |width: usize| -> Vec<f32> {
        (0..4 * width)
            .map(|_| fixed.random_range(-1.0..1.0))
            .collect()
    };
    let (to_text, to_image) = (map(TEXT), map(IMAGE));
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut text, mut image) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let hidden: [f32; 4] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        let mut view = |map: &[f32]| -> Vec<f32> {
            let row = |weights: &[f32]| weights.iter().zip(hidden).map(|(w, h)| w * h).sum::<f32>();
            map.chunks_exact(4)
                .map(|w| row(w) + rng.random_range(-0.05..0.05))
                .collect()
        };
        text.extend(view(&to_text));
        image.extend(view(&to_image));
    }
    Pairs::of_features(seed, count, &text, &image)
}
