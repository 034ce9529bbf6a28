//! Removal of words at the ends of a text that only hold a conversation together.

use super::phrases::longest_at;
use crate::nlu::{
    language::tokens_of,
    lexicon::{Language, Phrase},
    tokens::{Kind, Token},
};

/// Returns the text without filler phrases at its ends.
pub(super) fn trimmed(text: &str, language: Language) -> String {
    let tokens = tokens_of(text, language);
    // One Chinese character may be a part of a word.
    let alone = |n: usize, first: usize| {
        let end = tokens[first + n - 1].end;
        let joined = tokens
            .get(first + n)
            .is_some_and(|t| t.kind == Kind::Han && t.start == end)
            || first > 0
                && tokens[first - 1].kind == Kind::Han
                && tokens[first - 1].end == tokens[first].start;
        n > 1
            || tokens[first].kind != Kind::Han
            || !joined
            || "的了呢吗吧啊呀".contains(&tokens[first].form)
    };
    if is_all_filler(&tokens) {
        return String::new();
    }
    let (mut from, mut to) = (0, tokens.len());
    loop {
        let ahead = &tokens[from..to];
        let is_sign = |t: Option<&Token>| t.is_some_and(|t| t.kind == Kind::Break);
        if is_sign(ahead.first()) {
            from += 1;
        } else if is_sign(ahead.last()) {
            to -= 1;
        } else if let Some((n, _)) = longest_at(ahead, &[Phrase::Filler])
            && alone(n, from)
        {
            from += n;
        } else if let Some(n) = ending(ahead)
            && alone(n, to - n)
        {
            to -= n;
        } else {
            break;
        }
    }
    match tokens.get(from..to) {
        Some([first, .., last]) => text[first.start..last.end].to_owned(),
        Some([only]) => text[only.start..only.end].to_owned(),
        _ => String::new(),
    }
}

/// Returns true if the text has only courtesy and filler.
fn is_all_filler(tokens: &[Token]) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        at += match longest_at(
            &tokens[at..],
            &[Phrase::Polite, Phrase::Filler, Phrase::Closing],
        ) {
            Some((n, _)) => n,
            None if matches!(tokens[at].kind, Kind::Break | Kind::Sign) => 1,
            None => return false,
        };
    }
    true
}

/// Returns the length of a closing phrase at the end.
fn ending(tokens: &[Token]) -> Option<usize> {
    let whole = |n: &usize| {
        longest_at(&tokens[tokens.len() - n..], &[Phrase::Closing]).is_some_and(|(m, _)| m == *n)
    };
    (1..=5.min(tokens.len())).rev().find(whole)
}
