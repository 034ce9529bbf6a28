//! Chinese: words of a dictionary (jieba) and pairs of characters, in simplified characters.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use character_converter::traditional_to_simplified;
use jieba_rs::Jieba;

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Simplified characters by traditional ones, where they differ.
static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let all = ('\u{3400}'..='\u{4dbf}').chain('\u{4e00}'..='\u{9fff}');
    let pairs = all.filter_map(|traditional| {
        let text = traditional.to_string();
        let simplified = traditional_to_simplified(&text);
        let mut letters = simplified.chars();
        let only = letters.next().filter(|_| letters.next().is_none())?;
        (only != traditional).then_some((traditional, only))
    });
    pairs.collect()
});

/// A word or a pair of characters of a run of Chinese.
pub(super) struct HanTerm {
    pub term: String,
    /// Index of its first character in the run.
    pub place: usize,
    /// Bytes of the run.
    pub span: Range<usize>,
}

/// Places of the words of the dictionary in a text, in bytes; none in a text without Chinese.
pub(crate) fn han_words(text: &str) -> Vec<Range<usize>> {
    if text.is_ascii() {
        return Vec::new();
    }
    let words = JIEBA.cut(text, false).into_iter();
    words.map(|word| word.byte_start..word.byte_end).collect()
}

/// Returns the words and pairs of a run, by where they begin.
pub(super) fn terms(run: &str) -> Vec<HanTerm> {
    let simplified: String = run.chars().map(simplify).collect();
    let (places, places_in_run) = (places(&simplified), places(run));
    let words = JIEBA.cut_for_search(&simplified, true).into_iter();
    let mut spans: Vec<Range<usize>> = words.map(|w| w.byte_start..w.byte_end).collect();
    spans.extend(places.windows(3).map(|w| w[0]..w[2]));
    spans.sort_by_key(|s| (s.start, s.end));
    spans.dedup();
    let terms = spans.into_iter().map(|span| {
        let place = |at: usize| places.partition_point(|p| *p < at);
        HanTerm {
            place: place(span.start),
            span: places_in_run[place(span.start)]..places_in_run[place(span.end)],
            term: simplified[span].to_owned(),
        }
    });
    terms.collect()
}

/// Returns the simplified form of a character.
pub(crate) fn simplify(c: char) -> char {
    SIMPLIFIED.get(&c).copied().unwrap_or(c)
}

/// Bytes at which characters begin, and the end.
fn places(text: &str) -> Vec<usize> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts.chain([text.len()]).collect()
}
