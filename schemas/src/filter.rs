//! The filter tree: Qdrant's JSON grammar, also reached from the string form (`price <= 300 AND category IN ["Shoes"]`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A filter as sent: the string form or the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FilterSpec {
    /// `price <= 300 AND category IN ["Shoes"] AND NOT stock = 0`
    Text(String),
    /// `{"must": [{"key": "price", "range": {"lte": 300}}]}`
    Tree(Filter),
}

/// All of `must`, at least one of `should` (where it is not empty), none of `must_not`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct Filter {
    /// Conditions that all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<Condition>,
    /// Conditions of which one holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub should: Vec<Condition>,
    /// Conditions of which none holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_not: Vec<Condition>,
}

/// One condition. A nested filter is a condition too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// Field: a built-in one or an attribute (`color` or `attributes.color`).
    pub key: String,
    /// What it must equal.
    pub r#match: Match,
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

/// Holds where the field has no value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IsEmptyCondition {
    /// The field.
    pub is_empty: FieldKey,
}

/// Names a field.
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

/// How a value is compared. A multi-valued field matches where any of its values does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Equals this value (a category: equals it or lies below it).
    Value(Scalar),
    /// Equals one of these.
    Any(Vec<Scalar>),
    /// Has a value that is none of these.
    Except(Vec<Scalar>),
}

/// A filter value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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

/// Bounds; numbers, or RFC 3339 strings for datetime fields.
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
