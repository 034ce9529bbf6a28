//! Convolutions of each channel by itself, over rows of pixels with their channels side by side (NHWC).

use pulp::{Arch, Simd, WithSimd};

/// Output pixels made at once: the sides of the usual networks (7, 14, 28, 56, 112) are multiples of it.
const PIXELS: usize = 7;

/// A depthwise convolution with bias, its values cut off at both ends of a range.
pub struct Depthwise {
    /// `[kernel, kernel, channels]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    range: (f32, f32),
}

impl Depthwise {
    /// Of `weight` `[channels, kernel, kernel]`, as torch stores it; kernel 3, 5 or 7, stride 1 or 2. `range` is
    /// [`Activation::range`](super::Activation::range).
    pub fn new(
        weight: &[f32],
        bias: Vec<f32>,
        kernel: usize,
        stride: usize,
        range: (f32, f32),
    ) -> Self {
        assert!(
            matches!(kernel, 3 | 5 | 7) && matches!(stride, 1 | 2),
            "kernel {kernel}, stride {stride}"
        );
        let (channels, taps) = (bias.len(), kernel * kernel);
        assert_eq!(weight.len(), channels * taps);
        let mut by_tap = vec![0.0; weight.len()];
        for (channel, weights) in weight.chunks_exact(taps).enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                by_tap[tap * channels + channel] = *weight;
            }
        }
        Self {
            weight: by_tap,
            bias,
            kernel,
            stride,
            range,
        }
    }

    /// Length of a side of the kernel.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Step from one output to the next, in pixels of the input.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// One row of output pixels `[pixels, channels]` of `kernel` rows of input pixels, `[kernel, width, channels]`, borders
    /// included: `width` is at least `(pixels - 1) * stride + kernel`.
    pub fn row(&self, input: &[f32], width: usize, output: &mut [f32]) {
        Arch::new().dispatch(Row {
            convolution: self,
            input,
            width,
            output,
        });
    }
}

struct Row<'a> {
    convolution: &'a Depthwise,
    input: &'a [f32],
    width: usize,
    output: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.convolution.kernel, self.convolution.stride) {
            (3, 1) => self.run::<S, 3, 1>(simd),
            (3, _) => self.run::<S, 3, 2>(simd),
            (5, 1) => self.run::<S, 5, 1>(simd),
            (5, _) => self.run::<S, 5, 2>(simd),
            (_, 1) => self.run::<S, 7, 1>(simd),
            _ => self.run::<S, 7, 2>(simd),
        }
    }
}

impl Row<'_> {
    #[inline(always)]
    fn run<S: Simd, const K: usize, const STRIDE: usize>(self, simd: S) {
        let channels = self.convolution.channels();
        let pixels = self.output.len() / channels;
        assert!(pixels > 0 && self.output.len() == pixels * channels);
        assert!(
            self.width >= (pixels - 1) * STRIDE + K
                && self.input.len() >= K * self.width * channels
        );
        let whole = channels / S::F32_LANES * S::F32_LANES;
        for channel in (0..whole).step_by(S::F32_LANES) {
            if pixels < PIXELS {
                for pixel in 0..pixels {
                    // SAFETY: the asserts above; `pixel` is below `pixels`, and a vector's channels below `channels`.
                    unsafe {
                        tile::<S, K, STRIDE, 1>(
                            simd,
                            self.convolution,
                            self.input,
                            self.width,
                            pixel,
                            channel,
                            self.output,
                        )
                    };
                }
                continue;
            }
            for pixel in (0..pixels).step_by(PIXELS) {
                // The last ones are made twice where the row is no multiple.
                let pixel = pixel.min(pixels - PIXELS);
                // SAFETY: as above, for PIXELS pixels from `pixel` on.
                unsafe {
                    tile::<S, K, STRIDE, PIXELS>(
                        simd,
                        self.convolution,
                        self.input,
                        self.width,
                        pixel,
                        channel,
                        self.output,
                    )
                };
            }
        }
        for channel in whole..channels {
            for pixel in 0..pixels {
                self.output[pixel * channels + channel] = self
                    .convolution
                    .scalar(self.input, self.width, pixel, channel);
            }
        }
    }
}

impl Depthwise {
    /// The scalar twin: one channel of one output pixel.
    pub(super) fn scalar(&self, input: &[f32], width: usize, pixel: usize, channel: usize) -> f32 {
        let (kernel, channels) = (self.kernel, self.channels());
        let mut sum = self.bias[channel];
        for ky in 0..kernel {
            for kx in 0..kernel {
                let at = ky * width + pixel * self.stride + kx;
                sum += input[at * channels + channel]
                    * self.weight[(ky * kernel + kx) * channels + channel];
            }
        }
        sum.clamp(self.range.0, self.range.1)
    }
}

/// A vector of channels of `P` output pixels.
///
/// # Safety
/// `output` holds `pixel + P` pixels, `input` `K` rows of `width` pixels, `width` is at least `(pixel + P - 1) * STRIDE + K`, and
/// `channel` and the vector's other channels are below the number of channels.
#[inline(always)]
unsafe fn tile<S: Simd, const K: usize, const STRIDE: usize, const P: usize>(
    simd: S,
    convolution: &Depthwise,
    input: &[f32],
    width: usize,
    pixel: usize,
    channel: usize,
    output: &mut [f32],
) {
    let channels = convolution.bias.len();
    // SAFETY: every offset is within what the caller vouches for.
    let load = |from: &[f32], at: usize| unsafe {
        from.as_ptr().add(at).cast::<S::f32s>().read_unaligned()
    };
    let mut sums = [load(&convolution.bias, channel); P];
    for ky in 0..K {
        for kx in 0..K {
            let weight = load(
                &convolution.weight,
                (ky * K + kx).wrapping_mul(channels).wrapping_add(channel),
            );
            for (p, sum) in sums.iter_mut().enumerate() {
                let place = ky
                    .wrapping_mul(width)
                    .wrapping_add((pixel.wrapping_add(p)).wrapping_mul(STRIDE))
                    .wrapping_add(kx);
                *sum = simd.mul_add_e_f32s(
                    load(input, place.wrapping_mul(channels).wrapping_add(channel)),
                    weight,
                    *sum,
                );
            }
        }
    }
    let (low, high) = convolution.range;
    for (p, sum) in sums.into_iter().enumerate() {
        let value = super::vector::clamp(simd, sum, low, high);
        // SAFETY: as for `load`.
        unsafe {
            let at = output.as_mut_ptr().add((pixel + p) * channels + channel);
            at.cast::<S::f32s>().write_unaligned(value);
        }
    }
}
