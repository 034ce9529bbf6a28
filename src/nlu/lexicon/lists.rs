//! Lists of words by their place in amounts, positions and ages.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Parts of amounts and measures.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::nlu) struct Amounts {
    /// Signs and words of currencies, before or after an amount.
    pub currencies: Vec<String>,
    /// Words between two amounts.
    pub ranges: Vec<String>,
    /// Those of them that need "between" before the first amount.
    pub ranges_after_between: Vec<String>,
    /// Words between two measures.
    pub measure_ranges: Vec<String>,
    /// Words between two numbers of which one is meant: "13 or 14 inch".
    pub alternatives: Vec<String>,
    /// Bounds that only stand after an amount.
    pub bounds_after: Vec<String>,
    /// Last words of bounds that exclude the number: "more than".
    pub strict_ends: Vec<String>,
    /// Bounds of a single word that exclude it: "above".
    pub strict_words: Vec<String>,
    /// First words that make such bounds include it: "no more than".
    pub negators: Vec<String>,
    /// Words that turn a lower bound of the price into an upper one: "don't want to go over".
    pub price_negators: Vec<String>,
    /// Units after a number that is not a price, in the form of tokens.
    pub units: Vec<String>,
    /// Factors by the letters after a number.
    pub factors: BTreeMap<String, f64>,
    /// Numbers by their words.
    pub number_words: BTreeMap<String, f64>,
    /// Numbers that are only parts of others, in languages that write them as one word.
    pub number_parts: BTreeMap<String, f64>,
    /// Letters between the parts of such a number.
    pub number_joint: String,
    /// Units of ratings.
    pub stars: Vec<String>,
}

/// Parts of positions in a list of hits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::nlu) struct Positions {
    /// Words before an ordinal number.
    pub articles: Vec<String>,
    /// Ordinal numbers, from the first.
    pub ordinals: Vec<String>,
    /// Endings of ordinal numbers in digits; a dot only counts after an article.
    pub ordinal_marks: Vec<String>,
    /// Other names of the first and of the last position.
    pub first: Vec<String>,
    pub last: Vec<String>,
    /// Words before a number of positions from the first: "the first two".
    pub few: Vec<String>,
    /// Words after which numbers are positions: "compare 1 and 2".
    pub compare_marks: Vec<String>,
    /// Cardinal numbers, from one.
    pub numbers: Vec<String>,
    /// Nouns after an ordinal number.
    pub item_nouns: Vec<String>,
    /// Words before a number that is a position.
    pub number_marks: Vec<String>,
    /// Chinese classifiers, after a number.
    pub classifiers: Vec<String>,
}

/// Parts of ages.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::nlu) struct Ages {
    /// Words before an age, with or without a unit: "aged 6".
    pub leads: Vec<String>,
    /// Words between the ends of a range of ages without a unit.
    pub ranges: Vec<String>,
    /// Last words of units that only ages have: "years old".
    pub marks: Vec<String>,
    /// Words after a number of years that make it an age.
    pub after: Vec<String>,
    /// Persons whose age may follow: "she is 5".
    pub persons: Vec<String>,
    /// Verbs between the person and the age.
    pub verbs: Vec<String>,
    /// Words that may follow such an age.
    pub now: Vec<String>,
}

/// Parts of dates.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::nlu) struct Dates {
    /// Names of the months, from January, each with its abbreviations.
    pub months: Vec<Vec<String>>,
    /// Units of years, months and days after their numbers.
    pub units: Vec<Vec<String>>,
    /// Words of a release, before or after its date.
    pub releases: Vec<String>,
    /// Words without meaning between these and the date.
    pub joints: Vec<String>,
    /// Words with which a time begins at a date.
    pub since: Vec<String>,
    /// Words with which it begins after a date.
    pub after: Vec<String>,
    /// Words with which it ends before a date.
    pub before: Vec<String>,
    /// Words with which it ends with a date.
    pub until: Vec<String>,
}

/// Adds all words of `more`, for lists and tables alike.
macro_rules! extend_all {
    ($all:expr, $more:expr, $($list:ident),+) => {
        $($all.$list.extend($more.$list);)+
    };
}

/// Changes all lists of words.
macro_rules! map_all {
    ($all:expr, $change:expr, $($list:ident),+) => {
        $($all.$list.iter_mut().for_each(|word| *word = $change(word.as_str()));)+
    };
}

impl Amounts {
    pub(super) fn merge(&mut self, other: Self) {
        extend_all!(
            self,
            other,
            currencies,
            ranges,
            ranges_after_between,
            measure_ranges,
            alternatives,
            bounds_after,
            strict_ends,
            strict_words,
            negators,
            price_negators,
            units,
            factors,
            number_words,
            number_parts,
            stars
        );
        self.number_joint.push_str(&other.number_joint);
    }

    /// Brings the words into another form, and those of numbers into a form of their own.
    pub(super) fn map(
        &mut self,
        change: &dyn Fn(&str) -> String,
        change_number: &dyn Fn(&str) -> String,
    ) {
        map_all!(
            self,
            change,
            currencies,
            ranges,
            ranges_after_between,
            measure_ranges,
            alternatives,
            bounds_after,
            strict_ends,
            strict_words,
            negators,
            price_negators,
            units,
            stars
        );
        map_keys(&mut self.factors, change);
        map_keys(&mut self.number_words, change_number);
        map_keys(&mut self.number_parts, change_number);
    }
}

impl Positions {
    pub(super) fn merge(&mut self, other: Self) {
        extend_all!(
            self,
            other,
            articles,
            ordinals,
            ordinal_marks,
            first,
            last,
            few,
            compare_marks,
            numbers,
            item_nouns,
            number_marks,
            classifiers
        );
    }

    pub(super) fn map(&mut self, change: &dyn Fn(&str) -> String) {
        map_all!(
            self,
            change,
            articles,
            ordinals,
            ordinal_marks,
            first,
            last,
            few,
            compare_marks,
            numbers,
            item_nouns,
            number_marks
        );
    }
}

impl Ages {
    pub(super) fn merge(&mut self, other: Self) {
        extend_all!(
            self, other, leads, ranges, marks, after, persons, verbs, now
        );
    }

    pub(super) fn map(&mut self, change: &dyn Fn(&str) -> String) {
        map_all!(
            self, change, leads, ranges, marks, after, persons, verbs, now
        );
    }
}

impl Dates {
    pub(super) fn merge(&mut self, other: Self) {
        extend_all!(self, other, releases, joints, since, after, before, until);
        for (all, more) in [
            (&mut self.months, other.months),
            (&mut self.units, other.units),
        ] {
            all.resize(all.len().max(more.len()), Vec::new());
            for (names, more) in all.iter_mut().zip(more) {
                names.extend(more);
            }
        }
    }

    pub(super) fn map(&mut self, change: &dyn Fn(&str) -> String) {
        map_all!(self, change, releases, joints, since, after, before, until);
        let names = self.months.iter_mut().flatten();
        names.for_each(|name| *name = change(name.as_str()));
    }
}

/// Changes the keys of a table.
pub(super) fn map_keys(table: &mut BTreeMap<String, f64>, change: &dyn Fn(&str) -> String) {
    let entries = std::mem::take(table).into_iter();
    *table = entries
        .map(|(word, value)| (change(&word), value))
        .collect();
}
