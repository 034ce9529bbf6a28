//! Forms of words: spellings and inflections of a language that are one word.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::nlu::letters::unaccented;

/// Letters of a part of a compound, at least.
const MIN_PART_LETTERS: usize = 3;

/// Rules of the words of a language. Without any, words lose the ending of an English plural.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::nlu) struct Forms {
    /// True if a comma separates decimals and a dot thousands: 1.299,99.
    pub decimal_comma: bool,
    /// Letters that only words of this language have, among those told apart by the lexicon.
    pub letters: String,
    /// Other spellings of letters: "ue" of "ü".
    pub spellings: Vec<Spelling>,
    /// Endings that are cut off, the first that fits.
    pub endings: Vec<Ending>,
    /// Endings that are cut off afterwards.
    pub inner_endings: Vec<Ending>,
    /// Forms by words and by stems that the rules do not find.
    pub irregular: BTreeMap<String, String>,
    /// Words that a dot may follow within a phrase: "max. 50".
    pub abbreviations: Vec<String>,
    /// True if words are written together: "Lederschuhe".
    pub compounds: bool,
}

/// Another spelling of letters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::nlu) struct Spelling {
    pub written: String,
    pub means: String,
    /// Letters after which the spelling is something else: "ue" in "neue".
    #[serde(default)]
    pub not_after: String,
}

/// An ending of inflected words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::nlu) struct Ending {
    pub end: String,
    /// Minimum number of letters before it.
    pub least: usize,
    /// Letters that replace it.
    #[serde(default)]
    pub keep: String,
    /// Letters that may stand before it; empty for any.
    #[serde(default)]
    pub after: String,
}

impl Ending {
    fn cut(&self, word: &str) -> Option<String> {
        let rest = word.strip_suffix(self.end.as_str())?;
        let last = rest.chars().last()?;
        let fits = rest.chars().count() >= self.least
            && (self.after.is_empty() || self.after.contains(last));
        fits.then(|| format!("{rest}{}", self.keep))
    }
}

impl Forms {
    /// Returns true if the rules are those of English, in which also other scripts are read.
    fn is_plain(&self) -> bool {
        self.endings.is_empty()
    }

    /// Returns the comparable form of a word, which is also given `plain`: in lower case and without
    /// accents.
    pub fn form(&self, written: &str, plain: &str) -> String {
        match self.is_plain() {
            true => singular(plain),
            false => unaccented(&self.stem(written)),
        }
    }

    /// Returns the word in one spelling.
    pub fn spelled(&self, written: &str) -> String {
        let mut word: String = written
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphabetic())
            .collect();
        for spelling in &self.spellings {
            word = respelled(&word, spelling);
        }
        word
    }

    /// Returns the word without inflection, with its accents.
    pub fn stem(&self, written: &str) -> String {
        let word = self.spelled(written);
        if let Some(form) = self.irregular.get(&word) {
            return form.clone();
        }
        let cut = |word: String, endings: &[Ending]| {
            let shorter = endings.iter().find_map(|ending| ending.cut(&word));
            shorter.unwrap_or(word)
        };
        let stem = cut(cut(word, &self.endings), &self.inner_endings);
        self.irregular.get(&stem).cloned().unwrap_or(stem)
    }

    /// Returns the number in digits with separators of the language.
    pub fn number(&self, digits: &str) -> f64 {
        let number = match self.decimal_comma {
            true => decimal(digits),
            false => digits.replace(',', ""),
        };
        number.parse().unwrap_or(f64::INFINITY)
    }

    /// Returns true if the word has letters of no other language.
    pub fn is_marked(&self, written: &str) -> bool {
        written
            .chars()
            .flat_map(char::to_lowercase)
            .any(|c| self.letters.contains(c))
    }

    /// Returns the places, in bytes, at which a word may be two, the longest second part first.
    pub fn seams(&self, written: &str) -> Vec<usize> {
        let letters: Vec<usize> = written.char_indices().map(|(at, _)| at).collect();
        let last = letters.len().saturating_sub(MIN_PART_LETTERS);
        let inner = letters.get(MIN_PART_LETTERS..=last).unwrap_or_default();
        inner.to_vec()
    }

    /// Brings the keys of the irregular forms into the spelling that words are compared in.
    pub(super) fn respell(&mut self) {
        let irregular = std::mem::take(&mut self.irregular);
        let spelled = irregular
            .iter()
            .map(|(word, form)| (self.spelled(word), self.spelled(form)));
        self.irregular = spelled.collect();
    }
}

/// Returns a number with a decimal point. The last kind of separator is that of the decimals; dots
/// alone are those of thousands if groups of three digits follow them.
fn decimal(digits: &str) -> String {
    let are_thousands = |separator: char, least: usize| {
        let groups: Vec<_> = digits.split(separator).skip(1).collect();
        groups.len() >= least && groups.iter().all(|group| group.len() == 3)
    };
    match (digits.rfind(','), digits.rfind('.')) {
        (Some(comma), Some(dot)) if dot > comma => digits.replace(',', ""),
        // One comma is that of decimals.
        (Some(_), None) if are_thousands(',', 2) => digits.replace(',', ""),
        (Some(_), _) => digits.replace('.', "").replace(',', "."),
        (None, Some(_)) if are_thousands('.', 1) => digits.replace('.', ""),
        (None, _) => digits.to_owned(),
    }
}

fn respelled(word: &str, spelling: &Spelling) -> String {
    let mut found = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(spelling.written.as_str()) {
        let (before, after) = (&rest[..at], &rest[at + spelling.written.len()..]);
        found.push_str(before);
        let excluded = found
            .chars()
            .last()
            .is_some_and(|c| spelling.not_after.contains(c));
        found.push_str(if excluded {
            &spelling.written
        } else {
            &spelling.means
        });
        rest = after;
    }
    found + rest
}

/// A word without the ending of an English plural.
fn singular(word: &str) -> String {
    let cut = |n: usize| word[..word.len() - n].to_owned();
    let ends = |endings: &[&str]| endings.iter().any(|e| word.ends_with(e));
    match word.len() {
        0..=3 => word.to_owned(),
        4 if ends(&["ies"]) => cut(1),
        _ if ends(&["ies"]) => cut(3) + "y",
        // As that of "hoodies".
        5.. if ends(&["ie"]) => cut(2) + "y",
        _ if ends(&["sses", "ches", "shes", "xes", "zes"]) => cut(2),
        _ if ends(&["ss", "us", "is"]) => word.to_owned(),
        _ if ends(&["s"]) => cut(1),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::nlu::language::german;

    #[test]
    fn inflected_words_have_one_form() {
        let forms = &german().lexicon().forms;
        for (a, b) in [
            ("rote", "rot"),
            ("rotes", "roter"),
            ("Schuhe", "Schuh"),
            ("Kleider", "Kleid"),
            ("Röcke", "Rock"),
            ("Hosen", "Hose"),
            ("dunkle", "dunkel"),
            ("teure", "teuer"),
            ("Litern", "Liter"),
            ("goldene", "Gold"),
            ("silbernes", "Silber"),
            ("Grösse", "Größe"),
            ("fuer", "für"),
            ("blaue", "blau"),
            ("Laptops", "Laptop"),
            ("günstigsten", "günstigste"),
        ] {
            assert_eq!(forms.form(a, a), forms.form(b, b), "{a} {b}");
        }
        for (a, b) in [
            ("große", "Größe"),
            ("Leder", "LED"),
            ("teurer", "teuer"),
            ("günstiger", "günstig"),
        ] {
            assert_ne!(forms.form(a, a), forms.form(b, b), "{a} {b}");
        }
    }

    #[test]
    fn separators_of_numbers_are_those_of_the_language() {
        let forms = &german().lexicon().forms;
        for (digits, number) in [
            ("1.299,99", 1299.99),
            ("49,5", 49.5),
            ("1.500", 1500.0),
            ("4.5", 4.5),
            ("1,200.50", 1200.5),
            ("12", 12.0),
        ] {
            assert!((forms.number(digits) - number).abs() < 1e-9, "{digits}");
        }
    }
}
