//! The part of a suggestion that was typed.

use vitrine_schemas::Fragment;

use super::fold::{Folded, word_starts};

/// Returns the text in fragments; the part that what was typed is nearest to is marked.
pub(super) fn fragments(text: &str, typed: &str) -> Vec<Fragment> {
    let (folded, typed) = (Folded::new(text), Folded::new(typed));
    let typed: Vec<char> = typed.text().chars().collect();
    let whole = || {
        vec![Fragment {
            text: text.to_owned(),
            is_match: false,
        }]
    };
    let Some((start, end)) = nearest(&folded, &typed).filter(|(start, end)| start < end) else {
        return whole();
    };
    let chars: Vec<char> = text.chars().collect();
    let start = folded.sources[start];
    let end = folded.sources[end - 1] + 1;
    let parts = [
        (0, start, false),
        (start, end, true),
        (end, chars.len(), false),
    ];
    let parts = parts.into_iter().filter(|(start, end, _)| start < end);
    parts
        .map(|(start, end, is_match)| Fragment {
            text: chars[start..end].iter().collect(),
            is_match,
        })
        .collect()
}

/// Returns the characters from the beginning of a word that are nearest to what was typed.
fn nearest(folded: &Folded, typed: &[char]) -> Option<(usize, usize)> {
    let text: String = folded.chars.iter().collect();
    let starts = word_starts(&text);
    let starts = starts.into_iter().map(|at| text[..at].chars().count());
    let ends = starts.map(|start| {
        let (distance, length) = prefix_distance(&folded.chars[start..], typed);
        (distance, start, start + length)
    });
    ends.min().map(|(_, start, end)| (start, end))
}

/// Returns the smallest edit distance (Levenshtein) of a prefix of `text` to `typed`, and the
/// length of that prefix.
fn prefix_distance(text: &[char], typed: &[char]) -> (usize, usize) {
    let longest = text.len().min(2 * typed.len() + 2);
    let mut row: Vec<usize> = (0..=typed.len()).collect();
    let mut best = (typed.len(), 0);
    for (length, c) in (1..).zip(&text[..longest]) {
        let mut diagonal = std::mem::replace(&mut row[0], length);
        for (at, typed) in typed.iter().enumerate() {
            let replaced = diagonal + usize::from(c != typed);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
        // The longest of equally near ones: "shos" is "shoe" rather than "sho".
        if row[typed.len()] <= best.0 {
            best = (row[typed.len()], length);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, typed: &str) -> String {
        let fragments = fragments(text, typed);
        let mark = |f: &Fragment| {
            if f.is_match {
                format!("[{}]", f.text)
            } else {
                f.text.clone()
            }
        };
        fragments.iter().map(mark).collect()
    }

    #[test]
    fn what_was_typed_is_marked() {
        assert_eq!(marked("running shoes", "run"), "[run]ning shoes");
        assert_eq!(marked("running shoes", "SHO"), "running [sho]es");
        assert_eq!(marked("Crème brûlée", "creme b"), "[Crème b]rûlée");
        assert_eq!(marked("红色跑鞋", "跑"), "红色[跑]鞋");
        assert_eq!(marked("running shoes", "runing"), "[running] shoes");
        assert_eq!(marked("running shoes", ""), "running shoes");
    }
}
