//! Interpretation of a turn. Phrases about the dialogue (positions, "cheaper", "any color") are
//! found first and taken out; the rest is interpreted as a query.

use std::{collections::HashMap, ops::Range};

use vitrine_schemas::{
    ActKind, DialogueAct, DialogueState, ShownItem, SortKey, SortOrder, Unclear,
};

use super::{TurnInterpretation, field_names::fields, phrases::longest_at};
use crate::nlu::{
    catalog::Catalog,
    lexicon::{Language, Lexicon, Phrase, Role, has},
    tokens::{Kind, Token},
    understanding::sorts,
    vocabulary::{Lookup, Vocabulary},
};

/// Interprets a turn in the state `before`. `shown` are the items that the shopper sees; `catalog`
/// tells which words are words of items.
pub fn interpret_turn(
    text: &str,
    vocabulary: &Vocabulary,
    before: &DialogueState,
    shown: &[ShownItem],
    catalog: Option<&dyn Catalog>,
) -> TurnInterpretation {
    let language = vocabulary.language_of(text, &super::words(before));
    let tokens = vocabulary.tokens(text, language);
    let mut reader = Reader {
        text,
        language,
        lexicon: language.lexicon(),
        tokens: &tokens,
        vocabulary,
        catalog,
        fields: fields(vocabulary, language),
        shown,
        taken: vec![false; tokens.len()],
        acts: Vec::new(),
        unclear: Vec::new(),
        add_values: false,
        instead: false,
        state: before.clone(),
    };
    let undo = reader.is_only(Phrase::Undo);
    let more = !undo && !shown.is_empty() && reader.is_only(Phrase::More);
    if undo || more {
        let kind = if undo { ActKind::Undo } else { ActKind::More };
        return TurnInterpretation {
            acts: vec![reader.act(0..tokens.len(), kind)],
            unclear: Vec::new(),
            undo,
            after: before.clone(),
        };
    }
    if !reader.contrast() {
        reader.edit();
    }
    reader.acts.sort_by_key(|(start, _)| *start);
    let mut acts: Vec<DialogueAct> = reader.acts.into_iter().map(|(_, act)| act).collect();
    let mut after = reader.state;
    if !reader.unclear.is_empty() {
        after = before.clone();
        acts.clear();
    }
    TurnInterpretation {
        acts,
        unclear: reader.unclear,
        undo: false,
        after,
    }
}

/// State of the interpretation of a turn.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) language: Language,
    pub(super) lexicon: &'static Lexicon,
    pub(super) tokens: &'a [Token],
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) catalog: Option<&'a dyn Catalog>,
    /// Fields by their names in the lexicon.
    pub(super) fields: HashMap<String, String>,
    pub(super) shown: &'a [ShownItem],
    /// True for tokens that were interpreted.
    pub(super) taken: Vec<bool>,
    /// Acts with the byte offset of their first word.
    pub(super) acts: Vec<(usize, DialogueAct)>,
    pub(super) unclear: Vec<Unclear>,
    /// True if values are added to those required before.
    pub(super) add_values: bool,
    /// True if words replace the text.
    pub(super) instead: bool,
    pub(super) state: DialogueState,
}

impl Reader<'_> {
    /// Interprets the turn as changes of the state.
    fn edit(&mut self) {
        let mut at = self.opening();
        while at < self.tokens.len() {
            at += self.step(at).max(1);
        }
        let asks = self.catalog.is_some() && self.asks();
        let off_topic = self.catalog.is_some() && self.is_off_topic(asks);
        if !self.new_bound() {
            self.remaining_query();
        }
        self.compare();
        let sorts = |(_, act): &(usize, DialogueAct)| act.kind == ActKind::Sort;
        let changes = |(_, act): &(usize, DialogueAct)| act.kind != ActKind::Words;
        let says_nothing = self.acts.is_empty() && self.catalog.is_some();
        // "what dog food do you sell" is a wish in the form of a question.
        let is_question = asks && !self.acts.iter().any(changes);
        if self.unclear.is_empty()
            && (off_topic && !self.acts.iter().any(sorts)
                || is_question
                || says_nothing && !self.is_only_courtesy())
        {
            let all = 0..self.tokens.len();
            self.unclear(
                all,
                "say what to look for, or what to change: \"cheaper\", \"in blue\", 便宜一点",
            );
        }
    }

    /// Returns true if the turn is only polite: "ok thanks".
    fn is_only_courtesy(&self) -> bool {
        self.is_only(Phrase::Polite)
    }

    /// Takes courtesy and a reset at the beginning, or what comes before a clause that is only a
    /// reset. Returns the offset of the next token.
    fn opening(&mut self) -> usize {
        let mut at = self.before_reset();
        if at == 0
            && let Some(n) = self.phrase(0, &[Phrase::Filler, Phrase::Polite])
            && self.ends(n)
            && !self.is_value(0, n)
        {
            self.take(0, n + 1);
            at = (n + 1).min(self.tokens.len());
        }
        // "von vorne" begins with a filler.
        let from = match self.phrase(at, &[Phrase::Reset]) {
            Some(_) => at,
            None => self.skip(at, &[Phrase::Filler]),
        };
        let reset = self.phrase(from, &[Phrase::Reset]);
        let (Some(n), None) = (
            reset.or_else(|| self.change_of_mind(from)),
            self.phrase(from, &[Phrase::AnyAll]),
        ) else {
            return at;
        };
        let next = from + n;
        let goes_on = n > 1
            || self
                .tokens
                .get(next)
                .is_some_and(|t| has(&self.lexicon.continuations, &t.form));
        if !self.ends(next) && !goes_on || self.is_value(from, n) {
            return at;
        }
        self.take(at, next - at);
        self.push(
            from..next,
            DialogueAct {
                ..bare(ActKind::Reset)
            },
        );
        self.state = DialogueState::default();
        next
    }

    /// Takes the clauses before one that is only a reset: "none of them fit, start over, show me
    /// pens". Returns its offset; 0 without one.
    fn before_reset(&mut self) -> usize {
        let begins = |at: usize| self.tokens[at - 1].kind == Kind::Break;
        // "a phone case, clear" names a color.
        let resets = |at: usize| {
            let reset = self.phrase(at, &[Phrase::Reset]);
            reset.is_some_and(|n| n > 1 && self.ends(at + n) && !self.is_value(at, n))
        };
        let mut places = (1..self.tokens.len()).rev();
        let at = places.find(|at| begins(*at) && resets(*at)).unwrap_or(0);
        self.take(0, at)
    }

    /// Returns the length of "I changed my mind" before another kind of item.
    fn change_of_mind(&self, from: usize) -> Option<usize> {
        let n = self.phrase(from, &[Phrase::Undo])?;
        let names_kind = |at: usize| match self.vocabulary.longest_at(&self.tokens[at..]) {
            Some((_, Lookup::Values(meanings))) => meanings.iter().any(|m| m.field == "category"),
            _ => false,
        };
        (from + n..self.tokens.len()).any(names_kind).then_some(n)
    }

    /// Interprets a dialogue phrase that begins at a token. Returns the number of tokens to skip.
    fn step(&mut self, at: usize) -> usize {
        if self.tokens[at].kind == Kind::Break {
            return 1;
        }
        let value = match self.vocabulary.longest_at(&self.tokens[at..]) {
            Some((n, Lookup::Values(_))) => n,
            _ => 0,
        };
        let n = self
            .sort(at)
            .or_else(|| self.another(at))
            .or_else(|| self.comparison(at))
            .or_else(|| self.item(at))
            .or_else(|| self.any_field(at))
            .or_else(|| self.need_not(at))
            .or_else(|| self.manner(at))
            .unwrap_or_default();
        match n {
            0 => value.max(1),
            n => n,
        }
    }

    /// Interprets "cheapest first", 按评分排序.
    fn sort(&mut self, at: usize) -> Option<usize> {
        let is_sort = |role| matches!(role, Role::Sort(_));
        let (n, role) = self.vocabulary.role_at(&self.tokens[at..], is_sort)?;
        let Role::Sort(intent) = role else {
            return None;
        };
        let sort = sorts::of(intent, self.vocabulary)?;
        let order = if sort.descending {
            SortOrder::Desc
        } else {
            SortOrder::Asc
        };
        let sort = SortKey {
            field: sort.field,
            order: Some(order),
        };
        self.state.sort = Some(sort.clone());
        let mut act = bare(ActKind::Sort);
        act.sort = Some(sort);
        self.push(at..at + n, act);
        let on_top = self.phrase(at + n, &[Phrase::OnTop]).unwrap_or_default();
        Some(self.take(at, n + on_top))
    }

    /// Returns the text with blanks for interpreted tokens, so that byte offsets stay the same.
    pub(super) fn left(&self) -> String {
        let mut left = String::with_capacity(self.text.len());
        let mut at = 0;
        let taken = self
            .tokens
            .iter()
            .zip(&self.taken)
            .filter(|(_, taken)| **taken);
        for (token, _) in taken {
            left.push_str(&self.text[at..token.start]);
            left.extend(std::iter::repeat_n(' ', token.end - token.start));
            at = token.end;
        }
        left.push_str(&self.text[at..]);
        left
    }

    pub(super) fn phrase(&self, at: usize, wanted: &[Phrase]) -> Option<usize> {
        self.found(at, wanted).map(|(n, _)| n)
    }

    pub(super) fn found(&self, at: usize, wanted: &[Phrase]) -> Option<(usize, Phrase)> {
        longest_at(self.tokens.get(at..)?, wanted)
    }

    /// Returns the first token from `at` that is neither a sign nor part of one of the phrases.
    pub(super) fn skip(&self, mut at: usize, phrases: &[Phrase]) -> usize {
        while let Some(token) = self.tokens.get(at) {
            at += match self.phrase(at, phrases) {
                Some(n) => n,
                None if matches!(token.kind, Kind::Break | Kind::Sign) => 1,
                None => break,
            };
        }
        at
    }

    pub(super) fn skip_small(&self, mut at: usize) -> usize {
        while self
            .tokens
            .get(at)
            .is_some_and(|t| has(&self.lexicon.small_words, &t.form))
        {
            at += 1;
        }
        at
    }

    /// Returns true if a value of at least `n` tokens begins at the token.
    pub(super) fn is_value(&self, at: usize, n: usize) -> bool {
        matches!(self.vocabulary.longest_at(&self.tokens[at..]), Some((m, Lookup::Values(_))) if m >= n)
    }

    pub(super) fn is_negated(&self, at: usize) -> bool {
        let before = |n: usize| at.checked_sub(n).map(|at| self.tokens[at].form.as_str());
        before(1).is_some_and(|form| has(&self.lexicon.amounts.negators, form))
            || before(1) == Some("要") && before(2) == Some("不")
    }

    /// Returns true if a clause ends before the token.
    pub(super) fn ends(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|t| t.kind == Kind::Break)
    }

    /// Returns true if the phrase before the token is complete.
    pub(super) fn closes(&self, at: usize) -> bool {
        const NEXT: &[Phrase] = &[
            Phrase::Filler,
            Phrase::Closing,
            Phrase::Cheaper,
            Phrase::Pricier,
            Phrase::Instead,
            Phrase::Also,
            Phrase::Not,
        ];
        self.ends(at)
            || self.found(at, NEXT).is_some()
            || matches!(
                self.vocabulary.longest_at(&self.tokens[at..]),
                Some((_, Lookup::Role(_)))
            )
    }

    pub(super) fn take(&mut self, at: usize, n: usize) -> usize {
        let end = (at + n).min(self.taken.len());
        self.taken[at..end].fill(true);
        n
    }

    pub(super) fn words(&self, at: Range<usize>) -> String {
        match (
            self.tokens.get(at.start),
            self.tokens.get(at.end.saturating_sub(1)),
        ) {
            (Some(first), Some(last)) => self.text[first.start..last.end].to_owned(),
            _ => String::new(),
        }
    }

    pub(super) fn act(&self, at: Range<usize>, kind: ActKind) -> DialogueAct {
        DialogueAct {
            words: self.words(at),
            ..bare(kind)
        }
    }

    pub(super) fn push(&mut self, at: Range<usize>, act: DialogueAct) {
        let start = self.tokens[at.start].start;
        let words = self.words(at);
        self.acts.push((start, DialogueAct { words, ..act }));
    }

    pub(super) fn unclear(&mut self, at: Range<usize>, detail: &str) {
        self.unclear.push(Unclear {
            words: self.words(at),
            detail: detail.into(),
        });
    }

    pub(super) fn missing(&mut self, at: Range<usize>) {
        let detail = format!("no such position; {} items are shown", self.shown.len());
        self.unclear(at, &detail);
    }
}

pub(super) fn bare(kind: ActKind) -> DialogueAct {
    DialogueAct {
        kind,
        words: String::new(),
        field: None,
        values: Vec::new(),
        range: None,
        negated: false,
        item: None,
        items: Vec::new(),
        sort: None,
        basis: None,
    }
}
