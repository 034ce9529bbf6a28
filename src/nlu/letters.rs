//! Letters in the form in which texts are compared.

use unicode_normalization::char::decompose_canonical;

use crate::lexical::simplify;

/// Lower case, in one width, without accents, simplified, one kind of apostrophe, comma, stop and
/// hyphen.
pub(super) fn plain(c: char) -> char {
    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{2018}' | '\u{2019}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' => '-',
        '\u{3002}' => '.',
        '\u{201c}'..='\u{201e}' | '«' | '»' | '\u{300a}'..='\u{300f}' => '"',
        '\u{a5}' => '\u{ffe5}',
        c if is_han(c) => simplify(c),
        c if ('\u{c0}'..='\u{52f}').contains(&c) => without_accents(c),
        c => c,
    };
    c.to_lowercase().next().unwrap_or(c)
}

/// Returns the letter below the accents of a Latin, Greek or Cyrillic one.
fn without_accents(c: char) -> char {
    let mut letter = None;
    decompose_canonical(c, |part| {
        letter.get_or_insert(part);
    });
    letter.unwrap_or(c)
}

/// Returns true for a Chinese character.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Returns the word without accents.
pub(in crate::nlu) fn unaccented(word: &str) -> String {
    word.chars().map(without_accents).collect()
}
