//! Numbers in words: the sum of their parts, and numbers in one word ("fünfundzwanzig").

use super::{Amounts, Lexicon};
use crate::nlu::letters::unaccented;

/// Sum of the parts of a number in words, from left to right: two, thousand, three, hundred, ten.
#[derive(Default)]
pub(in crate::nlu) struct NumberSum {
    /// The finished thousands.
    total: f64,
    /// The part below the next thousand.
    pub section: f64,
}

impl NumberSum {
    /// Adds the next part.
    pub fn add(&mut self, part: f64) {
        if part >= 1000.0 {
            self.total += f64::max(self.section, 1.0) * part;
            self.section = 0.0;
        } else if part >= 100.0 {
            self.section = f64::max(self.section, 1.0) * part;
        } else {
            self.section += part;
        }
    }

    /// Returns false if a part begins another number: "twenty thirty".
    pub fn continues_with(&self, part: f64) -> bool {
        part >= 100.0 || self.section % 100.0 == 0.0 || self.section % 10.0 == 0.0 && part < 10.0
    }

    /// Returns the number.
    pub fn value(&self) -> f64 {
        self.total + self.section
    }
}

/// Returns the number that is written as one word: "fünfundzwanzig".
pub(in crate::nlu) fn number_in_word(written: &str, lexicon: &Lexicon) -> Option<f64> {
    if !lexicon.forms.compounds {
        return None;
    }
    let word = unaccented(&lexicon.forms.spelled(written));
    let mut sum = NumberSum::default();
    let mut parts = 0;
    let mut rest = word.as_str();
    while !rest.is_empty() {
        let (value, after) = part_of_number(rest, &lexicon.amounts)?;
        parts += 1;
        sum.add(value);
        let joint = &lexicon.amounts.number_joint;
        let joined = after.strip_prefix(joint.as_str());
        rest = joined.filter(|rest| !rest.is_empty()).unwrap_or(after);
    }
    let only_part = parts == 1 && lexicon.amounts.number_parts.contains_key(&word);
    (parts > 0 && !only_part).then(|| sum.value())
}

/// Returns the longest number at the beginning of a word, and the rest of the word.
fn part_of_number<'a>(word: &'a str, amounts: &Amounts) -> Option<(f64, &'a str)> {
    let known = amounts.number_words.iter().chain(&amounts.number_parts);
    let fitting =
        known.filter_map(|(name, value)| Some((*value, word.strip_prefix(name.as_str())?)));
    fitting.min_by_key(|(_, rest)| rest.len())
}

/// Returns the number at the beginning of a word that ends with a unit, and the byte at which the
/// unit begins: "sechsjährig".
pub(in crate::nlu) fn number_and_unit(written: &str, lexicon: &Lexicon) -> Option<(f64, usize)> {
    if !lexicon.forms.compounds {
        return None;
    }
    let word = unaccented(&lexicon.forms.spelled(written));
    part_of_number(&word, &lexicon.amounts)?;
    lexicon.forms.seams(written).into_iter().find_map(|seam| {
        let (digits, unit) = written.split_at(seam);
        let unit = lexicon.forms.form(unit, unit);
        let is_unit = lexicon
            .measures
            .values()
            .any(|units| units.contains_key(&unit));
        let number = number_in_word(digits, lexicon).filter(|_| is_unit)?;
        Some((number, seam))
    })
}
