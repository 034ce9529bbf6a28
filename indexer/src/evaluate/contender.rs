//! The models that can be evaluated, by name.

use std::{fmt, str::FromStr};

use vitrine::{
    Error,
    cf::{Recommender, Settings, split::Interaction},
};

use super::{Dataset, EvaluateError, content::Content};

/// A model to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contender {
    /// Learns from behaviour.
    Behaviour(Settings),
    /// Goes by the vectors of the items.
    Content,
}

impl FromStr for Contender {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "content" => Ok(Self::Content),
            _ => text.parse().map(Self::Behaviour),
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behaviour(settings) => settings.fmt(f),
            Self::Content => f.write_str("content"),
        }
    }
}

impl Contender {
    /// Learns what it can.
    ///
    /// # Errors
    /// Settings out of range; vectors are needed and there are none.
    pub fn fit(
        self,
        data: &Dataset,
        train: &[Interaction],
    ) -> Result<Box<dyn Recommender>, EvaluateError> {
        Ok(match self {
            Self::Behaviour(settings) => {
                Box::new(settings.fit(train, data.users(), data.items())?)
            }
            Self::Content if data.vectors.is_empty() => return Err(EvaluateError::NoVectors),
            Self::Content => Box::new(Content::new(data.vectors.clone(), data.items())),
        })
    }
}
