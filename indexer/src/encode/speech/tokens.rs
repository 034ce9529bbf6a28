//! Tokens of Whisper: texts, languages, and the tokens that steer the decoder.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::encode::ModelError;
use crate::encode::weights::read;

/// The vocabulary.
pub struct Tokens {
    tokenizer: Tokenizer,
    /// First token of a transcript.
    pub start: u32,
    /// End of a transcript.
    pub end: u32,
    /// Before earlier text.
    pub previous: u32,
    /// The task of transcribing; English-only models have no tasks.
    pub transcribe: u32,
    /// Probability that nobody speaks, where the language is detected.
    pub no_speech: u32,
    /// Suppresses times; those of times follow.
    pub no_times: u32,
    /// Codes of languages with their tokens; empty if the model knows one language.
    languages: Vec<(String, u32)>,
}

impl Tokens {
    /// Loads `tokenizer.json` of `dir`, which has languages even if the model knows English only.
    ///
    /// # Errors
    /// It is missing, invalid, or lacks a token of Whisper.
    pub fn load(dir: &Path, is_multilingual: bool) -> Result<Self, ModelError> {
        let path = dir.join("tokenizer.json");
        let tokenizer = Tokenizer::from_bytes(read(&path)?);
        let tokenizer = tokenizer.map_err(|e| ModelError::invalid(&path, e))?;
        let id = |token: &str| {
            let missing = || ModelError::invalid(&path, format!("expected the token {token}"));
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        let no_speech = id("<|nospeech|>").or_else(|_| id("<|nocaptions|>"))?;
        let (start, translate) = (id("<|startoftranscript|>")?, id("<|translate|>")?);
        let language = |id: u32| {
            let token = tokenizer.id_to_token(id)?;
            let code = token.strip_prefix("<|")?.strip_suffix("|>")?;
            Some((code.to_owned(), id))
        };
        let languages = (start + 1..translate).filter(|_| is_multilingual);
        let languages: Vec<_> = languages.filter_map(language).collect();
        Ok(Self {
            start,
            end: id("<|endoftext|>")?,
            previous: id("<|startofprev|>")?,
            transcribe: id("<|transcribe|>")?,
            no_speech,
            no_times: id("<|notimestamps|>")?,
            languages,
            tokenizer,
        })
    }

    /// Codes of the languages that the model tells apart, as in ISO 639.
    pub fn languages(&self) -> &[(String, u32)] {
        &self.languages
    }

    /// Returns the token of a language.
    pub fn language(&self, code: &str) -> Option<u32> {
        let found = self.languages.iter().find(|(known, _)| known == code);
        found.map(|(_, id)| *id)
    }

    /// Returns the tokens of a text.
    ///
    /// # Errors
    /// The tokenizer failed on this text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.tokenizer.encode(text, false);
        let encoding = encoding.map_err(|e| ModelError::Compute(format!("tokenizer: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns the text of tokens.
    ///
    /// # Errors
    /// The tokenizer failed on these tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        let text = self.tokenizer.decode(tokens, true);
        let text = text.map_err(|e| ModelError::Compute(format!("tokenizer: {e}")))?;
        Ok(text.trim().to_owned())
    }
}
