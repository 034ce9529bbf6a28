//! Specification of a model to evaluate, by name and settings.

use std::{fmt, str::FromStr};

use vitrine::{
    Error,
    cf::{ModelSettings, Recommender, parse_options, split::Interaction, to_spec_string},
};

use super::{
    Dataset, EvaluateError, Protocol,
    blend::{Blend, BlendOptions},
    content::{Content, ContentOptions},
    fitted::FittedModel,
    mapped::{Mapped, MappedOptions},
    private::{Private, PrivateOptions},
    random::{Random, RandomOptions},
};

/// Model to evaluate.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSpec {
    /// Learns from behavior.
    Behavior(ModelSettings),
    /// Uses the vectors of the items.
    Content(ContentOptions),
    /// Item neighbors, with items that have few events mapped to similar ones.
    Mapped(MappedOptions),
    /// Random scores.
    Random(RandomOptions),
    /// Number of users by item, with differentially private noise.
    PrivatePopularity(PrivateOptions),
    /// Number of users by pair of items, with differentially private noise.
    PrivatePairs(PrivateOptions),
    /// Joins several sources by learned weights.
    Blend(Box<BlendOptions>),
}

impl FromStr for ModelSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split(':').next() {
            Some("content") => parse_options(text).map(Self::Content),
            Some("blend") => parse_options(text).map(|o| Self::Blend(Box::new(o))),
            Some("private-popularity") => parse_options(text).map(Self::PrivatePopularity),
            Some("private-pairs") => parse_options(text).map(Self::PrivatePairs),
            Some("mapped") => parse_options(text).map(Self::Mapped),
            Some("random") => parse_options(text).map(Self::Random),
            _ => text.parse().map(Self::Behavior),
        }
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behavior(settings) => settings.fmt(f),
            Self::Content(options) => f.write_str(&to_spec_string("content", options)),
            Self::Mapped(options) => f.write_str(&to_spec_string("mapped", options)),
            Self::Random(options) => f.write_str(&to_spec_string("random", options)),
            Self::PrivatePopularity(options) => {
                f.write_str(&to_spec_string("private-popularity", options))
            }
            Self::PrivatePairs(options) => f.write_str(&to_spec_string("private-pairs", options)),
            Self::Blend(options) => f.write_str(&to_spec_string("blend", options)),
        }
    }
}

impl ModelSpec {
    /// Fits the model.
    ///
    /// # Errors
    /// Options out of range; vectors are required and missing.
    pub fn fit(
        &self,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<FittedModel, EvaluateError> {
        let (users, items) = (data.users(), data.items());
        let model: Box<dyn Recommender> = match self {
            // These models use the times of single events.
            Self::Behavior(settings) if settings.uses_times() => {
                Box::new(settings.fit(train, users, items)?)
            }
            Self::Behavior(settings) => {
                Box::new(settings.fit(&protocol.weights.merged(train), users, items)?)
            }
            Self::Content(_) if data.vectors.is_empty() => return Err(EvaluateError::NoVectors),
            Self::Content(options) => Box::new(Content::new(data.vectors.clone(), items, *options)),
            Self::Mapped(options) => Box::new(Mapped::fit(options, data, train, protocol)?),
            Self::Random(options) => Box::new(Random::new(items, *options)),
            Self::PrivatePopularity(options) => {
                Box::new(Private::popularity(train, items, options)?)
            }
            Self::PrivatePairs(options) => Box::new(Private::pairs(train, items, options)?),
            Self::Blend(options) => return Blend::fit(options, data, train, protocol),
        };
        Ok(FittedModel { model, note: None })
    }
}
