//! Depthwise convolutions over rows of pixels, channels last (NHWC).

use pulp::{Arch, Simd, WithSimd};

/// Output pixels of a tile: the sides of the usual networks (7, 14, 28, 56, 112) are multiples of
/// it.
const PIXELS: usize = 7;

/// A depthwise convolution with bias, whose outputs are clamped to a range.
pub struct Depthwise {
    /// `[kernel, kernel, channels]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    range: (f32, f32),
}

impl Depthwise {
    /// Packs `weight` `[channels, kernel, kernel]`, as torch stores it; kernel 3, 5 or 7, stride 1
    /// or
    /// 2. `range` is [`Activation::range`](super::Activation::range).
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

    /// Side of the kernel.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Stride in pixels of the input.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Computes one row of output pixels `[pixels, channels]` from `kernel` rows of input pixels
    /// `[kernel, width, channels]`, padding included: `width` is at least
    /// `(pixels - 1) * stride + kernel`.
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
                    // SAFETY: the asserts above; `pixel` is below `pixels`, and a vector's channels
                    // are below `channels`.
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
                // The last tile overlaps the one before if the row is not a multiple of it.
                let pixel = pixel.min(pixels - PIXELS);
                // SAFETY: as above, for PIXELS pixels starting at `pixel`.
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
    /// Scalar version: one channel of one output pixel.
    pub(super) fn scalar(&self, input: &[f32], width: usize, pixel: usize, channel: usize) -> f32 {
        let (kernel, channels) = (self.kernel, self.channels());
        let mut sum = self.bias[channel];
        for ky in 0..kernel {
            for kx in 0..kernel {
                let position = ky * width + pixel * self.stride + kx;
                sum += input[position * channels + channel]
                    * self.weight[(ky * kernel + kx) * channels + channel];
            }
        }
        sum.clamp(self.range.0, self.range.1)
    }
}

/// Computes one vector of channels of `P` output pixels.
///
/// # Safety
/// `output` has at least `pixel + P` pixels, `input` has `K` rows of `width` pixels, `width` is at
/// least `(pixel + P - 1) * STRIDE + K`, and `channel` and the vector's other channels are below
/// the number of channels.
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
    // SAFETY: every offset is within the bounds that the caller guarantees.
    let load = |from: &[f32], offset: usize| unsafe {
        from.as_ptr().add(offset).cast::<S::f32s>().read_unaligned()
    };
    let mut sums = [load(&convolution.bias, channel); P];
    for ky in 0..K {
        for kx in 0..K {
            let weight = load(
                &convolution.weight,
                (ky * K + kx).wrapping_mul(channels).wrapping_add(channel),
            );
            for (p, sum) in sums.iter_mut().enumerate() {
                let position = ky
                    .wrapping_mul(width)
                    .wrapping_add((pixel.wrapping_add(p)).wrapping_mul(STRIDE))
                    .wrapping_add(kx);
                *sum = simd.mul_add_e_f32s(
                    load(input, position.wrapping_mul(channels).wrapping_add(channel)),
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
            let target = output.as_mut_ptr().add((pixel + p) * channels + channel);
            target.cast::<S::f32s>().write_unaligned(value);
        }
    }
}
