//! Numbers of a query: prices, ratings, dates, ages and other measures.

use super::{Context, MAX_NEGATION_DISTANCE, Parser};
use crate::nlu::{
    amounts::PriceRange,
    lexicon::{Bound, has},
    measures::{Measure, measure_at},
    numbers::number_at,
    tokens::{Kind, Token},
    understanding::{
        Constraint,
        candidates::{Choice, choices},
        dates::{Interval, interval_at},
        ratings::rating_at,
    },
    vocabulary::{FieldKind, Lookup},
};

/// Greatest number after "she is" that is taken for an age in years.
const MAX_AGE_OF_CHILD: f64 = 17.0;

/// Maximum number of words between the person and the age: "she will be turning 5".
const MAX_VERBS_BEFORE_AGE: usize = 4;

impl Parser<'_> {
    /// Returns the price that is meant: "don't want to go over 50" is at most 50.
    pub(super) fn meant(&self, range: PriceRange) -> PriceRange {
        let from = self.at.saturating_sub(MAX_NEGATION_DISTANCE);
        let negators = &self.lexicon.amounts.price_negators;
        let negates = |t: &Token| has(negators, &t.form);
        let clause = self.tokens[from..self.at].iter().rev();
        let mut clause = clause.take_while(|t| t.kind != Kind::Break);
        match range {
            PriceRange {
                gte: Some(most),
                lte: None,
                ..
            } if clause.any(negates) => PriceRange {
                lte: Some(most),
                ..PriceRange::default()
            },
            range => range,
        }
    }

    /// Interprets "released after june 2025", 2026年上市.
    pub(super) fn date(&mut self) -> bool {
        let field = self
            .vocabulary
            .field_named("release_date", &[FieldKind::Datetime]);
        let Some(field) = field.filter(|field| !self.without.contains(field)) else {
            return false;
        };
        let Some((n, interval)) = interval_at(&self.tokens[self.at..]) else {
            return false;
        };
        let field = field.to_owned();
        let Interval { from, until } = match (self.context.not.take(), interval) {
            (None, interval) => interval,
            // "not released before 2020"
            (Some(_), Interval { from, until }) if from.is_none() || until.is_none() => Interval {
                from: until,
                until: from,
            },
            (not, _) => {
                self.context.not = not;
                return false;
            }
        };
        self.fix(n, Constraint::Days { field, from, until });
        true
    }

    /// Interprets "4 stars and up", 评分4.5以上.
    pub(super) fn rating(&mut self) -> bool {
        let field = self.vocabulary.field_named("rating", &[FieldKind::Number]);
        let Some(field) = field.filter(|field| !self.without.contains(field)) else {
            return false;
        };
        let Some((n, bounds)) = rating_at(&self.tokens[self.at..], self.vocabulary) else {
            return false;
        };
        let field = field.to_owned();
        self.keep_not();
        self.fix(n, Constraint::Range { field, bounds });
        true
    }

    /// Interprets "6 year old", "ages 3 to 5", 6岁.
    pub(super) fn age(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        if self.age_of_person() {
            return true;
        }
        let ages = &self.lexicon.ages;
        let lead = usize::from(has(&ages.leads, &ahead[0].form));
        let Some((n, age)) = measure_at(&ahead[lead..]).filter(|(_, m)| m.kind == "age") else {
            return lead > 0 && self.bare_age();
        };
        let end = lead + n;
        let unit = &ahead[end - 1].form;
        let old = ahead.get(end).is_some_and(|t| has(&ages.after, &t.form));
        if lead == 0 && !old && !has(&ages.marks, unit) {
            return false;
        }
        let end = end + usize::from(old);
        let (n, age) = match self.lexicon.bound_at(&ahead[end..]) {
            Some((n, bound)) => (end + n, age.bounded(bound)),
            None => (end, age),
        };
        self.audience.add_age(self.at..self.at + n, age);
        self.skip(n, Context::default());
        true
    }

    /// "she is 5", "he turns 7".
    fn age_of_person(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let form = |at: usize| ahead.get(at).map_or("", |t| t.form.as_str());
        let ages = &self.lexicon.ages;
        if !has(&ages.persons, form(0)) {
            return false;
        }
        let verbs = ahead[1..].iter().take(MAX_VERBS_BEFORE_AGE);
        let verb = verbs.take_while(|t| has(&ages.verbs, &t.form)).count();
        let Some((n, years)) = number_at(&ahead[1 + verb..]) else {
            return false;
        };
        let end = 1 + verb + n;
        let ends = ahead
            .get(end)
            .is_none_or(|t| t.kind == Kind::Break || has(&ages.now, &t.form));
        if !ends || years > MAX_AGE_OF_CHILD {
            return false;
        }
        let age = Measure {
            kind: "age".to_owned(),
            low: years * 12.0,
            high: years * 12.0,
        };
        self.audience.add_age(self.at..self.at + end, age);
        self.skip(end, Context::default());
        true
    }

    /// "age 6", "aged 3-5".
    pub(super) fn bare_age(&mut self) -> bool {
        let ahead = &self.tokens[self.at + 1..];
        let Some((n, low)) = number_at(ahead) else {
            return false;
        };
        let range = ahead
            .get(n)
            .filter(|t| has(&self.lexicon.ages.ranges, &t.form))
            .and_then(|_| number_at(&ahead[n + 1..]));
        let (n, high) = range.map_or((n, low), |(m, high)| (n + 1 + m, high));
        let age = Measure {
            kind: "age".to_owned(),
            low: low * 12.0,
            high: high * 12.0,
        };
        self.audience.add_age(self.at..self.at + 1 + n, age);
        self.skip(1 + n, Context::default());
        true
    }

    /// Interprets "256 GB", "at least 13 inch", 500毫升, if values are such measures.
    pub(super) fn measure(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let (skipped, before) = self
            .lexicon
            .bound_at(ahead)
            .map_or((0, None), |(n, bound)| (n, Some(bound)));
        if self.alternative_measures() {
            return true;
        }
        let Some((n, measure)) = measure_at(&ahead[skipped..]) else {
            return false;
        };
        let after = self
            .lexicon
            .bound_at(&ahead[skipped + n..])
            .filter(|_| before.is_none());
        let end = skipped + n + after.map_or(0, |(n, _)| n);
        let bound = before.or(after.map(|(_, bound)| bound));
        let stated = measure.clone();
        let is_strict = self.lexicon.is_strict(&ahead[..skipped]);
        let measure = match bound {
            Some(bound @ (Bound::Min | Bound::Max)) if is_strict => {
                measure.bounded(bound).excluding_ends()
            }
            Some(bound) if bound != Bound::Between => measure.bounded(bound),
            _ => measure,
        };
        // Values come first: "42码" may be one, "13 inch" too.
        if bound.is_none()
            && let Some((m, Lookup::Values(_))) = self.vocabulary.longest_at(ahead)
            && m >= n
        {
            return false;
        }
        let mut found = self.measured(&measure);
        let is_gram = measure.kind == "weight" && ahead[skipped + n - 1].form == "g";
        if found.is_empty() && is_gram && bound.is_none() {
            // "512g" is also written for gigabytes.
            found = self.measured(&Measure {
                kind: "data".to_owned(),
                ..measure
            });
        }
        if found.is_empty() {
            return self.number_of_unit(end, &stated, bound, is_strict);
        }
        self.push(end, found);
        self.skip(end, Context::default());
        true
    }

    fn measured(&self, measure: &Measure) -> Vec<Choice> {
        let found = self.vocabulary.measured(measure, self.language);
        choices(found.iter().map(|value| &value.meaning), self.without)
    }

    /// Interprets "more than 500 pieces", 600片以上, if a numeric field is counted in the unit.
    fn number_of_unit(
        &mut self,
        n: usize,
        measure: &Measure,
        bound: Option<Bound>,
        is_strict: bool,
    ) -> bool {
        let Some((field, factor)) = self.vocabulary.field_in_unit(&measure.kind) else {
            return false;
        };
        if self.without.contains(&field) {
            return false;
        }
        let field = field.to_owned();
        let interval = match bound {
            Some(bound) => measure.clone().bounded(bound),
            None => measure.clone(),
        };
        let finite = |x: f64| x.is_finite().then_some(x / factor);
        let bounds = PriceRange {
            gte: finite(interval.low).filter(|x| *x > 0.0),
            lte: finite(interval.high),
            is_strict,
        };
        self.keep_not();
        self.fix(n, Constraint::Range { field, bounds });
        true
    }

    /// Interprets "13 or 14 inch".
    pub(super) fn alternative_measures(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let Some((n, first)) = number_at(ahead) else {
            return false;
        };
        let joins = |t: &&Token| has(&self.lexicon.amounts.alternatives, &t.form);
        if ahead.get(n).filter(joins).is_none() {
            return false;
        }
        let Some((m, second)) = measure_at(&ahead[n + 1..]) else {
            return false;
        };
        let Some((_, number)) = number_at(&ahead[n + 1..]).filter(|(_, x)| *x > 0.0) else {
            return false;
        };
        let factor = second.low / number;
        let first = Measure {
            kind: second.kind.clone(),
            low: first * factor,
            high: first * factor,
        };
        let mut found = self.vocabulary.measured(&first, self.language);
        found.extend(self.vocabulary.measured(&second, self.language));
        let found = choices(found.iter().map(|value| &value.meaning), self.without);
        if found.is_empty() {
            return false;
        }
        self.push(n + 1 + m, found);
        self.skip(n + 1 + m, Context::default());
        true
    }

    /// Returns true if `n` tokens, an amount without a bound, are a size: "38-40 size".
    pub(super) fn is_size(&self, n: usize) -> bool {
        self.size_mark_at(self.at + n)
    }
}
