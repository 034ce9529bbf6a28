//! State of a store.

/// State of the store: writable, or the cause why it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StoreHealth {
    /// It does.
    #[default]
    Writable,
    /// Writes fail. It is opened again once there is room.
    WritesFail {
        /// Message of the first failure.
        reason: String,
        /// Time of the first failure, RFC 3339.
        since: String,
    },
    /// The store holds other writes than were acknowledged: the process must be restarted.
    RestartNeeded {
        /// Cause.
        reason: String,
    },
}

impl StoreHealth {
    /// Returns what does not work; None if the store takes writes.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Writable => None,
            Self::WritesFail { reason, since } => {
                Some(format!("writes fail since {since}: {reason}"))
            }
            Self::RestartNeeded { reason } => Some(reason.clone()),
        }
    }
}
