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

/// Appends the means of all channels of `map` `[channels, area]`, then their deviations, then their maxima.
fn describe(map: &[f32], channels: usize, out: &mut Vec<f32>) {
    let area = map.len() / channels.max(1);
    let planes = || map.chunks_exact(area.max(1));
    let mean = |plane: &[f32]| plane.iter().sum::<f32>() / area as f32;
    out.extend(planes().map(mean));
    out.extend(planes().map(|plane| {
        let mean = mean(plane);
        let square = plane.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>();
        (square / area as f32).sqrt()
    }));
    let max = |plane: &[f32]| plane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    out.extend(planes().map(max));
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn channels_are_described_one_statistic_after_the_other() {
        let mut out = Vec::new();
        describe(&[1.0, 3.0, 5.0, 5.0], 2, &mut out);
        assert_eq!(out, [2.0, 5.0, 1.0, 0.0, 3.0, 5.0]);
    }
}
