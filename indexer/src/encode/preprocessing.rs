//! `preprocessor_config.json` of Hugging Face: how photos become a network's input.

use std::path::Path;

use serde_json::Value;

use super::ModelError;
use super::weights::read_json_optional;
use crate::image::{Filter, Fit, Preprocess};

/// Largest side of a network's input, pixels.
const MAX_SIDE: u32 = 1024;

/// What a family does where its file says nothing.
pub struct Defaults {
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// Whether the centre is cropped after scaling the shorter side, rather than both sides scaled.
    pub crop: bool,
}

/// Reads the file of `dir` for a network that takes squares of `side` pixels.
///
/// # Errors
/// It asks for what is not known here, or for another size than the network takes.
pub fn load(dir: &Path, side: usize, defaults: &Defaults) -> Result<Preprocess, ModelError> {
    let path = dir.join("preprocessor_config.json");
    let file: Value = read_json_optional(&path)?.unwrap_or_default();
    let wrong = |reason: String| ModelError::invalid(&path, reason);
    let crop = u32::try_from(side).unwrap_or(u32::MAX);
    if !(1..=MAX_SIDE).contains(&crop) {
        let reason = format!("image_size {side}, it must be 1 to {MAX_SIDE}");
        return Err(ModelError::invalid(dir.join("config.json"), reason));
    }
    let number = |value: &Value| value.as_u64().and_then(|v| u32::try_from(v).ok());
    let cropped = file["do_center_crop"].as_bool().unwrap_or(defaults.crop);
    let size = &file["size"];
    let shorter = number(size).or(number(&size["shortest_edge"]));
    let both = number(&size["height"]).zip(number(&size["width"]));
    let fit = match (shorter, both) {
        (Some(length), _) if cropped => Fit::Shorter(length.max(crop)),
        (_, Some((height, width))) if height == width && (cropped || height == crop) => {
            Fit::Both(height.max(crop))
        }
        (None, None) if cropped => Fit::Shorter(crop),
        (None, None) => Fit::Both(crop),
        _ => {
            let reason = format!("size {size} does not give squares of {crop} pixels");
            return Err(wrong(reason));
        }
    };
    let filter = match file["resample"].as_u64() {
        Some(2) => Filter::Bilinear,
        Some(3) | None => Filter::Bicubic,
        Some(other) => {
            let reason = format!("resample {other}; 2 (bilinear) and 3 (bicubic) are known");
            return Err(wrong(reason));
        }
    };
    let triple = |key: &str, default: [f32; 3]| -> Result<[f32; 3], ModelError> {
        let value = &file[key];
        if value.is_null() {
            return Ok(default);
        }
        serde_json::from_value(value.clone()).map_err(|e| wrong(format!("{key}: {e}")))
    };
    let (mean, std) = (
        triple("image_mean", defaults.mean)?,
        triple("image_std", defaults.std)?,
    );
    if std.iter().any(|s| *s <= 0.0) {
        return Err(wrong(
            "image_std has a number that is not above 0".to_owned(),
        ));
    }
    Ok(Preprocess {
        fit,
        crop,
        filter,
        mean,
        std,
    })
}

/// Whether a transformer's numbers can be.
///
/// # Errors
/// What is wrong with `part` of the configuration at `path`.
pub fn check(path: &Path, part: &str, config: &Value) -> Result<(), ModelError> {
    for key in [
        "hidden_size",
        "num_attention_heads",
        "patch_size",
        "image_size",
    ] {
        if config[part][key] == 0 {
            return Err(ModelError::invalid(path, format!("{part}.{key} is 0")));
        }
    }
    let number = |key: &str| config[part][key].as_u64();
    if let (Some(hidden), Some(heads)) = (number("hidden_size"), number("num_attention_heads"))
        && hidden % heads != 0
    {
        let reason =
            format!("{part}.hidden_size {hidden} is no multiple of num_attention_heads {heads}");
        return Err(ModelError::invalid(path, reason));
    }
    if let (Some(side), Some(patch)) = (number("image_size"), number("patch_size"))
        && patch > side
    {
        let reason = format!("{part}.patch_size {patch} is above image_size {side}");
        return Err(ModelError::invalid(path, reason));
    }
    Ok(())
}
