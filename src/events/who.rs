//! Who did something: somebody with a name, or nobody known in a visit.

use super::check::check_id;
use crate::{Result, storage::Listing};

/// Whose events are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A user.
    User(String),
    /// A visit, whoever did something in it.
    Session(String),
}

impl Who {
    /// The name, as in events.
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Session(name) => name,
        }
    }

    pub(crate) fn listing(&self) -> Listing {
        match self {
            Self::User(_) => Listing::User,
            Self::Session(_) => Listing::Session,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::User(name) => check_id("/user", name),
            Self::Session(name) => check_id("/session", name),
        }
    }
}
