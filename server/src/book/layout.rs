//! The frame of a page: header, contents, and links to the pages before and after it.

use maud::{DOCTYPE, PreEscaped, html};

use super::{
    STYLE_NAME,
    summary::{Entry, PageLink},
};

/// Returns a page with its frame around the `content`, which is HTML.
pub(super) fn page(
    contents: &[Entry],
    current: &PageLink,
    previous: Option<&PageLink>,
    next: Option<&PageLink>,
    content: &str,
) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (current.title) " - Vitrine" }
                link rel="icon" href="../console/icon.svg";
                link rel="stylesheet" href=(STYLE_NAME);
            }
            body {
                header {
                    a href="./" { "Vitrine" }
                    a href="api/" { "API reference" }
                    a href="../console/" { "Console" }
                }
                nav aria-label="Contents" { (navigation(contents, current)) }
                main {
                    (PreEscaped(content))
                    footer {
                        @if let Some(page) = previous {
                            a rel="prev" href=(page.address()) { "← " (page.title) }
                        }
                        @if let Some(page) = next {
                            a rel="next" href=(page.address()) { (page.title) " →" }
                        }
                    }
                }
            }
        }
    }
    .into_string()
}

fn navigation(contents: &[Entry], current: &PageLink) -> maud::Markup {
    html! {
        ul {
            @for entry in contents {
                @match entry {
                    Entry::Part(title) => li.part { (title) },
                    Entry::Page(page) => li {
                        a href=(page.address())
                            aria-current=[(page.name == current.name).then_some("page")] {
                            (page.title)
                        }
                    },
                }
            }
        }
    }
}
