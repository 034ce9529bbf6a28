//! Grammar: turns tokens into required and excluded values and remaining words.

mod certainty;
mod negation;
mod quantities;

use std::{collections::BTreeSet, ops::Range};

use super::{
    Constraint,
    audience::Audience,
    candidates::{self, Candidate, Choice, Fixed, choices},
    sorts,
};
use crate::{
    lexical,
    nlu::{
        amounts::price_at,
        lexicon::{Bound, Language, Lexicon, Role, has},
        tokens::{Kind, Token},
        vocabulary::{FieldKind, Lookup, Meaning, Vocabulary},
    },
};

/// Audience values of one Chinese character, which count before any word: 女表 is a watch for women.
const AUDIENCE: [&str; 2] = ["男", "女"];

/// Words between "don't" and a price that it negates.
const MAX_NEGATION_DISTANCE: usize = 6;

/// A query as its words say, before the items decide.
pub(super) struct Parsed {
    pub tokens: Vec<Token>,
    pub candidates: Vec<Candidate>,
    pub fixed: Vec<Fixed>,
    /// Uncertain meanings of words, which stay in the text.
    pub preferred: Vec<(Range<usize>, Choice)>,
    /// True for tokens that stay in the text.
    pub left: Vec<bool>,
    /// Chinese words of the text, in bytes.
    pub words: Vec<Range<usize>>,
}

/// Parses a text. `is_word` tells words that items have from misspelled ones.
pub(super) fn parse(
    text: &str,
    language: Language,
    vocabulary: &Vocabulary,
    without: &[&str],
    is_word: Option<&dyn Fn(&str) -> bool>,
) -> Parsed {
    let mut tokens = vocabulary.tokens(text, language);
    if let Some(is_word) = is_word {
        correct(&mut tokens, text, vocabulary, is_word);
    }
    let mut parser = Parser {
        text,
        language,
        lexicon: language.lexicon(),
        tokens: &tokens,
        words: lexical::han_words(text),
        vocabulary,
        without,
        at: 0,
        candidates: Vec::new(),
        fixed: Vec::new(),
        audience: Audience::default(),
        left: vec![false; tokens.len()],
        context: Context::default(),
        is_evidence: is_word.is_some(),
    };
    while parser.at < tokens.len() {
        parser.step();
    }
    parser.keep_not();
    parser.add_audience();
    let (candidates, fixed) = (parser.candidates, parser.fixed);
    let (left, words) = (parser.left, parser.words);
    Parsed {
        words,
        tokens,
        candidates,
        fixed,
        preferred: Vec::new(),
        left,
    }
}

/// Replaces misspelled words by words of values.
fn correct(
    tokens: &mut [Token],
    text: &str,
    vocabulary: &Vocabulary,
    is_word: &dyn Fn(&str) -> bool,
) {
    for token in tokens.iter_mut().filter(|t| t.kind == Kind::Word) {
        if !vocabulary.knows(token)
            && let Some(word) = vocabulary.corrected(token)
            && !is_word(&text[token.start..token.end])
        {
            word.clone_into(&mut token.form);
        }
    }
    for at in 0..tokens.len() {
        let Some(name) = vocabulary.near_brand(&tokens[at..]) else {
            continue;
        };
        let written = &text[tokens[at].start..tokens[at + name.len() - 1].end];
        let is_phrase = matches!(vocabulary.longest_at(&tokens[at..]), Some((n, _)) if n > 1);
        if !is_phrase && !is_word(written) {
            for (token, character) in tokens[at..].iter_mut().zip(name) {
                character.clone_into(&mut token.form);
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    language: Language,
    lexicon: &'static Lexicon,
    tokens: &'a [Token],
    /// Chinese words of the text, in bytes.
    words: Vec<Range<usize>>,
    vocabulary: &'a Vocabulary,
    /// Fields whose values stay in the text.
    without: &'a [&'a str],
    at: usize,
    candidates: Vec<Candidate>,
    fixed: Vec<Fixed>,
    audience: Audience,
    /// Tokens that stay in the text.
    left: Vec<bool>,
    context: Context,
    /// True if items decide afterwards, so that unsure candidates do no harm.
    is_evidence: bool,
}

/// Context of the next token, from the tokens before it.
#[derive(Clone, Default)]
struct Context {
    /// Tokens that negate the next value.
    not: Option<Range<usize>>,
    /// The words are of an action, "to trim the roses", until the clause ends.
    action: bool,
    /// "or" or "and" stands between the previous value and the next.
    joined: bool,
    /// Reading of the previous value.
    before: Reading,
    /// Reading of the next value, if joined to the previous one or after a size mark.
    next: Reading,
    /// The token before is "for".
    purpose: bool,
    /// The token before ends a category.
    category: bool,
    /// The words before, which name no value, are not wanted.
    unknown: bool,
}

/// Reading of a value.
#[derive(Clone, Copy, Default)]
struct Reading {
    negated: bool,
    size: bool,
}

impl Parser<'_> {
    fn step(&mut self) {
        let ahead = &self.tokens[self.at..];
        let is_sort = |role| matches!(role, Role::Sort(_));
        if let Some((n, role)) = self.vocabulary.role_at(ahead, is_sort) {
            return self.role(n, role);
        }
        if let Some((n, role)) = self.person_of_shopper() {
            return self.role(n, role);
        }
        if self.date() || self.rating() || self.age() || self.measure() {
            return;
        }
        if !self.context.next.size
            && !self.without.contains(&"price")
            && let Some((n, range)) = price_at(ahead, self.vocabulary)
            && !self.is_size(n)
        {
            let range = self.meant(range);
            self.context.not = None;
            self.fix(n, Constraint::Price(range));
            return;
        }
        if self.is_evidence && self.free_of() {
            return;
        }
        match self.vocabulary.longest_at(ahead) {
            Some((n, Lookup::Values(meanings))) if self.is_meant(n, meanings) => {
                self.value(n, meanings)
            }
            Some((n, Lookup::Role(role))) if !self.cuts_word(n, role) => self.role(n, role),
            _ => match self.vocabulary.role_at(ahead, |_| true) {
                Some((n, role)) if !self.cuts_word(n, role) => self.role(n, role),
                _ => self.word(1),
            },
        }
    }

    /// Returns the person after "my", also if a brand is called so: "my brother".
    fn person_of_shopper(&self) -> Option<(usize, Role)> {
        let before = &self.tokens[self.at.checked_sub(1)?];
        let is_person = |role| matches!(role, Role::Recipient(_));
        let person = self.vocabulary.role_at(&self.tokens[self.at..], is_person);
        person.filter(|_| has(&self.lexicon.possessives, &before.form))
    }

    fn value(&mut self, n: usize, meanings: &BTreeSet<Meaning>) {
        let mut choices = choices(meanings, self.without);
        let span = &self.tokens[self.at..self.at + n];
        let is_category = |choice: &Choice| choice.field == "category";
        if self.is_evidence
            && let Some(near) = self.vocabulary.categories_near(span)
        {
            let near = candidates::choices(near, self.without).into_iter();
            choices.extend(
                near.filter(|choice| !choices.contains(choice))
                    .collect::<Vec<_>>(),
            );
        }
        if choices.is_empty() || self.context.action {
            return self.word(n);
        }
        let is_category = is_category(&choices[0]);
        let wanted = self.candidates.iter().any(Candidate::is_category);
        if is_category && self.context.purpose && wanted {
            return self.word(n);
        }
        let negated = self.context.not.take().is_some() || self.context.next.negated;
        self.push(n, choices);
        if let Some(last) = self.candidates.last_mut() {
            last.negated = negated;
        }
        let short = is_short(&self.tokens[self.at]);
        let marked = short && self.size_mark_at(self.at + n);
        let before = Reading {
            negated,
            size: short,
        };
        let context = Context {
            before,
            category: is_category,
            purpose: self.context.purpose,
            ..Context::default()
        };
        self.skip(n + usize::from(marked), context);
    }

    fn role(&mut self, n: usize, role: Role) {
        let here = self.at..self.at + n;
        match role {
            Role::Not if self.ends_clause(self.at + n) && self.negate_previous() => {
                self.skip(n, Context::default());
            }
            Role::Not => {
                self.keep_not();
                self.skip(
                    n,
                    Context {
                        not: Some(here),
                        ..Context::default()
                    },
                );
            }
            Role::NotBefore => self.not_before(n),
            Role::Join => {
                let Context { not, before, .. } = self.context.clone();
                self.skip(
                    n,
                    Context {
                        not,
                        joined: true,
                        next: before,
                        ..Context::default()
                    },
                );
            }
            Role::For => self.skip(
                n,
                Context {
                    purpose: true,
                    ..Context::default()
                },
            ),
            Role::SizeMark if self.size_follows(n) => {
                let Context { not, next, .. } = self.context.clone();
                self.skip(
                    n,
                    Context {
                        not,
                        next: Reading { size: true, ..next },
                        ..Context::default()
                    },
                );
            }
            Role::Filler if self.begins_action(n) => {
                self.skip(
                    n,
                    Context {
                        action: true,
                        ..Context::default()
                    },
                );
            }
            Role::Filler => {
                let Context {
                    not,
                    next,
                    purpose,
                    joined,
                    action,
                    ..
                } = self.context.clone();
                let ends =
                    ["in", "with", "by", "from"].contains(&self.tokens[self.at].form.as_str());
                self.skip(
                    n,
                    Context {
                        not,
                        next,
                        purpose,
                        joined,
                        action: action && !ends,
                        ..Context::default()
                    },
                );
            }
            Role::InStock | Role::SoldOut => match self.in_stock(role) {
                Some(constraint) => self.fix(n, constraint),
                None => self.word(n),
            },
            Role::Sort(intent) => match sorts::of(intent, self.vocabulary) {
                Some(sort) if !self.without.contains(&"sort") => {
                    self.fix(n, Constraint::Sort(sort));
                }
                _ => self.word(n),
            },
            Role::Recipient(person) => {
                let led = self.context.purpose;
                self.audience.add_person(here.clone(), person);
                self.keep_not();
                self.left[here].fill(!led);
                self.skip(n, Context::default());
            }
            // "not from Nike": no bound without an amount.
            Role::Bound(Bound::Between) => {
                let context = std::mem::take(&mut self.context);
                self.skip(n, context);
            }
            Role::SizeMark | Role::Whole | Role::Bound(_) => self.word(n),
        }
    }

    /// Returns true for "to" after a thing: "scissors to trim the roses"; but not in "want to buy".
    fn begins_action(&self, n: usize) -> bool {
        let Some(before) = self.at.checked_sub(1).map(|at| &self.tokens[at]) else {
            return false;
        };
        let things = ["something", "anything", "thing", "stuff", "one"];
        let is_thing = things.contains(&before.form.as_str()) || self.left[self.at - 1];
        let follows = self
            .tokens
            .get(self.at + 1)
            .is_some_and(|t| t.kind == Kind::Word && t.form != "be");
        self.is_evidence && n == 1 && self.tokens[self.at].form == "to" && follows && is_thing
    }

    /// Returns the condition of "in stock", "sold out", "not sold out".
    fn in_stock(&mut self, role: Role) -> Option<Constraint> {
        let value = (role == Role::InStock) == self.context.not.take().is_none();
        if let Some(field) = self.vocabulary.field_named("in_stock", &[FieldKind::Bool]) {
            let field = field.to_owned();
            return Some(Constraint::Is { field, value });
        }
        let has = self.vocabulary.fields().any(|f| f == "availability");
        has.then(|| Constraint::Must {
            field: "availability".to_owned(),
            value: if value { "in_stock" } else { "out_of_stock" }.to_owned(),
        })
    }

    /// Adds the conditions of the recipient, unless other words name the same fields.
    fn add_audience(&mut self) {
        let candidates = self
            .audience
            .candidates(self.vocabulary, self.language, self.without);
        // With evidence, only accepted conditions count.
        let is_evidence = self.is_evidence;
        let said = |choice: &Choice, before: &[Candidate]| {
            let fields = before
                .iter()
                .filter(|c| !c.negated)
                .flat_map(|c| &c.choices);
            choice.field != "category" && fields.into_iter().any(|c| c.field == choice.field)
        };
        let first = self.candidates.len();
        for candidate in candidates {
            if is_evidence || !said(&candidate.choices[0], &self.candidates[..first]) {
                self.left[candidate.tokens.clone()].fill(false);
                self.candidates.push(candidate);
            }
        }
    }

    /// Leaves `n` tokens in the text, but for signs.
    fn word(&mut self, n: usize) {
        let kind = self.tokens[self.at].kind;
        if matches!(kind, Kind::Sign | Kind::Break) {
            let keeps = kind == Kind::Sign;
            let context = if keeps {
                std::mem::take(&mut self.context)
            } else {
                Context::default()
            };
            self.keep_not();
            return self.skip(n, context);
        }
        // 不要苹果和华为: what is joined to words that are not wanted is not wanted either.
        let unknown = self.context.not.is_some() || self.context.unknown;
        self.keep_not();
        self.left[self.at..self.at + n].fill(true);
        let before = Reading {
            negated: unknown,
            size: false,
        };
        let action = self.context.action;
        self.skip(
            n,
            Context {
                before,
                unknown,
                action,
                ..Context::default()
            },
        );
    }

    fn push(&mut self, n: usize, choices: Vec<Choice>) {
        let negated = self.context.not.take().is_some() || self.context.next.negated;
        self.candidates.push(Candidate {
            tokens: self.at..self.at + n,
            choices,
            negated,
            joined: self.context.joined,
            purpose: self.context.purpose,
            soft: false,
        });
    }

    fn fix(&mut self, n: usize, constraint: Constraint) {
        let tokens = self.at..self.at + n;
        self.fixed.push(Fixed { tokens, constraint });
        self.skip(n, Context::default());
    }

    fn skip(&mut self, n: usize, context: Context) {
        self.at += n;
        self.context = context;
    }
}

/// A number or a single letter, which may be a size.
fn is_short(token: &Token) -> bool {
    matches!(token.kind, Kind::Number(_)) || token.kind == Kind::Word && token.form.len() == 1
}

/// Returns the words that stay in the text, as written.
pub(super) fn remaining_text(text: &str, tokens: &[Token], left: &[bool]) -> String {
    let mut left = left.to_vec();
    // A compound stays whole.
    for at in 1..tokens.len() {
        let [a, b] = [&tokens[at - 1], &tokens[at]];
        if a.end == b.start && a.kind == Kind::Word && b.kind == Kind::Word {
            let any = left[at - 1] || left[at];
            left[at - 1..=at].fill(any);
        }
    }
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut joins = false;
    for (token, left) in tokens.iter().zip(&left) {
        match pieces.last_mut() {
            Some(last) if *left && joins => last.end = token.end,
            _ if *left => pieces.push(token.start..token.end),
            _ => {}
        }
        joins = *left || joins && token.kind == Kind::Sign;
    }
    pieces
        .into_iter()
        .map(|piece| &text[piece])
        .collect::<Vec<_>>()
        .join(" ")
}
