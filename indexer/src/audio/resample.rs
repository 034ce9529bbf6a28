//! Mixing to one channel, and resampling by [rubato](https://github.com/HEnquist/rubato).

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

use super::{AudioError, MAX_SECONDS, RATE};

/// Supported numbers of samples a second.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Input frames of a step of the resampler.
const CHUNK: usize = 1024;

/// Mono samples of a recording in its own rate.
pub struct Mono {
    samples: Vec<f32>,
    rate: u32,
}

impl Mono {
    /// Starts a recording of `rate` samples a second.
    pub fn new(rate: u32) -> Result<Self, AudioError> {
        if !RATES.contains(&rate) {
            let (low, high) = (RATES.start(), RATES.end());
            let reason = format!("expected {low} to {high} samples a second, got {rate}");
            return Err(AudioError::Unsupported(reason));
        }
        Ok(Self {
            samples: Vec::new(),
            rate,
        })
    }

    /// Appends the mean of the channels of interleaved samples.
    pub fn append(
        &mut self,
        interleaved: &[f32],
        channels: usize,
        rate: u32,
    ) -> Result<(), AudioError> {
        if rate != self.rate || channels == 0 {
            return Err(AudioError::unsupported(
                "its rate changes within the recording",
            ));
        }
        let frames = interleaved.chunks_exact(channels);
        let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
        self.samples.extend(frames.map(mean));
        if self.samples.len() > MAX_SECONDS * self.rate as usize {
            return Err(AudioError::TooLong);
        }
        Ok(())
    }

    /// Returns the samples at 16 kHz.
    pub fn finish(self) -> Result<Vec<f32>, AudioError> {
        if self.samples.is_empty() {
            return Err(AudioError::unsupported(
                "no audio could be decoded: the file is damaged",
            ));
        }
        if self.rate as usize == RATE {
            return Ok(self.samples);
        }
        let failed = |e: String| AudioError::Unsupported(e);
        let length = self.samples.len();
        let resampler = Fft::<f32>::new(self.rate as usize, RATE, CHUNK, 1, FixedSync::Input);
        let mut resampler = resampler.map_err(|e| failed(e.to_string()))?;
        let input = InterleavedOwned::new_from(self.samples, 1, length);
        let input = input.map_err(|e| failed(e.to_string()))?;
        let output = resampler.process_all(&input, length, None);
        Ok(output.map_err(|e| failed(e.to_string()))?.take_data())
    }
}
