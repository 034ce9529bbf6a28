//! Greedy decoding: the likeliest token at each step, without times.

use super::decoder::{Decoder, State};
use super::tokens::Tokens;
use crate::encode::ModelError;

/// Tokens of the longest text of a second of speech, and of any clip.
const TOKENS_PER_SECOND: f32 = 16.0;
const MIN_TOKENS: usize = 32;

/// A sequence of up to this many tokens that is repeated [`MAX_REPEATS`] times ends a text: the
/// decoder does not find out of it by itself.
const MAX_PERIOD: usize = 12;
const MAX_REPEATS: usize = 4;

/// Tokens of earlier text that are used at most: half of the positions of Whisper's decoder.
const MAX_PROMPT: usize = 223;

/// Decoder with what it needs to know about tokens.
pub struct Greedy<'a> {
    pub decoder: &'a Decoder,
    pub tokens: &'a Tokens,
    /// Tokens that are never generated.
    pub suppressed: &'a [u32],
    /// Tokens that are not generated first.
    pub suppressed_first: &'a [u32],
}

/// A clip whose language is known.
pub struct Begun {
    state: State,
    /// Code of the language; None if the model knows one language.
    pub language: Option<String>,
    /// Probability of the language if it was detected; 1 if it was given.
    pub language_probability: f32,
    /// Probability that nobody speaks.
    pub no_speech: f32,
}

/// A decoded text.
pub struct Decoded {
    pub tokens: Vec<u32>,
    /// Mean natural logarithm of the probabilities of the tokens and the end.
    pub mean_log_probability: f32,
}

impl Greedy<'_> {
    /// Begins an encoded clip. `language` is a code of [`Tokens::languages`], detected if None.
    ///
    /// # Errors
    /// A computation failed.
    pub fn begin(&self, clip: &[f32], language: Option<&str>) -> Result<Begun, ModelError> {
        let mut state = self.decoder.start(clip);
        let logits = self.decoder.step(&mut state, &[self.tokens.start])?;
        let (code, language_probability) = self.language(&logits, language);
        Ok(Begun {
            language: code.map(str::to_owned),
            language_probability,
            no_speech: probability(&logits, self.tokens.no_speech),
            state,
        })
    }

    /// Decodes a clip, of this length in seconds, after the tokens of an earlier text.
    ///
    /// # Errors
    /// A computation failed.
    pub fn text(
        &self,
        begun: &mut Begun,
        prompt: &[u32],
        seconds: f32,
    ) -> Result<Decoded, ModelError> {
        let mut next = Vec::new();
        if !prompt.is_empty() || begun.state.len() > 1 {
            begun.state.clear();
            if !prompt.is_empty() {
                next.push(self.tokens.previous);
                next.extend(&prompt[prompt.len().saturating_sub(MAX_PROMPT)..]);
            }
            next.push(self.tokens.start);
        }
        let language = begun.language.as_deref();
        if let Some(token) = language.and_then(|code| self.tokens.language(code)) {
            next.extend([token, self.tokens.transcribe]);
        }
        next.push(self.tokens.no_times);
        self.generate(&mut begun.state, next, seconds)
    }

    /// Returns the likeliest language after the start, with its probability among languages.
    fn language<'a>(&'a self, logits: &[f32], given: Option<&'a str>) -> (Option<&'a str>, f32) {
        let languages = self.tokens.languages();
        if given.is_some() || languages.is_empty() {
            return (given.filter(|_| !languages.is_empty()), 1.0);
        }
        let logit = |id: u32| logits.get(id as usize).copied().unwrap_or(f32::MIN);
        let all: Vec<f32> = languages.iter().map(|(_, id)| logit(*id)).collect();
        let best = arg_max(&all);
        let code = languages.get(best).map(|(code, _)| code.as_str());
        (code, probability(&all, best as u32))
    }

    /// Generates tokens after `next` until the end, with their mean log probability.
    fn generate(
        &self,
        state: &mut State,
        mut next: Vec<u32>,
        seconds: f32,
    ) -> Result<Decoded, ModelError> {
        let left = (self.decoder.max_tokens()).saturating_sub(state.len() + next.len());
        let limit = MIN_TOKENS + (seconds * TOKENS_PER_SECOND) as usize;
        let (mut tokens, mut sum, mut count) = (Vec::new(), 0.0, 0usize);
        for _ in 0..limit.min(left) {
            let mut logits = self.decoder.step(state, &next)?;
            self.suppress(&mut logits, tokens.is_empty());
            let token = arg_max(&logits) as u32;
            sum += probability(&logits, token).max(f32::MIN_POSITIVE).ln();
            count += 1;
            if token == self.tokens.end {
                break;
            }
            tokens.push(token);
            if let Some(period) = repeated(&tokens) {
                tokens.truncate(tokens.len() - period * (MAX_REPEATS - 1));
                break;
            }
            next = vec![token];
        }
        Ok(Decoded {
            tokens,
            mean_log_probability: sum / count.max(1) as f32,
        })
    }

    fn suppress(&self, logits: &mut [f32], is_first: bool) {
        let first = self.suppressed_first.iter().filter(|_| is_first);
        for token in self.suppressed.iter().chain(first) {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let times = logits.iter_mut().skip(self.tokens.no_times as usize);
        times.for_each(|logit| *logit = f32::NEG_INFINITY);
    }
}

/// Index of the largest value.
fn arg_max(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Softmax of `logits` at `index`.
fn probability(logits: &[f32], index: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
    let logit = logits.get(index as usize).copied();
    logit.map_or(0.0, |x| (f64::from(x - max).exp() / sum) as f32)
}

/// Returns the length of the sequence that is repeated at the end of a text.
fn repeated(tokens: &[u32]) -> Option<usize> {
    let is_repeated = |period: &usize| {
        let count = period * MAX_REPEATS;
        let Some(start) = tokens.len().checked_sub(count) else {
            return false;
        };
        let end = &tokens[start..];
        end[*period..] == end[..count - period]
    };
    (1..=MAX_PERIOD).find(is_repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_found() {
        assert_eq!(repeated(&[7, 1, 1, 1]), None);
        assert_eq!(repeated(&[7, 1, 1, 1, 1]), Some(1));
        assert_eq!(repeated(&[5, 1, 2, 1, 2, 1, 2, 1, 2]), Some(2));
        assert_eq!(repeated(&[1, 2, 1, 2, 1, 2, 1, 3]), None);
        assert_eq!(repeated(&[]), None);
    }

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let logits = [0.0, f32::NEG_INFINITY, 2f32.ln()];
        assert!((probability(&logits, 2) - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(probability(&logits, 1), 0.0);
        assert_eq!(probability(&logits, 9), 0.0);
        assert_eq!(arg_max(&logits), 2);
    }
}
