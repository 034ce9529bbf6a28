//! Multi-scale image features for heads: statistics of each stage's channels beside the last
//! pooling, which was trained to separate ImageNet's classes. Early stages encode color and
//! texture, which a product's title names as often as its category.

use ::image::RgbImage;

use super::{EfficientNetLite, FEATURES, MAP_CHANNELS, Output};
use crate::encode::ModelError;

/// Number of stages with statistics: all but the head, whose mean is the network's own features.
const STAGES: usize = MAP_CHANNELS.len() - 1;
/// Number of statistics of a channel: mean, standard deviation and maximum.
const STATISTICS: usize = 3;
/// Version, part of the fingerprint: changed with anything here that changes features.
pub const PARAMS: &str = "multiscale-v1";

/// Number of features.
pub fn width() -> usize {
    FEATURES + STATISTICS * MAP_CHANNELS[..STAGES].iter().sum::<usize>()
}

/// Returns the output of the network for an image, and its features for heads `[width]`.
///
/// # Errors
/// Scaling failed.
pub fn features(
    model: &EfficientNetLite,
    image: &RgbImage,
) -> Result<(Output, Vec<f32>), ModelError> {
    let mut statistics = Vec::with_capacity(width());
    let output = model.observe(image, &mut |stage, map| {
        if stage < STAGES {
            describe(map, MAP_CHANNELS[stage], &mut statistics);
        }
    })?;
    statistics.extend_from_slice(&output.features);
    Ok((output, statistics))
}

/// Appends the means of all channels of `map` `[area, channels]`, then their standard deviations,
/// then their maxima.
fn describe(map: &[f32], channels: usize, out: &mut Vec<f32>) {
    let pixels = || map.chunks_exact(channels.max(1));
    let area = (map.len() / channels.max(1)) as f32;
    let (mut mean, mut square) = (vec![0f32; channels], vec![0f32; channels]);
    let mut max = vec![f32::NEG_INFINITY; channels];
    for pixel in pixels() {
        mean.iter_mut().zip(pixel).for_each(|(m, v)| *m += v / area);
        max.iter_mut().zip(pixel).for_each(|(m, v)| *m = m.max(*v));
    }
    // The second pass avoids subtracting large squares.
    for pixel in pixels() {
        let from_mean = square.iter_mut().zip(pixel).zip(&mean);
        from_mean.for_each(|((s, v), m)| *s += (v - m) * (v - m) / area);
    }
    out.extend(mean);
    out.extend(square.into_iter().map(f32::sqrt));
    out.extend(max);
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn channels_are_described_one_statistic_after_the_other() {
        let mut out = Vec::new();
        describe(&[1.0, 5.0, 3.0, 5.0], 2, &mut out);
        assert_eq!(out, [2.0, 5.0, 1.0, 0.0, 3.0, 5.0]);
    }
}
