//! Merchandising rules: pin, boost, bury, hide or filter items, by query, category and time.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{FilterSpec, filter};

/// A merchandising rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Id within the collection; taken from the path if the body has none. If two rules pin to the
    /// same position, the id that sorts first wins.
    #[serde(default)]
    pub id: String,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Disabled rules do not apply.
    #[serde(default = "default_true")]
    pub enabled: bool,
    /// Start of validity, inclusive, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// End of validity, exclusive, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Condition; the rule applies to all requests by default.
    #[serde(default)]
    pub when: RuleWhen,
    /// Effects.
    pub then: RuleThen,
}

/// Condition of a rule; all given parts must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleWhen {
    /// Condition on the query text; a request without a text does not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryCondition>,
    /// The request is for one of these categories or one below: by its filter, its `categories`,
    /// the interpretation of its text, or because it starts from an item of the category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Kinds of requests; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<RulePath>,
}

/// Condition on the query text. Words are compared as in full-text search: case, inflection and
/// stop words are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryCondition {
    /// The text is one of these.
    Is(Vec<String>),
    /// The text contains one of these phrases.
    Contains(Vec<String>),
}

/// Kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulePath {
    /// Search: full-text, vector or hybrid.
    Search,
    /// Similar items.
    Similar,
    /// Recommendations; for bought-together and popular items only `hide` and `filter` apply.
    Recommend,
}

/// Effects of a rule, at least one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleThen {
    /// Items at fixed positions, found or not, unless the filter or exclusions of the request
    /// forbid them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pin: Vec<Pin>,
    /// Items whose scores are multiplied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boost: Vec<Boost>,
    /// Items placed after all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bury: Option<Selection>,
    /// Items that are excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide: Option<Selection>,
    /// Filter: only items that match are returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
}

/// An item at a fixed position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Item id.
    pub id: String,
    /// Position among the hits of all pages, from 1; after the last hit if there are fewer.
    #[schema(minimum = 1, maximum = 1000)]
    pub position: usize,
}

/// Items whose scores are multiplied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Boost {
    /// The items.
    pub items: Selection,
    /// Factor, above 0; below 1 it lowers the score. A negative score is changed by the same
    /// amount.
    #[schema(exclusive_minimum = 0, maximum = 1000)]
    pub factor: f32,
}

/// Items by id, or by a filter.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Selection {
    /// Ids.
    Ids(Vec<String>),
    /// Items that match a filter.
    Matching(FilterSpec),
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = "expected a list of item ids, or a filter (string or object)";
        match Value::deserialize(deserializer)? {
            ids @ Value::Array(_) => filter::read(ids).map(Self::Ids),
            one @ (Value::String(_) | Value::Object(_)) => filter::read(one).map(Self::Matching),
            _ => Err(D::Error::custom(wrong)),
        }
    }
}

/// Effect of a rule on a response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleUse {
    /// Rule id.
    pub id: String,
    /// Items of this page that it pinned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Number of items of this page whose scores it changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub boosted: u64,
    /// True if its boosts had no effect, because the request sorts the hits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boosts_ignored: bool,
    /// Number of items of this page that it buried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub buried: u64,
    /// Number of items matching the request's filter that it excluded, by `hide` or `filter`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
}

/// Rules of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Rules, sorted by id.
    pub rules: Vec<Rule>,
}

/// A request to test rules with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesTestRequest {
    /// Query text.
    #[serde(default)]
    pub text: Option<String>,
    /// Categories of the request.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Kind of request.
    #[serde(default = "default_path")]
    pub path: RulePath,
    /// Time, RFC 3339; defaults to now.
    #[serde(default)]
    pub at: Option<String>,
}

/// Results of a test of rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RulesTestResponse {
    /// One result per rule, sorted by id.
    pub rules: Vec<RuleTestResult>,
}

/// Result of testing a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTestResult {
    /// The rule.
    pub id: String,
    /// Reason why the rule does not apply; absent if it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_reason: Option<InactiveReason>,
}

/// Reason why a rule does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InactiveReason {
    /// It is disabled.
    Disabled,
    /// Its validity has not started.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// It is for other kinds of requests.
    Path,
    /// The query text does not match.
    Query,
    /// It is for other categories.
    Category,
}

fn default_true() -> bool {
    true
}

fn default_path() -> RulePath {
    RulePath::Search
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
