//! Languages of texts: English with Chinese unless the words of a text are evidently of another.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{
    letters::unaccented,
    lexicon::{Aliases, BRANDS_BY_NAME, Bound, Language, Lexicon, Senses, has, lexicons},
    tokens::{Kind, Token, cuts_word, key, tokens_with},
};
use crate::lexical::is_stop;

/// Letters of a noun at the end of a compound, and before it, at least.
const MIN_COMPOUND_LETTERS: usize = 3;

/// Lexicons by language, parsed on first use.
static LEXICONS: LazyLock<Vec<Lexicon>> =
    LazyLock::new(|| lexicons(&|word, of, lexicon| key(&tokens_with(word, of, lexicon))));

/// Tables derived from a lexicon.
struct Tables {
    /// Bounds by the key of their wording.
    bounds: HashMap<String, Bound>,
    synonyms: Aliases,
    related: Aliases,
    brands: Aliases,
    /// Stems of words that tell the language, and words of dialogues that do.
    stems: HashSet<String>,
    words: HashSet<String>,
}

static TABLES: LazyLock<Vec<Tables>> = LazyLock::new(|| Language::all().map(Tables::new).collect());

/// Splits a text in English or Chinese.
pub(in crate::nlu) fn tokens(text: &str) -> Vec<Token> {
    tokens_of(text, Language::default())
}

/// Splits a text.
pub(in crate::nlu) fn tokens_of(text: &str, language: Language) -> Vec<Token> {
    tokens_with(text, language, language.lexicon())
}

/// Names of the fields of a group, in all languages.
pub(super) fn field_names(group: &str) -> impl Iterator<Item = &'static String> {
    let lexicons = LEXICONS.iter();
    lexicons.filter_map(move |l| l.fields.get(group)).flatten()
}

/// Returns the lexicon of the language of the tokens.
pub(in crate::nlu) fn lexicon_of(tokens: &[Token]) -> &'static Lexicon {
    language_of(tokens).lexicon()
}

fn language_of(tokens: &[Token]) -> Language {
    tokens.first().map(|t| t.language).unwrap_or_default()
}

#[cfg(test)]
pub(in crate::nlu) fn german() -> Language {
    Language(1)
}

impl Language {
    /// Words of the language.
    pub fn lexicon(self) -> &'static Lexicon {
        &LEXICONS[self.0]
    }

    /// Names of one value, by the key of each of them.
    pub fn synonyms(self) -> &'static Aliases {
        &TABLES[self.0].synonyms
    }

    /// Names of kinds near a kind, by the key of each of them.
    pub fn related(self) -> &'static Aliases {
        &TABLES[self.0].related
    }

    /// Other names of brands, by the key of each name.
    pub fn brands(self) -> &'static Aliases {
        &TABLES[self.0].brands
    }

    /// Returns the language of a text. Without evidence of the words, it is the one that `leans`.
    pub fn of(text: &str, leans: Self) -> Self {
        Self::evident(text, leans).unwrap_or_default()
    }

    /// Returns the language of a text; `None` if its words tell nothing and `leans` is the first.
    pub fn evident(text: &str, leans: Self) -> Option<Self> {
        let weighed = Self::all().skip(1).map(|language| {
            let (own, first) = language.evidence(text);
            (language, own, first)
        });
        let weighed: Vec<_> = weighed.collect();
        let fits = |(language, own, first): &&(Self, usize, usize)| {
            own > first || own == first && *language == leans
        };
        let best = weighed.iter().filter(fits).max_by_key(|(_, own, _)| *own);
        let told = weighed.iter().any(|(_, own, first)| own + first > 0);
        best.map(|(language, ..)| *language)
            .or_else(|| told.then(Self::default))
    }

    /// Returns the language of most of some texts, if it is clear.
    pub fn of_most<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = [0; Self::COUNT];
        for text in texts {
            if let Some(language) = Self::evident(text, Self::default()) {
                counts[language.0] += 1;
            }
        }
        let first = counts[0];
        let others = counts.iter().enumerate().skip(1);
        let most = others.max_by_key(|(_, count)| **count);
        let clear = most.filter(|(_, count)| **count > 2 * first && **count > 2);
        clear.map_or_else(Self::default, |(at, _)| Self(at))
    }

    /// Returns the numbers of words of a text that only this language has, and that only the first
    /// has.
    fn evidence(self, text: &str) -> (usize, usize) {
        let tokens = tokens_of(text, self);
        let (mut own, mut first) = (0, 0);
        for (at, token) in tokens.iter().enumerate() {
            let written = &text[token.start..token.end];
            match token.kind {
                Kind::Han => first += 1,
                Kind::Word | Kind::Number(_) if written.starts_with(char::is_alphabetic) => {
                    let (is_own, is_first) = self.tells(written, token);
                    own += usize::from(is_own);
                    first += usize::from(is_first);
                }
                _ => {}
            }
            own += usize::from(self.bounds_number(text, &tokens[at..]));
        }
        (own, first)
    }

    /// Returns true for a word that only this language has, and for one that only the first has.
    fn tells(self, written: &str, token: &Token) -> (bool, bool) {
        let lexicon = self.lexicon();
        let is_marked = lexicon.forms.is_marked(written);
        let plain = tokens(written);
        let is_first = !is_marked && plain.iter().all(|t| is_english(&t.form));
        // "hats" is as English as "hat".
        let lower = written.to_lowercase();
        let is_shared =
            has(&lexicon.shared, &lower) || plain.iter().all(|t| has(&lexicon.shared, &t.form));
        let stem = lexicon.forms.stem(written);
        let is_own = is_marked
            || TABLES[self.0].stems.contains(&stem)
            || TABLES[self.0]
                .words
                .contains(&lexicon.forms.spelled(written))
            || self.ends_with_own_noun(&lower, &token.form);
        (
            is_own && !is_first && !is_shared,
            is_first && !is_own && !is_shared,
        )
    }

    /// Returns true for a compound that ends with a noun, as it is written, that no English word
    /// ends with: "Lederjacke", but neither "lumberjack" nor "earring".
    fn ends_with_own_noun(self, lower: &str, form: &str) -> bool {
        let lexicon = self.lexicon();
        lexicon.ends_with_noun(form).is_some_and(|noun| {
            let before = form.chars().count() - noun.chars().count();
            let tail: String = lower.chars().skip(before).collect();
            !is_english(noun) && !has(&lexicon.shared, &tail)
        })
    }

    /// Returns true if the tokens are a bound of this language only, and a number.
    fn bounds_number(self, text: &str, tokens: &[Token]) -> bool {
        let Some((n, _)) = self.lexicon().bound_at(tokens) else {
            return false;
        };
        let is_number = tokens
            .get(n)
            .is_some_and(|t| matches!(t.kind, Kind::Number(_)));
        let written = &text[tokens[0].start..tokens[n - 1].end];
        let plain = key(&self::tokens(written));
        is_number && tokens[0].kind == Kind::Word && !TABLES[0].bounds.contains_key(&plain)
    }
}

/// Returns true for words of the first language in its form.
fn is_english(form: &str) -> bool {
    TABLES[0].stems.contains(form) || is_stop(form)
}

impl Lexicon {
    /// Returns the bound at the beginning of `tokens`, and its length.
    pub fn bound_at(&self, tokens: &[Token]) -> Option<(usize, Bound)> {
        let bounds = &TABLES[language_of(tokens).0].bounds;
        let longest = (1..=5.min(tokens.len())).rev();
        longest
            .into_iter()
            .find_map(|n| Some((n, *bounds.get(&key(&tokens[..n]))?)))
            .filter(|(n, _)| !cuts_word(tokens, *n))
    }

    /// Returns true if the words of a bound exclude the number: "more than", but not "no more
    /// than".
    pub fn is_strict(&self, bound: &[Token]) -> bool {
        let ends = |t: &Token| has(&self.amounts.strict_ends, &t.form);
        let includes = |t: &Token| has(&self.amounts.negators, &t.form);
        match bound {
            [only] if has(&self.amounts.strict_words, &only.form) => true,
            _ => bound.last().is_some_and(ends) && !bound.iter().any(includes),
        }
    }

    /// Returns the noun that ends a compound.
    pub fn ends_with_noun(&self, form: &str) -> Option<&str> {
        let mut nouns = self.head_nouns.iter().filter(|_| self.forms.compounds);
        let noun = nouns.find(|noun| {
            let before = form.strip_suffix(noun.as_str());
            let is_long = |part: &str| part.chars().count() >= MIN_COMPOUND_LETTERS;
            is_long(noun) && before.is_some_and(is_long)
        });
        noun.map(String::as_str)
    }
}

impl Tables {
    fn new(language: Language) -> Self {
        let lexicon = language.lexicon();
        let key = |name: &str| key(&tokens_of(name, language));
        let bounds = lexicon.bounds.iter();
        let bounds = bounds.flat_map(|(bound, words)| words.iter().map(|w| (key(w), *bound)));
        let brands = BRANDS_BY_NAME.iter();
        let brands = brands.map(|names| (names.clone(), Vec::new()));
        let first = Language::default().lexicon();
        Self {
            bounds: bounds.collect(),
            synonyms: aliases(language, &lexicon.synonyms, &first.synonyms),
            related: aliases(language, &lexicon.related, &first.related),
            brands: grouped(language, brands),
            stems: stems(lexicon),
            words: words(lexicon),
        }
    }
}

/// Returns the names of each group in a language, by their keys and by those of its name and of its
/// names in the first language.
fn aliases(language: Language, own: &Senses<String>, first: &Senses<String>) -> Aliases {
    let groups = own.iter().map(|(group, names)| {
        let others = first.get(group).into_iter().flatten().chain([group]);
        let others = others.filter(|_| language.0 > 0).cloned();
        (names.clone(), others.collect())
    });
    grouped(language, groups)
}

fn grouped(
    language: Language,
    groups: impl Iterator<Item = (Vec<String>, Vec<String>)>,
) -> Aliases {
    let mut by_key = HashMap::new();
    let mut by_other = HashMap::new();
    let key = |name: &str| key(&tokens_of(name, language));
    for (names, others) in groups {
        let names: std::sync::Arc<[String]> = names.into();
        for name in names.iter() {
            by_key.insert(key(name), names.clone());
        }
        for name in others {
            by_other.insert(key(&name), names.clone());
        }
    }
    for (key, names) in by_other {
        by_key.entry(key).or_insert(names);
    }
    by_key
}

/// Returns the stems of the words of a lexicon; of English also those of dialogues.
fn stems(lexicon: &Lexicon) -> HashSet<String> {
    let is_first = !lexicon.forms.compounds;
    let roles = lexicon.all_roles().map(|(_, phrase)| phrase);
    let values = lexicon.synonyms.values().chain(lexicon.related.values());
    let fields = lexicon.fields.values();
    let all = values.clone().chain(fields).flatten().map(String::as_str);
    let more = lexicon.words().filter(|_| is_first).map(String::as_str);
    let stem = |word: &str| match is_first {
        true => tokens(word).into_iter().map(|t| t.form).collect(),
        false => lexicon.forms.stem(word),
    };
    // Plurals of nouns change vowels: Rucksäcke.
    let plurals = values.flatten().map(String::as_str).flat_map(parts);
    let plurals = plurals.map(|word| unaccented(&stem(word)));
    let phrases = roles.chain(all).chain(more);
    let stems = phrases.flat_map(parts).map(stem);
    stems.chain(plurals).collect()
}

/// Returns the words of a lexicon as they are spelled.
fn words(lexicon: &Lexicon) -> HashSet<String> {
    let comparatives = lexicon.comparatives.values().flatten();
    let all = lexicon.words().chain(comparatives).map(String::as_str);
    all.flat_map(parts)
        .map(|word| lexicon.forms.spelled(word))
        .collect()
}

/// Returns the words of a phrase.
fn parts(phrase: &str) -> impl Iterator<Item = &str> {
    let words = phrase.split(|c: char| !c.is_alphabetic() && c != '\'');
    words.filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Debug};

    use super::*;

    #[test]
    fn no_sense_has_a_phrase_twice() {
        for lexicon in LEXICONS.iter() {
            unique(&lexicon.synonyms);
            unique(&lexicon.roles);
            unique(&lexicon.bounds);
            unique(&lexicon.phrases);
            unique(&lexicon.sorts);
            unique(&lexicon.recipients);
            unique(&lexicon.fields);
            let positions = &lexicon.positions;
            for list in [
                &lexicon.shared,
                &positions.articles,
                &positions.number_marks,
                &positions.classifiers,
            ] {
                unique(&Senses::from([("list", list.clone())]));
            }
        }
    }

    #[test]
    fn a_name_belongs_to_one_value_and_one_field() {
        for lexicon in LEXICONS.iter() {
            for senses in [&lexicon.synonyms, &lexicon.fields] {
                unique(&Senses::from([(
                    "all",
                    senses.values().flatten().cloned().collect(),
                )]));
            }
        }
    }

    fn unique<K: Debug>(senses: &Senses<K>) {
        for (sense, words) in senses {
            let mut seen = BTreeSet::new();
            for word in words {
                assert!(!word.is_empty() && seen.insert(word), "{sense:?}: {word:?}");
            }
        }
    }

    #[test]
    fn a_brand_is_found_by_its_other_names() {
        let names = &Language::default().brands()["nike"];
        assert!(names.iter().any(|name| name == "耐克"));
    }

    #[test]
    fn names_of_other_languages_are_names_of_the_value() {
        let names = &german().synonyms()["red"];
        assert!(names.iter().any(|name| name == "rot"), "{names:?}");
        assert!(!names.iter().any(|name| name == "red"), "{names:?}");
    }

    #[test]
    fn words_tell_the_language() {
        let leans = Language::default();
        for text in [
            "rote Schuhe unter 50 Euro",
            "roter Rock",
            "Schuhe",
            "ohne Zucker",
            "Sneaker für Herren",
            "iPhone ab 200",
            "Lederjacke",
            "zwischen zwanzig und dreißig",
            "sechsjährige Tochter",
            "das zweite",
            "zurück",
            "billiger",
            "am besten bewertet",
        ] {
            assert_eq!(Language::of(text, leans), german(), "{text}");
        }
        for text in [
            "",
            "42",
            "rot",
            "die cast car",
            "gift for the brief meeting",
            "hell boy",
            "fast charger also in red",
            "bald eagle poster",
            "fur coat",
            "shamrock earring",
            "Häagen-Dazs ice cream for my wife",
            "ab roller",
            "black Schuhe for men",
            "红色的鞋",
            "XL",
        ] {
            assert_eq!(Language::of(text, leans), Language::default(), "{text}");
        }
        assert_eq!(Language::of("rot", german()), german());
        assert_eq!(Language::of("red shoes", german()), Language::default());
    }
}
