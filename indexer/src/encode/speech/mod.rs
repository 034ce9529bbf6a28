//! Speech to text by Whisper ([Radford et al. 2022](https://arxiv.org/abs/2212.04356)), from a
//! folder of Hugging Face.
//!
//! Whisper reads windows of 30 s. Spoken queries are short, so the window is cut to the clip, see
//! [`Window`].

mod attention;
mod config;
mod decoder;
mod encoder;
mod layers;
mod mel;
#[cfg(test)]
mod tests;
mod tokens;
mod transcribe;

use std::path::{Path, PathBuf};

use character_converter::traditional_to_simplified;

use super::ModelError;
use super::weights::Weights;
use config::Config;
use decoder::Decoder;
use encoder::Encoder;
use mel::{HOP, LogMel, Padding};
use tokens::Tokens;
use transcribe::Greedy;

pub use mel::RATE;

/// `model_type` of a configuration.
pub const MODEL_TYPE: &str = "whisper";

/// Spectrogram that the encoder sees of a clip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Window {
    /// [`Window::Short`], and [`Window::Full`] if that text is doubtful; the text of the larger
    /// confidence is returned.
    #[default]
    Auto,
    /// The clip and 1 s, at least 10 s: a third of the time of [`Window::Full`]. The spectrogram is
    /// padded with zeros, as in faster-whisper: fewer words are wrong than with silence
    /// (`make bench-speech`).
    Short,
    /// The longest clip of the model, 30 s, as in training.
    Full,
}

/// Most tokens of names that a clip is decoded with; each costs as much as one of the text.
const MAX_HOT_TOKENS: usize = 128;

/// Confidence from which on a text is not decoded again with names.
const SURE: f32 = 0.9;

/// Confidence below which a text is doubtful.
const DOUBTFUL: f32 = 0.6;

/// Language of models that know one.
const ENGLISH: &str = "en";

/// Languages whose texts are written in traditional or simplified characters, as chance has it.
const CHINESE: [&str; 2] = ["zh", "yue"];

/// Shortest window in seconds, and silence after the clip.
const MIN_WINDOW: usize = 10;
const SILENCE: usize = 1;

/// Knowledge about a clip before it is heard.
#[derive(Debug, Clone, Default)]
pub struct Hints<'a> {
    /// Code of the language as in ISO 639, such as `en` or `zh`; detected if None.
    pub language: Option<&'a str>,
    /// Text before the clip. Its words and spelling are preferred.
    pub prompt: Option<&'a str>,
    /// Names that may be spoken, such as brands, the likeliest first. The clip is decoded with and
    /// without them, and the text of the larger confidence is returned.
    pub hot_words: &'a [String],
    /// Window.
    pub window: Window,
}

/// Probability that nobody speaks above which, and confidence below which, a clip is silent.
const SILENT_NO_SPEECH: f32 = 0.6;
const SILENT_CONFIDENCE: f32 = 0.6;

/// The text of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The text, Chinese in simplified characters; empty if nothing was recognized.
    pub text: String,
    /// Code of the language as in ISO 639; `en` for models that know English only.
    pub language: String,
    /// Probability of the language; 1 if it was given.
    pub language_probability: f32,
    /// Geometric mean of the probabilities of the tokens.
    pub confidence: f32,
    /// Probability that nobody speaks.
    pub no_speech: f32,
    /// Tokens of the text.
    pub tokens: Vec<u32>,
}

impl Transcript {
    /// Returns true if there is no text, or if the model doubts both that somebody speaks and its
    /// text. Of noise and silence the model makes up texts, with probabilities of up to 0.55.
    pub fn is_silent(&self) -> bool {
        self.text.is_empty()
            || (self.no_speech > SILENT_NO_SPEECH && self.confidence < SILENT_CONFIDENCE)
    }
}

/// Returns the folder of a Whisper model in a models folder, the first by name.
pub fn find(models: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(models).ok()?.flatten();
    let folders = entries.map(|entry| entry.path());
    let is_whisper = |folder: &PathBuf| Config::load(folder).is_ok();
    folders.filter(is_whisper).min()
}

/// A Whisper model.
pub struct Whisper {
    mel: LogMel,
    encoder: Encoder,
    decoder: Decoder,
    tokens: Tokens,
    config: Config,
}

impl Whisper {
    /// Loads a model folder.
    ///
    /// # Errors
    /// A file is missing or does not fit.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config = Config::load(dir)?;
        let weights = Weights::load(&dir.join("model.safetensors"), "Whisper")?;
        Ok(Self {
            mel: LogMel::new(config.num_mel_bins),
            encoder: Encoder::load(&weights, &config)?,
            decoder: Decoder::load(&weights, &config)?,
            tokens: Tokens::load(dir, config.is_multilingual())?,
            config,
        })
    }

    /// Returns the codes of the languages that can be given.
    pub fn languages(&self) -> Vec<&str> {
        let codes: Vec<&str> = (self.tokens.languages().iter())
            .map(|(code, _)| code.as_str())
            .collect();
        if codes.is_empty() {
            vec![ENGLISH]
        } else {
            codes
        }
    }

    /// Returns the text of mono samples at [`RATE`]. Only the first 30 s are read.
    ///
    /// # Errors
    /// The language is unknown, or a computation failed.
    pub fn transcribe(&self, samples: &[f32], hints: &Hints) -> Result<Transcript, ModelError> {
        if let Some(code) = hints.language
            && !self.languages().contains(&code)
        {
            let known = self.languages().join(", ");
            let reason = format!("expected one of the languages {known}; got `{code}`");
            return Err(ModelError::Compute(reason));
        }
        if hints.window == Window::Full {
            return self.transcribe_in(Window::Full, samples, hints);
        }
        let short = self.transcribe_in(Window::Short, samples, hints)?;
        let is_final = hints.window == Window::Short
            || short.is_silent()
            || short.confidence >= DOUBTFUL
            || self.frames(samples.len(), Window::Short) == self.frames(0, Window::Full);
        if is_final {
            return Ok(short);
        }
        let full = self.transcribe_in(Window::Full, samples, hints)?;
        Ok(if full.confidence > short.confidence {
            full
        } else {
            short
        })
    }

    /// Returns the text of samples in a short or full window.
    fn transcribe_in(
        &self,
        window: Window,
        samples: &[f32],
        hints: &Hints,
    ) -> Result<Transcript, ModelError> {
        let frames = self.frames(samples.len(), window);
        let padding = match window {
            Window::Full => Padding::Silence,
            Window::Short | Window::Auto => Padding::Zeros,
        };
        let mel = self.mel.compute(samples, frames, padding)?;
        let clip = self.encoder.forward(&mel);
        let greedy = Greedy {
            decoder: &self.decoder,
            tokens: &self.tokens,
            suppressed: &self.config.suppress_tokens,
            suppressed_first: &self.config.begin_suppress_tokens,
        };
        let seconds = samples.len() as f32 / RATE as f32;
        let mut begun = greedy.begin(&clip, hints.language)?;
        let prompt = self.prompt(hints.prompt.unwrap_or_default())?;
        let mut decoded = greedy.text(&mut begun, &prompt, seconds)?;
        let mut names = self.prompt(&hints.hot_words.join(" "))?;
        names.truncate(MAX_HOT_TOKENS);
        if !names.is_empty() && decoded.mean_log_probability.exp() < SURE {
            let other = greedy.text(&mut begun, &[names, prompt].concat(), seconds)?;
            if other.mean_log_probability > decoded.mean_log_probability {
                decoded = other;
            }
        }
        let language = begun.language.unwrap_or_else(|| ENGLISH.to_owned());
        let mut text = self.tokens.decode(&decoded.tokens)?;
        if CHINESE.contains(&language.as_str()) {
            text = traditional_to_simplified(&text).into_owned();
        }
        Ok(Transcript {
            text,
            language,
            language_probability: begun.language_probability,
            confidence: decoded.mean_log_probability.exp(),
            no_speech: begun.no_speech,
            tokens: decoded.tokens,
        })
    }

    /// Returns the tokens of a text before a clip.
    fn prompt(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        match text.trim() {
            "" => Ok(Vec::new()),
            text => self.tokens.encode(&format!(" {text}")),
        }
    }

    /// Frames of the spectrogram of a clip, an even number.
    fn frames(&self, samples: usize, window: Window) -> usize {
        let longest = 2 * self.config.max_source_positions;
        let clip = (samples + SILENCE * RATE).div_ceil(2 * HOP) * 2;
        match window {
            Window::Full => longest,
            Window::Short | Window::Auto => clip.max(MIN_WINDOW * RATE / HOP).min(longest),
        }
    }
}
