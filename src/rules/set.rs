//! Rules of a collection, prepared for lookup.

use std::collections::BTreeSet;

use vitrine_schemas::{CategoryPath, InactiveReason, QueryCondition, Rule, RulePath};

use crate::{
    clock::rfc3339_micros,
    lexical::{Phrases, StopWords},
};

/// Properties of a request that rules depend on.
#[derive(Clone, Copy, Debug)]
pub struct RuleQuery<'a> {
    /// Kind of request.
    pub path: RulePath,
    /// Text of the query, if any.
    pub text: Option<&'a str>,
    /// Categories of the request, as paths.
    pub categories: &'a [String],
    /// Time, in microseconds since 1970.
    pub at: i64,
}

/// Rules of a collection. The cost of a lookup does not grow with the rules for other texts.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// Rules in the order of their ids.
    rules: Vec<PreparedRule>,
    /// Rules by the text that a query is.
    is: Phrases<usize>,
    /// Rules by phrases that a query contains.
    contains: Phrases<usize>,
    /// Rules without a condition on the text.
    any: Vec<usize>,
    stop_words: StopWords,
}

#[derive(Debug)]
struct PreparedRule {
    rule: Rule,
    from: Option<i64>,
    until: Option<i64>,
    /// Levels of each category.
    categories: Vec<Vec<String>>,
}

impl RuleSet {
    /// Prepares rules, sorted by id.
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
            set.rules.push(PreparedRule {
                from: time(&rule.valid_from),
                until: time(&rule.valid_until),
                categories: rule.when.categories.iter().map(|c| levels(c)).collect(),
                rule: rule.clone(),
            });
        }
        set
    }

    /// Returns true if there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns true if a rule depends on the categories of the request.
    pub fn uses_categories(&self) -> bool {
        self.rules.iter().any(|r| !r.categories.is_empty())
    }

    /// Returns the rules that apply to a request, sorted by id.
    pub fn matching(&self, query: &RuleQuery<'_>) -> Vec<&Rule> {
        let texts = self.for_text(query.text);
        let about: Vec<_> = query.categories.iter().map(|c| levels(c)).collect();
        let ready = texts.into_iter().map(|at| &self.rules[at]);
        let acting = ready.filter(|ready| ready.inactive_reason(query, &about).is_none());
        acting.map(|ready| &ready.rule).collect()
    }

    /// Returns all rules, each with the reason why it does not apply, if so.
    pub fn explain(&self, query: &RuleQuery<'_>) -> Vec<(&Rule, Option<InactiveReason>)> {
        let texts = self.for_text(query.text);
        let about: Vec<_> = query.categories.iter().map(|c| levels(c)).collect();
        let all = self.rules.iter().enumerate();
        all.map(|(at, ready)| {
            let text = || (!texts.contains(&at)).then_some(InactiveReason::Query);
            let inactive_reason = ready.inactive_reason(query, &about).or_else(text);
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

impl PreparedRule {
    /// Returns the reason why the rule does not apply, other than the text.
    fn inactive_reason(
        &self,
        query: &RuleQuery<'_>,
        about: &[Vec<String>],
    ) -> Option<InactiveReason> {
        let paths = &self.rule.when.paths;
        let is_about = |wanted: &Vec<String>| about.iter().any(|path| path.starts_with(wanted));
        if !self.rule.enabled {
            Some(InactiveReason::Disabled)
        } else if self.from.is_some_and(|from| query.at < from) {
            Some(InactiveReason::NotYetValid)
        } else if self.until.is_some_and(|until| query.at >= until) {
            Some(InactiveReason::Expired)
        } else if !paths.is_empty() && !paths.contains(&query.path) {
            Some(InactiveReason::Path)
        } else if !self.categories.is_empty() && !self.categories.iter().any(is_about) {
            Some(InactiveReason::Category)
        } else {
            None
        }
    }
}

fn levels(path: &str) -> Vec<String> {
    CategoryPath::levels(path).map(str::to_owned).collect()
}
