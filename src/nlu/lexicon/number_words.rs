//! Numbers in one word: "fünfundzwanzig", "sechsjährig".

use super::{Amounts, Lexicon};
use crate::nlu::letters::unaccented;

/// Returns the number that is written as one word: "fünfundzwanzig".
pub(in crate::nlu) fn number_in_word(written: &str, lexicon: &Lexicon) -> Option<f64> {
    if !lexicon.forms.compounds {
        return None;
    }
    let word = unaccented(&lexicon.forms.spelled(written));
    let (mut total, mut section) = (0.0, 0.0);
    let mut parts = 0;
    let mut rest = word.as_str();
    while !rest.is_empty() {
        let (value, after) = part_of_number(rest, &lexicon.amounts)?;
        parts += 1;
        match value {
            value if value >= 1000.0 => {
                total += f64::max(section, 1.0) * value;
                section = 0.0;
            }
            value if value >= 100.0 => section = f64::max(section, 1.0) * value,
            value => section += value,
        }
        let joint = &lexicon.amounts.number_joint;
        let joined = after.strip_prefix(joint.as_str());
        rest = joined.filter(|rest| !rest.is_empty()).unwrap_or(after);
    }
    let only_part = parts == 1 && lexicon.amounts.number_parts.contains_key(&word);
    (parts > 0 && !only_part).then_some(total + section)
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
