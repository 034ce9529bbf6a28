//! Scripts without spaces between words, other than Chinese: pairs of characters, as in the CJK
//! analyzer of Lucene.

use std::ops::Range;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Returns true for a letter or mark of Thai, Lao, Burmese, Khmer or Japanese syllables.
pub(super) fn is_unspaced(c: char) -> bool {
    let is_in_block = matches!(
        c,
        '\u{e01}'..='\u{e4e}'
            | '\u{e81}'..='\u{edf}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17d3}'
            | '\u{3041}'..='\u{309f}'
            | '\u{30a1}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{ff66}'..='\u{ff9f}'
    );
    // The sign of the baht and the middle dot are in these blocks too.
    is_in_block && !c.is_numeric() && !matches!(c, '\u{e3f}' | '\u{30fb}')
}

/// Characters with their marks, as ranges of bytes.
pub(super) fn characters(run: &str) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = Vec::new();
    for (at, c) in run.char_indices() {
        if starts.is_empty() || !is_mark(c) {
            starts.push(at);
        }
    }
    let ends = starts.iter().copied().skip(1).chain([run.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(from, to)| *from..to)
        .collect()
}

fn is_mark(c: char) -> bool {
    // Halfwidth sound marks of Japanese are letters in Unicode.
    is_combining_mark(c) || matches!(c, '\u{ff9e}' | '\u{ff9f}')
}

/// Returns the term of a part of a run: characters of one width.
pub(super) fn term(part: &str) -> String {
    part.nfkc().collect()
}
