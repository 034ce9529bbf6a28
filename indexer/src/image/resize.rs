//! Resize, center crop and normalize, after torchvision's `Resize`, `CenterCrop`, `ToTensor`,
//! `Normalize` on PIL images.

use ::image::RgbImage;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::ImageError;

/// Interpolation; both are antialiased like PIL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Triangle filter.
    Bilinear,
    /// Catmull-Rom, a = -0.5, as PIL's bicubic.
    Bicubic,
}

/// Scaling of an image before its center is cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The shorter side to this length, keeping the aspect ratio.
    Shorter(u32),
    /// Both sides to this length.
    Both(u32),
}

impl Fit {
    /// Returns the sides of a scaled image, in pixels.
    fn sides(self, w: u32, h: u32) -> (u64, u64) {
        match self {
            Self::Shorter(length) => {
                // torchvision truncates the longer side: int(size * long / short).
                let short = u64::from(w.min(h).max(1));
                let scaled = |side: u32| u64::from(length) * u64::from(side) / short;
                (scaled(w).max(1), scaled(h).max(1))
            }
            Self::Both(length) => (u64::from(length), u64::from(length)),
        }
    }

    fn length(self) -> u32 {
        match self {
            Self::Shorter(length) | Self::Both(length) => length,
        }
    }
}

/// Preprocessing of pixels for a network.
#[derive(Debug, Clone)]
pub struct Preprocess {
    /// Scaling before the crop.
    pub fit: Fit,
    /// Side of the center crop, in pixels.
    pub crop: u32,
    /// Interpolation.
    pub filter: Filter,
    /// Mean of each channel, for values in 0..=1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

impl Preprocess {
    /// Scales, crops and normalizes: `[3 * crop * crop]` values, channel first (CHW).
    ///
    /// # Errors
    /// Scaling failed.
    pub fn apply(&self, image: &RgbImage) -> Result<Vec<f32>, ImageError> {
        let pixels = self.crop_of(image)?;
        let side = self.crop as usize;
        let mut out = vec![0f32; 3 * side * side];
        for (channel, plane) in out.chunks_exact_mut(side * side).enumerate() {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            for (value, pixel) in plane.iter_mut().zip(pixels.chunks_exact(3)) {
                *value = (f32::from(pixel[channel]) / 255.0 - mean) / std;
            }
        }
        Ok(out)
    }

    /// [`Preprocess::apply`] with the channels last (HWC).
    ///
    /// # Errors
    /// Scaling failed.
    pub fn interleaved(&self, image: &RgbImage) -> Result<Vec<f32>, ImageError> {
        let value = |channel: usize, byte: usize| {
            (byte as f32 / 255.0 - self.mean[channel]) / self.std[channel]
        };
        let table: [[f32; 256]; 3] =
            std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte)));
        let pixels = self.crop_of(image)?;
        let mut out = Vec::with_capacity(pixels.len());
        for pixel in pixels.as_chunks::<3>().0 {
            out.extend([0, 1, 2].map(|c| table[c][usize::from(pixel[c])]));
        }
        Ok(out)
    }

    /// Returns the scaled center crop, RGB interleaved.
    ///
    /// The whole image is scaled and then cropped, as torchvision does (scaling only the box
    /// differs at its edges). For a long strip only the box is scaled: 1 x 10,000 pixels would
    /// otherwise become 256 x 2,560,000.
    fn crop_of(&self, image: &RgbImage) -> Result<Vec<u8>, ImageError> {
        let fail = |e: &dyn std::fmt::Display| ImageError::Resize(e.to_string());
        let (w, h) = image.dimensions();
        let (sw, sh) = self.fit.sides(w, h);
        let crop = u64::from(self.crop.min(self.fit.length()));
        // CenterCrop rounds half to even, as Python's round().
        let offset = |len: u64| ((len.saturating_sub(crop)) as f64 / 2.0).round_ties_even();
        let (fx, fy) = (f64::from(w) / sw as f64, f64::from(h) / sh as f64);
        let (left, top) = (offset(sw) * fx, offset(sh) * fy);
        let (bw, bh) = (crop as f64 * fx, crop as f64 * fy);
        let source = ImageRef::new(w, h, image.as_raw(), PixelType::U8x3).map_err(|e| fail(&e))?;
        let filter = match self.filter {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Bicubic => FilterType::CatmullRom,
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        let whole = (u32::try_from(sw), u32::try_from(sh));
        if let (Ok(tw), Ok(th)) = whole
            && sw * sh <= 16_000_000
        {
            // Rows first, then columns, as PIL does: each pass clips to 0..=255, so the order
            // matters at sharp edges.
            let mut rows = Image::new(tw, h, PixelType::U8x3);
            let mut scaled = Image::new(tw, th, PixelType::U8x3);
            let mut resizer = Resizer::new();
            resizer
                .resize(&source, &mut rows, &options)
                .map_err(|e| fail(&e))?;
            resizer
                .resize(&rows, &mut scaled, &options)
                .map_err(|e| fail(&e))?;
            let scaled = RgbImage::from_raw(tw, th, scaled.into_vec());
            let scaled = scaled.ok_or_else(|| fail(&"size mismatch"))?;
            let (x, y) = (offset(sw) as u32, offset(sh) as u32);
            return Ok(
                ::image::imageops::crop_imm(&scaled, x, y, self.crop, self.crop)
                    .to_image()
                    .into_raw(),
            );
        }
        let mut target = Image::new(self.crop, self.crop, PixelType::U8x3);
        let options = options.crop(
            left,
            top,
            bw.min(f64::from(w) - left),
            bh.min(f64::from(h) - top),
        );
        Resizer::new()
            .resize(&source, &mut target, &options)
            .map_err(|e| fail(&e))?;
        Ok(target.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::Rgb;

    fn preprocess() -> Preprocess {
        Preprocess {
            fit: Fit::Shorter(256),
            crop: 224,
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }

    #[test]
    fn flat_images_of_any_shape_stay_flat() {
        for (w, h) in [
            (1, 1),
            (1, 5000),
            (5000, 1),
            (300, 200),
            (224, 224),
            (17, 3),
        ] {
            let values = preprocess()
                .apply(&RgbImage::from_pixel(w, h, Rgb([255, 0, 255])))
                .expect("resizes");
            assert_eq!(values.len(), 3 * 224 * 224);
            let plane = 224 * 224;
            assert!(
                values[..plane].iter().all(|v| (v - 1.0).abs() < 0.02),
                "{w}x{h}"
            );
            assert!(
                values[plane..2 * plane]
                    .iter()
                    .all(|v| (v + 1.0).abs() < 0.02),
                "{w}x{h}"
            );
        }
    }

    #[test]
    fn the_crop_is_the_center() {
        let image = RgbImage::from_fn(768, 256, |x, _| {
            if (256..512).contains(&x) {
                Rgb([255; 3])
            } else {
                Rgb([0; 3])
            }
        });
        let values = preprocess().apply(&image).expect("resizes");
        assert!(values.iter().all(|v| *v > 0.9));
    }
}
