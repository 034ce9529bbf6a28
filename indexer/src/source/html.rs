//! Conversion of HTML fragments, as shops use them in descriptions, to plain text.

/// Common named characters; the first 96 of Latin-1 follow in [`LATIN1`].
const NAMED: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("ndash", '\u{2013}'),
    ("mdash", '\u{2014}'),
    ("lsquo", '\u{2018}'),
    ("rsquo", '\u{2019}'),
    ("sbquo", '\u{201a}'),
    ("ldquo", '\u{201c}'),
    ("rdquo", '\u{201d}'),
    ("bdquo", '\u{201e}'),
    ("bull", '\u{2022}'),
    ("hellip", '\u{2026}'),
    ("prime", '\u{2032}'),
    ("Prime", '\u{2033}'),
    ("euro", '\u{20ac}'),
    ("trade", '\u{2122}'),
    ("minus", '\u{2212}'),
    ("le", '\u{2264}'),
    ("ge", '\u{2265}'),
    ("oelig", '\u{153}'),
    ("OElig", '\u{152}'),
];

/// Names of U+00A0 to U+00FF in their order.
const LATIN1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn \
    sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde \
    Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde \
    Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
    egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
    uacute ucirc uuml yacute thorn yuml";

/// Inline elements; all others separate words.
const INLINE: [&str; 14] = [
    "a", "abbr", "b", "code", "em", "font", "i", "mark", "s", "small", "span", "strong", "sub", "u",
];

/// Elements whose content is not text.
const SILENT: [&str; 2] = ["script", "style"];

/// Returns the text of a fragment: no tags, entities decoded, whitespace collapsed.
pub(super) fn text(html: &str) -> String {
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

/// Decodes entities; unknown ones are unchanged.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let known = rest
            .split_once(';')
            .and_then(|(name, after)| Some((entity(name)?, after)));
        match known {
            Some((c, after)) => {
                decoded.push(c);
                rest = after;
            }
            None => decoded.push('&'),
        }
    }
    decoded.push_str(rest);
    decoded
}

/// Returns the character of an entity: `eacute`, `#233`, `#xe9`.
pub(super) fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    if let Some((_, c)) = NAMED.iter().find(|(n, _)| *n == name) {
        return Some(*c);
    }
    let at = LATIN1.split_whitespace().position(|n| n == name)?;
    char::from_u32(0xa0 + u32::try_from(at).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{entity, text};

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
    fn latin_1_is_named_in_order() {
        assert_eq!(entity("nbsp"), Some('\u{a0}'));
        assert_eq!(entity("szlig"), Some('\u{df}'));
        assert_eq!(entity("yuml"), Some('\u{ff}'));
        assert_eq!(entity("#xD800"), None);
        assert_eq!(entity("#-1"), None);
    }
}
