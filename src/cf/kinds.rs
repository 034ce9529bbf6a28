//! The contract of a kind of model, and the list that joins the kinds into [`Model`] and
//! [`ModelSettings`].
//!
//! A new kind is a file with a type that implements [`Recommender`] and [`ModelKind`], and a row in
//! the `models!` list of the parent module; the list of `tests.rs` has a row per kind as well. A
//! kind that collections may choose also needs a variant of `ModelChoice` in the schemas crate,
//! named alike.
//!
//! [`Model`]: super::Model
//! [`ModelSettings`]: super::ModelSettings

use serde::{Serialize, de::DeserializeOwned};

use super::{Matrix, Recommender, held_out::HeldOut, split::Interaction};
use crate::Result;

/// A kind of model that can be configured, trained and stored.
pub(super) trait ModelKind: Recommender + Sized {
    /// Options of the fit.
    type Options: Copy + Default + Serialize + DeserializeOwned;

    /// Name in settings.
    const NAME: &'static str;

    /// True if the times of interactions matter, so that these must not be merged before a fit.
    const USES_TIMES: bool = false;

    /// Number of items up to which the automatic choice of a model tries this kind; None if never.
    const AUTO_MAX_ITEMS: Option<usize> = None;

    /// Fits to users x items, without times.
    fn fit_matrix(interactions: &Matrix, options: &Self::Options) -> Result<Self>;

    /// Fits to single interactions; the weights of a user's interactions with an item are summed.
    fn fit_interactions(
        interactions: &[Interaction],
        users: usize,
        items: usize,
        options: &Self::Options,
    ) -> Result<Self> {
        let triples = interactions.iter().map(|i| (i.user, i.item, i.weight));
        Self::fit_matrix(&Matrix::from_triples(users, items, triples)?, options)
    }

    /// Returns the options with those that depend on the data tuned on held-out items.
    fn tuned(options: &Self::Options, _held_out: &HeldOut) -> Result<Self::Options> {
        Ok(*options)
    }

    /// Returns the approximate bytes of memory at the peak of a fit, without the interactions.
    fn training_memory(_options: &Self::Options, _users: u64, _items: u64) -> u64 {
        0
    }

    /// Returns true if the fields of a deserialized model are consistent.
    fn is_consistent(&self) -> bool;
}

/// Defines [`Model`](super::Model) and [`ModelSettings`](super::ModelSettings) with one variant per
/// row, `Kind(Options)`, and the dispatch to the [`ModelKind`] of each. Stored models hold the
/// index of the variant: append rows, never reorder them.
macro_rules! models {
    ($($(#[$doc:meta])* $kind:ident($options:ty),)+) => {
        /// A fitted model of any kind.
        ///
        /// The byte format is 8 bytes of magic and version, the CRC-32 of the rest (4 bytes,
        /// little-endian), and the model in postcard.
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub enum Model {
            $($(#[$doc])* $kind($kind),)+
        }

        impl Model {
            /// Returns the name of the kind, as in settings.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as kinds::ModelKind>::NAME,)+
                }
            }

            fn is_consistent(&self) -> bool {
                match self {
                    $(Self::$kind(model) => kinds::ModelKind::is_consistent(model),)+
                }
            }

            fn recommender(&self) -> &dyn Recommender {
                match self {
                    $(Self::$kind(model) => model,)+
                }
            }
        }

        /// A kind of model with its options.
        ///
        /// The text form is the name, then the options that differ from the defaults:
        /// `name:key=value,key=value`. Nested keys are joined by dots:
        /// `item-knn:weighting.bm25.k1=1.2,weighting.bm25.b=0.75`.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum ModelSettings {
            $($(#[$doc])* $kind($options),)+
        }

        impl ModelSettings {
            /// Names of all kinds.
            const NAMES: &[&str] = &[$(<$kind as kinds::ModelKind>::NAME),+];

            /// Returns the name of the kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as kinds::ModelKind>::NAME,)+
                }
            }

            /// Returns true if the times of interactions matter, so that these must not be merged
            /// before a fit.
            pub fn uses_times(&self) -> bool {
                match self {
                    $(Self::$kind(_) => <$kind as kinds::ModelKind>::USES_TIMES,)+
                }
            }

            /// Fits to the interactions of `users` users with `items` items, both numbered from 0.
            /// The weights of a user's interactions with an item are summed; all interactions of a
            /// user, in the order of time, are one session.
            ///
            /// # Errors
            /// Options out of range, or an interaction out of range.
            pub fn fit(
                &self,
                interactions: &[split::Interaction],
                users: usize,
                items: usize,
            ) -> Result<Model> {
                use kinds::ModelKind;
                let fitted = match self {
                    $(Self::$kind(options) => {
                        $kind::fit_interactions(interactions, users, items, options)
                            .map(Model::$kind)
                    })+
                };
                fitted.map_err(|e| self.under_name(e))
            }

            /// Fits to users x items without times: all interactions have the same time, and each
            /// user is a session, in the order of their numbers.
            ///
            /// # Errors
            /// Options out of range.
            pub fn fit_matrix(&self, matrix: &Matrix) -> Result<Model> {
                use kinds::ModelKind;
                let fitted = match self {
                    $(Self::$kind(options) => $kind::fit_matrix(matrix, options).map(Model::$kind),)+
                };
                fitted.map_err(|e| self.under_name(e))
            }

            /// Returns the settings with those that depend on the data tuned on held-out items.
            ///
            /// # Errors
            /// Options out of range.
            pub(crate) fn tuned(&self, held_out: &held_out::HeldOut) -> Result<Self> {
                use kinds::ModelKind;
                match self {
                    $(Self::$kind(options) => $kind::tuned(options, held_out).map(Self::$kind),)+
                }
            }

            /// Returns the approximate bytes of memory at the peak of a fit, without the
            /// interactions.
            pub(crate) fn training_memory(&self, users: u64, items: u64) -> u64 {
                use kinds::ModelKind;
                match self {
                    $(Self::$kind(options) => $kind::training_memory(options, users, items),)+
                }
            }

            /// Returns the kinds that the automatic choice of a model compares for a catalog of
            /// `items` items, with their default options.
            pub(crate) fn auto_candidates(items: usize) -> Vec<Self> {
                let mut candidates = Vec::new();
                $(if <$kind as kinds::ModelKind>::AUTO_MAX_ITEMS.is_some_and(|max| items <= max) {
                    candidates.push(Self::$kind(Default::default()));
                })+
                candidates
            }

            /// Creates settings from the name of a kind and an object of options; options left out
            /// keep the defaults. The error is a message.
            pub(crate) fn from_options(
                name: &str,
                options: serde_json::Value,
            ) -> Result<Self, String> {
                $(if name == <$kind as kinds::ModelKind>::NAME {
                    let options = serde_json::from_value(options).map_err(|e| e.to_string())?;
                    return Ok(Self::$kind(options));
                })+
                let names = Self::NAMES.join(", ");
                Err(format!("expected a model of {names}, got `{name}`"))
            }

            /// Returns all options as an object.
            pub(crate) fn options(&self) -> serde_json::Value {
                match self {
                    $(Self::$kind(options) => serde_json::to_value(options).unwrap_or_default(),)+
                }
            }

            /// Returns the text form with all options.
            fn spec(&self) -> String {
                match self {
                    $(Self::$kind(options) => options::to_spec_string(self.name(), options),)+
                }
            }

            fn under_name(&self, error: Error) -> Error {
                error.under(&format!("/{}", self.name()))
            }
        }
    };
}
