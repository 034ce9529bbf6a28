//! Conversion of HTML fragments, as shops use them in titles and descriptions, to plain text.

use std::borrow::Cow;

/// Inline elements; all others separate words.
const INLINE: [&str; 14] = [
    "a", "abbr", "b", "code", "em", "font", "i", "mark", "s", "small", "span", "strong", "sub", "u",
];

/// Elements whose content is not text.
const SILENT: [&str; 2] = ["script", "style"];

/// Start of a section of unescaped text.
const CDATA: &str = "<![CDATA[";

/// Returns the text of a fragment: no tags, entities decoded, whitespace collapsed.
pub(super) fn text(html: &str) -> String {
    let unwrapped = html
        .contains(CDATA)
        .then(|| html.replace(CDATA, "").replace("]]>", ""));
    let html = unwrapped.as_deref().unwrap_or(html);
    let mut raw = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        raw.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(tag) = Tag::at(rest) else {
            raw.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[tag.len..];
        if SILENT.contains(&tag.name.as_str()) {
            rest = after_closing(rest, &tag.name);
        }
        if !INLINE.contains(&tag.name.trim_start_matches('/')) {
            raw.push(' ');
        }
    }
    raw.push_str(rest);
    let text = decode(&raw);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Tag {
    /// Lower case, with the `/` of a closing tag; empty for comments.
    name: String,
    len: usize,
}

impl Tag {
    /// Parses the tag at the start of `html`. A `<` before anything but a name, `/` or `!` is text.
    fn at(html: &str) -> Option<Self> {
        if let Some(comment) = html.strip_prefix("<!--") {
            let len = comment.find("-->").map_or(html.len(), |end| end + 7);
            return Some(Self {
                name: String::new(),
                len,
            });
        }
        let inner = &html[1..];
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            return None;
        }
        let mut quote = None;
        let end = inner.find(|c| match (quote, c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), _) if open == c => {
                quote = None;
                false
            }
            _ => false,
        })?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '/';
        let name = inner.split(|c| !is_name(c)).next().unwrap_or_default();
        Some(Self {
            name: name.trim_end_matches('/').to_ascii_lowercase(),
            len: end + 2,
        })
    }
}

fn after_closing<'a>(html: &'a str, name: &str) -> &'a str {
    let closing = format!("</{name}");
    let found = (0..html.len()).find(|at| {
        html.get(*at..at + closing.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(&closing))
    });
    found.map_or("", |at| &html[at..])
}

/// Returns the addresses of the images of a fragment: `src` of its `img` elements.
pub(super) fn image_sources(html: &str) -> Vec<String> {
    let mut sources = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let tag = Tag::at(rest);
        let len = tag.as_ref().map_or(1, |tag| tag.len.min(rest.len()));
        if tag.is_some_and(|tag| tag.name == "img") {
            sources.extend(attribute(&rest[..len], "src"));
        }
        rest = &rest[len..];
    }
    sources
}

/// Returns the value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find(&format!(" {name}="))?;
    let value = &tag[at + name.len() + 2..];
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split([' ', '>', '\n', '\t']).next()?,
    };
    Some(decode(value.trim()).into_owned()).filter(|value| !value.is_empty())
}

/// Decodes entities; unknown ones are unchanged.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    html_escape::decode_html_entities(text)
}

/// Returns the text of a field that may hold HTML, escaped once or twice. A text without markup is
/// unchanged.
pub(super) fn plain(field: &str) -> String {
    if !field.contains(['<', '&']) {
        return field.to_owned();
    }
    let once = text(field);
    let is_escaped = !field.contains('<') && once.contains("</") || once.contains("<br");
    if is_escaped || decode(&once) != once {
        return text(&once);
    }
    once
}

/// Returns true for a text with elements, escaped or not, rather than angle brackets.
pub(super) fn is_markup(text: &str) -> bool {
    ["</", "/>", "<br", "<BR", "&lt;/"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Returns the text of an entity: `eacute`, `#233`, `#xe9`.
pub(super) fn entity(name: &str) -> Option<String> {
    let written = format!("&{name};");
    let decoded = decode(&written);
    (decoded != written).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{entity, image_sources, plain, text};

    #[test]
    fn addresses_of_images_are_found() {
        let html = "<p><IMG alt='a > b' src=\"https://x/a.jpg?b=1&amp;c=2\"></p><img src=b.png />";
        assert_eq!(image_sources(html), ["https://x/a.jpg?b=1&c=2", "b.png"]);
        assert!(image_sources("<a href='x'>y</a> < 3").is_empty());
    }

    #[test]
    fn tags_go_and_entities_are_decoded() {
        assert_eq!(
            text("<p>Warm &amp; <b>dry</b>.</p><p>Soft</p>"),
            "Warm & dry. Soft"
        );
        assert_eq!(text("a<br/>b<BR>c <img alt='x > y' src=\"z\">d"), "a b c d");
        assert_eq!(
            text("<style>p { color: red }</style>x<!-- no > -->y"),
            "x y"
        );
        assert_eq!(
            text("caf&eacute;&nbsp;&#8364;5 &#x41; &unknown; & <3 a < b"),
            "caf\u{e9} \u{20ac}5 A &unknown; & <3 a < b"
        );
        assert_eq!(text("&lt;b&gt;"), "<b>");
        assert_eq!(text("cut <a href=\"x"), "cut <a href=\"x");
    }

    #[test]
    fn entities_are_named_or_numbered() {
        for (name, text) in [
            ("nbsp", "\u{a0}"),
            ("szlig", "\u{df}"),
            ("scaron", "\u{161}"),
            ("hellip", "\u{2026}"),
            ("#233", "\u{e9}"),
            ("#xe9", "\u{e9}"),
        ] {
            assert_eq!(entity(name).as_deref(), Some(text), "{name}");
        }
        assert_eq!(entity("#xD800"), None);
        assert_eq!(entity("#-1"), None);
    }

    #[test]
    fn fields_are_text_however_often_they_were_escaped() {
        for (field, wanted) in [
            ("Black & Decker", "Black & Decker"),
            ("Black &amp; Decker", "Black & Decker"),
            ("Black &amp;amp; Decker", "Black & Decker"),
            ("Cerv&eacute;lo", "Cerv\u{e9}lo"),
            ("Cerv&amp;eacute;lo", "Cerv\u{e9}lo"),
            (
                "&lt;p&gt;Light &amp;amp; stiff.&lt;/p&gt;",
                "Light & stiff.",
            ),
            ("<b>New!</b> Kettle", "New! Kettle"),
            ("5 < 6 & 7 > 6", "5 < 6 & 7 > 6"),
            ("24&quot; screen", "24\" screen"),
            ("two  spaces\nand a line", "two  spaces\nand a line"),
            ("R&D;", "R&D;"),
        ] {
            assert_eq!(plain(field), wanted, "{field}");
        }
    }
}
