//! Grammar: turns tokens into required and excluded values and remaining words.

use std::{collections::BTreeSet, ops::Range};

use crate::lexical;

use super::{Constraint, Part, Understanding};
use crate::nlu::{
    amounts::price_at,
    lexicon::Role,
    tokens::{Kind, Token, tokens},
    vocabulary::{Lookup, Meaning, Vocabulary},
};

/// Audience values of one Chinese character, which count before any word: 女表 is a watch for women.
const AUDIENCE: [&str; 2] = ["男", "女"];

pub(super) fn parse(text: &str, vocabulary: &Vocabulary, without: &[&str]) -> Understanding {
    let tokens = tokens(text);
    let mut parser = Parser {
        tokens: &tokens,
        words: lexical::han_words(text),
        vocabulary,
        without,
        at: 0,
        parts: Vec::new(),
        left: vec![false; tokens.len()],
        context: Context::default(),
    };
    while parser.at < tokens.len() {
        parser.step();
    }
    parser.keep_not();
    let mut parts = parser.parts;
    drop_ancestors(&mut parts);
    Understanding {
        text: remaining_text(text, &tokens, &parser.left),
        parts,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    /// Chinese words of the text, in bytes.
    words: Vec<Range<usize>>,
    vocabulary: &'a Vocabulary,
    /// Fields whose values stay in the text.
    without: &'a [&'a str],
    at: usize,
    parts: Vec<Part>,
    /// Tokens that stay in the text.
    left: Vec<bool>,
    context: Context,
}

/// Context of the next token, from the tokens before it.
#[derive(Clone, Default)]
struct Context {
    /// Tokens that negate the next value.
    not: Option<Range<usize>>,
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
        if !self.context.next.size
            && !self.without.contains(&"price")
            && let Some((n, range)) = price_at(ahead, self.vocabulary)
        {
            self.keep_not();
            self.push(n, Constraint::Price(range));
            self.skip(n, Context::default());
            return;
        }
        match self.vocabulary.longest_at(ahead) {
            Some((n, Lookup::Values(meanings))) if self.is_meant(n, meanings) => {
                self.value(n, meanings)
            }
            Some((n, Lookup::Role(role))) => self.role(n, role),
            _ => self.word(1),
        }
    }

    fn value(&mut self, n: usize, meanings: &BTreeSet<Meaning>) {
        let fields = meanings.iter().map(|m| m.field.as_str());
        let fields = fields.filter(|f| !self.without.contains(f));
        let Some(field) = fields.min_by_key(|f| rank(f)) else {
            return self.word(n);
        };
        let wanted = |p: &Part| matches!(&p.constraint, Constraint::Must { field, .. } if field == "category");
        let is_category = field == "category";
        if is_category && self.context.purpose && self.parts.iter().any(wanted) {
            return self.word(n);
        }
        let not = self.context.not.take().is_some() || self.context.next.negated;
        for Meaning { field, value } in meanings.iter().filter(|m| m.field == field).cloned() {
            let constraint = if not {
                Constraint::MustNot { field, value }
            } else {
                Constraint::Must { field, value }
            };
            self.push(n, constraint);
        }
        let short = is_short(&self.tokens[self.at]);
        let marked = short && self.size_mark_at(self.at + n);
        let before = Reading {
            negated: not,
            size: short,
        };
        let context = Context {
            before,
            category: is_category,
            ..Context::default()
        };
        self.skip(n + usize::from(marked), context);
    }

    fn role(&mut self, n: usize, role: Role) {
        let here = self.at..self.at + n;
        match role {
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
            Role::Filler => {
                let Context {
                    not, next, purpose, ..
                } = self.context.clone();
                self.skip(
                    n,
                    Context {
                        not,
                        next,
                        purpose,
                        ..Context::default()
                    },
                );
            }
            Role::SizeMark | Role::Whole | Role::Bound(_) => self.word(n),
        }
    }

    /// "leather-free": the value before it is not wanted.
    fn not_before(&mut self, n: usize) {
        let hyphen = self.at > 0 && self.tokens[self.at - 1].form == "-";
        let joined = hyphen || self.tokens[self.at].kind == Kind::Han;
        let end = self.tokens[self.at - usize::from(hyphen)..]
            .first()
            .map_or(0, |t| t.start);
        let before = self
            .parts
            .last_mut()
            .filter(|p| joined && p.span.end == end);
        match before {
            Some(part) => {
                if let Constraint::Must { field, value } = part.constraint.clone() {
                    part.constraint = Constraint::MustNot { field, value };
                }
                self.skip(n, Context::default());
            }
            None => self.word(n),
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
        self.skip(
            n,
            Context {
                before,
                unknown,
                ..Context::default()
            },
        );
    }

    /// A negation that no value followed stays in the text.
    fn keep_not(&mut self) {
        if let Some(not) = self.context.not.take() {
            self.left[not].fill(true);
        }
    }

    fn push(&mut self, n: usize, constraint: Constraint) {
        let span = self.tokens[self.at].start..self.tokens[self.at + n - 1].end;
        self.parts.push(Part { span, constraint });
    }

    fn skip(&mut self, n: usize, context: Context) {
        self.at += n;
        self.context = context;
    }

    /// Returns true if a value is meant; a single letter, number or character is ambiguous.
    fn is_meant(&self, n: usize, meanings: &BTreeSet<Meaning>) -> bool {
        let token = &self.tokens[self.at];
        let after = &self.tokens[self.at + n..];
        let marked = || self.context.next.size || self.size_mark_at(self.at + n);
        match token.kind {
            Kind::Han if !AUDIENCE.contains(&token.form.as_str()) && self.begins_another(n) => {
                false
            }
            _ if n > 1 => true,
            Kind::Number(_) => self.context.category || marked(),
            Kind::Word if is_short(token) => marked(),
            Kind::Han
                if !AUDIENCE.contains(&token.form.as_str())
                    && !meanings.iter().any(|m| m.field == "category") =>
            {
                let next_is_han = after.first().is_some_and(|t| t.kind == Kind::Han);
                !next_is_han || self.vocabulary.longest_at(after).is_some()
            }
            _ => true,
        }
    }

    /// Returns true if a Chinese word continues after `n` tokens with an unknown rest: 家居 in 家居服
    /// does not mean furniture. Conversely, 鞋 in 跑步鞋 is meant: the end of a word is its head.
    fn begins_another(&self, n: usize) -> bool {
        let after = &self.tokens[self.at + n..];
        let end = self.tokens[self.at + n - 1].end;
        let goes_on = self.words.iter().any(|w| w.start < end && end < w.end);
        goes_on && self.vocabulary.longest_at(after).is_none()
    }

    fn size_follows(&self, n: usize) -> bool {
        let after = &self.tokens[self.at + n..];
        matches!(
            self.vocabulary.longest_at(after),
            Some((_, Lookup::Values(_)))
        )
    }

    fn size_mark_at(&self, at: usize) -> bool {
        self.vocabulary
            .role_at(&self.tokens[at..], |r| r == Role::SizeMark)
            .is_some()
    }
}

/// A number or a single letter, which may be a size.
fn is_short(token: &Token) -> bool {
    matches!(token.kind, Kind::Number(_)) || token.kind == Kind::Word && token.form.len() == 1
}

/// Priority of a field if a phrase is a value of several; lower wins.
fn rank(field: &str) -> u8 {
    match field {
        "category" => 0,
        "brand" => 2,
        _ => 1,
    }
}

/// Drops categories above another one: "shoes" beside "running shoes" adds nothing.
fn drop_ancestors(parts: &mut Vec<Part>) {
    let category = |part: &Part| match &part.constraint {
        Constraint::Must { field, value } if field == "category" => Some(value.clone()),
        _ => None,
    };
    let wanted: Vec<String> = parts.iter().filter_map(category).collect();
    let has_descendant = |path: String| {
        let below = path + " > ";
        wanted.iter().any(|w| w.starts_with(&below))
    };
    parts.retain(|part| !category(part).is_some_and(has_descendant));
}

/// Returns the words that stay in the text, as written.
fn remaining_text(text: &str, tokens: &[Token], left: &[bool]) -> String {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut joins = false;
    for (token, left) in tokens.iter().zip(left) {
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
