//! The models that can be evaluated, by name.

use std::{fmt, str::FromStr};

use vitrine::{
    Error,
    cf::{Recommender, Settings, options, split::Interaction, written},
};

use super::{
    Dataset, EvaluateError, Protocol,
    blend::{Blend, BlendOptions},
    content::{Content, ContentOptions},
    random::{Random, RandomOptions},
};

/// A model to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Contender {
    /// Learns from behaviour.
    Behaviour(Settings),
    /// Goes by the vectors of the items.
    Content(ContentOptions),
    /// Knows nothing.
    Random(RandomOptions),
    /// Joins several sources by learned weights.
    Blend(Box<BlendOptions>),
}

impl FromStr for Contender {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split(':').next() {
            Some("content") => options(text).map(Self::Content),
            Some("blend") => options(text).map(|o| Self::Blend(Box::new(o))),
            Some("random") => options(text).map(Self::Random),
            _ => text.parse().map(Self::Behaviour),
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behaviour(settings) => settings.fmt(f),
            Self::Content(options) => f.write_str(&written("content", options)),
            Self::Random(options) => f.write_str(&written("random", options)),
            Self::Blend(options) => f.write_str(&written("blend", options)),
        }
    }
}

/// A model that has learned.
pub struct Fitted {
    /// It.
    pub model: Box<dyn Recommender>,
    /// What is to be known of how it came about.
    pub note: Option<String>,
}

impl Contender {
    /// Learns what it can.
    ///
    /// # Errors
    /// Settings out of range; vectors are needed and there are none.
    pub fn fit(
        &self,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<Fitted, EvaluateError> {
        let (users, items) = (data.users(), data.items());
        let model: Box<dyn Recommender> = match self {
            // Events are counted one by one where their times matter.
            Self::Behaviour(settings @ (Settings::Popularity(_) | Settings::SessionKnn(_))) => {
                Box::new(settings.fit(train, users, items)?)
            }
            Self::Behaviour(settings) => {
                Box::new(settings.fit(&protocol.weights.merged(train), users, items)?)
            }
            Self::Content(_) if data.vectors.is_empty() => return Err(EvaluateError::NoVectors),
            Self::Content(options) => Box::new(Content::new(data.vectors.clone(), items, *options)),
            Self::Random(options) => Box::new(Random::new(items, *options)),
            Self::Blend(options) => return Blend::fit(options, data, train, protocol),
        };
        Ok(Fitted { model, note: None })
    }
}
