//! `preprocessor_config.json` of Hugging Face: preprocessing of images for a network.

use std::path::Path;

use serde_json::Value;

use crate::encode::ModelError;
use crate::encode::weights::read_json_optional;
use crate::image::{Filter, Fit, Preprocess};

/// Maximum side of a network's input, in pixels.
const MAX_SIDE: u32 = 1024;

/// Defaults of a family for values missing in its file.
pub struct Defaults {
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// True if the shorter side is scaled and the center cropped, false if both sides are scaled.
    pub crop: bool,
}

/// Reads the file of `dir` for a network whose input is a square of `side` pixels.
///
/// # Errors
/// It has an unsupported value, or another size than the network's input.
pub fn load(dir: &Path, side: usize, defaults: &Defaults) -> Result<Preprocess, ModelError> {
    let path = dir.join("preprocessor_config.json");
    let file: Value = read_json_optional(&path)?.unwrap_or_default();
    let wrong = |reason: String| ModelError::invalid(&path, reason);
    let crop = u32::try_from(side).unwrap_or(u32::MAX);
    if !(1..=MAX_SIDE).contains(&crop) {
        let reason = format!("image_size {side} is out of range; expected 1 to {MAX_SIDE}");
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
            let reason = format!("resample: expected 2 (bilinear) or 3 (bicubic), got {other}");
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
        return Err(wrong("image_std must be positive".to_owned()));
    }
    Ok(Preprocess {
        fit,
        crop,
        filter,
        mean,
        std,
    })
}

/// Checks the sizes of a transformer.
///
/// # Errors
/// `section` of the configuration at `path` is invalid.
pub fn check(path: &Path, section: &str, config: &Value) -> Result<(), ModelError> {
    for key in [
        "hidden_size",
        "num_attention_heads",
        "patch_size",
        "image_size",
    ] {
        if config[section][key] == 0 {
            return Err(ModelError::invalid(path, format!("{section}.{key} is 0")));
        }
    }
    let number = |key: &str| config[section][key].as_u64();
    if let (Some(hidden), Some(heads)) = (number("hidden_size"), number("num_attention_heads"))
        && hidden % heads != 0
    {
        let reason = format!(
            "{section}.hidden_size {hidden} must be a multiple of num_attention_heads {heads}"
        );
        return Err(ModelError::invalid(path, reason));
    }
    if let (Some(side), Some(patch)) = (number("image_size"), number("patch_size"))
        && patch > side
    {
        let reason = format!("{section}.patch_size {patch} is above image_size {side}");
        return Err(ModelError::invalid(path, reason));
    }
    Ok(())
}
