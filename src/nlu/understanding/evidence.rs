//! Evidence of the items: which of the conditions that a query may name hold for the items that the
//! rest of the query describes. Green is a color of shirts, but in "green tea" a part of a name.

use roaring::RoaringBitmap;

use super::{
    candidates::{Candidate, Choice},
    category_paths::narrowed,
    grammar::Parsed,
    heads::learned_category,
};
use crate::nlu::{
    catalog::Catalog,
    tokens::{Kind, Token},
    vocabulary::is_brand,
};

/// Share of the items with a phrase in the title that must have a value for a word of the phrase to
/// mean it.
const MIN_PHRASE_SHARE: f64 = 0.5;

/// Share of the described items that must have a field for a recipient to be a condition on it.
const MIN_FIELD_SHARE: f64 = 0.5;

/// Maximum number of combinations of meanings that are tried.
const MAX_STEPS: usize = 120;

/// Returns the choice of each candidate; `None` for those that are only words.
pub(super) fn resolve(
    text: &str,
    parsed: &mut Parsed,
    catalog: Option<&dyn Catalog>,
    required: &[(String, Vec<String>)],
) -> Vec<Option<usize>> {
    let Some(catalog) = catalog else {
        return vec![Some(0); parsed.candidates.len()];
    };
    let has_category = required.iter().any(|(field, _)| field == "category");
    if !has_category && let Some(learned) = learned_category(text, parsed, catalog) {
        parsed.candidates.push(learned);
    }
    let evidence = Evidence {
        text,
        parsed,
        catalog,
    };
    // Words may change what was required before ("in blue") or begin anew.
    let starts = [Described::before(required, catalog), Described::default()];
    let found = starts.into_iter().map(|start| {
        let mut search = Search::new(&evidence);
        search.descend(0, &start, 0.0, Vec::new());
        search.best
    });
    let best = found.reduce(|a, b| if b.0 > a.0 + 1e-9 { b } else { a });
    best.map_or_else(Vec::new, |(_, hard, described)| {
        evidence.complete(hard, described)
    })
}

struct Evidence<'a> {
    text: &'a str,
    parsed: &'a Parsed,
    catalog: &'a dyn Catalog,
}

/// Items that the accepted conditions describe.
#[derive(Clone, Default)]
struct Described {
    /// Items by field; several values of an attribute are alternatives.
    by_field: Vec<(String, RoaringBitmap)>,
    categories: Vec<String>,
    /// Fields that were required before the text; its words replace their values.
    before: Vec<String>,
}

impl Described {
    /// Returns the items that earlier texts describe.
    fn before(required: &[(String, Vec<String>)], catalog: &dyn Catalog) -> Self {
        let mut described = Self::default();
        for (field, values) in required {
            let items = catalog.with_values(field, values);
            described.by_field.push((field.clone(), items));
            described.before.push(field.clone());
        }
        described
    }

    fn items(&self) -> Option<RoaringBitmap> {
        let mut sets = self.by_field.iter().map(|(_, items)| items);
        let first = sets.next()?.clone();
        Some(sets.fold(first, |all, items| all & items))
    }

    /// Returns the items that the conditions on other fields describe.
    fn rest(&self, field: &str) -> Option<RoaringBitmap> {
        let mut sets = self.by_field.iter().filter(|(f, _)| f != field);
        let first = sets.next()?.1.clone();
        Some(sets.fold(first, |all, (_, items)| all & items))
    }

    /// Adds a condition; `None` if no item is left.
    fn with(&self, choice: &Choice, joined: bool, catalog: &dyn Catalog) -> Option<Self> {
        let mut after = self.clone();
        if after.before.contains(&choice.field) {
            after.before.retain(|field| *field != choice.field);
            after.by_field.retain(|(field, _)| *field != choice.field);
        }
        let values = match (choice.field.as_str(), joined) {
            ("category", true) => [&self.categories[..], &choice.values].concat(),
            ("category", false) => narrowed(&self.categories, &choice.values)?,
            _ => choice.values.clone(),
        };
        let items = catalog.with_values(&choice.field, &values);
        let there = after.by_field.iter_mut().find(|(f, _)| *f == choice.field);
        match there {
            // A word that no described item has is no alternative either.
            Some((field, before)) if field != "category" => {
                self.rest(&choice.field)
                    .is_none_or(|rest| !rest.is_disjoint(&items))
                    .then_some(())?;
                *before |= items;
            }
            Some((_, before)) => *before = items,
            None => after.by_field.push((choice.field.clone(), items)),
        }
        if choice.field == "category" {
            after.categories = values;
        }
        after.items().filter(|items| !items.is_empty())?;
        Some(after)
    }
}

impl Evidence<'_> {
    /// Returns the choices of a candidate that its neighbors allow, with their weights.
    fn choices(&self, candidate: &Candidate) -> Vec<(usize, f64)> {
        let own = candidate.tokens.len().min(3) as f64;
        let allowed = candidate.choices.iter().enumerate().filter(|(_, choice)| {
            !self.is_part_of_name(candidate, choice) && !self.is_common_word(candidate, choice)
        });
        let mut weighed: Vec<(usize, f64)> = allowed
            .map(|(at, choice)| {
                let is_head = choice.field == "category" && self.is_head(candidate);
                let mut weight = own + 1.0 - 0.1 * at as f64;
                weight += if is_head { 0.5 } else { 0.0 };
                weight -= if candidate.purpose { 0.5 } else { 0.0 };
                (at, weight)
            })
            .collect();
        weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
        weighed
    }

    /// Returns true if no other category follows: in "coffee table" the table is wanted.
    fn is_head(&self, candidate: &Candidate) -> bool {
        let mut others = self.parsed.candidates.iter();
        !others.any(|o| {
            o.tokens.start >= candidate.tokens.end && o.is_category() && !o.purpose && !o.joined
        })
    }

    /// Returns true if the words and a neighbor are a phrase of titles whose items mostly do not have
    /// the value: "green" in "green tea".
    fn is_part_of_name(&self, candidate: &Candidate, choice: &Choice) -> bool {
        let tokens = &self.parsed.tokens;
        let (start, end) = (candidate.tokens.start, candidate.tokens.end);
        let is_word = |t: &Token| matches!(t.kind, Kind::Word | Kind::Han);
        let after = tokens
            .get(end)
            .filter(|t| is_word(t))
            .map(|_| start..end + 1);
        let before = start.checked_sub(1).filter(|at| is_word(&tokens[*at]));
        let before = before.map(|at| at..end);
        [after, before].into_iter().flatten().any(|span| {
            let words = &self.text[tokens[span.start].start..tokens[span.end - 1].end];
            let Some(items) = self.catalog.with_phrase(words, false) else {
                return false;
            };
            let all = items.len() as f64;
            let with = items & self.catalog.with_values(&choice.field, &choice.values);
            all > 0.0 && (with.len() as f64) < MIN_PHRASE_SHARE * all
        })
    }

    /// Returns true if the name of a brand is used for other things, and the other words of the
    /// query are not of the brand: "keep" in "keep coffee hot".
    fn is_common_word(&self, candidate: &Candidate, choice: &Choice) -> bool {
        if !is_brand(&choice.field) || candidate.negated {
            return false;
        }
        let of_brand = self.catalog.with_values(&choice.field, &choice.values);
        let tokens = &self.parsed.tokens;
        let words = |span: std::ops::Range<usize>| {
            &self.text[tokens[span.start].start..tokens[span.end - 1].end]
        };
        let used = self
            .catalog
            .with_phrase(words(candidate.tokens.clone()), true);
        if used.is_some_and(|used| (used - &of_brand).is_empty()) {
            return false;
        }
        let others = (0..tokens.len()).filter(|at| self.parsed.left[*at]);
        let others = others.filter_map(|at| self.catalog.with_phrase(words(at..at + 1), true));
        let others: Vec<_> = others.filter(|items| !items.is_empty()).collect();
        let fitting = others.iter().filter(|items| !items.is_disjoint(&of_brand));
        2 * fitting.count() < others.len()
    }

    /// Adds exclusions and recipients to the accepted conditions.
    fn complete(
        &self,
        mut chosen: Vec<Option<usize>>,
        mut described: Described,
    ) -> Vec<Option<usize>> {
        for (at, candidate) in self.parsed.candidates.iter().enumerate() {
            let choices = candidate.choices.iter().enumerate();
            if candidate.negated {
                let items = described.items();
                let fits = |choice: &Choice| {
                    let with = self.catalog.with_values(&choice.field, &choice.values);
                    items.as_ref().is_none_or(|items| !items.is_disjoint(&with))
                };
                let first = choices
                    .filter(|(_, choice)| fits(choice))
                    .map(|(n, _)| n)
                    .next();
                chosen[at] = Some(first.unwrap_or(0));
            } else if candidate.soft {
                let mut fitting = choices.filter_map(|(n, choice)| {
                    let after = described.with(choice, false, self.catalog)?;
                    self.is_common_field(&described, choice)
                        .then_some((n, after))
                });
                if let Some((n, after)) = fitting.next() {
                    (chosen[at], described) = (Some(n), after);
                }
            }
        }
        chosen
    }

    fn is_common_field(&self, described: &Described, choice: &Choice) -> bool {
        let Some(items) = described.items() else {
            return true;
        };
        let having = self
            .catalog
            .with_field(&choice.field)
            .intersection_len(&items);
        having as f64 >= MIN_FIELD_SHARE * items.len() as f64
    }
}

/// Search for the combination of meanings that explains most words and that items have.
struct Search<'a> {
    evidence: &'a Evidence<'a>,
    choices: Vec<Vec<(usize, f64)>>,
    best: (f64, Vec<Option<usize>>, Described),
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(evidence: &'a Evidence<'a>) -> Self {
        let candidates = &evidence.parsed.candidates;
        let of = |c: &Candidate| match c.negated || c.soft {
            true => Vec::new(),
            false => evidence.choices(c),
        };
        Self {
            evidence,
            choices: candidates.iter().map(of).collect(),
            best: (-1.0, vec![None; candidates.len()], Described::default()),
            steps: 0,
        }
    }

    fn descend(
        &mut self,
        at: usize,
        described: &Described,
        weight: f64,
        chosen: Vec<Option<usize>>,
    ) {
        let Some(choices) = self.choices.get(at).cloned() else {
            if weight > self.best.0 + 1e-9 {
                self.best = (weight, chosen, described.clone());
            }
            return;
        };
        let rest = self.choices[at..].iter().filter_map(|c| c.first());
        let possible: f64 = rest.map(|(_, weight)| weight).sum();
        if weight + possible <= self.best.0 + 1e-9 {
            return;
        }
        let joined = self.evidence.parsed.candidates[at].joined;
        for (choice, own) in choices {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                break;
            }
            let meaning = &self.evidence.parsed.candidates[at].choices[choice];
            if let Some(after) = described.with(meaning, joined, self.evidence.catalog) {
                let chosen = [&chosen[..], &[Some(choice)]].concat();
                self.descend(at + 1, &after, weight + own, chosen);
            }
        }
        self.descend(at + 1, described, weight, [&chosen[..], &[None]].concat());
    }
}
