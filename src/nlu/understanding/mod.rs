//! Query understanding: extracts price, color, brand, size, category, audience and exclusions from
//! the text of a query, by the values of the collection and a small lexicon of each language.
//! No model, no network: the same text always gives the same result, and each part has the span of
//! its words, so that it can be shown and undone.

mod audience;
mod candidates;
mod category_paths;
mod dates;
mod evidence;
mod grammar;
mod heads;
mod memo;
mod ratings;
pub(in crate::nlu) mod sorts;
mod wording;

use std::{collections::BTreeMap, ops::Range};

use chrono::NaiveDate;
use roaring::RoaringBitmap;
use vitrine_schemas::Scalar;

pub use self::sorts::Sort;
pub use super::{
    amounts::PriceRange,
    vocabulary::{FieldKind, Vocabulary},
};
use super::{catalog::Catalog, lexicon::Language, tokens::Token};

/// Constraint extracted from a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// The field has the value; several of one field are alternatives.
    Must {
        /// Attribute, `category` or `brand`.
        field: String,
        /// A value that items have; for categories a path.
        value: String,
    },
    /// The field does not have the value.
    MustNot {
        /// Attribute, `category` or `brand`.
        field: String,
        /// A value that items have; for categories a path.
        value: String,
    },
    /// Bounds of the price.
    Price(PriceRange),
    /// Bounds of another numeric field.
    Range {
        /// Attribute.
        field: String,
        /// Their values.
        bounds: PriceRange,
    },
    /// Days of a field of times.
    Days {
        /// Attribute.
        field: String,
        /// First day; None for all before `until`.
        from: Option<NaiveDate>,
        /// Day after the last one; None for all from `from` on.
        until: Option<NaiveDate>,
    },
    /// A field of true and false.
    Is {
        /// Attribute.
        field: String,
        /// Its value.
        value: bool,
    },
    /// Order of the hits.
    Sort(Sort),
}

/// Returns the range of the times of days: from the beginning of the first one (UTC), before that
/// of `until`.
pub fn days(from: Option<NaiveDate>, until: Option<NaiveDate>) -> vitrine_schemas::Range {
    let time = |day: NaiveDate| Scalar::Str(format!("{day}T00:00:00Z"));
    vitrine_schemas::Range {
        gte: from.map(time),
        lt: until.map(time),
        ..Default::default()
    }
}

/// A constraint and the span of its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Bytes of the query.
    pub span: Range<usize>,
    /// Their meaning.
    pub constraint: Constraint,
}

/// Interpretation of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// Remaining text to search by.
    pub text: String,
    /// Extracted constraints, in the order of the query.
    pub parts: Vec<Part>,
    /// Uncertain constraints: their words stay in the text, and items that meet them are rather
    /// meant than others.
    pub preferred: Vec<Part>,
}

impl Understanding {
    /// Interprets a text. Constraints on the fields `without` stay in the text: this undoes a part.
    ///
    /// # Examples
    ///
    /// ```
    /// use vitrine::nlu::understanding::{Understanding, Vocabulary};
    ///
    /// let vocabulary = Vocabulary::new([("color", "red"), ("brand", "Acme")]);
    /// let understood = Understanding::of("red acme shoes under $50", &vocabulary, &[]);
    /// assert_eq!(understood.must()["color"], ["red"]);
    /// assert_eq!(understood.price().lte, Some(50.0));
    /// assert_eq!(understood.text, "shoes");
    /// ```
    pub fn of(text: &str, vocabulary: &Vocabulary, without: &[&str]) -> Self {
        let language = vocabulary.language_of(text, "");
        Self::within(text, language, vocabulary, without, None, &[])
    }

    /// Interprets a text with the items as evidence: a word is a condition only if items that the
    /// rest of the text describes meet it; other words stay in the text.
    pub fn with(
        text: &str,
        vocabulary: &Vocabulary,
        without: &[&str],
        catalog: &dyn Catalog,
    ) -> Self {
        let memo = memo::Memo::new(catalog);
        let language = vocabulary.language_of(text, "");
        let mut understood = Self::read(text, language, vocabulary, without, Some(&memo), &[]);
        understood.narrow(&memo);
        understood
    }

    /// Drops those values of a phrase that no item meeting the other conditions has: "coat for my 8
    /// year old" asks for the ages that coats have, and not for those of toys. A phrase of
    /// which none is left keeps its values: "42 or 43".
    fn narrow(&mut self, catalog: &dyn Catalog) {
        let must = self.must();
        let owned = |(field, values): (&&str, &Vec<&str>)| {
            let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
            ((*field).to_owned(), values)
        };
        let mut conditions: Vec<(String, Vec<String>)> = must.iter().map(owned).collect();
        conditions.extend(self.parts.iter().filter_map(|part| match &part.constraint {
            Constraint::Is { field, value } => Some((field.clone(), vec![value.to_string()])),
            _ => None,
        }));
        let items = |(field, values): &(String, Vec<String>)| catalog.with_values(field, values);
        let sets: Vec<RoaringBitmap> = conditions.iter().map(items).collect();
        for (at, (field, values)) in conditions.iter().enumerate() {
            let others = sets.iter().enumerate().filter(|(other, _)| *other != at);
            let rest = others
                .map(|(_, set)| set.clone())
                .reduce(|all, set| all & set);
            let Some(rest) = rest.filter(|_| values.len() > 1) else {
                continue;
            };
            let has = |value: &&String| {
                let value = std::slice::from_ref(*value);
                !catalog.with_values(field, value).is_disjoint(&rest)
            };
            let kept: Vec<&String> = values.iter().filter(has).collect();
            let is_dropped = |part: &Part| match &part.constraint {
                Constraint::Must { field: own, value } if own == field => !kept.contains(&value),
                _ => false,
            };
            let spans = self.parts.iter().filter(|part| !is_dropped(part));
            let spans: Vec<Range<usize>> = spans.map(|part| part.span.clone()).collect();
            self.parts
                .retain(|part| !is_dropped(part) || !spans.contains(&part.span));
        }
    }

    /// Interprets a text as [`Understanding::with`], where earlier texts have required values of
    /// fields already.
    pub(super) fn within(
        text: &str,
        language: Language,
        vocabulary: &Vocabulary,
        without: &[&str],
        catalog: Option<&dyn Catalog>,
        required: &[(String, Vec<String>)],
    ) -> Self {
        let memo = catalog.map(memo::Memo::new);
        Self::read(text, language, vocabulary, without, memo.as_ref(), required)
    }

    fn read(
        text: &str,
        language: Language,
        vocabulary: &Vocabulary,
        without: &[&str],
        memo: Option<&memo::Memo<'_>>,
        required: &[(String, Vec<String>)],
    ) -> Self {
        let catalog = memo.map(|memo| memo as &dyn Catalog);
        let is_word = |word: &str| {
            catalog
                .and_then(|c| c.with_phrase(word, true))
                .is_none_or(|items| !items.is_empty())
        };
        let is_word: Option<&dyn Fn(&str) -> bool> = catalog.is_some().then_some(&is_word);
        let mut parsed = grammar::parse(text, language, vocabulary, without, is_word);
        let may_learn = !without.contains(&"category");
        let chosen = evidence::resolve(text, &mut parsed, vocabulary, catalog, required, may_learn);
        if let Some(catalog) = catalog {
            evidence::drop_foreign_ranges(&mut parsed, &chosen, catalog);
        }
        let mut parts = Vec::new();
        for (candidate, choice) in parsed.candidates.iter().zip(chosen) {
            let tokens = candidate.tokens.clone();
            let Some(choice) = choice.map(|choice| &candidate.choices[choice]) else {
                parsed.left[tokens].fill(true);
                continue;
            };
            for value in choice.values.iter().cloned() {
                let field = choice.field.clone();
                // Items that do not say that they have a property lack it.
                let constraint = match candidate.negated {
                    false if vocabulary.is_flag(&field) => Constraint::Is { field, value: true },
                    true => Constraint::MustNot { field, value },
                    false => Constraint::Must { field, value },
                };
                let span = span(&parsed.tokens, &tokens);
                parts.push(Part { span, constraint });
            }
        }
        parts.extend(parsed.fixed.into_iter().map(|fixed| Part {
            span: span(&parsed.tokens, &fixed.tokens),
            constraint: fixed.constraint,
        }));
        parts.sort_by_key(|part| part.span.start);
        keep_lowest(&mut parts);
        let mut preferred = Vec::new();
        for (tokens, choice) in std::mem::take(&mut parsed.preferred) {
            parsed.left[tokens.clone()].fill(true);
            let span = span(&parsed.tokens, &tokens);
            preferred.extend(choice.values.into_iter().map(|value| Part {
                span: span.clone(),
                constraint: Constraint::Must {
                    field: choice.field.clone(),
                    value,
                },
            }));
        }
        Self {
            preferred,
            text: grammar::remaining_text(text, &parsed.tokens, &parsed.left),
            parts,
        }
    }

    /// Returns the order of the hits: the first that the text names. A later one of the same field
    /// is more precise: "by price, high to low".
    pub fn sort(&self) -> Option<&Sort> {
        let sorts = self.parts.iter().filter_map(|part| match &part.constraint {
            Constraint::Sort(sort) => Some(sort),
            _ => None,
        });
        sorts.reduce(|first, next| match first.field == next.field {
            true => next,
            false => first,
        })
    }

    /// Alternatives by field.
    pub fn must(&self) -> BTreeMap<&str, Vec<&str>> {
        self.values(|c| match c {
            Constraint::Must { field, value } => Some((field, value)),
            _ => None,
        })
    }

    /// Excluded values by field.
    pub fn must_not(&self) -> BTreeMap<&str, Vec<&str>> {
        self.values(|c| match c {
            Constraint::MustNot { field, value } => Some((field, value)),
            _ => None,
        })
    }

    /// Returns all price bounds combined.
    pub fn price(&self) -> PriceRange {
        let mut all = PriceRange::default();
        for part in &self.parts {
            if let Constraint::Price(range) = part.constraint {
                all.gte = range.gte.or(all.gte);
                all.lte = range.lte.or(all.lte);
            }
        }
        all
    }

    fn values<'a>(
        &'a self,
        of: impl Fn(&'a Constraint) -> Option<(&'a String, &'a String)>,
    ) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut by_field: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (field, value) in self.parts.iter().filter_map(|p| of(&p.constraint)) {
            let values = by_field.entry(field).or_default();
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        by_field
    }
}

fn span(tokens: &[Token], range: &Range<usize>) -> Range<usize> {
    tokens[range.start].start..tokens[range.end - 1].end
}

/// Drops categories above or beside the lower ones that others name: "shoes" beside "running shoes"
/// adds nothing, and "men" and "shoes" mean the shoes of men.
fn keep_lowest(parts: &mut Vec<Part>) {
    let category = |part: &Part| match &part.constraint {
        Constraint::Must { field, value } if field == "category" => Some(value.clone()),
        _ => None,
    };
    let spans: Vec<(Range<usize>, String)> = parts
        .iter()
        .filter_map(|part| Some((part.span.clone(), category(part)?)))
        .collect();
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    while at < spans.len() {
        let same = spans[at..]
            .iter()
            .take_while(|(span, _)| *span == spans[at].0);
        let paths: Vec<String> = same.map(|(_, path)| path.clone()).collect();
        at += paths.len();
        match category_paths::narrowed(&kept, &paths) {
            Some(lower) => kept = lower,
            None => kept.extend(paths),
        }
    }
    parts.retain(|part| category(part).is_none_or(|path| kept.contains(&path)));
}
