//! Thumbnails: small JPEGs of images for display.

use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::{ImageError, ImageLimits, decode};

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 82;

/// Returns the image as a JPEG whose longer side is at most `side` pixels; smaller images keep
/// their size.
///
/// # Errors
/// The image cannot be decoded, or scaling failed.
pub fn thumbnail(bytes: &[u8], limits: &ImageLimits, side: u32) -> Result<Vec<u8>, ImageError> {
    let fail = |e: &dyn std::fmt::Display| ImageError::Resize(e.to_string());
    let image = decode(bytes, limits)?;
    let (width, height) = image.dimensions();
    let long = width.max(height);
    let (pixels, width, height) = if long <= side {
        (image.into_raw(), width, height)
    } else {
        let scaled = |length: u32| {
            let length = u64::from(length) * u64::from(side) / u64::from(long);
            u32::try_from(length).unwrap_or(side).max(1)
        };
        let (w, h) = (scaled(width), scaled(height));
        let source = ImageRef::new(width, height, image.as_raw(), PixelType::U8x3);
        let source = source.map_err(|e| fail(&e))?;
        let mut target = Image::new(w, h, PixelType::U8x3);
        let filter = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(filter);
        Resizer::new()
            .resize(&source, &mut target, &options)
            .map_err(|e| fail(&e))?;
        (target.into_vec(), w, h)
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| fail(&e))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ::image::{DynamicImage, ImageFormat, Rgb, RgbImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let image = RgbImage::from_pixel(width, height, Rgb([200, 30, 40]));
        DynamicImage::from(image)
            .write_to(&mut out, ImageFormat::Png)
            .expect("encodes");
        out.into_inner()
    }

    #[test]
    fn the_longer_side_fits_and_nothing_grows() {
        let limits = ImageLimits::default();
        for (width, height, side, expected) in [
            (400, 200, 100, (100, 50)),
            (200, 400, 100, (50, 100)),
            (30, 20, 100, (30, 20)),
            (5_000, 1, 100, (100, 1)),
        ] {
            let jpeg = thumbnail(&png(width, height), &limits, side).expect("shrinks");
            assert_eq!(&jpeg[..3], [0xFF, 0xD8, 0xFF]);
            let small = decode(&jpeg, &limits).expect("decodes");
            assert_eq!(small.dimensions(), expected);
            let pixel = small.get_pixel(0, 0).0;
            assert!(pixel[0] > 180 && pixel[1] < 60, "{pixel:?}");
        }
        let error = thumbnail(b"<svg onload='alert(1)'/>", &limits, 100).expect_err("no image");
        assert!(matches!(error, ImageError::UnknownFormat), "{error}");
    }
}
