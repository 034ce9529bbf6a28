//! Other names of a value: its spellings, and the parts of a category's name.

use crate::{
    lexical::{han_words, is_han},
    nlu::lexicon::{Language, has},
};

/// Returns other spellings of a value: 深灰 of 深灰色; of a brand those by script, 耐克 and Nike of
/// 耐克（Nike）, and that without "the".
pub(super) fn spellings(phrase: &str, is_brand: bool) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(short) = phrase.strip_suffix('色')
        && short.chars().count() >= 2
    {
        found.push(short.to_owned());
    }
    if is_brand {
        let is_latin = |c: char| c.is_ascii_alphanumeric() || " &'.-".contains(c);
        let han: String = phrase.chars().filter(|c| is_han(*c)).collect();
        let latin: String = phrase.chars().filter(|c| is_latin(*c)).collect();
        let latin = latin.trim().to_owned();
        if han.chars().count() >= 2 && latin.len() >= 2 {
            found.extend([han, latin]);
        }
        let without = phrase.strip_prefix("The ").or(phrase.strip_prefix("the "));
        found.extend(without.map(str::to_owned));
    }
    found
}

/// Returns the color that a value is a shade of: blue of "Navy Blue", 绿色 of 墨绿色.
pub(super) fn base_color(value: &str, language: Language) -> Option<String> {
    let value = value.to_lowercase();
    let lexicon = language.lexicon();
    // Dunkelblau is one word.
    let ends = |c: char| c == ' ' || c == '-' || is_han(c) || lexicon.forms.compounds;
    let is_shade = |color: &&String| {
        let before = value.strip_suffix(color.as_str());
        before.is_some_and(|before| before.ends_with(ends))
    };
    let colors = &lexicon.base_colors;
    colors.iter().find(is_shade).cloned()
}

/// Returns the parts of a category's name that name it too.
pub(super) fn name_parts(name: &str, language: Language) -> Vec<String> {
    let lexicon = language.lexicon();
    let mut plain = name.to_owned();
    for joint in &lexicon.name_joints {
        plain = plain.replace(&format!(" {joint} "), " & ");
    }
    let separators = |c: char| "&/,、与和及，・+".contains(c);
    let pieces: Vec<&str> = plain
        .split(separators)
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    let mut parts = Vec::new();
    for piece in &pieces {
        if pieces.len() > 1 {
            parts.push((*piece).to_owned());
        }
        // 鞋子 and 护肤品 are names of 鞋 and 护肤.
        if let Some(last) = piece.chars().last().filter(|c| is_han(*c)) {
            let last = last.to_string();
            if has(&lexicon.head_nouns, &last) {
                parts.push(last + "子");
            }
            parts.push(format!("{piece}品"));
        }
        let words: Vec<&str> = piece.split_whitespace().collect();
        if let [_, .., last] = words[..] {
            parts.push(last.to_owned());
        }
        // Laufschuhe are Schuhe.
        let last = words.last().map(|last| lexicon.forms.form(last, last));
        let noun = last.and_then(|last| lexicon.ends_with_noun(&last));
        parts.extend(noun.map(str::to_owned));
        let count = piece.chars().count();
        if piece.chars().all(is_han) && count >= 2 {
            let last = han_words(piece)
                .last()
                .map(|word| piece[word.clone()].to_owned());
            let end: String = piece.chars().skip(count - 1).collect();
            parts.extend(last.filter(|word| word != piece && word.chars().count() > 1));
            parts.extend(Some(end).filter(|end| has(&lexicon.head_nouns, end)));
        }
    }
    parts
}
