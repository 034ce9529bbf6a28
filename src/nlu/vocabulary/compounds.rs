//! Compounds: "Lederschuhe" are Schuhe of Leder. A word that names nothing as a whole is split into
//! two parts that name something; their spans are those of the parts.

use super::{Lookup, Vocabulary, names::Names};
use crate::nlu::{
    language::tokens_of,
    lexicon::{Language, Role},
    tokens::{Kind, Token},
};

/// Shortest last part of a compound, in letters, if the first part names nothing.
const MIN_HEAD_LETTERS: usize = 4;

impl Vocabulary {
    /// Splits a text into tokens; compounds become two.
    pub(in crate::nlu) fn tokens(&self, text: &str, language: Language) -> Vec<Token> {
        let tokens = tokens_of(text, language);
        if !language.lexicon().forms.compounds {
            return tokens;
        }
        let names = self.names(language);
        let parts = tokens
            .into_iter()
            .flat_map(|token| match names.seam(text, &token) {
                Some(seam) => parts(text, &token, seam),
                None => vec![token],
            });
        parts.collect()
    }
}

/// Returns the two parts of a word.
fn parts(text: &str, token: &Token, seam: usize) -> Vec<Token> {
    let forms = &token.language.lexicon().forms;
    let spans = [token.start..seam, seam..token.end];
    let part = |span: std::ops::Range<usize>| Token {
        kind: Kind::Word,
        form: forms.form(&text[span.clone()], &text[span.clone()]),
        language: token.language,
        start: span.start,
        end: span.end,
    };
    spans.map(part).into()
}

impl Names {
    /// Returns the byte at which the second part of a compound begins.
    fn seam(&self, text: &str, token: &Token) -> Option<usize> {
        if token.kind != Kind::Word || self.lookup(&token.form).is_some() {
            return None;
        }
        let written = &text[token.start..token.end];
        let forms = &token.language.lexicon().forms;
        let split = |seam: &usize| {
            let (first, last) = written.split_at(*seam);
            (
                forms.form(first, first),
                forms.form(last, last),
                last.chars().count(),
            )
        };
        let seams = forms.seams(written);
        let both = seams.iter().find(|seam| {
            let (first, last, _) = split(seam);
            self.is_modifier(&first) && self.is_head(&last)
        });
        let last = || {
            seams.iter().find(|seam| {
                let (_, last, letters) = split(seam);
                letters >= MIN_HEAD_LETTERS && self.is_category(&last)
            })
        };
        both.or_else(last).map(|seam| token.start + seam)
    }

    fn lookup(&self, form: &str) -> Option<Lookup<'_>> {
        let value = self.values.get(form).or_else(|| self.parts.get(form));
        let role = || self.roles.get(form).copied().map(Lookup::Role);
        value.map(Lookup::Values).or_else(role)
    }

    /// Returns true for a part that tells of the last one: a value, a person.
    fn is_modifier(&self, form: &str) -> bool {
        matches!(
            self.lookup(form),
            Some(Lookup::Values(_) | Lookup::Role(Role::Recipient(_)))
        )
    }

    /// Returns true for a kind of items, and for endings of adjectives: "zuckerfrei", "goldfarben".
    fn is_head(&self, form: &str) -> bool {
        let ends = matches!(
            self.lookup(form),
            Some(Lookup::Role(Role::NotBefore | Role::Filler))
        );
        ends || self.is_category(form)
    }

    fn is_category(&self, form: &str) -> bool {
        match self.lookup(form) {
            Some(Lookup::Values(meanings)) => meanings.iter().any(|m| m.field == "category"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::language::german;

    #[test]
    fn compounds_come_apart_where_parts_name_something() {
        let vocabulary = Vocabulary::new([
            ("category", "Schuhe > Laufschuhe"),
            ("category", "Schuhe > Stiefel"),
            ("category", "Uhren"),
            ("material", "Leder"),
            ("material", "Baumwolle"),
            ("features", "Zucker"),
        ]);
        let cut = |text: &str| -> Vec<String> {
            let tokens = vocabulary.tokens(text, german());
            let written = tokens.iter().map(|t| text[t.start..t.end].to_owned());
            written.collect()
        };
        assert_eq!(cut("Lederschuhe"), ["Leder", "schuhe"]);
        assert_eq!(cut("Damenlaufschuhe"), ["Damen", "laufschuhe"]);
        assert_eq!(cut("Herrenuhr"), ["Herren", "uhr"]);
        assert_eq!(cut("Wanderschuhe"), ["Wander", "schuhe"]);
        assert_eq!(cut("zuckerfreie"), ["zucker", "freie"]);
        assert_eq!(cut("Baumwollstiefel"), ["Baumwoll", "stiefel"]);
        assert_eq!(cut("Laufschuhe"), ["Laufschuhe"]);
        assert_eq!(cut("Handschuhe"), ["Handschuhe"]);
        assert_eq!(cut("Kaffeemaschine"), ["Kaffeemaschine"]);
    }
}
