//! Sums of a window of documents.

/// Number of documents of a window: its arrays fit into the second-level cache.
pub(super) const WINDOW: usize = 1 << 14;

/// A document of a term of a word.
#[derive(Clone, Copy)]
pub(super) struct Posting {
    /// Offset of the document in the window.
    pub offset: u16,
    /// Index of the term in the word.
    pub term: u16,
    pub frequency: u32,
}

/// A set of offsets in a window.
#[derive(Clone, Default)]
pub(super) struct Offsets(Vec<u64>);

impl Offsets {
    pub fn insert(&mut self, offset: usize) {
        self.0[offset / 64] |= 1 << (offset % 64);
    }

    pub fn contains(&self, offset: usize) -> bool {
        self.0[offset / 64] >> (offset % 64) & 1 == 1
    }

    fn clear(&mut self) {
        self.0.clear();
        self.0.resize(WINDOW / 64, 0);
    }

    /// Calls `each` with the offsets, in rising order.
    pub fn for_each(&self, mut each: impl FnMut(usize)) {
        for (at, word) in self.0.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                each(at * 64 + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }
}

/// Sums of the documents of a window, by offset.
#[derive(Default)]
pub(super) struct Window {
    /// First document.
    pub start: u32,
    /// Document after the last one.
    pub end: u32,
    pub score: Vec<f32>,
    /// Sum of the coverage weights of the words that a document has.
    pub covered: Vec<f32>,
    /// Number of required groups and phrases that a document has.
    pub required: Vec<u16>,
    /// Documents with any of the words.
    pub matched: Offsets,
    /// Documents that match, but whose scores are not needed.
    pub unscored: Offsets,
    /// Values of the present word.
    word: Sums,
    /// Sums of the present group.
    pub group: Sums,
    /// Sums of an alternative of the group.
    pub apart: Sums,
}

impl Window {
    /// Begins at a document, with all sums 0.
    pub fn begin(&mut self, start: u32, end: u32) {
        (self.start, self.end) = (start, end);
        for sums in [&mut self.score, &mut self.covered] {
            sums.clear();
            sums.resize(WINDOW, 0.0);
        }
        self.required.clear();
        self.required.resize(WINDOW, 0);
        self.matched.clear();
        self.unscored.clear();
    }

    /// Adds a group or phrase to a document.
    pub fn add(&mut self, offset: usize, score: f32, covered: f32, is_required: bool) {
        self.score[offset] += score;
        self.covered[offset] += covered;
        self.required[offset] += u16::from(is_required);
        self.matched.insert(offset);
    }

    /// Sets the value of the present word in a document if it is the best one.
    pub fn set_word(&mut self, offset: usize, value: f32, factor: f32) {
        self.word.replace(offset, value, factor);
    }

    /// Calls `each` with the values of the present word, and clears them.
    pub fn take_word(&mut self, mut each: impl FnMut(&mut Self, usize, f32, f32)) {
        let mut word = std::mem::take(&mut self.word);
        word.take(|offset, value, factor| each(self, offset, value, factor));
        self.word = word;
    }
}

/// Sums of a word or group, with the documents that have it.
#[derive(Default)]
pub(super) struct Sums {
    /// Score, sum of the coverage, and number of words, by offset.
    values: Vec<(f32, f32, u16)>,
    /// Offsets of documents with values, each once.
    present: Vec<u32>,
}

impl Sums {
    fn entry(&mut self, offset: usize) -> &mut (f32, f32, u16) {
        if self.values.is_empty() {
            self.values.resize(WINDOW, (0.0, 0.0, 0));
        }
        let entry = &mut self.values[offset];
        if entry.2 == 0 {
            self.present.push(offset as u32);
        }
        entry
    }

    /// Adds a word.
    pub fn add(&mut self, offset: usize, score: f32, covered: f32) {
        let entry = self.entry(offset);
        *entry = (entry.0 + score, entry.1 + covered, entry.2 + 1);
    }

    /// Replaces the sums of a document if the score is greater.
    pub fn replace(&mut self, offset: usize, score: f32, covered: f32) {
        let entry = self.entry(offset);
        if entry.2 == 0 || score > entry.0 {
            *entry = (score, covered.max(entry.1), entry.2.max(1));
        }
    }

    /// Removes documents that have fewer than `words` words.
    pub fn keep_complete(&mut self, words: u16) {
        let values = &mut self.values;
        self.present.retain(|offset| {
            let entry = &mut values[*offset as usize];
            let is_complete = entry.2 == words;
            if !is_complete {
                *entry = (0.0, 0.0, 0);
            }
            is_complete
        });
    }

    /// Calls `each` with the offset, score and coverage of each document, and clears them.
    pub fn take(&mut self, mut each: impl FnMut(usize, f32, f32)) {
        for offset in self.present.drain(..) {
            let entry = std::mem::take(&mut self.values[offset as usize]);
            each(offset as usize, entry.0, entry.1);
        }
    }
}
