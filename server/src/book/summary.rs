//! Contents of the book, read from `SUMMARY.md`.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// A line of the contents.
pub(super) enum Entry {
    /// Title of a part.
    Part(String),
    /// A page.
    Page(PageLink),
}

/// Link to a page.
pub(super) struct PageLink {
    pub title: String,
    /// Name of its file, without the ending.
    pub name: String,
}

impl Entry {
    pub fn page(&self) -> Option<&PageLink> {
        match self {
            Self::Page(page) => Some(page),
            Self::Part(_) => None,
        }
    }
}

impl PageLink {
    /// Returns the address, relative to the first page.
    pub fn address(&self) -> String {
        format!("{}.html", self.name)
    }
}

/// Returns the parts and pages in their order. The first heading is the title of the contents.
pub(super) fn entries(summary: &str) -> Vec<Entry> {
    let (mut entries, mut headings) = (Vec::new(), 0);
    let (mut text, mut target) = (String::new(), String::new());
    for event in Parser::new(summary) {
        match event {
            Event::Start(Tag::Heading { .. }) => text.clear(),
            Event::Start(Tag::Link { dest_url, .. }) => {
                text.clear();
                target = dest_url.into_string();
            }
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::End(TagEnd::Heading(_)) => {
                headings += 1;
                if headings > 1 {
                    entries.push(Entry::Part(text.clone()));
                }
            }
            Event::End(TagEnd::Link) => entries.push(Entry::Page(PageLink {
                title: text.clone(),
                name: target.trim_end_matches(".md").to_owned(),
            })),
            _ => {}
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_pages_keep_their_order() {
        let text = "# Summary\n\n[First](first.md)\n\n# Use\n\n- [The `x`](x-y.md)\n";
        let lines: Vec<_> = entries(text)
            .iter()
            .map(|entry| match entry {
                Entry::Part(title) => title.clone(),
                Entry::Page(page) => format!("{} -> {}", page.title, page.address()),
            })
            .collect();
        assert_eq!(lines, ["First -> first.html", "Use", "The x -> x-y.html"]);
    }

    #[test]
    fn an_empty_summary_has_no_entries() {
        assert!(entries("").is_empty() && entries("# Summary\n").is_empty());
    }
}
