//! The spectrogram against that of faster-whisper 1.x, and a model if it was downloaded.

use std::path::PathBuf;

use super::mel::{HOP, LogMel, Padding};
use super::{Hints, RATE, Whisper, Window};

/// Value of a frame and a filter.
const EXPECTED: [(usize, usize, f32); 13] = [
    (0, 0, 0.98681),
    (0, 10, 1.32277),
    (1, 5, 0.52315),
    (1, 10, 1.37686),
    (7, 40, -0.01015),
    (13, 10, 1.37597),
    (20, 60, 0.34170),
    (20, 79, -0.44776),
    (40, 3, 0.08294),
    (49, 10, 1.37617),
    (50, 10, 1.27869),
    (51, 20, 0.21127),
    (60, 0, -0.56738),
];

fn signal() -> Vec<f32> {
    let value = |i: usize| {
        let t = i as f64;
        let burst = if i % 800 > 400 {
            0.1 * (1.3 * t).sin()
        } else {
            0.0
        };
        (0.5 * (0.17 * t).sin() + burst) as f32
    };
    (0..8_000).map(value).collect()
}

#[test]
fn the_spectrogram_has_known_values() {
    let mel = LogMel::new(80)
        .compute(&signal(), 3_000, Padding::Silence)
        .expect("computes");
    assert_eq!(mel.len(), 3_000 * 80);
    for (frame, filter, expected) in EXPECTED {
        let found = mel[frame * 80 + filter];
        assert!(
            (found - expected).abs() < 2e-3,
            "{frame}, {filter}: {found}, {expected}"
        );
    }
}

#[test]
fn a_shorter_spectrogram_is_the_beginning_of_a_longer_one() {
    let mel = LogMel::new(80);
    let long = mel
        .compute(&signal(), 3_000, Padding::Silence)
        .expect("computes");
    let short = mel
        .compute(&signal(), 1_000, Padding::Silence)
        .expect("computes");
    assert_eq!(short, long[..short.len()]);
    let cut = mel
        .compute(&signal(), 20, Padding::Silence)
        .expect("computes");
    assert_eq!(cut.len(), 20 * 80);
    let padded = mel
        .compute(&signal(), 100, Padding::Zeros)
        .expect("computes");
    assert_eq!(padded[..51 * 80], short[..51 * 80]);
    assert!(padded[51 * 80..].iter().all(|x| *x == 0.0));
    let silent = mel.compute(&[], 10, Padding::Silence).expect("computes");
    assert!(silent.iter().all(|x| *x == silent[0]));
    assert_eq!(HOP * 100, RATE);
}

/// Returns the downloaded model; None if there is none.
fn model() -> Option<Whisper> {
    let home =
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/vitrine/models"));
    let models = std::env::var_os("VITRINE_MODELS")
        .map(PathBuf::from)
        .or(home)?;
    let folder = models.join("whisper-base");
    if !folder.is_dir() {
        eprintln!("skipped: run `vitrine-indexer models get --preset whisper-base`");
        return None;
    }
    Some(Whisper::load(&folder).expect("loads"))
}

#[test]
fn windows_and_languages_of_a_model() {
    let Some(whisper) = model() else { return };
    assert_eq!(whisper.languages().len(), 99);
    assert_eq!(whisper.frames(RATE, Window::Short), 1_000);
    assert_eq!(whisper.frames(12 * RATE, Window::Short), 1_300);
    assert_eq!(whisper.frames(29 * RATE + 1, Window::Short), 3_000);
    assert_eq!(whisper.frames(RATE, Window::Full), 3_000);
    let hints = Hints {
        language: Some("xx"),
        ..Hints::default()
    };
    let error = whisper.transcribe(&signal(), &hints).expect_err("unknown");
    assert!(error.to_string().contains("got `xx`"), "{error}");
}

#[test]
fn a_clip_without_speech_is_silent() {
    let Some(whisper) = model() else { return };
    let heard = whisper.transcribe(&[0.0; RATE], &Hints::default());
    let heard = heard.expect("decodes");
    assert!(heard.is_silent(), "{heard:?}");
    assert!((0.0..=1.0).contains(&heard.confidence));
}
