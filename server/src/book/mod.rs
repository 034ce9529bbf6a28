//! The book: the pages of `docs/` as HTML, in the order of `SUMMARY.md`. They are built into the
//! program and rendered at the first request, without scripts and without addresses elsewhere.

mod layout;
mod markdown;
mod summary;

use std::{collections::BTreeMap, sync::LazyLock};

use self::summary::Entry;

macro_rules! sources {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("../../../docs/", $name, ".md")))),+]
    };
}

/// Pages by name, in Markdown; a test compares them with the folder and with `SUMMARY.md`.
pub const SOURCES: [(&str, &str); 39] = sources![
    "introduction"
    "quick-start"
    "search"
    "filters"
    "suggestions"
    "recommendations"
    "feeds"
    "similar-items"
    "dialogues"
    "spoken-queries"
    "merchandising"
    "analytics"
    "experiments"
    "learning-to-rank"
    "rust-library"
    "indexing"
    "variants"
    "writing-items"
    "events"
    "encoders"
    "training-heads"
    "federated-learning"
    "re-embedding"
    "evaluation"
    "deployment"
    "operations"
    "backup"
    "replication"
    "limits"
    "vector-indexes"
    "security"
    "privacy"
    "console"
    "errors"
    "benchmarks"
    "limitations"
    "glossary"
    "storage-format"
    "contributing"
];

const SUMMARY: &str = include_str!("../../../docs/SUMMARY.md");

/// File name of the style sheet.
const STYLE_NAME: &str = "book.css";
const STYLE: &str = include_str!("../../book/book.css");

/// A file of the book.
pub struct File {
    /// Content.
    pub text: String,
    /// Media type.
    pub media_type: &'static str,
    /// Hash of the content.
    pub hash: blake3::Hash,
}

impl File {
    fn new(text: String, media_type: &'static str) -> Self {
        let hash = blake3::hash(text.as_bytes());
        Self {
            text,
            media_type,
            hash,
        }
    }
}

static FILES: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let contents = summary::entries(SUMMARY);
    let pages: Vec<_> = contents.iter().filter_map(Entry::page).collect();
    let mut files = BTreeMap::new();
    for (at, page) in pages.iter().enumerate() {
        let Some((_, source)) = SOURCES.iter().find(|(name, _)| *name == page.name) else {
            continue;
        };
        let previous = at.checked_sub(1).map(|at| pages[at]);
        let html = layout::page(
            &contents,
            page,
            previous,
            pages.get(at + 1).copied(),
            &markdown::render(source),
        );
        let file = || File::new(html.clone(), "text/html; charset=utf-8");
        if at == 0 {
            files.insert(String::new(), file());
        }
        files.insert(page.address(), file());
    }
    let style = File::new(STYLE.to_owned(), "text/css; charset=utf-8");
    files.insert(STYLE_NAME.to_owned(), style);
    files
});

/// Returns a file by its name, such as `search.html`; the empty name is the first page.
pub fn file(name: &str) -> Option<&'static File> {
    FILES.get(name)
}
