//! The index of suggestions: a finite state transducer (Lucchesi and Kowaltowski 1993) of what
//! begins at a word of an entry, searched by prefix. Typos are found by a Levenshtein automaton
//! (Schulz and Mihov 2002).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy_fst::{Automaton, IntoStreamer, Map, Streamer};
use vitrine_schemas::SuggestionKind;

use super::{
    entry::Entry,
    fold::{Folded, word_starts},
};

/// Entries of each kind that are kept for a key, and for a short prefix.
const MAX_PER_KEY: usize = 50;

/// Characters of the prefixes whose best entries are kept.
const SHORT_PREFIX: usize = 2;

/// Maximum characters of a prefix; what follows is ignored.
const MAX_PREFIX: usize = 64;

/// Mark of a place at which the whole entry begins.
const AT_START: u32 = 1 << 31;

/// Bits of a value of the map that are the number of places.
const COUNT_BITS: u32 = 16;

/// Automata of one and two typos; swapped letters are one.
static TYPOS: LazyLock<[LevenshteinAutomatonBuilder; 2]> =
    LazyLock::new(|| [1, 2].map(|distance| LevenshteinAutomatonBuilder::new(distance, true)));

/// Entries, by what begins at one of their words.
pub(super) struct SuggestIndex {
    /// Best first.
    entries: Vec<Entry>,
    /// Offset and number of places, by folded text from a word on.
    map: Map<Vec<u8>>,
    /// Numbers of entries, with [`AT_START`] if the whole entry begins with the key.
    places: Vec<u32>,
    /// Best places by prefix.
    short: HashMap<String, Vec<u32>>,
}

/// An entry that matches a prefix.
pub(super) struct Match<'a> {
    pub entry: &'a Entry,
    pub typos: u8,
}

/// Rank of a place: typos, whether the match is inside of the entry, number of the entry.
type Rank = (u8, bool, u32);

impl SuggestIndex {
    /// Builds the index. Of entries with one text, a phrase or a query gives way to a brand or
    /// category, and a phrase to a query.
    pub fn new(entries: Vec<Entry>) -> Result<Self, tantivy_fst::Error> {
        let entries = ranked(entries);
        let mut keys: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, entry) in (0..AT_START).zip(&entries) {
            for start in word_starts(&entry.key) {
                let mark = if start == 0 { AT_START } else { 0 };
                keys.entry(&entry.key[start..])
                    .or_default()
                    .push(number | mark);
            }
        }
        let mut short: HashMap<String, Vec<u32>> = HashMap::new();
        let mut places = Vec::new();
        let mut builder = tantivy_fst::MapBuilder::memory();
        for (key, mut at_key) in keys {
            keep_best(&entries, &mut at_key);
            let value = ((places.len() as u64) << COUNT_BITS) | at_key.len() as u64;
            builder.insert(key, value)?;
            for end in key
                .char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .take(SHORT_PREFIX)
            {
                let best = short.entry(key[..end].to_owned()).or_default();
                best.extend(&at_key);
                if best.len() > 100 * MAX_PER_KEY {
                    keep_best(&entries, best);
                }
            }
            places.extend(at_key);
        }
        for best in short.values_mut() {
            keep_best(&entries, best);
        }
        let mut all: Vec<u32> = (0..entries.len() as u32).map(|n| n | AT_START).collect();
        keep_best(&entries, &mut all);
        short.insert(String::new(), all);
        Ok(Self {
            map: Map::from_bytes(builder.into_inner()?)?,
            places,
            short,
            entries,
        })
    }

    /// Returns the entries of some kinds that complete a text, best first: those with the fewest
    /// typos, then those that begin with it, then by score. Typos are considered if nothing matches
    /// exactly. `is_shown` decides whether an entry may be suggested.
    pub fn complete(
        &self,
        typed: &str,
        limit: usize,
        kinds: &[SuggestionKind],
        is_shown: impl Fn(&Entry) -> bool,
    ) -> Vec<Match<'_>> {
        let prefix: String = Folded::new(typed)
            .chars
            .into_iter()
            .take(MAX_PREFIX)
            .collect();
        for typos in 0..=max_typos(&prefix) {
            let mut ranks = self.matching(&prefix, typos);
            if ranks.is_empty() && prefix.ends_with(' ') {
                ranks = self.matching(prefix.trim_end(), typos);
            }
            ranks.sort_unstable();
            let mut seen = HashSet::new();
            let entries = ranks.into_iter().map(|(typos, _, number)| Match {
                entry: &self.entries[number as usize],
                typos,
            });
            let entries = entries.filter(|found| kinds.contains(&found.entry.kind));
            let found: Vec<_> = entries
                .filter(|found| seen.insert(std::ptr::from_ref(found.entry)))
                .filter(|found| is_shown(found.entry))
                .take(limit)
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    fn matching(&self, prefix: &str, typos: u8) -> Vec<Rank> {
        if typos == 0 {
            return match self.short.get(prefix) {
                Some(places) => places.iter().map(|place| rank(0, *place)).collect(),
                None if prefix.chars().count() <= SHORT_PREFIX => Vec::new(),
                None => self.exact(prefix),
            };
        }
        let automaton = Typos(TYPOS[usize::from(typos) - 1].build_prefix_dfa(prefix));
        let mut search = self.map.search(&automaton);
        // The first letter is nearly always right, and most keys have another.
        if let Some(first) = prefix.chars().next() {
            search = search.ge(first.to_string());
            if let Some(end) = char::from_u32(first as u32 + 1) {
                search = search.lt(end.to_string());
            }
        }
        let mut stream = search.with_state().into_stream();
        let mut ranks = Vec::new();
        while let Some((_, value, state)) = stream.next() {
            let typos = automaton.0.distance(state).to_u8();
            ranks.extend(self.places(value).iter().map(|place| rank(typos, *place)));
        }
        ranks
    }

    fn exact(&self, prefix: &str) -> Vec<Rank> {
        let mut ranks = Vec::new();
        let mut stream = self.map.range().ge(prefix).into_stream();
        while let Some((key, value)) = stream.next() {
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            ranks.extend(self.places(value).iter().map(|place| rank(0, *place)));
        }
        ranks
    }

    fn places(&self, value: u64) -> &[u32] {
        let start = (value >> COUNT_BITS) as usize;
        let count = (value & ((1 << COUNT_BITS) - 1)) as usize;
        &self.places[start..start + count]
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the approximate bytes in memory.
    pub fn bytes(&self) -> u64 {
        let entries: u64 = self.entries.iter().map(Entry::bytes).sum();
        let short = self.short.values().map(|best| 64 + 4 * best.len() as u64);
        let map = self.map.as_fst().size() as u64 + 4 * self.places.len() as u64;
        entries + map + short.sum::<u64>()
    }
}

/// Returns the maximum number of typos in a prefix: none in a short one, as for the words of a
/// search.
fn max_typos(prefix: &str) -> u8 {
    match prefix.trim_end().chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

fn rank(typos: u8, place: u32) -> Rank {
    (typos, place & AT_START == 0, place & !AT_START)
}

/// Keeps the best places of each kind: those at the start of entries, then the best entries.
fn keep_best(entries: &[Entry], places: &mut Vec<u32>) {
    places.sort_unstable_by_key(|place| rank(0, *place));
    let mut numbers = HashSet::new();
    let mut kept: HashMap<SuggestionKind, usize> = HashMap::new();
    places.retain(|place| {
        let number = place & !AT_START;
        let kept = kept.entry(entries[number as usize].kind).or_default();
        let keeps = *kept < MAX_PER_KEY && numbers.insert(number);
        *kept += usize::from(keeps);
        keeps
    });
}

/// Returns the entries, best first, without empty ones and repetitions.
fn ranked(mut entries: Vec<Entry>) -> Vec<Entry> {
    // A phrase gives way to a query, which gives way to a value of the catalog.
    let order = |kind| match kind {
        SuggestionKind::Category | SuggestionKind::Brand => 0,
        SuggestionKind::Query => 1,
        SuggestionKind::Phrase => 2,
    };
    entries.retain(|entry| !entry.key.is_empty());
    entries.sort_by_key(|entry| order(entry.kind));
    let mut texts: HashMap<String, SuggestionKind> = HashMap::new();
    entries.retain(|entry| {
        let first = *texts.entry(entry.key.clone()).or_insert(entry.kind);
        order(entry.kind) == 0 || first == entry.kind
    });
    let mut seen = HashSet::new();
    entries.retain(|entry| {
        let path = entry.category.clone();
        seen.insert((
            entry.kind,
            path.map_or_else(|| entry.key.clone(), String::from),
        ))
    });
    entries.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
    entries
}

/// Automaton of the texts that begin with one near the prefix.
struct Typos(DFA);

impl Automaton for Typos {
    type State = u32;

    fn start(&self) -> u32 {
        self.0.initial_state()
    }

    fn is_match(&self, state: &u32) -> bool {
        matches!(self.0.distance(*state), Distance::Exact(_))
    }

    fn can_match(&self, state: &u32) -> bool {
        *state != SINK_STATE
    }

    fn accept(&self, state: &u32, byte: u8) -> u32 {
        self.0.transition(*state, byte)
    }
}
