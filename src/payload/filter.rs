//! Evaluates a filter to the bitmap of the rows that pass.
//!
//! Each condition narrows the set of candidates, and later conditions only look at the remaining
//! ones. An invalid filter is an error even if no candidate remains: acceptance never depends on
//! the data.

use std::borrow::Cow;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    AttributeType, Condition, Filter, FilterSpec, Match, Range, Scalar,
    filter::{MatchCondition, RangeCondition},
    limits::MAX_FILTER_LIST,
};

use super::{
    Column, Field, MAX_DEPTH, PayloadIndex,
    numeric::{Bound, Interval},
    parse,
};
use crate::{Error, Result, deadline};

/// Value of `availability` of what cannot be bought.
const OUT_OF_STOCK: Cow<'static, str> = Cow::Borrowed("out_of_stock");

/// Maximum number of conditions of a filter, including nested filters.
const MAX_CONDITIONS: usize = 1_000;

impl PayloadIndex {
    /// Returns the items of `universe` with a row that passes. `id_of` returns the internal id of
    /// an item id.
    /// Errors point into the tree form; those of the string form have the pointer "" and name the
    /// field or the position.
    pub fn evaluate(
        &self,
        spec: &FilterSpec,
        universe: &RoaringBitmap,
        id_of: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<RoaringBitmap> {
        let rows = self.evaluate_rows(spec, universe, id_of)?;
        Ok(self.items_of(rows))
    }

    /// Returns the rows of the items of `universe` that pass, with the errors of
    /// [`PayloadIndex::evaluate`].
    pub fn evaluate_rows(
        &self,
        spec: &FilterSpec,
        universe: &RoaringBitmap,
        id_of: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<RoaringBitmap> {
        let universe = &*self.rows.rows_of(universe);
        match spec {
            FilterSpec::Tree(tree) => self.evaluate_tree(tree, universe, id_of),
            FilterSpec::Text(text) => {
                let tree = parse::parse(text)?;
                self.evaluate_tree(&tree, universe, id_of)
                    .map_err(without_pointers)
            }
        }
    }

    fn evaluate_tree(
        &self,
        tree: &Filter,
        universe: &RoaringBitmap,
        id_of: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<RoaringBitmap> {
        check_size(tree, 1, "", &mut 0)?;
        let evaluation = Evaluation {
            index: self,
            id_of,
            is_negated: false,
        };
        evaluation.filter(tree, universe, "")
    }
}

/// Returns the categories that a filter requires; a matching item is in at least one per condition.
pub(crate) fn categories(spec: &FilterSpec) -> Result<Vec<String>> {
    fn collect(tree: &Filter, depth: usize, found: &mut Vec<String>) {
        for condition in &tree.must {
            match condition {
                Condition::Match(c) if c.key == "category" => {
                    let values = match &c.r#match {
                        Match::Value(value) => std::slice::from_ref(value),
                        Match::Any(values) => values.as_slice(),
                        Match::Except(_) => &[],
                    };
                    found.extend(values.iter().filter_map(|value| match value {
                        Scalar::Str(path) => Some(path.clone()),
                        _ => None,
                    }));
                }
                Condition::Nested(tree) if depth < MAX_DEPTH => collect(tree, depth + 1, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    match spec {
        FilterSpec::Tree(tree) => collect(tree, 1, &mut found),
        FilterSpec::Text(text) => collect(&parse::parse(text)?, 1, &mut found),
    }
    Ok(found)
}

struct Evaluation<'a> {
    index: &'a PayloadIndex,
    id_of: &'a dyn Fn(&str) -> Option<u32>,
    /// True within an odd number of negations.
    is_negated: bool,
}

impl Evaluation<'_> {
    fn negated(&self) -> Self {
        Self {
            is_negated: !self.is_negated,
            ..*self
        }
    }

    fn filter(&self, tree: &Filter, universe: &RoaringBitmap, at: &str) -> Result<RoaringBitmap> {
        let mut left = universe.clone();
        for (i, condition) in tree.must.iter().enumerate() {
            left = self.condition(condition, &left, &format!("{at}/must/{i}"))?;
        }
        for (i, condition) in tree.must_not.iter().enumerate() {
            let at = format!("{at}/must_not/{i}");
            left -= self.negated().condition(condition, &left, &at)?;
        }
        if !tree.should.is_empty() {
            let mut any = RoaringBitmap::new();
            for (i, condition) in tree.should.iter().enumerate() {
                any |= self.condition(condition, &left, &format!("{at}/should/{i}"))?;
            }
            left = any;
        }
        Ok(left)
    }

    /// Returns the rows of `universe` that meet the condition.
    fn condition(
        &self,
        condition: &Condition,
        universe: &RoaringBitmap,
        at: &str,
    ) -> Result<RoaringBitmap> {
        deadline::check()?;
        match condition {
            Condition::Match(c) => Ok(self.matching(c, at)? & universe),
            Condition::Range(c) => Ok(self.range(c, at)? & universe),
            Condition::IsEmpty(c) => {
                let field = self.field(&c.is_empty.key, &format!("{at}/is_empty/key"))?;
                Ok(universe - &field.present)
            }
            Condition::HasId(c) => {
                let items = c.has_id.iter().filter_map(|id| (self.id_of)(id));
                Ok(&*self.index.rows_of(&items.collect()) & universe)
            }
            Condition::Nested(tree) => self.filter(tree, universe, at),
        }
    }

    fn matching(&self, condition: &MatchCondition, at: &str) -> Result<RoaringBitmap> {
        let MatchCondition { key, r#match } = condition;
        let field = self.field(key, &format!("{at}/key"))?;
        let (values, form, except) = match r#match {
            Match::Value(value) => (std::slice::from_ref(value), "value", false),
            Match::Any(values) => (values.as_slice(), "any", false),
            Match::Except(values) => (values.as_slice(), "except", true),
        };
        let error = |i: usize, detail: String| {
            let item = if form == "value" {
                String::new()
            } else {
                format!("/{i}")
            };
            Error::invalid(
                format!("{at}/match/{form}{item}"),
                format!("`{key}`: {detail}"),
            )
        };
        match &field.column {
            Column::Keyword(column) => {
                let mut wanted = Vec::with_capacity(values.len());
                for (i, value) in values.iter().enumerate() {
                    wanted.push(keyword(field.kind, value).map_err(|e| error(i, e))?);
                }
                if except {
                    return Ok(column.except(&wanted));
                }
                let mut any = column.any(&wanted);
                // An item is out of stock if all its variants are. `availability != out_of_stock`
                // must not match a variant that is out of stock either.
                if self.is_negated && key == "availability" && wanted.contains(&OUT_OF_STOCK) {
                    any |= &self.index.sold_out;
                }
                Ok(any)
            }
            Column::Numeric(column) => {
                let mut wanted = Vec::with_capacity(values.len());
                for (i, value) in values.iter().enumerate() {
                    wanted.push(Interval::equal(field.kind, value).map_err(|e| error(i, e))?);
                }
                if except {
                    return Ok(column.except(&wanted));
                }
                let mut any = RoaringBitmap::new();
                for interval in wanted {
                    any |= column.range(interval);
                }
                Ok(any)
            }
            Column::Text => Err(not_filterable(key, at)),
        }
    }

    fn range(&self, condition: &RangeCondition, at: &str) -> Result<RoaringBitmap> {
        let RangeCondition { key, range } = condition;
        let field = self.field(key, &format!("{at}/key"))?;
        let column = match &field.column {
            Column::Numeric(column) => column,
            Column::Text => return Err(not_filterable(key, at)),
            Column::Keyword(_) => {
                return Err(Error::invalid(
                    format!("{at}/range"),
                    format!(
                        "`{key}` does not support ranges; use match (ranges are for integer, float and datetime fields)"
                    ),
                ));
            }
        };
        let Range { gt, gte, lt, lte } = range;
        let mut interval = Interval::UNBOUNDED;
        let mut bounded = false;
        for (name, bound, value) in [
            ("gt", Bound::Above, gt),
            ("gte", Bound::AtLeast, gte),
            ("lt", Bound::Below, lt),
            ("lte", Bound::AtMost, lte),
        ] {
            if let Some(value) = value {
                bounded = true;
                bound
                    .narrow(&mut interval, field.kind, value)
                    .map_err(|e| {
                        Error::invalid(format!("{at}/range/{name}"), format!("`{key}`: {e}"))
                    })?;
            }
        }
        if !bounded {
            let detail = "has no bound: give gt, gte, lt or lte";
            return Err(Error::invalid(format!("{at}/range"), detail));
        }
        Ok(column.range(interval))
    }

    fn field(&self, key: &str, at: &str) -> Result<&Field> {
        self.index.field(key).ok_or_else(|| {
            let known = self.index.known();
            Error::invalid(
                at,
                format!("no field `{key}` to filter by; expected one of {known}"),
            )
        })
    }
}

/// Returns the stored string of a filter value.
fn keyword(kind: AttributeType, value: &Scalar) -> Result<Cow<'_, str>, String> {
    match (kind, value) {
        (AttributeType::Bool, Scalar::Bool(b)) => {
            Ok(Cow::Borrowed(if *b { "true" } else { "false" }))
        }
        (AttributeType::Bool, Scalar::Str(s)) if s == "true" || s == "false" => {
            Ok(Cow::Borrowed(s))
        }
        (AttributeType::Bool, _) => Err("expected true or false".to_owned()),
        (_, Scalar::Str(s)) => Ok(Cow::Borrowed(s)),
        _ => Err("expected a string; put the value in quotes".to_owned()),
    }
}

fn not_filterable(key: &str, at: &str) -> Error {
    let detail =
        format!("`{key}` is of type text, which is stored only: declare a keyword to filter by");
    Error::invalid(format!("{at}/key"), detail)
}

/// Limits the work and the recursion in advance.
fn check_size(tree: &Filter, depth: usize, at: &str, conditions: &mut usize) -> Result<()> {
    if depth > MAX_DEPTH {
        let detail = format!("is nested more than {MAX_DEPTH} deep; flatten the filter");
        return Err(Error::invalid(at, detail));
    }
    for (list, name) in [
        (&tree.must, "must"),
        (&tree.should, "should"),
        (&tree.must_not, "must_not"),
    ] {
        for (i, condition) in list.iter().enumerate() {
            *conditions += 1;
            if *conditions > MAX_CONDITIONS {
                let detail = format!(
                    "has more than {MAX_CONDITIONS} conditions: use `any` or `has_id` with a list"
                );
                return Err(Error::invalid("", detail));
            }
            let at = || format!("{at}/{name}/{i}");
            check_list(condition, &at)?;
            if let Condition::Nested(tree) = condition {
                check_size(tree, depth + 1, &at(), conditions)?;
            }
        }
    }
    Ok(())
}

/// Limits the length of the list of a condition.
fn check_list(condition: &Condition, at: &dyn Fn() -> String) -> Result<()> {
    let (length, form) = match condition {
        Condition::HasId(c) => (c.has_id.len(), "has_id"),
        Condition::Match(c) => match &c.r#match {
            Match::Any(values) => (values.len(), "match/any"),
            Match::Except(values) => (values.len(), "match/except"),
            Match::Value(_) => return Ok(()),
        },
        Condition::Range(_) | Condition::IsEmpty(_) | Condition::Nested(_) => return Ok(()),
    };
    if length > MAX_FILTER_LIST {
        let detail = format!("expected at most {MAX_FILTER_LIST} values, got {length}; split it");
        return Err(Error::invalid(format!("{}/{form}", at()), detail));
    }
    Ok(())
}

/// Clears pointers: the request has no tree to point into.
fn without_pointers(error: Error) -> Error {
    match error {
        Error::Invalid(mut errors) => {
            errors.iter_mut().for_each(|e| e.pointer.clear());
            Error::Invalid(errors)
        }
        other => other,
    }
}
