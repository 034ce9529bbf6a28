//! Words, quoted strings and symbols of the string form.

use super::error_at;
use crate::Result;

/// Two-character symbols stand before their first characters.
const SYMBOLS: [&str; 11] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","];

#[derive(Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Quoted(String),
    Symbol(&'static str),
}

/// All tokens, each with the position of its first character, from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let mut found = Vec::new();
    let (mut rest, mut at) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            found.push((at, Token::Symbol(symbol)));
            symbol.len()
        } else if first == '"' || first == '\'' {
            let (value, length) = quoted(rest, first, at)?;
            found.push((at, Token::Quoted(value)));
            length
        } else {
            let length = rest.find(ends_word).unwrap_or(rest.len());
            if length == 0 {
                return Err(error_at(
                    at,
                    &format!("unexpected `{first}`; not equal is `!=`"),
                ));
            }
            found.push((at, Token::Word(rest[..length].to_owned())));
            length
        };
        at += rest[..length].chars().count();
        rest = &rest[length..];
    }
    Ok(found)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "!=<>()[],\"'".contains(c)
}

/// The string that begins `text`, and its length in bytes with the quotes.
fn quoted(text: &str, quote: char, at: usize) -> Result<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).enumerate();
    while let Some((i, (byte, c))) = chars.next() {
        if c == quote {
            return Ok((value, byte + c.len_utf8()));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        value.push(match chars.next() {
            Some((_, (_, c @ ('"' | '\'' | '\\' | '/')))) => c,
            Some((_, (_, 'n'))) => '\n',
            Some((_, (_, 't'))) => '\t',
            Some((_, (_, 'r'))) => '\r',
            Some(_) => {
                let detail = "unknown escape: there are \\\\ \\/ \\\" \\' \\n \\t \\r";
                return Err(error_at(at + 1 + i, detail));
            }
            None => break,
        });
    }
    Err(error_at(at, &format!("the string has no closing {quote}")))
}
