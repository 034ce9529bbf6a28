use super::{AudioError, MAX_BYTES, RATE, decode, speech};

/// Recordings of half a second of a tone of 440 Hz.
const TONES: [(&str, &[u8]); 8] = [
    ("WAV of 8 kHz", include_bytes!("fixtures/tone.wav")),
    ("FLAC in stereo", include_bytes!("fixtures/tone.flac")),
    ("MP3", include_bytes!("fixtures/tone.mp3")),
    ("AAC", include_bytes!("fixtures/tone.aac")),
    ("AAC in MP4", include_bytes!("fixtures/tone.m4a")),
    ("Opus in Ogg", include_bytes!("fixtures/tone-opus.ogg")),
    ("Opus in WebM", include_bytes!("fixtures/tone.webm")),
    ("Vorbis in Ogg", include_bytes!("fixtures/tone-vorbis.ogg")),
];

/// Returns a WAV file of 16-bit samples.
fn wav(samples: &[i16], rate: u32) -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    let size = 2 * samples.len() as u32;
    out.extend((size + 36).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend([1, 0, 1, 0]);
    out.extend(rate.to_le_bytes());
    out.extend((2 * rate).to_le_bytes());
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(size.to_le_bytes());
    samples.iter().for_each(|s| out.extend(s.to_le_bytes()));
    out
}

/// Deterministic numbers that look random.
fn noise(count: usize) -> impl Iterator<Item = u8> {
    let mut state = 1u32;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(count)
}

#[test]
fn each_format_is_decoded_to_16_khz() {
    for (name, bytes) in TONES {
        let samples = decode(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let seconds = samples.len() as f32 / RATE as f32;
        assert!((0.45..0.7).contains(&seconds), "{name}: {seconds} s");
        let middle = &samples[RATE / 8..RATE * 3 / 8];
        let rises = middle.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0);
        let rises = rises.count();
        assert!((108..=112).contains(&rises), "{name}: {} Hz", rises * 4);
        let loudest = middle.iter().fold(0f32, |max, x| max.max(x.abs()));
        assert!((0.4..0.8).contains(&loudest), "{name}: {loudest}");
    }
}

#[test]
fn damaged_files_are_errors_or_shorter_recordings() {
    for (name, bytes) in TONES {
        for length in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            if let Ok(samples) = decode(&bytes[..length]) {
                assert!(samples.len() < RATE, "{name}: {length}");
            }
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            let mut bytes = bytes.to_vec();
            for (byte, noise) in bytes[at..].iter_mut().zip(noise(16)) {
                *byte ^= noise;
            }
            let _is_no_panic = decode(&bytes);
        }
    }
}

#[test]
fn other_files_are_refused_with_the_formats() {
    assert_eq!(decode(&[]), Err(AudioError::Empty));
    let random: Vec<u8> = noise(4_000).collect();
    for bytes in [&random[..], b"{}", b"<html></html>", &[0; 1000]] {
        let error = decode(bytes).expect_err("refused");
        assert!(
            error.to_string().contains("expected a recording as WAV"),
            "{error}"
        );
    }
    assert!(matches!(
        decode(&wav(&[], 16_000)),
        Err(AudioError::Unsupported(_))
    ));
    assert!(matches!(
        decode(&wav(&[0; 99], 1)),
        Err(AudioError::Unsupported(_))
    ));
    assert!(matches!(
        decode(&wav(&[0; 99], 900_000)),
        Err(AudioError::Unsupported(_))
    ));
}

#[test]
fn large_and_long_recordings_are_refused() {
    let bytes = vec![0; MAX_BYTES + 1];
    assert_eq!(decode(&bytes), Err(AudioError::TooLarge(MAX_BYTES + 1)));
    let second = |seconds: usize| wav(&vec![0; 8_000 * seconds], 8_000);
    assert_eq!(decode(&second(31)), Err(AudioError::TooLong));
    assert_eq!(decode(&second(30)).expect("decodes").len(), 30 * RATE);
}

#[test]
fn silence_tones_and_noise_are_no_speech() {
    assert_eq!(speech(&[]), Err(AudioError::NoSpeech));
    assert!(speech(&[0.0; 3 * RATE]).is_err());
    let noise: Vec<f32> = noise(3 * RATE)
        .map(|x| f32::from(x) / 1280.0 - 0.1)
        .collect();
    assert!(speech(&noise).is_err());
    let tone: Vec<f32> = (0..3 * RATE)
        .map(|i| 0.3 * (i as f32 * 0.17).sin())
        .collect();
    assert!(speech(&tone).is_err());
}

#[test]
fn silence_around_speech_is_cut() {
    let clip = decode(include_bytes!("fixtures/speech.webm")).expect("decodes");
    let silence = vec![0.0; 4 * RATE];
    let padded = [&silence[..], &clip, &silence].concat();
    let found = speech(&padded).expect("speech");
    assert!(
        found.len() <= clip.len() + 2 * RATE,
        "{} samples",
        found.len()
    );
    assert!(found.len() > clip.len() / 2, "{} samples", found.len());
}
