//! Rules, made ready to be asked which of them act.

use std::collections::BTreeSet;

use vitrine_schemas::{InactiveReason, QueryCondition, Rule, RulePath};

use crate::{clock::rfc3339_micros, lexical::{Phrases, StopWords}};

/// What a question is like.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where it is asked.
    pub path: RulePath,
    /// Text of the query, where it has one.
    pub text: Option<&'a str>,
    /// Categories that it is about, as paths.
    pub categories: &'a [String],
    /// When, microseconds since 1970.
    pub at: i64,
}

/// The rules of a collection. What it costs to ask does not grow with the rules that are for other texts.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// In the order of their ids.
    rules: Vec<Ready>,
    /// By texts that a query is.
    is: Phrases<usize>,
    /// By texts that it contains.
    contains: Phrases<usize>,
    /// For all texts and none.
    any: Vec<usize>,
    stop_words: StopWords,
}

#[derive(Debug)]
struct Ready {
    rule: Rule,
    from: Option<i64>,
    until: Option<i64>,
    /// Levels of each category.
    categories: Vec<Vec<String>>,
}

impl RuleSet {
    /// Of rules in the order of their ids.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a Rule>, stop_words: StopWords) -> Self {
        let mut set = Self {
            stop_words,
            ..Self::default()
        };
        for (at, rule) in rules.into_iter().enumerate() {
            let (texts, phrases) = match &rule.when.query {
                None => {
                    set.any.push(at);
                    (&[][..], &mut set.is)
                }
                Some(QueryCondition::Is(texts)) => (texts.as_slice(), &mut set.is),
                Some(QueryCondition::Contains(texts)) => (texts.as_slice(), &mut set.contains),
            };
            for text in texts {
                phrases.add(&set.stop_words.tokens(text), at);
            }
            // Checked when it was stored.
            let time = |time: &Option<String>| rfc3339_micros("", time.as_deref()?).ok();
            set.rules.push(Ready {
                from: time(&rule.valid_from),
                until: time(&rule.valid_until),
                categories: rule.when.categories.iter().map(|c| levels(c)).collect(),
                rule: rule.clone(),
            });
        }
        set
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether it matters what categories a question is about.
    pub fn asks_for_categories(&self) -> bool {
        self.rules.iter().any(|r| !r.categories.is_empty())
    }

    /// Those that act on a question, in the order of their ids.
    pub fn acting(&self, asked: &Asked<'_>) -> Vec<&Rule> {
        let texts = self.for_text(asked.text);
        let about: Vec<_> = asked.categories.iter().map(|c| levels(c)).collect();
        let ready = texts.into_iter().map(|at| &self.rules[at]);
        let acting = ready.filter(|ready| ready.inactive_reason(asked, &about).is_none());
        acting.map(|ready| &ready.rule).collect()
    }

    /// All rules, each with what keeps it from acting.
    pub fn tried(&self, asked: &Asked<'_>) -> Vec<(&Rule, Option<InactiveReason>)> {
        let texts = self.for_text(asked.text);
        let about: Vec<_> = asked.categories.iter().map(|c| levels(c)).collect();
        let all = self.rules.iter().enumerate();
        all.map(|(at, ready)| {
            let text = || (!texts.contains(&at)).then_some(InactiveReason::Query);
            let inactive_reason = ready.inactive_reason(asked, &about).or_else(text);
            (&ready.rule, inactive_reason)
        })
        .collect()
    }

    /// Returns the positions of the rules whose text condition matches.
    fn for_text(&self, text: Option<&str>) -> BTreeSet<usize> {
        let mut found: BTreeSet<usize> = self.any.iter().copied().collect();
        if let Some(text) = text.filter(|_| !(self.is.is_empty() && self.contains.is_empty())) {
            let words = self.stop_words.tokens(text);
            found.extend(self.is.of(&words));
            found.extend(self.contains.within(&words).flat_map(|(_, rules)| rules));
        }
        found
    }
}

impl Ready {
    /// What but the text keeps it from acting.
    fn inactive_reason(&self, asked: &Asked<'_>, about: &[Vec<String>]) -> Option<InactiveReason> {
        let paths = &self.rule.when.paths;
        let is_about = |wanted: &Vec<String>| about.iter().any(|path| path.starts_with(wanted));
        if !self.rule.enabled {
            Some(InactiveReason::Disabled)
        } else if self.from.is_some_and(|from| asked.at < from) {
            Some(InactiveReason::NotYetValid)
        } else if self.until.is_some_and(|until| asked.at >= until) {
            Some(InactiveReason::Expired)
        } else if !paths.is_empty() && !paths.contains(&asked.path) {
            Some(InactiveReason::Path)
        } else if !self.categories.is_empty() && !self.categories.iter().any(is_about) {
            Some(InactiveReason::Category)
        } else {
            None
        }
    }
}

fn levels(path: &str) -> Vec<String> {
    let levels = crate::payload::levels(path).into_iter();
    levels.map(str::to_owned).collect()
}
