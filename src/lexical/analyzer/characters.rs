//! Classes of characters, and the spelling in which words are compared.

use unicode_normalization::UnicodeNormalization;

/// Letters that compatibility decomposition (NFKD) does not take apart.
const LETTERS: &[(char, &str)] = &[
    ('ß', "ss"),
    ('ø', "o"),
    ('đ', "d"),
    ('ð', "d"),
    ('ł', "l"),
    ('ı', "i"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('þ', "th"),
    ('ħ', "h"),
    ('ŧ', "t"),
    ('ŋ', "ng"),
    ('ə', "e"),
    // Arabic letters whose forms writers, keyboards and languages mix.
    ('ى', "ي"),
    ('ی', "ي"),
    ('ې', "ي"),
    ('ة', "ه"),
    ('ہ', "ه"),
    ('ھ', "ه"),
    ('ک', "ك"),
    ('ٱ', "ا"),
];

/// Letters that are also written as two, where a keyboard has no accents.
const DIGRAPHS: &[(char, &str)] = &[
    ('ä', "ae"),
    ('ö', "oe"),
    ('ü', "ue"),
    ('ø', "oe"),
    ('å', "aa"),
];

/// Returns true for a Chinese character.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Returns true for an apostrophe, and for what is typed in its place.
pub(in crate::lexical) fn is_apostrophe(c: char) -> bool {
    matches!(
        narrow(c),
        '\'' | '`'
            | '\u{b4}'
            | '\u{2b9}'
            | '\u{2bc}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{201b}'
            | '\u{2032}'
    )
}

/// Returns true for a hyphen.
pub(super) fn is_hyphen(c: char) -> bool {
    matches!(narrow(c), '-' | '\u{2010}' | '\u{2011}' | '\u{2013}')
}

/// Returns true for a character without a glyph that may stand within a word.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{640}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

/// Returns true for an accent, for the vowel signs of Hebrew and Arabic, and for the dots of Indic
/// letters. The vowel signs of other scripts tell words apart.
pub(super) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}'
        | '\u{670}' | '\u{93c}' | '\u{9bc}' | '\u{a3c}' | '\u{abc}' | '\u{b3c}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// Returns the ASCII character of a full-width one, and of the separators of Arabic numbers; any
/// other as it is.
pub(super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{66b}' => '.',
        '\u{66c}' => ',',
        _ => c,
    }
}

/// Returns a word in lower case, without accents, apostrophes, hyphens for line breaks and forms of
/// print.
pub(in crate::lexical) fn fold(word: &str) -> String {
    let letters = word.chars();
    let letters = letters.filter(|c| !is_apostrophe(*c) && !is_ignorable(*c));
    let plain = letters.nfkd().filter(|c| !is_accent(*c));
    spelled(plain.flat_map(char::to_lowercase), LETTERS)
        .nfc()
        .collect()
}

/// Returns a word with two letters for each umlaut and the like; `None` if it has none.
pub(in crate::lexical) fn with_digraphs(word: &str) -> Option<String> {
    if word.is_ascii() {
        return None;
    }
    let lower = || word.nfc().flat_map(char::to_lowercase);
    let is_digraph = |c: char| DIGRAPHS.iter().any(|(letter, _)| *letter == c);
    lower()
        .any(is_digraph)
        .then(|| fold(&spelled(lower(), DIGRAPHS).collect::<String>()))
}

/// Replaces letters by their spelling in a table.
fn spelled<'a>(
    letters: impl Iterator<Item = char> + 'a,
    table: &'static [(char, &'static str)],
) -> impl Iterator<Item = char> + 'a {
    letters.flat_map(move |c| {
        let found = table.iter().find(|(letter, _)| *letter == c);
        let (plain, letters) = match found {
            Some((_, letters)) => (None, *letters),
            None => (Some(c), ""),
        };
        plain.into_iter().chain(letters.chars())
    })
}
