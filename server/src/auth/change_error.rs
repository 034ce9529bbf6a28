//! Causes why keys were not changed.

use std::fmt;

/// Cause why keys were not changed.
#[derive(Debug)]
pub enum KeyChangeError {
    /// The server has no keys file.
    NoFile,
    /// No key has the name.
    Unknown(String),
    /// A key has the name already.
    Exists(String),
    /// A field of the request is not valid: a pointer to it, and the cause.
    Invalid(&'static str, String),
    /// The file cannot be read or written.
    File(String),
}

impl fmt::Display for KeyChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str(
                "the server has no keys file; create a first key with `vitrine-server keys create` and start it with --keys-file",
            ),
            Self::Unknown(name) => write!(f, "no key is named `{name}`; `GET /v1/keys` lists them"),
            Self::Exists(name) => {
                write!(f, "a key named `{name}` already exists; choose another name, or rotate it")
            }
            Self::Invalid(_, cause) | Self::File(cause) => f.write_str(cause),
        }
    }
}

impl std::error::Error for KeyChangeError {}
