//! The string form of a filter: `price <= 300 AND category IN ["Shoes"] AND NOT stock = 0`.
//!
//! ```text
//! or    = and ("OR" and)*
//! and   = unary ("AND" unary)*
//! unary = "NOT"* ( "(" or ")" | field test )
//! test  = ("=" | "!=" | "<" | "<=" | ">" | ">=") value
//!       | ["NOT"] "IN" "[" value ("," value)* "]" | ["NOT"] "EXISTS" | "IS" ["NOT"] "EMPTY"
//! ```
//!
//! Words of the grammar are case-insensitive. A value is a quoted string, a number, `true`,
//! `false`, or a bare word, which is a string. `!=` and `NOT IN` are the negation of `=` and `IN`,
//! so items without the field pass. Only parentheses recurse, and their depth is capped.

mod lexer;

use vitrine_schemas::{
    Condition, Filter, Match, Range, Scalar,
    filter::{FieldKey, IsEmptyCondition, MatchCondition, RangeCondition},
};

use self::lexer::{Token, tokens};
use super::MAX_DEPTH;
use crate::{Error, Result};

/// Maximum length of the string form, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// Words that cannot be a bare field name or value.
const RESERVED: [&str; 7] = ["AND", "OR", "NOT", "IN", "IS", "EMPTY", "EXISTS"];

/// Parses the string form into a tree.
pub(super) fn parse(text: &str) -> Result<Filter> {
    if text.len() > MAX_BYTES {
        let detail = format!("is {} bytes long; the limit is {MAX_BYTES}", text.len());
        return Err(Error::invalid("", detail));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        end: text.chars().count() + 1,
    };
    let condition = parser.or(1)?;
    if parser.peek().is_some() {
        return Err(parser.expected("AND, OR or the end"));
    }
    Ok(match condition {
        Condition::Nested(tree) => tree,
        one => Filter {
            must: vec![one],
            ..Filter::default()
        },
    })
}

fn error_at(position: usize, detail: &str) -> Error {
    Error::invalid("", format!("at character {position}: {detail}"))
}

struct Parser {
    /// Each with the position of its first character, from 1.
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn or(&mut self, depth: usize) -> Result<Condition> {
        let mut should = vec![self.and(depth)?];
        while self.take_word("OR") {
            should.push(self.and(depth)?);
        }
        Ok(match (should.len(), should.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                should.extend(last);
                Condition::Nested(Filter {
                    should,
                    ..Filter::default()
                })
            }
        })
    }

    fn and(&mut self, depth: usize) -> Result<Condition> {
        let mut tree = Filter::default();
        loop {
            let (negated, condition) = self.unary(depth)?;
            let list = if negated {
                &mut tree.must_not
            } else {
                &mut tree.must
            };
            list.push(condition);
            if !self.take_word("AND") {
                break;
            }
        }
        // One plain condition needs no filter around it.
        match tree.must.pop() {
            Some(only) if tree.must.is_empty() && tree.must_not.is_empty() => return Ok(only),
            last => tree.must.extend(last),
        }
        Ok(Condition::Nested(tree))
    }

    fn unary(&mut self, depth: usize) -> Result<(bool, Condition)> {
        let mut negated = false;
        while self.take_word("NOT") {
            negated = !negated;
        }
        if self.peek() == Some(&Token::Symbol("(")) {
            if depth >= MAX_DEPTH {
                let detail = format!("parentheses are nested more than {MAX_DEPTH} deep");
                return Err(error_at(self.position(), &detail));
            }
            self.next += 1;
            let inner = self.or(depth + 1)?;
            self.expect(")", "`)`, AND or OR")?;
            return Ok((negated, inner));
        }
        let (not, condition) = self.comparison()?;
        Ok((negated != not, condition))
    }

    fn comparison(&mut self) -> Result<(bool, Condition)> {
        const TESTS: &str = "=, !=, <, <=, >, >=, IN, NOT IN, IS EMPTY or EXISTS";
        let key = match self.peek() {
            Some(Token::Quoted(key)) => key.clone(),
            Some(Token::Word(key)) if !reserved(key) => key.clone(),
            _ => return Err(self.expected("a field name")),
        };
        self.next += 1;
        if self.take_word("IS") {
            let not = self.take_word("NOT");
            if !self.take_word("EMPTY") {
                return Err(self.expected("EMPTY"));
            }
            return Ok((not, is_empty(key)));
        }
        let not = self.take_word("NOT");
        if self.take_word("EXISTS") {
            return Ok((!not, is_empty(key)));
        }
        if self.take_word("IN") {
            let r#match = Match::Any(self.list()?);
            return Ok((not, Condition::Match(MatchCondition { key, r#match })));
        }
        if not {
            return Err(self.expected("IN or EXISTS"));
        }
        let Some(Token::Symbol(symbol)) = self.peek() else {
            return Err(self.expected(TESTS));
        };
        let symbol = *symbol;
        if !matches!(symbol, "=" | "!=" | "<" | "<=" | ">" | ">=") {
            return Err(self.expected(TESTS));
        }
        self.next += 1;
        let value = self.value()?;
        let mut range = Range::default();
        match symbol {
            "<" => range.lt = Some(value),
            "<=" => range.lte = Some(value),
            ">" => range.gt = Some(value),
            ">=" => range.gte = Some(value),
            _ => {
                let r#match = Match::Value(value);
                let condition = Condition::Match(MatchCondition { key, r#match });
                return Ok((symbol == "!=", condition));
            }
        }
        Ok((false, Condition::Range(RangeCondition { key, range })))
    }

    fn list(&mut self) -> Result<Vec<Scalar>> {
        self.expect("[", "`[` and a list of values")?;
        let mut values = vec![self.value()?];
        while self.peek() == Some(&Token::Symbol(",")) {
            self.next += 1;
            values.push(self.value()?);
        }
        self.expect("]", "`,` or `]`")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<Scalar> {
        let value = match self.peek() {
            Some(Token::Quoted(s)) => Scalar::Str(s.clone()),
            Some(Token::Word(word)) if !reserved(word) => {
                scalar(word).map_err(|detail| error_at(self.position(), detail))?
            }
            _ => return Err(self.expected("a value (words such as AND need quotes)")),
        };
        self.next += 1;
        Ok(value)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str, expected: &str) -> Result<()> {
        if self.peek() != Some(&Token::Symbol(symbol)) {
            return Err(self.expected(expected));
        }
        self.next += 1;
        Ok(())
    }

    fn expected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Symbol(s)) => format!("`{s}`"),
            Some(Token::Word(s)) => format!("`{s}`"),
            Some(Token::Quoted(s)) => format!("the string {s:?}"),
        };
        error_at(
            self.position(),
            &format!("expected {expected}, got {found}"),
        )
    }
}

fn reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| r.eq_ignore_ascii_case(word))
}

fn is_empty(key: String) -> Condition {
    let is_empty = FieldKey { key };
    Condition::IsEmpty(IsEmptyCondition { is_empty })
}

/// A bare word as a value. Only what begins like a number is one: `inf` and `nan` are words.
fn scalar(word: &str) -> Result<Scalar, &'static str> {
    if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
        return Ok(Scalar::Bool(word.eq_ignore_ascii_case("true")));
    }
    let digits = word.trim_start_matches(['+', '-', '.']);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        if let Ok(int) = word.parse() {
            return Ok(Scalar::Int(int));
        }
        if let Ok(float) = word.parse::<f64>() {
            return if float.is_finite() {
                Ok(Scalar::Float(float))
            } else {
                Err("the number is out of range")
            };
        }
    }
    Ok(Scalar::Str(word.to_owned()))
}
