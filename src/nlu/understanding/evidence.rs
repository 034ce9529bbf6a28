//! Evidence of the items: which of the conditions that a query may name hold for the items that the
//! rest of the query describes. Green is a color of shirts, but in "green tea" a part of a name.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::{
    Constraint,
    candidates::{Candidate, Choice, Fixed},
    category_paths::narrowed,
    grammar::Parsed,
    heads::{CERTAIN, LIKELY, learned_category},
};
use crate::nlu::{catalog::Catalog, tokens::Kind, vocabulary::Vocabulary};

/// Share of the described items that must have a field for a recipient to be a condition on it.
const MIN_FIELD_SHARE: f64 = 0.2;

/// Maximum number of words not understood beside a category that alone was understood.
const MAX_WORDS_BESIDE: usize = 5;

/// Minimum numbers of words and of Chinese characters not understood of a text that names no kind
/// of item, for its conditions to be uncertain.
const MIN_STORY_WORDS: usize = 3;
const MIN_STORY_HAN: usize = 5;

/// Maximum number of combinations of meanings that are tried.
const MAX_STEPS: usize = 120;

/// Returns the choice of each candidate; `None` for those that are only words. With `may_learn`,
/// words that no category is called by may mean one.
pub(super) fn resolve(
    text: &str,
    parsed: &mut Parsed,
    vocabulary: &Vocabulary,
    catalog: Option<&dyn Catalog>,
    required: &[(String, Vec<String>)],
    may_learn: bool,
) -> Vec<Option<usize>> {
    let Some(catalog) = catalog else {
        return vec![Some(0); parsed.candidates.len()];
    };
    let (mut chosen, mut preferred) = choose(text, parsed, catalog, required);
    let is_category = |(candidate, choice): (&Candidate, &Option<usize>)| {
        choice.is_some_and(|n| !candidate.negated && candidate.choices[n].field == "category")
    };
    let mut named = parsed.candidates.iter().zip(&chosen);
    let has_category = required.iter().any(|(field, _)| field == "category");
    if has_category || named.any(is_category) {
        if required.is_empty() && tells_a_story(parsed, &chosen) {
            chosen.fill(None);
            preferred.clear();
        }
        parsed.preferred = preferred;
        return chosen;
    }
    let learned = |parsed: &Parsed, chosen: &[Option<usize>], needed| {
        let learned = || learned_category(text, parsed, vocabulary, chosen, catalog, needed);
        may_learn.then(learned).flatten()
    };
    if let Some(certain) = learned(parsed, &chosen, CERTAIN) {
        parsed.candidates.push(certain);
        (chosen, preferred) = choose(text, parsed, catalog, required);
    } else if let Some(likely) = learned(parsed, &chosen, LIKELY) {
        // It is evidence for the other words.
        parsed.candidates.push(likely);
        (chosen, preferred) = choose(text, parsed, catalog, required);
        if let (Some(likely), Some(Some(choice))) = (parsed.candidates.pop(), chosen.pop()) {
            preferred.push((likely.tokens, likely.choices[choice].clone()));
        }
    }
    if required.is_empty() && preferred.is_empty() && tells_without_a_kind(parsed, &chosen) {
        for (candidate, choice) in parsed.candidates.iter().zip(&mut chosen) {
            if let Some(choice) = choice.take_if(|_| !candidate.negated) {
                let choice = candidate.choices[choice].clone();
                preferred.push((candidate.tokens.clone(), choice));
            }
        }
    }
    parsed.preferred = preferred;
    chosen
}

/// Returns true if no kind of item, but several other words were not understood: "a weekend in the
/// black forest" asks for nothing black.
fn tells_without_a_kind(parsed: &Parsed, chosen: &[Option<usize>]) -> bool {
    let mut named = parsed.candidates.iter().zip(chosen);
    let has_kind = !parsed.fixed.is_empty()
        || named.any(|(candidate, choice)| {
            choice.is_some_and(|n| candidate.choices[n].field == "category")
        });
    let count = |kind: Kind| {
        let left = parsed.tokens.iter().zip(&parsed.left);
        left.filter(|(token, left)| **left && token.kind == kind)
            .count()
    };
    !has_kind && (count(Kind::Word) >= MIN_STORY_WORDS || count(Kind::Han) >= MIN_STORY_HAN)
}

/// Drops bounds of numeric fields that few of the described items have: "towels, 6 pieces" where
/// only toys have `pieces`.
pub(super) fn drop_foreign_ranges(
    parsed: &mut Parsed,
    chosen: &[Option<usize>],
    catalog: &dyn Catalog,
) {
    let mut described: Option<RoaringBitmap> = None;
    for (candidate, choice) in parsed.candidates.iter().zip(chosen) {
        if let Some(choice) = choice.filter(|_| !candidate.negated && !candidate.joined) {
            let choice = &candidate.choices[choice];
            let items = catalog.with_values(&choice.field, &choice.values);
            described = Some(described.map_or(items.clone(), |all| all & items));
        }
    }
    let Some(described) = described.filter(|items| !items.is_empty()) else {
        return;
    };
    let is_foreign = |constraint: &Constraint| match constraint {
        Constraint::Range { field, .. } | Constraint::Days { field, .. } => {
            let having = catalog.with_field(field);
            let share = having.intersection_len(&described) as f64 / described.len() as f64;
            !having.is_empty() && share < MIN_FIELD_SHARE
        }
        _ => false,
    };
    let (foreign, kept) = std::mem::take(&mut parsed.fixed)
        .into_iter()
        .partition(|fixed: &Fixed| is_foreign(&fixed.constraint));
    parsed.fixed = kept;
    for fixed in foreign {
        parsed.left[fixed.tokens].fill(true);
    }
}

/// Returns true if a category is all that was understood of a long text: "our old dog has sore
/// hips" asks for no dog.
fn tells_a_story(parsed: &Parsed, chosen: &[Option<usize>]) -> bool {
    let left = parsed.left.iter().filter(|left| **left).count();
    let accepted = parsed.candidates.iter().zip(chosen);
    let accepted = accepted.filter(|(_, choice)| choice.is_some()).count();
    left > MAX_WORDS_BESIDE && accepted == 1 && parsed.fixed.is_empty()
}

/// Choices of the candidates, and uncertain meanings of tokens.
type Chosen = (Vec<Option<usize>>, Vec<(Range<usize>, Choice)>);

fn choose(
    text: &str,
    parsed: &Parsed,
    catalog: &dyn Catalog,
    required: &[(String, Vec<String>)],
) -> Chosen {
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
    let accepted = |best: &(f64, Vec<Option<usize>>, Described)| best.1.iter().flatten().count();
    let best = found.reduce(|a, b| if accepted(&b) > accepted(&a) { b } else { a });
    best.map_or_else(Chosen::default, |(_, hard, described)| {
        evidence.complete(hard, described)
    })
}

/// A query and the items.
pub(super) struct Evidence<'a> {
    pub text: &'a str,
    pub parsed: &'a Parsed,
    pub catalog: &'a dyn Catalog,
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
        self.meeting(|_| true)
    }

    /// Returns the items that the conditions on some fields describe.
    fn meeting(&self, is_wanted: impl Fn(&str) -> bool) -> Option<RoaringBitmap> {
        let mut sets = self.by_field.iter().filter(|(field, _)| is_wanted(field));
        let first = sets.next()?.1.clone();
        Some(sets.fold(first, |all, (_, items)| all & items))
    }

    /// Returns true if words of the text require values of a field.
    fn names(&self, field: &str) -> bool {
        let mut fields = self.by_field.iter().map(|(field, _)| field.as_str());
        fields.any(|f| f == field) && !self.before.iter().any(|f| f == field)
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
            // No described item has the other value: unless "or" joins it, the words mean something
            // else.
            Some((field, before)) if field != "category" => {
                let rest = self.meeting(|field| field != choice.field);
                let is_described = rest.is_none_or(|rest| !rest.is_disjoint(&items));
                (joined || is_described).then_some(())?;
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
                let is_head = candidate.is_category() && at == 0 && self.is_head(candidate);
                let mut weight = own + 1.0 - 0.1 * at as f64;
                weight += if is_head { 1.5 } else { 0.0 };
                weight -= if candidate.purpose { 0.5 } else { 0.0 };
                weight -= if self.is_priced(choice) { 0.0 } else { 0.5 };
                weight += 0.4 * self.share_of_titles(candidate, choice);
                weight += if self.is_among_excluded(choice) {
                    0.6
                } else {
                    0.0
                };
                weight -= if self.is_plural(candidate, choice) {
                    1.0
                } else {
                    0.0
                };
                (at, weight)
            })
            .collect();
        weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
        weighed
    }

    /// Returns true if an item of the choice has a price and other numbers as the text says: over
    /// 700 dollars, "apple" is the brand and no flavor.
    fn is_priced(&self, choice: &Choice) -> bool {
        let items = self.catalog.with_values(&choice.field, &choice.values);
        let within = |fixed: &Fixed| match &fixed.constraint {
            Constraint::Price(range) => self.catalog.has_within("price", range, &items),
            Constraint::Range { field, bounds } => self.catalog.has_within(field, bounds, &items),
            _ => true,
        };
        self.parsed.fixed.iter().all(within)
    }

    /// Returns true if no other category follows: in "coffee table" the table is wanted.
    fn is_head(&self, candidate: &Candidate) -> bool {
        let mut others = self.parsed.candidates.iter();
        !others.any(|o| {
            o.tokens.start >= candidate.tokens.end && o.is_category() && !o.purpose && !o.joined
        })
    }

    /// Adds exclusions and recipients to the accepted conditions. A recipient is preferred rather
    /// than required if few of the described items tell whom they are for.
    fn complete(&self, mut chosen: Vec<Option<usize>>, mut described: Described) -> Chosen {
        let mut preferred = Vec::new();
        if self.is_only_a_letter(&chosen) {
            chosen.fill(None);
            described = Described::default();
        }
        for (at, candidate) in self.parsed.candidates.iter().enumerate() {
            let choices = candidate.choices.iter().enumerate();
            if candidate.negated {
                // Few items may be left; those of the kind still tell what is meant.
                let kind = described.by_field.iter().find(|(f, _)| f == "category");
                let kind = kind.map(|(_, items)| items.clone());
                let fits = |choice: &Choice| {
                    let with = self.catalog.with_values(&choice.field, &choice.values);
                    kind.as_ref().is_none_or(|items| !items.is_disjoint(&with))
                };
                let first = choices
                    .filter(|(_, choice)| fits(choice))
                    .map(|(n, _)| n)
                    .next();
                chosen[at] = Some(first.unwrap_or(0));
            } else if candidate.soft {
                let choices = choices.filter(|(_, choice)| !described.names(&choice.field));
                let possible = choices.filter_map(|(n, choice)| {
                    let after = described.with(choice, false, self.catalog)?;
                    Some((n, after, self.is_common_field(&described, choice)))
                });
                let possible: Vec<_> = possible.collect();
                let common = possible.iter().position(|(.., is_common)| *is_common);
                let mut possible = possible.into_iter();
                if let Some(common) = common {
                    if let Some((n, after, _)) = possible.nth(common) {
                        (chosen[at], described) = (Some(n), after);
                    }
                } else if let Some((n, ..)) = possible.next() {
                    preferred.push((candidate.tokens.clone(), candidate.choices[n].clone()));
                }
            }
        }
        (chosen, preferred)
    }

    /// Returns true if one Chinese character in a longer sentence is all that was understood.
    fn is_only_a_letter(&self, chosen: &[Option<usize>]) -> bool {
        let tokens = &self.parsed.tokens;
        let han = tokens.iter().filter(|t| t.kind == Kind::Han).count();
        let candidates = self.parsed.candidates.iter().zip(chosen);
        let accepted = candidates.filter(|(_, choice)| choice.is_some());
        let accepted: Vec<&Candidate> = accepted.map(|(candidate, _)| candidate).collect();
        let is_letter = |c: &&Candidate| {
            c.tokens.len() == 1 && !c.is_category() && tokens[c.tokens.start].kind == Kind::Han
        };
        han > 5 && !accepted.is_empty() && accepted.iter().all(is_letter)
    }

    fn is_common_field(&self, described: &Described, choice: &Choice) -> bool {
        let items = described.items();
        let items = items.unwrap_or_else(|| self.catalog.with_field("category"));
        let having = self.catalog.with_field(&choice.field);
        having.intersection_len(&items) as f64 >= MIN_FIELD_SHARE * items.len() as f64
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
