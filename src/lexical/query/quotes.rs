//! Phrases in quotation marks.

/// Quotation marks of several languages: straight, English, German, French and Chinese ones.
const MARKS: [char; 10] = [
    '"', '\u{201c}', '\u{201d}', '\u{201e}', '«', '»', '「', '」', '『', '』',
];

/// Returns the text without its quoted phrases, and these.
pub(super) fn quoted(text: &str) -> (String, Vec<&str>) {
    let pieces: Vec<&str> = text.split(MARKS).collect();
    // An odd mark is one of inches: nothing is quoted.
    if pieces.len().is_multiple_of(2) {
        return (text.to_owned(), Vec::new());
    }
    let inside = |at: &(usize, &&str)| at.0 % 2 == 1;
    // 3/4" x 5" are inches too: what is quoted does not follow a digit.
    let inches = pieces.iter().enumerate().any(|(at, p)| {
        at % 2 == 0 && at + 1 < pieces.len() && p.ends_with(|c: char| c.is_numeric())
    });
    if inches {
        return (text.to_owned(), Vec::new());
    }
    let phrases = pieces
        .iter()
        .enumerate()
        .filter(inside)
        .map(|(_, p)| *p)
        .collect();
    let rest: Vec<_> = pieces
        .iter()
        .enumerate()
        .filter(|p| !inside(p))
        .map(|(_, p)| *p)
        .collect();
    (rest.join(" "), phrases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_stand_in_the_quotation_marks_of_any_language() {
        for text in [
            "a \"b c\" d",
            "a “b c” d",
            "a „b c“ d",
            "a «b c» d",
            "a 「b c」 d",
        ] {
            assert_eq!(quoted(text), ("a   d".to_owned(), vec!["b c"]), "{text}");
        }
        assert_eq!(quoted("27\" monitor").1, Vec::<&str>::new());
    }
}
