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
