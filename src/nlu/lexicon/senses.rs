//! Senses of phrases: keys of the lexicon files.

use serde::Deserialize;

/// Function of a word in a query.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(in crate::nlu) enum Role {
    /// Excludes the next value.
    Not,
    /// Excludes the previous value, if joined to it by a hyphen or Chinese.
    NotBefore,
    /// Asks for items that can be bought now.
    InStock,
    /// Asks for items that cannot be bought now.
    SoldOut,
    /// Joins values.
    Join,
    /// Precedes the purpose of an item.
    For,
    /// Precedes or follows a size.
    SizeMark,
    /// Has no meaning of its own.
    Filler,
    /// Kept as it is: values inside it do not count.
    Whole,
    /// Bounds the price, before or after the amount.
    #[serde(skip)]
    Bound(Bound),
    /// Sorts the hits.
    #[serde(skip)]
    Sort(SortIntent),
    /// Names the person that an item is for.
    #[serde(skip)]
    Recipient(Recipient),
}

/// Order of the hits that a query asks for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(in crate::nlu) enum SortIntent {
    /// Cheapest first.
    Cheapest,
    /// Most expensive first.
    Dearest,
    /// Best rated first.
    BestRated,
    /// Newest first.
    Newest,
}

/// A person that an item is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(in crate::nlu) enum Recipient {
    Woman,
    Man,
    OldWoman,
    OldMan,
    Senior,
    Adult,
    Girl,
    Boy,
    Child,
    Baby,
}

/// Bound of a price.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(in crate::nlu) enum Bound {
    Max,
    Min,
    Around,
    Between,
}

/// Function of a phrase in a turn.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(in crate::nlu) enum Phrase {
    /// Starts over, without any condition.
    Reset,
    /// Takes the previous turn back; only as a whole turn.
    Undo,
    /// Prices below those shown.
    Cheaper,
    /// Prices above those shown.
    Pricier,
    /// Joins "cheaper" and its reference.
    Than,
    /// Precedes the item whose price is compared (比).
    Compared,
    /// Precedes the reference item of "more like".
    Like,
    /// Precedes the reference item if a later word says "similar" (和第二个类似).
    With,
    /// Follows the reference item.
    Alike,
    /// Follows an item to exclude.
    Unwanted,
    /// Follows prices that are acceptable too.
    Okay,
    /// An item without a position ("more like this").
    This,
    /// Precedes an item to exclude.
    Not,
    /// Precedes a field whose conditions are dropped.
    Any,
    /// Follows a field whose conditions are dropped.
    NoMatter,
    /// Follows a field after [`Phrase::Any`] ("any color is fine").
    Fine,
    /// Part of "no price limit".
    Limit,
    /// Drops all conditions.
    AnyAll,
    /// Precedes a value that is not required anymore.
    NeedNot,
    /// Adds values.
    Also,
    /// As [`Phrase::Also`], at the beginning.
    Or,
    /// Replaces the words of previous turns.
    Instead,
    /// Words of a conversation that describe no item.
    Chat,
    /// Follows an order of the hits without meaning ("cheapest on top").
    OnTop,
    /// Asks for the next hits; only as a whole turn.
    More,
    /// Precedes a field whose present values are not wanted ("another color").
    Other,
    /// Begins a question, which no condition answers.
    Question,
    /// Asks to compare items.
    Contrast,
    /// Subject that no item tells of: delivery, weather.
    OffTopic,
    /// Courtesy, alone or before a comma.
    Polite,
    /// Without meaning, at the beginning or the end of the remaining text.
    Filler,
    /// Without meaning, at the end of the remaining text.
    Closing,
}
