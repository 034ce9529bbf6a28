//! Grammar: turns tokens into required and excluded values and remaining words.

use std::{collections::BTreeSet, ops::Range};

use super::{
    Constraint,
    audience::Audience,
    candidates::{self, Candidate, Choice, Fixed, choices},
    ratings::rating_at,
    sorts,
};
use crate::{
    lexical,
    nlu::{
        amounts::{PriceRange, price_at},
        lexicon::{Bound, LEXICON, Role},
        measures::{Measure, measure_at},
        numbers::number_at,
        tokens::{Kind, Token, tokens},
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
    /// True for tokens that stay in the text.
    pub left: Vec<bool>,
    /// Chinese words of the text, in bytes.
    pub words: Vec<Range<usize>>,
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
        text,
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
        if self.rating() || self.age() || self.measure() {
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

    /// Returns the price that is meant: "don't want to go over 50" is at most 50.
    fn meant(&self, range: PriceRange) -> PriceRange {
        let from = self.at.saturating_sub(MAX_NEGATION_DISTANCE);
        let negates = |t: &Token| {
            ["not", "no", "nothing", "dont", "wont", "cant", "never"].contains(&t.form.as_str())
        };
        let clause = self.tokens[from..self.at].iter().rev();
        let mut clause = clause.take_while(|t| t.kind != Kind::Break);
        match range {
            PriceRange {
                gte: Some(most),
                lte: None,
            } if clause.any(negates) => PriceRange {
                gte: None,
                lte: Some(most),
            },
            range => range,
        }
    }

    /// Interprets "without sugar", 没有糖 if items are "sugar free", 无糖.
    fn free_of(&mut self) -> bool {
        let is_not = |role| role == Role::Not;
        let Some((n, _)) = self.vocabulary.role_at(&self.tokens[self.at..], is_not) else {
            return false;
        };
        let rest = &self.tokens[self.at + n..];
        for m in (1..=3.min(rest.len())).rev() {
            let words: Vec<_> = rest[..m].iter().map(|t| t.form.as_str()).collect();
            let names = [
                format!("{} free", words.join(" ")),
                format!("no {}", words.join(" ")),
                format!("无{}", words.join("")),
                format!("不{}", words.join("")),
            ];
            let found = names.iter().flat_map(|name| self.vocabulary.named(name));
            let found = choices(found, self.without);
            if !found.is_empty() {
                self.push(n + m, found);
                self.skip(n + m, Context::default());
                return true;
            }
        }
        false
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
        let Some((n, low)) = number_at(ahead) else {
            return false;
        };
        let range = ahead
            .get(n)
            .filter(|t| ["-", "to"].contains(&t.form.as_str()))
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
    fn measure(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let (skipped, before) = LEXICON
            .bound_at(ahead)
            .map_or((0, None), |(n, bound)| (n, Some(bound)));
        if self.alternative_measures() {
            return true;
        }
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

    /// Interprets "13 or 14 inch".
    fn alternative_measures(&mut self) -> bool {
        let ahead = &self.tokens[self.at..];
        let Some((n, first)) = number_at(ahead) else {
            return false;
        };
        let joins = |t: &&Token| ["or", "/", "或", "或者"].contains(&t.form.as_str());
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
        let mut found = self.vocabulary.measured(&first);
        found.extend(self.vocabulary.measured(&second));
        let found = choices(found.iter().map(|value| &value.meaning), self.without);
        if found.is_empty() {
            return false;
        }
        self.push(n + 1 + m, found);
        self.skip(n + 1 + m, Context::default());
        true
    }

    /// Returns true if `n` tokens, an amount without a bound, are a size: "38-40 size".
    fn is_size(&self, n: usize) -> bool {
        self.size_mark_at(self.at + n)
    }

    fn value(&mut self, n: usize, meanings: &BTreeSet<Meaning>) {
        let mut choices = choices(meanings, self.without);
        let span = &self.tokens[self.at..self.at + n];
        let is_category = |choice: &Choice| choice.field == "category";
        if self.is_evidence
            && !choices.iter().any(is_category)
            && let Some(near) = self.vocabulary.categories_near(span)
        {
            choices.extend(candidates::choices(near, self.without));
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
            // "not from Nike": no bound without an amount.
            Role::Bound(Bound::Between) => {
                let context = std::mem::take(&mut self.context);
                self.skip(n, context);
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
            .is_some_and(|t| t.kind == Kind::Word);
        self.is_evidence && n == 1 && self.tokens[self.at].form == "to" && follows && is_thing
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
        if self.is_evidence && self.may_be_meant(n, meanings) {
            return true;
        }
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

    /// Returns true for values that only items can confirm: a part of a longer Chinese word, a size
    /// without "size".
    fn may_be_meant(&self, n: usize, meanings: &BTreeSet<Meaning>) -> bool {
        let token = &self.tokens[self.at];
        let is_size = |m: &Meaning| {
            self.vocabulary.field_named("size", &[FieldKind::Keyword]) == Some(m.field.as_str())
        };
        let particle = |t: &Token| ["的", "码", "号"].contains(&t.form.as_str());
        match token.kind {
            _ if self.is_glued(n) => false,
            Kind::Han => n > 1,
            Kind::Number(_) if n == 1 && meanings.iter().any(is_size) => {
                let next = self.tokens.get(self.at + 1);
                next.is_none_or(|t| t.kind == Kind::Break || particle(t))
            }
            Kind::Word if n == 1 && is_short(token) && meanings.iter().any(is_size) => {
                self.is_upper(self.at)
            }
            _ => false,
        }
    }

    /// Returns true for a capital letter other than A and I.
    fn is_upper(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let written = self.text[token.start..token.end].chars().next();
        written.is_some_and(|c| c.is_uppercase() && !"AI".contains(c))
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
