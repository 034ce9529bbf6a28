//! Containers and codecs, by [symphonia](https://github.com/pdeljanov/Symphonia).

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::AudioError;
use super::opus::Opus;
use super::resample::Mono;

/// Maximum number of packets of a recording; more are damage.
const MAX_PACKETS: usize = 100_000;

/// Decodes a file to mono samples at 16 kHz.
pub fn decode(bytes: Vec<u8>) -> Result<Vec<f32>, AudioError> {
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let probed = symphonia::default::get_probe().probe(
        &Hint::new(),
        stream,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    let mut format = probed.map_err(|_| AudioError::unsupported("the file has another format"))?;
    let track = format.default_track(TrackType::Audio);
    let track = track.ok_or_else(|| AudioError::unsupported("the file has no audio"))?;
    let parameters = (track.codec_params.as_ref()).and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(|| AudioError::unsupported("its codec is unknown"))?;
    let id = track.id;
    if parameters.codec == CODEC_ID_OPUS {
        let opus = Opus::new(parameters)?;
        return opus.decode(|| next_packet(&mut *format, id));
    }
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default());
    let mut decoder = decoder.map_err(|e| AudioError::unsupported(&e.to_string()))?;
    let mut mono: Option<Mono> = None;
    let mut interleaved = Vec::new();
    for _ in 0..MAX_PACKETS {
        let Some(packet) = next_packet(&mut *format, id) else {
            break;
        };
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) => continue,
            Err(_) => break,
        };
        let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
        interleaved.resize(buffer.samples_interleaved(), 0.0f32);
        buffer.copy_to_slice_interleaved(&mut interleaved);
        let mono = match &mut mono {
            Some(mono) => mono,
            None => mono.insert(Mono::new(rate)?),
        };
        mono.append(&interleaved, channels, rate)?;
    }
    let mono = mono
        .ok_or_else(|| AudioError::unsupported("no audio could be decoded: the file is damaged"))?;
    mono.finish()
}

/// Returns the next packet of a track; None at the end, or where the file is damaged.
fn next_packet(format: &mut dyn FormatReader, track: u32) -> Option<Packet> {
    for _ in 0..MAX_PACKETS {
        let packet = format.next_packet().ok()??;
        if packet.track_id == track {
            return Some(packet);
        }
    }
    None
}
