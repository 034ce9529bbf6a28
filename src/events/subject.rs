//! Subjects of events: a named user, or an anonymous visitor known by the session.

use super::check::check_id;
use crate::{
    Result,
    storage::{Listing, SubjectHash, hash_of},
};

/// The user or session that events belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A user.
    User(String),
    /// A session, whichever user it belongs to.
    Session(String),
}

impl Subject {
    /// Returns the name, as in events.
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

    pub(crate) fn hash(&self) -> SubjectHash {
        match self {
            Self::User(name) => SubjectHash::User(hash_of(name)),
            Self::Session(name) => SubjectHash::Session(hash_of(name)),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::User(name) => check_id("/user", name),
            Self::Session(name) => check_id("/session", name),
        }
    }
}
