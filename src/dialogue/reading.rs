//! From the words of a turn to what they do. What is said of the dialogue (places, "cheaper", "any color") is found first and
//! taken out; the rest is understood as any query.

use std::collections::{BTreeMap, HashMap};

use vitrine_schemas::{
    ActKind, DialogueAct, DialogueState, PriceBasis, Range, Scalar, ShownItem, Unclear,
};

use super::{
    Said,
    lexicon::{FIELDS, Phrase, longest_at},
    place::{self, place_at},
    price::{above, below, median},
    state,
};
use crate::understanding::{
    Constraint, Understanding, Vocabulary,
    token::{Kind, Token, key, tokens},
    vocabulary::Found,
};

/// What a turn does to a state. `shown` are the items that the shopper sees.
pub fn read(
    text: &str,
    vocabulary: &Vocabulary,
    before: &DialogueState,
    shown: &[ShownItem],
) -> Said {
    let tokens = tokens(text);
    let mut reader = Reader {
        text,
        tokens: &tokens,
        vocabulary,
        fields: fields(vocabulary),
        shown,
        taken: vec![false; tokens.len()],
        acts: Vec::new(),
        unclear: Vec::new(),
        beside: false,
        instead: false,
        state: before.clone(),
    };
    if reader.is_undo() {
        return Said {
            acts: vec![reader.act(0..tokens.len(), ActKind::Undo)],
            unclear: Vec::new(),
            undo: true,
            after: before.clone(),
        };
    }
    let mut at = reader.opening();
    while at < tokens.len() {
        at += reader.step(at).max(1);
    }
    reader.rest();
    reader.compare();
    reader.acts.sort_by_key(|(start, _)| *start);
    Said {
        acts: reader.acts.into_iter().map(|(_, act)| act).collect(),
        unclear: reader.unclear,
        undo: false,
        after: reader.state,
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    vocabulary: &'a Vocabulary,
    /// Fields by the words for them.
    fields: HashMap<String, String>,
    shown: &'a [ShownItem],
    /// Tokens that were understood.
    taken: Vec<bool>,
    /// With the byte they begin at.
    acts: Vec<(usize, DialogueAct)>,
    unclear: Vec<Unclear>,
    /// Values are added to those there are.
    beside: bool,
    /// Words take the place of those there are.
    instead: bool,
    state: DialogueState,
}

/// Values of a field that a turn names.
#[derive(Default)]
struct Wanted {
    /// Byte that the first begins at.
    start: usize,
    values: Vec<String>,
    words: Vec<String>,
}

/// Where an item's place may stand.
enum Lead {
    Like,
    With,
    Not,
    Bare,
}

impl Reader<'_> {
    /// Whether the turn says nothing but to take the one before back.
    fn is_undo(&self) -> bool {
        let from = self.skip(0, &[Phrase::Filler, Phrase::Polite]);
        [0, from]
            .into_iter()
            .any(|at| match self.phrase(at, &[Phrase::Undo]) {
                Some(n) => {
                    self.skip(at + n, &[Phrase::Filler, Phrase::Closing]) == self.tokens.len()
                }
                None => false,
            })
    }

    /// Takes what is said at the beginning: courtesy, and to start over. Where the rest begins.
    fn opening(&mut self) -> usize {
        let mut at = 0;
        if let Some(n) = self.phrase(0, &[Phrase::Filler, Phrase::Polite])
            && self.ends(n)
            && !self.is_value(0, n)
        {
            self.take(0, n + 1);
            at = (n + 1).min(self.tokens.len());
        }
        let from = self.skip(at, &[Phrase::Filler]);
        let (Some(n), None) = (
            self.phrase(from, &[Phrase::Reset]),
            self.phrase(from, &[Phrase::AnyAll]),
        ) else {
            return at;
        };
        let next = from + n;
        let goes_on = n > 1
            || self
                .tokens
                .get(next)
                .is_some_and(|t| ["and", "then", "with"].contains(&t.form.as_str()));
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

    /// Understands what begins at a token, if that is of the dialogue; how many tokens it is.
    fn step(&mut self, at: usize) -> usize {
        if self.tokens[at].kind == Kind::Break {
            return 1;
        }
        let value = match self.vocabulary.longest_at(&self.tokens[at..]) {
            Some((n, Found::Values(_))) => n,
            _ => 0,
        };
        let n = self
            .comparison(at)
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

    /// "cheaper", "cheaper than the second", 比第二个便宜. The price is set at the end, when all else is known.
    fn comparison(&mut self, at: usize) -> Option<usize> {
        const EITHER: &[Phrase] = &[Phrase::Cheaper, Phrase::Pricier];
        if self.shown.is_empty() && self.state.like.is_none() {
            return None;
        }
        if let Some(n) = self.phrase(at, &[Phrase::Compared]) {
            let (m, item) = self.compared_with(at + n)?;
            let after = at + n + m;
            let dear = self.tokens.get(after).is_some_and(|t| t.form == "贵");
            let (k, phrase) = match self.found(after, EITHER) {
                None if dear => (1, Phrase::Pricier),
                found => found?,
            };
            let length = n + m + k;
            return Some(self.priced(at, length, phrase, item));
        }
        let (n, phrase) = self.found(at, EITHER)?;
        if self.is_negated(at) || self.is_value(at, n) {
            return None;
        }
        let after = self.skip_small(at + n);
        if phrase == Phrase::Pricier
            && let Some(m) = self.phrase(after, &[Phrase::Okay])
        {
            state::drop_part(&mut self.state, "price");
            let n = after + m - at;
            let mut act = bare(ActKind::Drop);
            act.field = Some("price".into());
            self.push(at..at + n, act);
            return Some(self.take(at, n));
        }
        let (m, item) = match self.phrase(at + n, &[Phrase::Than]) {
            // "cheaper than 25" bounds the price as it stands.
            Some(m) => {
                let (k, item) = self.compared_with(at + n + m)?;
                (m + k, item)
            }
            None => (0, None),
        };
        Some(self.priced(at, n + m, phrase, item))
    }

    /// What a price is compared with: an item by its place, or what is seen.
    fn compared_with(&self, at: usize) -> Option<(usize, Option<place::Said>)> {
        let place = place_at(self.tokens.get(at..)?);
        let this = || self.phrase(at, &[Phrase::This]);
        match place {
            Some(said) => Some((said.length, Some(said))),
            None => Some((this()?, None)),
        }
    }

    fn priced(&mut self, at: usize, n: usize, phrase: Phrase, item: Option<place::Said>) -> usize {
        let kind = match phrase {
            Phrase::Cheaper => ActKind::Cheaper,
            _ => ActKind::Pricier,
        };
        let mut act = bare(kind);
        act.field = Some("price".into());
        if let Some(said) = item {
            act.basis = Some(PriceBasis::Named);
            match said.place.of(self.shown.len()) {
                Some(place) => act.item = Some(self.shown[place].id.clone()),
                None => {
                    self.missing(at..at + n);
                    return self.take(at, n);
                }
            }
        }
        self.push(at..at + n, act);
        self.take(at, n)
    }

    /// "more like the second", "the last one", 和第三个类似的, "not the first".
    fn item(&mut self, at: usize) -> Option<usize> {
        if self.shown.is_empty() {
            return None;
        }
        let found = self.found(at, &[Phrase::Like, Phrase::Not, Phrase::With]);
        let (n, lead) = match found {
            Some((n, Phrase::Like)) => (n, Lead::Like),
            Some((n, Phrase::Not)) => (n, Lead::Not),
            Some((n, _)) => (n, Lead::With),
            None => (0, Lead::Bare),
        };
        let Some(said) = place_at(&self.tokens[at + n..]) else {
            return self.again(at).or_else(|| self.this(at, n, lead));
        };
        let end = at + n + said.length;
        let alike = self.phrase(end, &[Phrase::Alike]).unwrap_or_default();
        let unwanted = self
            .phrase(end, &[Phrase::Unwanted])
            .filter(|n| self.closes(end + n));
        let lead = if unwanted.is_some() { Lead::Not } else { lead };
        let alike = unwanted.unwrap_or(alike);
        let fits = match lead {
            Lead::With => alike > 0,
            _ if unwanted.is_some() => true,
            Lead::Like | Lead::Not => said.sure || alike > 0 || self.closes(end),
            Lead::Bare => alike > 0 || self.closes(end),
        };
        if !fits {
            return None;
        }
        let n = n + said.length + alike;
        let Some(place) = said.place.of(self.shown.len()) else {
            self.missing(at..at + n);
            return Some(self.take(at, n));
        };
        let item = self.shown[place].clone();
        let mut act = bare(ActKind::Like);
        act.item = Some(item.id.clone());
        match lead {
            Lead::Not => {
                act.kind = ActKind::Exclude;
                state::exclude(&mut self.state, &item.id);
            }
            _ => state::like(&mut self.state, item),
        }
        self.push(at..at + n, act);
        Some(self.take(at, n))
    }

    /// "the first, more like that", 类似的: said of an item that the turn has named.
    fn again(&mut self, at: usize) -> Option<usize> {
        let is_named = |(_, act): &(usize, DialogueAct)| act.kind == ActKind::Like;
        if !self.acts.iter().any(is_named) {
            return None;
        }
        let like = self.phrase(at, &[Phrase::Like]).unwrap_or_default();
        let this = self.phrase(at + like, &[Phrase::This]).unwrap_or_default();
        let n = match (like, this) {
            (like, this) if like > 0 && this > 0 => like + this,
            _ => self.phrase(at, &[Phrase::Alike])?,
        };
        Some(self.take(at, n))
    }

    /// "more like this" names none.
    fn this(&mut self, at: usize, n: usize, lead: Lead) -> Option<usize> {
        let m = self.phrase(at + n, &[Phrase::This])?;
        let alike = self
            .phrase(at + n + m, &[Phrase::Alike])
            .unwrap_or_default();
        if !matches!(lead, Lead::Like | Lead::With) || n == 0 || !self.closes(at + n + m + alike) {
            return None;
        }
        let n = n + m + alike;
        self.unclear(at..at + n, "say which one: \"the second\", 第二个");
        Some(self.take(at, n))
    }

    /// "any color", "no price limit", 颜色不限, 什么牌子都行.
    fn any_field(&mut self, at: usize) -> Option<usize> {
        if let Some(n) = self.phrase(at, &[Phrase::AnyAll]) {
            for filter in std::mem::take(&mut self.state.filters) {
                let mut act = bare(ActKind::Drop);
                act.field = Some(filter.field);
                self.push(at..at + n, act);
            }
            return Some(self.take(at, n));
        }
        let lead = self.phrase(at, &[Phrase::Any]).unwrap_or_default();
        let from = if lead > 0 {
            self.skip_small(at + lead)
        } else {
            at
        };
        let (n, field) = self.field(from)?;
        let limit = self.phrase(from + n, &[Phrase::Limit]).unwrap_or_default();
        let mut end = from + n + limit;
        let after = match lead {
            0 => {
                end = self.skip_small(end);
                self.phrase(end, &[Phrase::NoMatter])?
            }
            _ => self
                .found(end, &[Phrase::NoMatter, Phrase::Fine])
                .map_or(0, |(n, _)| n),
        };
        state::drop_part(&mut self.state, &field);
        let n = end + after - at;
        let mut act = bare(ActKind::Drop);
        act.field = Some(field);
        self.push(at..at + n, act);
        Some(self.take(at, n))
    }

    /// "doesn't have to be leather", 不一定要蓝色.
    fn need_not(&mut self, at: usize) -> Option<usize> {
        let n = self.phrase(at, &[Phrase::NeedNot])?;
        let from = self.skip_small(at + n);
        let (m, Found::Values(meanings)) = self.vocabulary.longest_at(self.tokens.get(from..)?)?
        else {
            return None;
        };
        for meaning in meanings {
            let values = [meaning.value.clone()];
            let held = self
                .state
                .filters
                .iter()
                .any(|f| f.field == meaning.field && f.values.contains(&meaning.value));
            state::free(&mut self.state, &meaning.field, &values);
            if held {
                let mut act = bare(ActKind::Drop);
                act.field = Some(meaning.field.clone());
                act.values = values.into();
                self.push(at..from + m, act);
            }
        }
        Some(self.take(at, from + m - at))
    }

    /// "also", "or", "instead": how the rest is meant.
    fn manner(&mut self, at: usize) -> Option<usize> {
        let (n, phrase) = self.found(at, &[Phrase::Instead, Phrase::Also, Phrase::Or])?;
        let first = self.tokens[..at]
            .iter()
            .zip(&self.taken)
            .all(|(t, taken)| *taken || t.kind == Kind::Break);
        match phrase {
            _ if self.is_value(at, n) => return None,
            Phrase::Or if !first => return None,
            Phrase::Instead => self.instead = true,
            _ => self.beside = true,
        }
        Some(self.take(at, n))
    }

    /// Understands what is left as any query.
    fn rest(&mut self) {
        let left = self.left();
        let understood = Understanding::of(&left, self.vocabulary, &[]);
        let mut wanted: BTreeMap<(String, bool), Wanted> = BTreeMap::new();
        for part in &understood.parts {
            let words = self.text[part.span.clone()].to_owned();
            let (field, value, negated) = match &part.constraint {
                Constraint::Must { field, value } => (field, value, false),
                Constraint::MustNot { field, value } => (field, value, true),
                Constraint::Price(price) => {
                    let range = Range {
                        gte: price.gte.map(Scalar::Float),
                        lte: price.lte.map(Scalar::Float),
                        ..Range::default()
                    };
                    state::bound(&mut self.state, &range, &words);
                    let act = DialogueAct {
                        field: Some("price".into()),
                        range: Some(range),
                        words,
                        ..bare(ActKind::Filter)
                    };
                    self.acts.push((part.span.start, act));
                    continue;
                }
            };
            let entry = wanted.entry((field.clone(), negated)).or_default();
            if entry.words.is_empty() {
                entry.start = part.span.start;
            }
            for (list, one) in [(&mut entry.values, value), (&mut entry.words, &words)] {
                if !list.contains(one) {
                    list.push(one.clone());
                }
            }
        }
        for ((field, negated), one) in wanted {
            let (values, words) = (one.values, one.words.join(" "));
            match negated {
                true => state::refuse(&mut self.state, &field, &values, &words),
                false => state::want(&mut self.state, &field, &values, &words, self.beside),
            }
            let kind = match self.beside && !negated {
                true => ActKind::Add,
                false => ActKind::Filter,
            };
            let act = DialogueAct {
                field: Some(field),
                values,
                words,
                negated,
                ..bare(kind)
            };
            self.acts.push((one.start, act));
        }
        let words = trimmed(&understood.text);
        if !words.is_empty() {
            state::say(&mut self.state, &words, self.instead);
            let act = DialogueAct {
                words,
                field: Some("text".into()),
                ..bare(ActKind::Words)
            };
            self.acts.push((self.text.len(), act));
        }
    }

    /// Sets the price that "cheaper" means: below that of the item named, of the item searched by, or the median shown.
    fn compare(&mut self) {
        let mut acts = std::mem::take(&mut self.acts);
        // "too expensive, under 50": the amount says it better.
        let is_said =
            |(_, act): &(usize, DialogueAct)| act.kind == ActKind::Filter && act.range.is_some();
        let is_said = acts.iter().any(is_said);
        acts.retain_mut(|(_, act)| {
            if !matches!(act.kind, ActKind::Cheaper | ActKind::Pricier) {
                return true;
            }
            if is_said {
                return false;
            }
            let priced = |id: &str| self.shown.iter().find(|s| s.id == id)?.price;
            let liked = self.state.like.as_ref().and_then(|l| l.price);
            let (price, basis) = match (&act.item, liked) {
                (Some(id), _) => (priced(id), PriceBasis::Named),
                (None, Some(price)) => (Some(price), PriceBasis::Liked),
                (None, None) => (median(self.shown), PriceBasis::ShownMedian),
            };
            let Some(price) = price else {
                self.unclear.push(Unclear {
                    words: act.words.clone(),
                    detail:
                        "no price is shown to compare with; say an amount: \"under 50\", 50以下"
                            .into(),
                });
                return false;
            };
            let range = match act.kind {
                ActKind::Cheaper => below(price),
                _ => above(price),
            };
            state::bound(&mut self.state, &range, &act.words);
            (act.range, act.basis) = (Some(range), Some(basis));
            true
        });
        self.acts = acts;
    }

    /// The text with blanks for what was understood, so that places stay.
    fn left(&self) -> String {
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

    fn phrase(&self, at: usize, wanted: &[Phrase]) -> Option<usize> {
        self.found(at, wanted).map(|(n, _)| n)
    }

    fn found(&self, at: usize, wanted: &[Phrase]) -> Option<(usize, Phrase)> {
        longest_at(self.tokens.get(at..)?, wanted)
    }

    /// The first token from `at` on that is neither a sign nor of such a phrase.
    fn skip(&self, mut at: usize, phrases: &[Phrase]) -> usize {
        while let Some(token) = self.tokens.get(at) {
            at += match self.phrase(at, phrases) {
                Some(n) => n,
                None if matches!(token.kind, Kind::Break | Kind::Sign) => 1,
                None => break,
            };
        }
        at
    }

    fn skip_small(&self, mut at: usize) -> usize {
        const SMALL: &[&str] = &[
            "the", "a", "my", "for", "about", "in", "on", "of", "to", "be", "是", "要", "的", "个",
            "也", "都", "就",
        ];
        while self
            .tokens
            .get(at)
            .is_some_and(|t| SMALL.contains(&t.form.as_str()))
        {
            at += 1;
        }
        at
    }

    /// The field whose word begins at a token.
    fn field(&self, at: usize) -> Option<(usize, String)> {
        let ahead = self.tokens.get(at..)?;
        (1..=3.min(ahead.len()))
            .rev()
            .find_map(|n| Some((n, self.fields.get(&key(&ahead[..n]))?.clone())))
    }

    /// Whether a longer value begins where `n` tokens would be taken.
    fn is_value(&self, at: usize, n: usize) -> bool {
        matches!(self.vocabulary.longest_at(&self.tokens[at..]), Some((m, Found::Values(_))) if m >= n)
    }

    fn is_negated(&self, at: usize) -> bool {
        let before = |n: usize| at.checked_sub(n).map(|at| self.tokens[at].form.as_str());
        matches!(before(1), Some("不" | "别" | "not" | "no"))
            || before(1) == Some("要") && before(2) == Some("不")
    }

    /// Whether a clause ends before the token.
    fn ends(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|t| t.kind == Kind::Break)
    }

    /// Whether what begins at the token belongs to nothing before it.
    fn closes(&self, at: usize) -> bool {
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
                Some((_, Found::Role(_)))
            )
    }

    fn take(&mut self, at: usize, n: usize) -> usize {
        let end = (at + n).min(self.taken.len());
        self.taken[at..end].fill(true);
        n
    }

    fn words(&self, at: std::ops::Range<usize>) -> String {
        match (
            self.tokens.get(at.start),
            self.tokens.get(at.end.saturating_sub(1)),
        ) {
            (Some(first), Some(last)) => self.text[first.start..last.end].to_owned(),
            _ => String::new(),
        }
    }

    fn act(&self, at: std::ops::Range<usize>, kind: ActKind) -> DialogueAct {
        DialogueAct {
            words: self.words(at),
            ..bare(kind)
        }
    }

    fn push(&mut self, at: std::ops::Range<usize>, act: DialogueAct) {
        let start = self.tokens[at.start].start;
        let words = self.words(at);
        self.acts.push((start, DialogueAct { words, ..act }));
    }

    fn unclear(&mut self, at: std::ops::Range<usize>, detail: &str) {
        self.unclear.push(Unclear {
            words: self.words(at),
            detail: detail.into(),
        });
    }

    fn missing(&mut self, at: std::ops::Range<usize>) {
        let detail = format!("there is no such place: {} are shown", self.shown.len());
        self.unclear(at, &detail);
    }
}

fn bare(kind: ActKind) -> DialogueAct {
    DialogueAct {
        kind,
        words: String::new(),
        field: None,
        values: Vec::new(),
        range: None,
        negated: false,
        item: None,
        basis: None,
    }
}

/// Fields by the words for them: their own names, and those of the group that has the name.
fn fields(vocabulary: &Vocabulary) -> HashMap<String, String> {
    let mut by_word = HashMap::new();
    for group in FIELDS {
        for word in *group {
            by_word.insert(key(&tokens(word)), group[0].to_owned());
        }
    }
    for field in vocabulary.fields() {
        let own = key(&tokens(&field.replace('_', " ")));
        let is_own = |word: &&&str| key(&tokens(word)) == own;
        let group = FIELDS.iter().find(|group| group.iter().any(|w| is_own(&w)));
        for word in group.into_iter().flat_map(|g| g.iter()) {
            by_word.insert(key(&tokens(word)), field.to_owned());
        }
        by_word.insert(own, field.to_owned());
    }
    by_word
}

/// Words without those at their ends that only hold a conversation together.
fn trimmed(text: &str) -> String {
    let tokens = tokens(text);
    // One Chinese character may be a part of a word.
    let alone = |n: usize, first: usize| {
        let end = tokens[first + n - 1].end;
        let joined = tokens
            .get(first + n)
            .is_some_and(|t| t.kind == Kind::Han && t.start == end)
            || first > 0
                && tokens[first - 1].kind == Kind::Han
                && tokens[first - 1].end == tokens[first].start;
        n > 1
            || tokens[first].kind != Kind::Han
            || !joined
            || "的了呢吗吧啊呀".contains(&tokens[first].form)
    };
    if all_said(&tokens) {
        return String::new();
    }
    let (mut from, mut to) = (0, tokens.len());
    loop {
        let ahead = &tokens[from..to];
        let is_sign = |t: Option<&Token>| t.is_some_and(|t| t.kind == Kind::Break);
        if is_sign(ahead.first()) {
            from += 1;
        } else if is_sign(ahead.last()) {
            to -= 1;
        } else if let Some((n, _)) = longest_at(ahead, &[Phrase::Filler])
            && alone(n, from)
        {
            from += n;
        } else if let Some(n) = ending(ahead)
            && alone(n, to - n)
        {
            to -= n;
        } else {
            break;
        }
    }
    match tokens.get(from..to) {
        Some([first, .., last]) => text[first.start..last.end].to_owned(),
        Some([only]) => text[only.start..only.end].to_owned(),
        _ => String::new(),
    }
}

/// Whether there is nothing but courtesy.
fn all_said(tokens: &[Token]) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        at += match longest_at(
            &tokens[at..],
            &[Phrase::Polite, Phrase::Filler, Phrase::Closing],
        ) {
            Some((n, _)) => n,
            None if matches!(tokens[at].kind, Kind::Break | Kind::Sign) => 1,
            None => return false,
        };
    }
    true
}

/// Length of a closing phrase at the end.
fn ending(tokens: &[Token]) -> Option<usize> {
    let whole = |n: &usize| {
        longest_at(&tokens[tokens.len() - n..], &[Phrase::Closing]).is_some_and(|(m, _)| m == *n)
    };
    (1..=5.min(tokens.len())).rev().find(whole)
}
