//! Voice activity, by the network of [earshot](https://github.com/pykeio/earshot).

use earshot::Detector;

use super::{AudioError, RATE};

/// Samples of a frame.
const FRAME: usize = 256;

/// Score of a frame with voice, from 0 to 1.
const VOICE: f32 = 0.5;

/// Score that speech reaches and noise does not, and the fewest frames with it of a recording with
/// speech, 80 ms. White noise has up to 0.6, brown noise 0.9.
const CERTAIN_VOICE: f32 = 0.9;
const MIN_FRAMES: usize = 5;

/// Samples before the first and after the last frame with voice that are kept. Whisper's texts
/// change with the silence around speech, so short silence stays as it was recorded.
const MARGIN: usize = RATE;

/// Returns the part of `samples` from the first to the last voice, with a margin.
///
/// # Errors
/// [`AudioError::NoSpeech`] if there is no voice.
pub fn speech(samples: &[f32]) -> Result<&[f32], AudioError> {
    let mut detector = Box::new(Detector::default());
    let mut frame = [0.0; FRAME];
    let (mut first, mut last, mut count) = (samples.len(), 0, 0);
    for (number, part) in samples.chunks(FRAME).enumerate() {
        frame[..part.len()].copy_from_slice(part);
        frame[part.len()..].fill(0.0);
        let score = detector.predict_f32(&frame);
        if score >= VOICE {
            first = first.min(number * FRAME);
            last = number * FRAME + part.len();
        }
        count += usize::from(score >= CERTAIN_VOICE);
    }
    if count < MIN_FRAMES {
        return Err(AudioError::NoSpeech);
    }
    Ok(&samples[first.saturating_sub(MARGIN)..(last + MARGIN).min(samples.len())])
}
