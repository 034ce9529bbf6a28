//! Filters: Qdrant's JSON grammar, and the equivalent string form
//! (`price <= 300 AND category IN ["Shoes"]`).

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, RefOr, SchemaFormat,
        schema::{AnyOfBuilder, ObjectBuilder, Schema, Type},
    },
};

/// A filter in string form or as an object.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FilterSpec {
    /// `price <= 300 AND category IN ["Shoes"] AND NOT stock = 0`
    Text(String),
    /// `{"must": [{"key": "price", "range": {"lte": 300}}]}`
    Tree(Filter),
}

/// Matches all of `must`, at least one of `should` (if not empty) and none of `must_not`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct Filter {
    /// Conditions that must all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<Condition>,
    /// Conditions of which at least one must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub should: Vec<Condition>,
    /// Conditions of which none may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_not: Vec<Condition>,
}

/// A condition; may be a nested filter.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(no_recursion)]
pub enum Condition {
    /// `{"key": "brand", "match": {"value": "Nike"}}`
    Match(MatchCondition),
    /// `{"key": "price", "range": {"lte": 300}}`
    Range(RangeCondition),
    /// `{"is_empty": {"key": "brand"}}`
    IsEmpty(IsEmptyCondition),
    /// `{"has_id": ["a", "b"]}`
    HasId(HasIdCondition),
    /// `{"must": [...]}`
    Nested(Filter),
}

/// An equality condition on one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchCondition {
    /// Built-in field or attribute (`color` or `attributes.color`).
    pub key: String,
    /// Values to compare with.
    pub r#match: Match,
}

impl MatchCondition {
    /// Returns the condition that a field has any of some strings.
    pub fn any_of<'a>(key: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = values
            .into_iter()
            .map(|value| Scalar::Str(value.to_owned()));
        Self {
            key: key.to_owned(),
            r#match: Match::Any(values.collect()),
        }
    }
}

/// A range condition on one numeric or datetime field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeCondition {
    /// Field.
    pub key: String,
    /// Bounds.
    pub range: Range,
}

/// Holds if the field has no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IsEmptyCondition {
    /// The field.
    pub is_empty: FieldKey,
}

/// Reference to a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldKey {
    /// Field.
    pub key: String,
}

/// Holds for the listed ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HasIdCondition {
    /// Item ids.
    pub has_id: Vec<String>,
}

/// Comparison of a value. A field with several values matches if any of them does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Equals this value (a category: equals it or is below it).
    Value(Scalar),
    /// Equals one of these.
    Any(Vec<Scalar>),
    /// Has a value that is none of these.
    Except(Vec<Scalar>),
}

/// A filter value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// true or false
    Bool(bool),
    /// integer
    Int(i64),
    /// float
    Float(f64),
    /// string (keyword, category, RFC 3339 time)
    Str(String),
}

// Implemented by hand: an integer is a number too, so the derived `oneOf` would match twice.
impl PartialSchema for Scalar {
    fn schema() -> RefOr<Schema> {
        let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
        let int = of(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        let float = of(Type::Number).format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)));
        let string = of(Type::String).description(Some("keyword, category, or RFC 3339 time"));
        AnyOfBuilder::new()
            .item(of(Type::Boolean))
            .item(int)
            .item(float)
            .item(string)
            .description(Some("A filter value."))
            .into()
    }
}

impl ToSchema for Scalar {}

/// Range of numbers, or of RFC 3339 strings for datetime fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// greater than
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<Scalar>,
    /// greater than or equal
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gte: Option<Scalar>,
    /// less than
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<Scalar>,
    /// less than or equal
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lte: Option<Scalar>,
}

// Implemented by hand: serde's message for an untagged enum, "did not match any variant", is
// useless.

impl<'de> Deserialize<'de> for FilterSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text)),
            tree @ Value::Object(_) => read(tree).map(Self::Tree),
            _ => Err(D::Error::custom(
                "expected a filter: a string (`price <= 300`) or an object with `must`, `should`, `must_not`",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let has = |name: &str| value.get(name).is_some();
        if has("key") && has("match") {
            read(value).map(Self::Match)
        } else if has("key") && has("range") {
            read(value).map(Self::Range)
        } else if has("is_empty") {
            read(value).map(Self::IsEmpty)
        } else if has("has_id") {
            read(value).map(Self::HasId)
        } else if has("must")
            || has("should")
            || has("must_not")
            || value == Value::Object(Default::default())
        {
            read(value).map(Self::Nested)
        } else {
            Err(D::Error::custom(
                "expected a condition: `key` with `match` or `range`, `is_empty`, `has_id`, or a nested `must`, `should`, `must_not`",
            ))
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(b) => Ok(Self::Bool(b)),
            Value::String(s) => Ok(Self::Str(s)),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(i), _) => Ok(Self::Int(i)),
                (None, Some(f)) => Ok(Self::Float(f)),
                (None, None) => Err(D::Error::custom(format!("{n} is out of range"))),
            },
            _ => Err(D::Error::custom(
                "expected a string, a number, true or false",
            )),
        }
    }
}

/// Deserializes a part of known type; an error names the field.
pub(crate) fn read<T: serde::de::DeserializeOwned, E: Error>(value: Value) -> Result<T, E> {
    let key = value.get("key").and_then(Value::as_str).map(str::to_owned);
    serde_json::from_value(value).map_err(|error| match key {
        Some(key) => E::custom(format!("condition on `{key}`: {error}")),
        None => E::custom(error),
    })
}
