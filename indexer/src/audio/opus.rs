//! Opus ([RFC 6716](https://www.rfc-editor.org/rfc/rfc6716)), which browsers record. Its decoder
//! writes 16 kHz mono itself.

use opus_decoder::OpusDecoder;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::packet::Packet;

use super::{AudioError, MAX_SECONDS, RATE};

/// Samples of the longest packet, 120 ms.
const MAX_PACKET: usize = RATE * 120 / 1000;

/// Bytes of the identification header with the number of samples at 48 kHz to skip.
const PRE_SKIP: std::ops::Range<usize> = 10..12;
const HEADER: &[u8] = b"OpusHead";

/// A decoder.
pub struct Opus {
    decoder: OpusDecoder,
    skip: usize,
}

impl Opus {
    /// Creates a decoder for a track.
    pub fn new(parameters: &AudioCodecParameters) -> Result<Self, AudioError> {
        let channels = parameters.channels.as_ref().map_or(1, |c| c.count());
        if !(1..=2).contains(&channels) {
            let reason = format!("expected 1 or 2 channels of Opus, got {channels}");
            return Err(AudioError::Unsupported(reason));
        }
        let decoder = OpusDecoder::new(RATE as u32, 1);
        let decoder = decoder.map_err(|e| AudioError::Unsupported(e.to_string()))?;
        let header = parameters.extra_data.as_deref().unwrap_or_default();
        let skip = header.get(PRE_SKIP).filter(|_| header.starts_with(HEADER));
        let skip = skip.map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
        Ok(Self {
            decoder,
            skip: skip * RATE / 48_000,
        })
    }

    /// Decodes all packets; damaged ones are left out.
    pub fn decode(
        mut self,
        mut next: impl FnMut() -> Option<Packet>,
    ) -> Result<Vec<f32>, AudioError> {
        let mut samples = Vec::new();
        let mut buffer = vec![0.0f32; MAX_PACKET];
        while let Some(packet) = next() {
            // An empty packet stands for a lost one.
            if packet.data.is_empty() {
                continue;
            }
            if let Ok(count) = self.decoder.decode_float(&packet.data, &mut buffer, false) {
                samples.extend(buffer.iter().take(count));
            }
            if samples.len() > self.skip + MAX_SECONDS * RATE {
                return Err(AudioError::TooLong);
            }
        }
        samples.drain(..self.skip.min(samples.len()));
        if samples.is_empty() {
            return Err(AudioError::unsupported(
                "no audio could be decoded: the file is damaged",
            ));
        }
        Ok(samples)
    }
}
