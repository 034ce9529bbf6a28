//! Markdown of a page as HTML: tables, an anchor at each heading, and links between pages.

use std::collections::HashMap;

use pulldown_cmark::{Alignment, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Returns the HTML of a page.
pub(super) fn render(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES);
    let mut events: Vec<_> = events.map(with_address).map(without_styles).collect();
    add_anchors(&mut events);
    let mut page = String::with_capacity(text.len() * 2);
    html::push_html(&mut page, events.into_iter());
    page
}

/// Replaces the Markdown file of a link by its page.
fn with_address(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: address(&dest_url).map_or(dest_url, CowStr::from),
            title,
            id,
        }),
        other => other,
    }
}

/// Removes the alignment of columns, which would be inline styles: the content security policy
/// forbids these.
fn without_styles(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(vec![Alignment::None; columns.len()]))
        }
        other => other,
    }
}

/// Returns the address of a page that is given by its Markdown file; None for other links.
fn address(link: &str) -> Option<String> {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let name = file.strip_suffix(".md").filter(|_| !file.contains(':'))?;
    let anchor = anchor.map(|anchor| format!("#{anchor}"));
    Some(format!("{name}.html{}", anchor.unwrap_or_default()))
}

/// Adds ids to the headings, as mdBook and GitHub write them.
fn add_anchors(events: &mut [Event<'_>]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for at in 0..events.len() {
        if !matches!(events[at], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let inside = events[at..].iter();
        let inside = inside.take_while(|e| !matches!(e, Event::End(TagEnd::Heading(_))));
        let title: String = inside
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let anchor = anchor(&title);
        let count = uses.entry(anchor.clone()).or_default();
        let unique = match *count {
            0 => anchor,
            n => format!("{anchor}-{n}"),
        };
        *count += 1;
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(unique.into());
        }
    }
}

/// Returns the anchor of a heading: its letters and digits in lower case, joined by dashes.
fn anchor(title: &str) -> String {
    let char = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_lowercase().to_string()),
        c if c.is_whitespace() => Some("-".to_owned()),
        _ => None,
    };
    title.chars().filter_map(char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_pages_lead_to_html_and_others_stay() {
        for (link, expected) in [
            ("search.md", "search.html"),
            ("search.md#all-fields", "search.html#all-fields"),
            ("#modes", "#modes"),
            ("https://example.com/a.md", "https://example.com/a.md"),
            ("../console/", "../console/"),
        ] {
            let html = render(&format!("[text]({link})"));
            assert_eq!(html, format!("<p><a href=\"{expected}\">text</a></p>\n"));
        }
    }

    #[test]
    fn headings_have_the_anchors_of_mdbook() {
        for (heading, expected) in [
            ("Full-text search", "full-text-search"),
            ("The `ef` of a search", "the-ef-of-a-search"),
            ("Where do I add ...?", "where-do-i-add-"),
            ("int8_codes, *sealed*", "int8_codes-sealed"),
            ("家居服 A", "家居服-a"),
        ] {
            let html = render(&format!("## {heading}"));
            assert!(html.contains(&format!("<h2 id=\"{expected}\">")), "{html}");
        }
        let twice = render("# A\n\n# A\n\n# A\n");
        for id in ["a", "a-1", "a-2"] {
            assert!(twice.contains(&format!("id=\"{id}\"")), "{twice}");
        }
    }

    #[test]
    fn tables_and_code_are_rendered_and_text_is_escaped() {
        let table = render("| a | b |\n|---|---:|\n| `x < y` | & |\n");
        assert!(
            table.contains("<td><code>x &lt; y</code></td><td>&amp;</td>"),
            "{table}"
        );
        let code = render("```sh skip=long\nmake demo\n```\n");
        assert_eq!(
            code,
            "<pre><code class=\"language-sh\">make demo\n</code></pre>\n"
        );
    }
}
