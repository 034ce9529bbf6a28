//! `transcribe`: prints the texts of recordings.

use std::{io::Write, path::PathBuf, time::Instant};

use clap::Args;
use serde_json::json;

use super::{ModelsDir, Outcome};
use crate::audio;
use crate::encode::speech::{Hints, Whisper, Window, find};
use crate::error::CommandError;

#[derive(Debug, Args)]
pub(super) struct TranscribeArgs {
    /// Recordings: WAV, FLAC, MP3, AAC or MP4, Ogg or WebM with Vorbis or Opus; up to 30 s each.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Code of the language, such as en or zh [default: detected].
    #[arg(long)]
    language: Option<String>,
    /// Names that may be spoken, such as brands, separated by commas.
    #[arg(long, value_delimiter = ',')]
    hot_words: Vec<String>,
    /// Window that the model sees: `short`, `full` (30 s, with silence kept), or `auto`: `full`
    /// where the text of `short` is doubtful.
    #[arg(long, value_enum, default_value_t)]
    window: Window,
    #[command(flatten)]
    dir: ModelsDir,
}

pub(super) fn run(args: &TranscribeArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let folder = find(&args.dir.path()).ok_or(CommandError::NoSpeechModel)?;
    let model = Whisper::load(&folder)?;
    let mut outcome = Outcome::Complete;
    for path in &args.files {
        let bytes = std::fs::read(path).map_err(|source| CommandError::File {
            path: path.clone(),
            source,
        })?;
        let started = Instant::now();
        let line = match text(&model, &bytes, args)? {
            Ok(mut line) => {
                line["took_s"] = started.elapsed().as_secs_f64().into();
                line
            }
            Err(error) => {
                outcome = Outcome::Partial;
                json!({"error": error.to_string()})
            }
        };
        let mut named = json!({"file": path});
        if let (Some(named), Some(line)) = (named.as_object_mut(), line.as_object()) {
            named.extend(line.clone());
        }
        writeln!(out, "{named}")?;
    }
    Ok(outcome)
}

/// Returns the line of a recording, or why it cannot be used.
fn text(
    model: &Whisper,
    bytes: &[u8],
    args: &TranscribeArgs,
) -> Result<Result<serde_json::Value, audio::AudioError>, CommandError> {
    let samples = match audio::decode(bytes) {
        Ok(samples) => samples,
        Err(error) => return Ok(Err(error)),
    };
    let speech = match audio::speech(&samples) {
        Ok(_) if args.window == Window::Full => &samples[..],
        Ok(speech) => speech,
        Err(error) => return Ok(Err(error)),
    };
    let hints = Hints {
        language: args.language.as_deref(),
        hot_words: &args.hot_words,
        window: args.window,
        ..Hints::default()
    };
    let heard = model.transcribe(speech, &hints)?;
    Ok(Ok(json!({
        "text": heard.text, "language": heard.language,
        "language_probability": heard.language_probability, "confidence": heard.confidence,
        "no_speech": heard.no_speech, "tokens": heard.tokens,
        "seconds": samples.len() as f32 / audio::RATE as f32
    })))
}
