//! The log-mel spectrogram that Whisper reads: 25 ms windows every 10 ms, mel filters of Slaney's
//! scale ([librosa](https://doi.org/10.25080/Majora-7b98e3ed-003)), decimal logarithms.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::encode::ModelError;

/// Samples a second.
pub const RATE: usize = 16_000;
/// Samples from the start of a frame to the next one.
pub const HOP: usize = 160;
const WINDOW: usize = 400;
const BINS: usize = WINDOW / 2 + 1;

/// Lower bound of a filter's energy.
const FLOOR: f32 = 1e-10;
/// Range below the loudest value that is kept, in decades.
const RANGE: f32 = 8.0;

/// Content of a spectrogram after the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The spectrogram of silence.
    Silence,
    /// Zeros, which are in the middle of the range of values.
    Zeros,
}

/// Computes spectrograms.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    filters: Vec<Filter>,
}

/// A triangular filter: its first bin, and the weights from there.
struct Filter {
    start: usize,
    weights: Vec<f32>,
}

impl LogMel {
    /// Prepares `mels` filters.
    pub fn new(mels: usize) -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * PI * i as f64 / WINDOW as f64).cos();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: (0..WINDOW).map(|i| hann(i) as f32).collect(),
            filters: filters(mels),
        }
    }

    /// Returns the spectrogram `[frames, mels]` of `samples`, padded to `frames` frames.
    ///
    /// # Errors
    /// The Fourier transform failed.
    pub fn compute(
        &self,
        samples: &[f32],
        frames: usize,
        padding: Padding,
    ) -> Result<Vec<f32>, ModelError> {
        let samples = &samples[..samples.len().min(frames * HOP)];
        let padded = reflected(samples, frames * HOP);
        let mut out = vec![FLOOR.log10(); frames * self.filters.len()];
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let heard = (samples.len() + WINDOW).div_ceil(HOP).min(frames);
        let rows = out.chunks_exact_mut(self.filters.len()).take(heard);
        for (frame, row) in rows.enumerate() {
            let frame = &padded[frame * HOP..][..WINDOW];
            let windowed = frame.iter().zip(&self.window).map(|(x, w)| x * w);
            input.iter_mut().zip(windowed).for_each(|(i, x)| *i = x);
            self.fft
                .process(&mut input, &mut spectrum)
                .map_err(|e| ModelError::Compute(e.to_string()))?;
            for (value, filter) in row.iter_mut().zip(&self.filters) {
                let bins = spectrum[filter.start..].iter().zip(&filter.weights);
                let energy: f32 = bins.map(|(c, weight)| c.norm_sqr() * weight).sum();
                *value = energy.max(FLOOR).log10();
            }
        }
        let max = out.iter().copied().fold(f32::MIN, f32::max);
        let scaled = |x: f32| (x.max(max - RANGE) + 4.0) / 4.0;
        out.iter_mut().for_each(|x| *x = scaled(*x));
        if padding == Padding::Zeros {
            let clip = (samples.len() / HOP + 1) * self.filters.len();
            out.iter_mut().skip(clip).for_each(|x| *x = 0.0);
        }
        Ok(out)
    }
}

/// Returns `length` samples with half a window before and after them, mirrored at the ends.
fn reflected(samples: &[f32], length: usize) -> Vec<f32> {
    let half = WINDOW / 2;
    let at = |i: usize| samples.get(i).copied().unwrap_or(0.0);
    let before = (1..=half).rev().map(at);
    let after = (0..half).map(|i| at(length.saturating_sub(2 + i)));
    before.chain((0..length).map(at)).chain(after).collect()
}

/// Frequency in Hz of a value on Slaney's mel scale: linear up to 1000 Hz, then logarithmic.
fn hertz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp()
    }
}

/// Returns triangles between neighboring points of the scale, each of area 1.
fn filters(mels: usize) -> Vec<Filter> {
    let nyquist = RATE as f64 / 2.0;
    let top = 15.0 + (nyquist / 1000.0).ln() * 27.0 / 6.4f64.ln();
    let point = |i: usize| hertz(top * i as f64 / (mels + 1) as f64);
    let filter = |i: usize| {
        let [low, middle, high] = [point(i), point(i + 1), point(i + 2)];
        let weight = |bin: usize| {
            let frequency = nyquist * bin as f64 / (BINS - 1) as f64;
            let rise = (frequency - low) / (middle - low);
            let fall = (high - frequency) / (high - middle);
            (rise.min(fall).max(0.0) * 2.0 / (high - low)) as f32
        };
        let used: Vec<usize> = (0..BINS).filter(|bin| weight(*bin) > 0.0).collect();
        Filter {
            start: used.first().copied().unwrap_or(0),
            weights: used.into_iter().map(weight).collect(),
        }
    };
    (0..mels).map(filter).collect()
}
