//! Tests of full-text search on an index: which texts a query finds, and which comes first.

use std::{collections::HashSet, sync::Arc};

use roaring::RoaringBitmap;
use tempfile::TempDir;

use super::{
    LexicalIndex, LexicalQuery, LexicalResults, LexicalSelection, QueryRewrite, Texts, WriterPool,
    highlight,
};

struct Shop {
    titles: Vec<&'static str>,
    index: LexicalIndex,
    rewrite: QueryRewrite,
    _folder: TempDir,
}

impl Shop {
    fn of(titles: &[&'static str]) -> Self {
        Self::with_brands(&titles.iter().map(|title| (*title, "")).collect::<Vec<_>>())
    }

    fn with_brands(items: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let index = LexicalIndex::open(folder.path(), &Default::default()).expect("an index");
        let texts = items.iter().enumerate().map(|(id, (title, brand))| {
            let mut texts = Texts::default();
            texts[0] = (*title).to_owned();
            texts[1] = (*brand).to_owned();
            (id as u32, texts)
        });
        index.add(texts, items.len() as u32).expect("added");
        index.refresh().expect("visible");
        Self {
            titles: items.iter().map(|(title, _)| *title).collect(),
            index,
            rewrite: QueryRewrite::default(),
            _folder: folder,
        }
    }

    fn search(&self, query: &LexicalQuery) -> LexicalResults {
        let all: RoaringBitmap = (0..self.titles.len() as u32).collect();
        let selection = LexicalSelection {
            k: 10,
            eligible: &all,
            boosted: None,
            relevance: 0.0,
            extra_items: &RoaringBitmap::new(),
            visible: &all,
        };
        let found = self.index.search(query, &self.rewrite, &selection);
        found.expect("an answer")
    }

    fn titles(&self, found: &LexicalResults) -> Vec<&'static str> {
        let ids = found.matches.iter().map(|m| m.internal_id as usize);
        ids.map(|id| self.titles[id]).collect()
    }

    fn found(&self, text: &str) -> Vec<&'static str> {
        self.titles(&self.search(&typed(text)))
    }

    fn unfinished(&self, text: &str) -> Vec<&'static str> {
        let query = LexicalQuery {
            prefix: true,
            ..typed(text)
        };
        self.titles(&self.search(&query))
    }

    /// Asserts which title each query finds first.
    fn first(&self, expected: &[(&str, &str)]) {
        for (text, title) in expected {
            let found = self.found(text);
            assert_eq!(found.first(), Some(title), "{text}: {found:?}");
        }
    }
}

fn typed(text: &str) -> LexicalQuery {
    LexicalQuery {
        text: text.to_owned(),
        typos: true,
        ..LexicalQuery::default()
    }
}

#[test]
fn names_are_found_however_they_are_typed() {
    let shop = Shop::with_brands(&[
        ("Garden hose 20 m", "Nord"),
        ("Basic tank top", "H&M"),
        ("M&M's peanut chocolate", "Mars"),
        ("Prepaid card", "AT&T"),
        ("Cordless drill", "Black & Decker"),
        ("L'Oréal shampoo", ""),
        ("Bucket 5 l", ""),
        ("Rock 'n' Roll shirt", ""),
        ("Rock'n'Roll poster", ""),
        ("Côte d'Or chocolate", ""),
        ("C++ primer", ""),
        ("C# in depth", ""),
        ("C programming", ""),
        ("Disney+ gift card", ""),
    ]);
    shop.first(&[
        ("h&m", "Basic tank top"),
        ("H & M", "Basic tank top"),
        ("h and m", "Basic tank top"),
        ("hm", "Basic tank top"),
        ("m&ms", "M&M's peanut chocolate"),
        ("m and ms", "M&M's peanut chocolate"),
        ("at&t", "Prepaid card"),
        ("att", "Prepaid card"),
        ("black and decker", "Cordless drill"),
        ("blackdecker", "Cordless drill"),
        ("l oreal", "L'Oréal shampoo"),
        ("cote d or", "Côte d'Or chocolate"),
        ("cote dor", "Côte d'Or chocolate"),
        ("c++", "C++ primer"),
        ("c#", "C# in depth"),
        ("disney plus", "Disney+ gift card"),
    ]);
    for text in ["rock n roll", "rock'n'roll", "rock and roll", "rock & roll"] {
        let found: HashSet<_> = shop.found(text).into_iter().collect();
        let both = ["Rock 'n' Roll shirt", "Rock'n'Roll poster"];
        assert_eq!(found, both.into(), "{text}");
    }
    assert_eq!(shop.found("h&m"), ["Basic tank top"]);
}

#[test]
fn stop_words_are_ignored_but_in_names() {
    let shop = Shop::with_brands(&[
        ("Doctor hat who", ""),
        ("The Who - Tommy (vinyl)", ""),
        ("Light running shoe", "Peak"),
        ("Cloud running shoe", "On"),
        ("Bye bye foundation", "IT Cosmetics"),
        ("To be or not to be mug", ""),
        ("Not a box", ""),
    ]);
    shop.first(&[
        ("the who", "The Who - Tommy (vinyl)"),
        ("on running shoe", "Cloud running shoe"),
        ("it cosmetics", "Bye bye foundation"),
        ("on", "Cloud running shoe"),
        ("to be or not to be", "To be or not to be mug"),
    ]);
    assert_eq!(shop.found("on foundation"), ["Bye bye foundation"]);
    let letters = Shop::of(&["Plan a", "Plan x"]);
    assert_eq!(letters.found("a b c"), ["Plan a"]);
    assert_eq!(letters.found("a banana"), Vec::<&str>::new());
    let long = "armadillo".repeat(10_000) + &" the who".repeat(2_000);
    assert!(shop.found(&long).contains(&"The Who - Tommy (vinyl)"));
    for text in ["?!", "-", "", "\u{200b}"] {
        assert_eq!(shop.found(text), Vec::<&str>::new());
    }
}

#[test]
fn joined_and_separate_words_find_each_other() {
    let shop = Shop::of(&[
        "Wifi router",
        "Wi-Fi cable",
        "Wi Fi antenna",
        "Earbuds case",
        "Ear buds red",
        "Tshirt plain",
        "T-shirt striped",
        "Polo shirt",
        "Car pet seat",
        "Red carpet",
    ]);
    let found = |text: &str| shop.found(text).into_iter().collect::<HashSet<_>>();
    for text in ["wifi", "wi-fi", "wi fi"] {
        assert_eq!(
            found(text),
            ["Wifi router", "Wi-Fi cable", "Wi Fi antenna"].into(),
            "{text}"
        );
    }
    for text in ["earbuds", "ear buds"] {
        assert_eq!(
            found(text),
            ["Earbuds case", "Ear buds red"].into(),
            "{text}"
        );
    }
    for text in ["tshirt", "t-shirt", "t shirt"] {
        assert!(
            found(text).is_superset(&["Tshirt plain", "T-shirt striped"].into()),
            "{text}"
        );
    }
    let all = LexicalQuery {
        all: true,
        ..typed("t shirt")
    };
    let found = shop.titles(&shop.search(&all));
    assert!(!found.contains(&"Polo shirt"), "{found:?}");
    assert_eq!(
        shop.found("carpet")[0],
        "Red carpet",
        "the exact word comes first"
    );
}

#[test]
fn mistakes_are_corrected_also_in_an_unfinished_word() {
    let mut shop = Shop::of(&[
        "iPhone case",
        "Headphones",
        "Canvas sneakers",
        "Trainers white",
        "Some nice thing",
        "Bücherregal",
        "Buchstütze",
        "Buch",
        "North face",
    ]);
    let words = ["sneakers", "trainers"].map(str::to_owned);
    shop.rewrite.synonyms.add_equal(&words);
    assert_eq!(shop.unfinished("iphnoe"), ["iPhone case"]);
    assert_eq!(shop.unfinished("headpho"), ["Headphones"]);
    assert_eq!(shop.unfinished("hedphon"), ["Headphones"]);
    assert_eq!(shop.unfinished("büch")[0], "Bücherregal");
    assert_eq!(shop.found("sneeker"), ["Canvas sneakers", "Trainers white"]);
    for text in ["something", "nothing"] {
        assert_eq!(shop.found(text), Vec::<&str>::new());
    }
}

#[test]
fn a_code_is_found_as_a_whole_or_by_its_number() {
    let shop = Shop::of(&[
        "Keyboard KB-7749-B",
        "Keyboard KB-7748-B",
        "Drive KB 12",
        "B vitamins",
    ]);
    for text in ["kb7749b", "KB-7749-B", "kb 7749"] {
        assert_eq!(shop.found(text)[0], "Keyboard KB-7749-B", "{text}");
    }
    assert_eq!(shop.found("kb7749b"), ["Keyboard KB-7749-B"]);
    assert_eq!(shop.found("7749"), ["Keyboard KB-7749-B"]);
    // An unfinished code and one whose number says little stay words.
    assert!(shop.unfinished("kb-774").contains(&"Keyboard KB-7748-B"));
    assert_eq!(shop.found("kb12")[0], "Drive KB 12");
}

#[test]
fn corrections_name_the_word_as_it_was_typed() {
    let shop = Shop::of(&["Чёрный чайник"]);
    let found = shop.search(&typed("Чайнк"));
    let corrections: Vec<_> = found.corrections.keys().map(String::as_str).collect();
    assert_eq!(corrections, ["чайнк"]);
}

#[test]
fn marks_are_whole_and_as_written() {
    let shop = Shop::of(&["🎄 Crème brûlée 👨‍👩‍👧", "Wi-Fi router ½ m"]);
    for (text, marked) in [
        ("creme brulee", vec!["Crème", "brûlée"]),
        ("👨‍👩‍👧", vec!["👨‍👩‍👧"]),
        ("wifi", vec!["Wi-Fi"]),
        ("1/2 m", vec!["½", "m"]),
    ] {
        let found = shop.search(&typed(text));
        let title = shop.titles(&found)[0];
        let terms: HashSet<&str> = found.terms.iter().map(String::as_str).collect();
        let fragments = highlight(title, &terms).expect("marks");
        let whole: String = fragments.iter().map(|f| f.text.as_str()).collect();
        assert_eq!(whole, title);
        let marks = fragments.iter().filter(|f| f.is_match);
        assert_eq!(marks.map(|f| f.text.as_str()).collect::<Vec<_>>(), marked);
    }
}

#[test]
fn few_writers_are_open_and_no_text_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = Arc::<WriterPool>::default();
    let text = |n: usize| {
        let mut texts = Texts::default();
        texts[0] = format!("shoes {n}");
        texts
    };
    let indexes: Vec<LexicalIndex> = (0..20)
        .map(|n| LexicalIndex::open(&folder.path().join(n.to_string()), &pool).expect("an index"))
        .collect();
    for (n, index) in indexes.iter().enumerate() {
        index
            .add([(n as u32, text(n))], n as u32 + 1)
            .expect("added");
        assert!(pool.len() <= 8, "{} are open", pool.len());
    }
    assert_eq!(indexes[0].covered(), 1, "committed when it was closed");
    for (n, index) in indexes.iter().enumerate() {
        index.add([(100, text(n))], 101).expect("added");
        index.refresh().expect("committed");
        assert_eq!(index.internal_ids().expect("ids").len(), 2);
    }
}

#[test]
fn a_write_commits_large_texts_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = LexicalIndex::open(folder.path(), &Default::default()).expect("an index");
    let mut texts = Texts::default();
    texts[4] = "shoes for running ".repeat(30_000);
    for n in 0..9 {
        index.add([(n, texts.clone())], n + 1).expect("added");
    }
    assert_eq!(index.covered(), 8);
    assert!(index.memory_bytes() < 4 << 20);
    assert!(index.refresh().expect("committed"));
    assert_eq!((index.covered(), index.memory_bytes()), (9, 0));
}
