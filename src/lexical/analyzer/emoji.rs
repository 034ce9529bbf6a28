//! Emoji as terms: one of each sequence that is drawn as one picture.

/// Joins emoji to one picture.
const JOINER: char = '\u{200d}';

/// The heart, and the suit of cards that is drawn alike.
const HEART: char = '\u{2764}';
const SUIT_OF_HEARTS: char = '\u{2665}';

/// Returns true for an emoji, or another pictograph.
pub(super) fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b05}'..='\u{2b55}'
        | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}' | '\u{203c}' | '\u{2049}'
        | '\u{25fb}'..='\u{25fe}' | '\u{3030}' | '\u{303d}')
}

/// Returns the length of the emoji at the beginning of a text, in bytes.
pub(super) fn length(text: &str) -> usize {
    let mut letters = text.char_indices().peekable();
    let Some((_, first)) = letters.next() else {
        return 0;
    };
    let mut is_joined = false;
    let mut is_flag_open = is_flag_letter(first);
    while let Some((at, c)) = letters.peek().copied() {
        let is_second = is_flag_open && is_flag_letter(c);
        let is_member = is_joined && is_emoji(c);
        if !(is_second || is_member || is_modifier(c) || c == JOINER) {
            return at;
        }
        is_flag_open = false;
        is_joined = c == JOINER;
        letters.next();
    }
    text.len()
}

/// Returns the term of an emoji: skin tones and styles make no difference.
pub(super) fn term(emoji: &str) -> String {
    let is_kept = |c: &char| *c != JOINER && (!is_modifier(*c) || is_tag(*c));
    let kept = emoji.chars().filter(is_kept);
    kept.map(|c| if c == SUIT_OF_HEARTS { HEART } else { c })
        .collect()
}

/// Returns what else an emoji is found by: its pictures, and "love" for hearts.
pub(super) fn parts(emoji: &str) -> Vec<String> {
    let mut parts = Vec::new();
    if emoji.contains(JOINER) {
        parts.extend(emoji.split(JOINER).map(term));
    }
    if emoji.chars().any(is_heart) {
        parts.push("love".to_owned());
    }
    parts
}

fn is_flag_letter(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Styles, skin tones and the tags of regional flags.
fn is_modifier(c: char) -> bool {
    matches!(
        c,
        '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{20e3}'
    ) || is_tag(c)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

fn is_heart(c: char) -> bool {
    matches!(
        c,
        HEART | SUIT_OF_HEARTS | '\u{1f493}'
            ..='\u{1f49f}' | '\u{1f5a4}' | '\u{1f9e1}' | '\u{1f90d}' | '\u{1f90e}'
    )
}
