//! What a head is told of a photo: not only the network's last pooling, which was made to tell ImageNet's classes
//! apart, but how each stage's channels answered anywhere in it. Early stages know colour and texture, which a
//! product's title names as often as its kind.

use ::image::RgbImage;

use crate::encode::ModelError;
use crate::encode::efficientnet_lite::{EfficientNetLite, FEATURES, MAP_CHANNELS, Output};

/// Stages of which statistics are taken: all but the head, whose mean is the network's own features.
const STAGES: usize = MAP_CHANNELS.len() - 1;
/// Mean, deviation and maximum of a channel.
const STATISTICS: usize = 3;
/// Goes into the fingerprint: change it with anything here that moves features.
pub const PARAMS: &str = "multiscale-v1";

/// Number of features.
pub fn width() -> usize {
    FEATURES + STATISTICS * MAP_CHANNELS[..STAGES].iter().sum::<usize>()
}

/// What the network says of a photo, and its features for a head, [`width`] many.
///
/// # Errors
/// As [`EfficientNetLite::forward`].
pub fn features(
    model: &EfficientNetLite,
    photo: &RgbImage,
) -> Result<(Output, Vec<f32>), ModelError> {
    let mut statistics = Vec::with_capacity(width());
    let output = model.observe(photo, &mut |stage, map| {
        if stage < STAGES {
            describe(map, MAP_CHANNELS[stage], &mut statistics);
        }
    })?;
    statistics.extend_from_slice(&output.features);
    Ok((output, statistics))
}

/// Appends the means of all channels of `map` `[area, channels]`, then their deviations, then their maxima.
fn describe(map: &[f32], channels: usize, out: &mut Vec<f32>) {
    let pixels = || map.chunks_exact(channels.max(1));
    let area = (map.len() / channels.max(1)) as f32;
    let (mut mean, mut square) = (vec![0f32; channels], vec![0f32; channels]);
    let mut max = vec![f32::NEG_INFINITY; channels];
    for pixel in pixels() {
        mean.iter_mut().zip(pixel).for_each(|(m, v)| *m += v / area);
        max.iter_mut().zip(pixel).for_each(|(m, v)| *m = m.max(*v));
    }
    // The second pass spares the difference of large squares.
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
