//! Grammar: turns tokens into required and excluded values and remaining words.

use std::{collections::BTreeSet, ops::Range};

use super::{
    Constraint,
    audience::Audience,
    candidates::{Candidate, Choice, Fixed, choices},
    ratings::rating_at,
    sorts,
};
use crate::{
    lexical,
    nlu::{
        amounts::price_at,
        lexicon::{Bound, LEXICON, Role},
        measures::{Measure, measure_at},
        tokens::{Kind, Token, tokens},
        vocabulary::{FieldKind, Lookup, Meaning, Vocabulary},
    },
};

/// Audience values of one Chinese character, which count before any word: 女表 is a watch for women.
const AUDIENCE: [&str; 2] = ["男", "女"];

/// A query as its words say, before the items decide.
pub(super) struct Parsed {
    pub tokens: Vec<Token>,
    pub candidates: Vec<Candidate>,
    pub fixed: Vec<Fixed>,
    /// True for tokens that stay in the text.
    pub left: Vec<bool>,
}

/// Parses a text. `is_word` tells words that items have from misspelled ones.
pub(super) fn parse(
    text: &str,
    vocabulary: &Vocabulary,
    without: &[&str],
    is_word: Option<&dyn Fn(&str) -> bool>,
) -> Parsed {
    let mut tokens = tokens(text);
    if let Some(is_word) = is_word {
        correct(&mut tokens, text, vocabulary, is_word);
    }
    let mut parser = Parser {
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
    };
    while parser.at < tokens.len() {
        parser.step();
    }
    parser.keep_not();
    parser.add_audience();
    let (candidates, fixed, left) = (parser.candidates, parser.fixed, parser.left);
    Parsed {
        tokens,
        candidates,
        fixed,
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
        if !vocabulary.knows(&token.form)
            && let Some(word) = vocabulary.corrected(&token.form)
            && !is_word(&text[token.start..token.end])
        {
            word.clone_into(&mut token.form);
        }
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
    candidates: Vec<Candidate>,
    fixed: Vec<Fixed>,
    audience: Audience,
    /// Tokens that stay in the text.
    left: Vec<bool>,
    context: Context,
}

/// Context of the next token, from the tokens before it.
#[derive(Clone, Default)]
struct Context {
    /// Tokens that negate the next value.
    not: Option<Range<usize>>,
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
        if self.rating() || self.age() || self.measure() {
            return;
        }
        if !self.context.next.size
            && !self.without.contains(&"price")
            && !self.is_inside_word(self.at)
            && let Some((n, range)) = price_at(ahead, self.vocabulary)
            && !self.is_size(n)
        {
            self.keep_not();
            self.fix(n, Constraint::Price(range));
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

    /// Interprets "4 stars and up", 评分4.5以上.
    fn rating(&mut self) -> bool {
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
    fn age(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let lead = usize::from(["age", "aged"].contains(&ahead[0].form.as_str()));
        let Some((n, age)) = measure_at(&ahead[lead..]).filter(|(_, m)| m.kind == "age") else {
            return lead > 0 && self.bare_age();
        };
        let end = lead + n;
        let unit = &ahead[end - 1].form;
        let old = ahead
            .get(end)
            .is_some_and(|t| ["old", "大"].contains(&t.form.as_str()));
        if lead == 0 && !old && unit != "old" && unit != "岁" && unit != "大" {
            return false;
        }
        let end = end + usize::from(old);
        let (n, age) = match LEXICON.bound_at(&ahead[end..]) {
            Some((n, bound)) => (end + n, age.bounded(bound)),
            None => (end, age),
        };
        self.audience.add_age(self.at..self.at + n, age);
        self.skip(n, Context::default());
        true
    }

    /// "age 6", "aged 3-5".
    fn bare_age(&mut self) -> bool {
        let ahead = &self.tokens[self.at + 1..];
        let Some((n, low)) = crate::nlu::numbers::number_at(ahead) else {
            return false;
        };
        let range = ahead
            .get(n)
            .filter(|t| ["-", "to"].contains(&t.form.as_str()))
            .and_then(|_| crate::nlu::numbers::number_at(&ahead[n + 1..]));
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
    fn measure(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let (skipped, before) = LEXICON
            .bound_at(ahead)
            .map_or((0, None), |(n, bound)| (n, Some(bound)));
        let Some((n, measure)) = measure_at(&ahead[skipped..]) else {
            return false;
        };
        let after = LEXICON
            .bound_at(&ahead[skipped + n..])
            .filter(|_| before.is_none());
        let end = skipped + n + after.map_or(0, |(n, _)| n);
        let bound = before.or(after.map(|(_, bound)| bound));
        let measure = match bound {
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
        let found = self.vocabulary.measured(&measure);
        let found = choices(found.iter().map(|value| &value.meaning), self.without);
        if found.is_empty() {
            return false;
        }
        self.push(end, found);
        self.skip(end, Context::default());
        true
    }

    /// Returns true if `n` tokens, an amount without a bound, are a size: "38-40 size".
    fn is_size(&self, n: usize) -> bool {
        self.size_mark_at(self.at + n)
    }

    fn value(&mut self, n: usize, meanings: &BTreeSet<Meaning>) {
        let choices = choices(meanings, self.without);
        if choices.is_empty() {
            return self.word(n);
        }
        let is_category = choices[0].field == "category";
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
            Role::Filler => {
                let Context {
                    not,
                    next,
                    purpose,
                    joined,
                    ..
                } = self.context.clone();
                self.skip(
                    n,
                    Context {
                        not,
                        next,
                        purpose,
                        joined,
                        ..Context::default()
                    },
                );
            }
            Role::InStock => match self.in_stock() {
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
            Role::SizeMark | Role::Whole | Role::Bound(_) => self.word(n),
        }
    }

    /// "leather-free", 小米的就算了: the value before it is not wanted.
    fn not_before(&mut self, n: usize) {
        let hyphen = self.at > 0 && self.tokens[self.at - 1].form == "-";
        let joined = hyphen || self.tokens[self.at].kind == Kind::Han || n > 1;
        if joined && self.negate_previous() {
            self.skip(n, Context::default());
        } else {
            self.word(n);
        }
    }

    /// Negates the values before the current token, if nothing stands between. Returns false if
    /// there are none.
    fn negate_previous(&mut self) -> bool {
        let Some(last) = self.candidates.last() else {
            return false;
        };
        let between = last.tokens.end..self.at;
        let is_far = |at: usize| self.left[at] || self.tokens[at].kind == Kind::Break;
        if between.clone().any(is_far) || between.len() > 2 {
            return false;
        }
        for candidate in self.candidates.iter_mut().rev() {
            candidate.negated = true;
            if !candidate.joined {
                break;
            }
        }
        true
    }

    /// Returns true if nothing but particles follows until the clause ends.
    fn ends_clause(&self, at: usize) -> bool {
        let ahead = self.tokens[at..].iter();
        let particle = |t: &&Token| ["的", "了", "吧", "啊"].contains(&t.form.as_str());
        ahead
            .skip_while(particle)
            .next()
            .is_none_or(|t| t.kind == Kind::Break)
    }

    fn in_stock(&self) -> Option<Constraint> {
        if let Some(field) = self.vocabulary.field_named("in_stock", &[FieldKind::Bool]) {
            let field = field.to_owned();
            return Some(Constraint::Is { field, value: true });
        }
        let has = self.vocabulary.fields().any(|f| f == "availability");
        has.then(|| Constraint::Must {
            field: "availability".to_owned(),
            value: "in_stock".to_owned(),
        })
    }

    /// Adds the conditions of the recipient, unless other words name the same fields.
    fn add_audience(&mut self) {
        let candidates = self.audience.candidates(self.vocabulary, self.without);
        let said = |choice: &Choice, before: &[Candidate]| {
            let fields = before
                .iter()
                .filter(|c| !c.negated)
                .flat_map(|c| &c.choices);
            choice.field != "category" && fields.into_iter().any(|c| c.field == choice.field)
        };
        let first = self.candidates.len();
        for candidate in candidates {
            if !said(&candidate.choices[0], &self.candidates[..first]) {
                self.left[candidate.tokens.clone()].fill(false);
                self.candidates.push(candidate);
            }
        }
    }

    /// Returns true if a role of one Chinese character is only a part of a word: 他 of 吉他.
    fn cuts_word(&self, n: usize, role: Role) -> bool {
        let may_cut = matches!(role, Role::Filler | Role::Recipient(_) | Role::InStock);
        may_cut && n == 1 && self.tokens[self.at].kind == Kind::Han && self.is_inside_word(self.at)
    }

    /// Returns true if a Chinese word of two or three characters begins before the token or ends
    /// after it, and is no phrase of its own.
    fn is_inside_word(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let holds = |w: &&Range<usize>| w.start <= token.start && token.end <= w.end;
        let Some(word) = self.words.iter().find(holds) else {
            return false;
        };
        let inside = self
            .tokens
            .iter()
            .filter(|t| word.start <= t.start && t.end <= word.end);
        let count = inside.count();
        token.kind == Kind::Han && (2..=3).contains(&count) && !self.is_made_of_phrases(word)
    }

    /// Returns true if phrases cover a word: 想买, 我要.
    fn is_made_of_phrases(&self, word: &Range<usize>) -> bool {
        let Some(mut at) = self.tokens.iter().position(|t| t.start == word.start) else {
            return false;
        };
        while self.tokens.get(at).is_some_and(|t| t.end <= word.end) {
            match self.vocabulary.longest_at(&self.tokens[at..]) {
                Some((n, _)) => at += n,
                None => return false,
            }
        }
        true
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

    /// Returns true if a value is meant; a single letter, number or character is ambiguous.
    fn is_meant(&self, n: usize, meanings: &BTreeSet<Meaning>) -> bool {
        let token = &self.tokens[self.at];
        let after = &self.tokens[self.at + n..];
        let marked = || self.context.next.size || self.size_mark_at(self.at + n);
        if self.is_glued(n) {
            return false;
        }
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

    /// Returns true if a number or letters stand directly beside: XL in 2XL is not XL.
    fn is_glued(&self, n: usize) -> bool {
        let is_plain = |t: &Token| matches!(t.kind, Kind::Word | Kind::Number(_));
        let (first, last) = (&self.tokens[self.at], &self.tokens[self.at + n - 1]);
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        let after = self.tokens.get(self.at + n);
        is_plain(first) && before.is_some_and(|t| is_plain(t) && t.end == first.start)
            || is_plain(last) && after.is_some_and(|t| is_plain(t) && t.start == last.end)
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

/// Returns the words that stay in the text, as written.
pub(super) fn remaining_text(text: &str, tokens: &[Token], left: &[bool]) -> String {
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
