//! Highlighting of the words of a query in a text.

use std::{collections::HashSet, ops::Range};

use vitrine_schemas::{Fragment, limits::MAX_HIGHLIGHTED_BYTES};

use super::analyzer::index_terms;

/// Maximum number of characters of a highlighted text.
const MAX_CHARACTERS: usize = 240;

/// Characters before the first word where a text is cut.
const CHARACTERS_BEFORE: usize = 60;

/// Returns the text in fragments; `None` if it has none of the terms.
pub fn highlight(text: &str, terms: &HashSet<&str>) -> Option<Vec<Fragment>> {
    let spans = matched(text, terms);
    let first = spans.first()?.start;
    let window = window(text, first);
    let mut fragments = Vec::new();
    let mut at = window.start;
    let mut push = |range: Range<usize>, is_match| {
        if !range.is_empty() {
            let text = text[range].to_owned();
            fragments.push(Fragment { text, is_match });
        }
    };
    for span in spans {
        let end = span.end.min(window.end);
        if span.start >= end {
            break;
        }
        push(at..span.start, false);
        push(span.start..end, true);
        at = end;
    }
    push(at..window.end, false);
    Some(fragments)
}

/// Words of a text that are among the terms, as they are written, each once.
pub fn matching_words(text: &str, terms: &HashSet<&str>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for span in matched(text, terms) {
        let word = text[span].to_lowercase();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Bytes of the words, rising, those that touch or overlap as one.
fn matched(text: &str, terms: &HashSet<&str>) -> Vec<Range<usize>> {
    let mut end = text.len().min(MAX_HIGHLIGHTED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = index_terms(&text[..end]).into_iter();
    let mut spans: Vec<Range<usize>> = found
        .filter(|word| terms.contains(word.term.as_str()))
        .map(|word| word.span)
        .collect();
    spans.sort_by_key(|s| (s.start, s.end));
    spans.dedup_by(|next, last| {
        let is_one = next.start <= last.end;
        if is_one {
            last.end = last.end.max(next.end);
        }
        is_one
    });
    spans
}

/// The bytes around `first` that are shown, from the beginning of a word.
fn window(text: &str, first: usize) -> Range<usize> {
    let bytes_of = |text: &str, characters| {
        let mut at = text.char_indices().map(|(at, _)| at);
        at.nth(characters).unwrap_or(text.len())
    };
    if bytes_of(text, MAX_CHARACTERS) == text.len() {
        return 0..text.len();
    }
    let before = text[..first].char_indices().rev().map(|(at, _)| at);
    let mut start = before.take(CHARACTERS_BEFORE).last().unwrap_or(first);
    if start > 0 {
        let space = text[start..first].find(char::is_whitespace);
        start += space.map_or(0, |at| at + 1);
    }
    start..start + bytes_of(&text[start..], MAX_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, terms: &[&str]) -> Option<String> {
        let fragments = highlight(text, &terms.iter().copied().collect())?;
        let show = |f: Fragment| {
            if f.is_match {
                format!("[{}]", f.text)
            } else {
                f.text
            }
        };
        Some(fragments.into_iter().map(show).collect())
    }

    #[test]
    fn words_are_marked_as_they_are_written() {
        assert_eq!(
            shown("Red Shoes, red", &["red", "shoe"]).as_deref(),
            Some("[Red] [Shoes], [red]")
        );
        assert_eq!(shown("Boots", &["red"]), None);
        assert_eq!(
            shown("红色跑鞋", &["红色", "跑鞋"]).as_deref(),
            Some("[红色跑鞋]")
        );
    }

    #[test]
    fn long_texts_are_cut_around_the_first_word() {
        let text = format!("{} needle {}", "hay ".repeat(500), "straw ".repeat(500));
        let shown = shown(&text, &["needl"]).expect("found");
        assert!(
            shown.contains("[needle]") && shown.starts_with("hay "),
            "{shown}"
        );
        assert!(shown.chars().count() <= MAX_CHARACTERS + 2);
        let text = "针".repeat(1000) + "红色";
        assert!(super::highlight(&text, &["红色"].into()).is_some());
    }
}
