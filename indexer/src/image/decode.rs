//! Decoding with limits: the format is sniffed from the content and the size is checked by the
//! header.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use super::ImageError;

/// Limits for decoding an image.
#[derive(Debug, Clone, Copy)]
pub struct ImageLimits {
    /// Maximum size of the file in bytes.
    pub max_bytes: usize,
    /// Maximum number of pixels (width times height).
    pub max_pixels: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: 20 << 20,
            max_pixels: 50_000_000,
        }
    }
}

/// Decodes an image to 8-bit RGB, with the EXIF orientation applied and transparency on white.
///
/// # Errors
/// The content is empty, too large, of an unknown format or damaged.
pub fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes {
            bytes: bytes.len(),
            max: limits.max_bytes,
        });
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| ImageError::UnknownFormat)?;
    let format = format!("{:?}", reader.format().ok_or(ImageError::UnknownFormat)?).to_uppercase();
    let damaged = |reason: ::image::ImageError| ImageError::Damaged {
        format: format.clone(),
        reason: reason.to_string(),
    };
    let mut caps = Limits::no_limits();
    // Four channels of 16 bits, twice for the decoder's own buffers.
    caps.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    reader.limits(caps);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(ImageError::TooManyPixels {
            width,
            height,
            max: limits.max_pixels,
        });
    }
    if width == 0 || height == 0 {
        return Err(ImageError::Empty);
    }
    if format == "JPEG" && !jpeg_is_whole(bytes) {
        return Err(ImageError::Damaged {
            format,
            reason: "the end marker is missing".into(),
        });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok(on_white(image))
}

/// Returns true if an end-of-image marker follows the first start of scan (ITU-T T.81, B.1.1). The
/// decoder silently fills missing data with gray, and a half-gray image must not be indexed.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xDA;
    const END: [u8; 2] = [0xFF, 0xD9];
    let mut offset = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(offset..offset + 4) {
        if marker == SCAN {
            return bytes[offset..].windows(2).any(|pair| pair == END);
        }
        // A marker may be padded with more 0xFF; any other segment gives its length.
        offset += if marker == 0xFF {
            1
        } else {
            2 + usize::from(u16::from_be_bytes([high, low]))
        };
    }
    false
}

/// Composites images with an alpha channel on white; converts grayscale and 16-bit content.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(from[3]);
        for channel in 0..3 {
            let value = (u32::from(from[channel]) * alpha + 255 * (255 - alpha) + 127) / 255;
            to[channel] = u8::try_from(value).unwrap_or(u8::MAX);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ImageFormat, Luma, Rgb, Rgba, RgbaImage};

    fn bytes(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, format).expect("encodes");
        out.into_inner()
    }

    fn noise() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, x as u8])
        })
    }

    #[test]
    fn one_pixel_grey_and_alpha() {
        let limits = ImageLimits::default();
        let red = RgbaImage::from_pixel(1, 1, Rgba([255, 0, 0, 0]));
        let rgb = decode(&bytes(red.into(), ImageFormat::Png), &limits).expect("decodes");
        assert_eq!(
            rgb.get_pixel(0, 0),
            &Rgb([255, 255, 255]),
            "transparent is white"
        );
        let grey = ::image::ImageBuffer::from_pixel(2, 3, Luma([65_535u16]));
        let rgb = decode(
            &bytes(DynamicImage::ImageLuma16(grey), ImageFormat::Png),
            &limits,
        )
        .expect("decodes");
        assert_eq!(
            (rgb.dimensions(), rgb.get_pixel(1, 2)),
            ((2, 3), &Rgb([255; 3]))
        );
    }

    #[test]
    fn refuses_a_huge_png_by_its_header() {
        let mut png = bytes(RgbImage::new(1, 1).into(), ImageFormat::Png);
        png[16..20].copy_from_slice(&30_000u32.to_be_bytes());
        png[20..24].copy_from_slice(&30_000u32.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let error = decode(&png, &ImageLimits::default()).expect_err("too large");
        assert!(
            matches!(error, ImageError::TooManyPixels { width: 30_000, .. }),
            "{error}"
        );
    }

    #[test]
    fn bad_content_is_a_clear_error() {
        let limits = ImageLimits::default();
        assert!(matches!(decode(b"", &limits), Err(ImageError::Empty)));
        assert!(matches!(
            decode(b"hello, world", &limits),
            Err(ImageError::UnknownFormat)
        ));
        let png = bytes(noise().into(), ImageFormat::Png);
        let error = decode(&png[..png.len() / 2], &limits).expect_err("cut off");
        assert!(error.to_string().contains("truncated PNG"), "{error}");
        let small = ImageLimits {
            max_bytes: 10,
            ..limits
        };
        assert!(matches!(
            decode(&png, &small),
            Err(ImageError::TooManyBytes { .. })
        ));
    }

    #[test]
    fn a_jpeg_cut_anywhere_is_refused() {
        let jpeg = bytes(noise().into(), ImageFormat::Jpeg);
        let limits = ImageLimits::default();
        decode(&jpeg, &limits).expect("the whole one decodes");
        for end in [jpeg.len() - 1, jpeg.len() * 3 / 4, jpeg.len() / 2, 100, 3] {
            let error = decode(&jpeg[..end], &limits).expect_err("cut off");
            assert!(error.to_string().contains("truncated JPEG"), "{error}");
        }
    }

    #[test]
    fn exif_orientation_turns_the_image() {
        let jpeg = bytes(RgbImage::new(4, 2).into(), ImageFormat::Jpeg);
        let exif = [
            &b"\xFF\xE1\x00\x22Exif\0\0II\x2A\0\x08\0\0\0\x01\0"[..],
            &b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"[..],
        ]
        .concat();
        let turned = [&jpeg[..2], &exif, &jpeg[2..]].concat();
        let rgb = decode(&turned, &ImageLimits::default()).expect("decodes");
        assert_eq!(rgb.dimensions(), (2, 4));
    }
}
