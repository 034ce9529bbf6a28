//! Rules of merchandising: what a shop wants first, last or not at all, for which questions and when.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{FilterSpec, filter};

/// A rule: for some questions, at some time, some items are placed otherwise than by their score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name within the collection; where two rules want the same place, the id that sorts first has it. Taken from the path
    /// where the body has none.
    #[serde(default)]
    pub id: String,
    /// For whom to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A rule that is off does nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// From this time on, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Before this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// For which questions; all of them unless told.
    #[serde(default)]
    pub when: RuleWhen,
    /// What it does.
    pub then: RuleThen,
}

/// For which questions a rule is; all that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleWhen {
    /// What the text of the query is like; a question without a text is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryCondition>,
    /// The question is about one of these categories or what lies below: its filter, its `categories` or what was understood of
    /// its text asks for it, or it starts from an item of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Where it is asked; everywhere unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<RulePath>,
}

/// What the text of a query is like. Words are compared as in search by words: upper and lower case, endings and words that say
/// nothing do not matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryCondition {
    /// It is one of these.
    Is(Vec<String>),
    /// It has the words of one of these side by side.
    Contains(Vec<String>),
}

/// Where a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulePath {
    /// Searches, by words, vector or both.
    Search,
    /// Items similar to an item.
    Similar,
    /// Recommendations; what is bought together or popular knows hide and filter alone.
    Recommend,
}

/// What a rule does; at least one thing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleThen {
    /// Items at fixed places, whether they were found or not, as long as the filter and what the shopper excludes let them
    /// through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pin: Vec<Pin>,
    /// Items whose scores are multiplied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boost: Vec<Boost>,
    /// Items that come after all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bury: Option<Selection>,
    /// Items that do not come at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide: Option<Selection>,
    /// Only items that match come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSpec>,
}

/// An item at a fixed place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Item.
    pub id: String,
    /// Place among all hits on all pages, from 1; where there are fewer hits, after the last one.
    #[schema(minimum = 1, maximum = 1000)]
    pub position: usize,
}

/// Items whose scores are multiplied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Boost {
    /// Which.
    pub items: Selection,
    /// What the score is multiplied by, above 0; below 1 it is lowered. A score below 0 rises and falls by as much.
    #[schema(exclusive_minimum = 0, maximum = 1000)]
    pub factor: f32,
}

/// Items by id, or by a filter.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Selection {
    /// Ids.
    Ids(Vec<String>),
    /// Those that match.
    Matching(FilterSpec),
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = "select items by a list of ids, or by a filter, a string or an object";
        match Value::deserialize(deserializer)? {
            ids @ Value::Array(_) => filter::read(ids).map(Self::Ids),
            one @ (Value::String(_) | Value::Object(_)) => filter::read(one).map(Self::Matching),
            _ => Err(D::Error::custom(wrong)),
        }
    }
}

/// What a rule did to an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleUse {
    /// The rule.
    pub id: String,
    /// Items of this page that it put at their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Items of this page whose scores it changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub boosted: u64,
    /// Items of this page that come after all others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub buried: u64,
    /// Items that the request's filter lets through and that it keeps out, by `hide` or `filter`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
}

/// Rules of a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// In the order of their ids.
    pub rules: Vec<Rule>,
}

/// A question that rules are tried on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesTestRequest {
    /// Text of the query, where it has one.
    #[serde(default)]
    pub text: Option<String>,
    /// Categories that it is about.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Where it is asked.
    #[serde(default = "search")]
    pub path: RulePath,
    /// When, RFC 3339; now unless told.
    #[serde(default)]
    pub at: Option<String>,
}

/// What would act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RulesTestResponse {
    /// One a rule, in the order of their ids.
    pub rules: Vec<RuleTried>,
}

/// A rule tried on a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTried {
    /// The rule.
    pub id: String,
    /// What keeps it from acting; absent where it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<Hindrance>,
}

/// Why a rule does not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hindrance {
    /// It is off.
    Disabled,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It is for other paths.
    Path,
    /// The text of the query is another.
    Query,
    /// It is for other categories.
    Category,
}

fn yes() -> bool {
    true
}

fn search() -> RulePath {
    RulePath::Search
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
