//! Changes of the keys of a running server: each replaces the keys file, and takes effect at once.

use chrono::{SecondsFormat, TimeDelta, Utc};
use vitrine_schemas::{KeyInfo, KeyRotation, KeySecrets, NewKey};

use super::{Key, KeyChangeError, KeyRing, Time, file};

/// Maximum length of the name of a key, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Maximum number of days until a key expires.
pub const MAX_LIFETIME_DAYS: u32 = 36_500;

/// Maximum number of hours for which a secret before a rotation is accepted.
pub const MAX_OVERLAP_HOURS: u32 = 8_760;

impl KeyRing {
    /// Returns the keys without their secrets.
    pub fn list(&self) -> Vec<KeyInfo> {
        let used = self.last_uses();
        let keys = self.keys();
        let info = |key: &Key| KeyInfo {
            name: key.name.clone(),
            actions: key.actions.iter().map(|action| (*action).into()).collect(),
            collections: key.collections.clone(),
            expires_at: key.expires_at.map(String::from),
            requests_per_second: key.requests_per_second,
            signs_tokens: key.token_secret.is_some(),
            old_secret_until: key.rotates_until().map(String::from),
            last_used_at: used
                .get(&key.name)
                .map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        };
        keys.keys.iter().map(info).collect()
    }

    /// Creates a key; returns its secrets.
    ///
    /// # Errors
    /// The name is taken, a field is not valid, or the file cannot be written.
    pub fn create(&self, new: NewKey) -> Result<KeySecrets, KeyChangeError> {
        check(&new)?;
        let actions = new.actions.into_iter().map(Into::into).collect();
        let random = |e: std::io::Error| KeyChangeError::File(e.to_string());
        let (mut key, secret) = Key::create(new.name, actions, new.collections).map_err(random)?;
        let token_secret = match new.sign_tokens {
            true => Some(key.sign_tokens().map_err(random)?.to_owned()),
            false => None,
        };
        let lifetime = new.expires_in_days.map(|days| TimeDelta::days(days.into()));
        key.expires_at = lifetime.map(|lifetime| Time(Utc::now() + lifetime));
        key.requests_per_second = new.requests_per_second;
        let name = key.name.clone();
        self.change(|path| match self.has(&name) {
            true => Err(KeyChangeError::Exists(name.clone())),
            false => file::append(path, key).map_err(KeyChangeError::File),
        })?;
        Ok(KeySecrets {
            name,
            secret,
            token_secret,
        })
    }

    /// Gives a key new secrets, which are returned; see [`Key::rotate`].
    ///
    /// # Errors
    /// The overlap is too long, there is no such key, or the file cannot be written.
    pub fn rotate(&self, name: &str, rotation: &KeyRotation) -> Result<KeySecrets, KeyChangeError> {
        let hours = rotation.overlap_hours;
        check_most("/overlap_hours", hours, MAX_OVERLAP_HOURS)?;
        let overlap = TimeDelta::hours(hours.into());
        let (secret, token_secret) = self.change(|path| {
            self.check_name(name)?;
            file::rotate(path, name, overlap).map_err(KeyChangeError::File)
        })?;
        Ok(KeySecrets {
            name: name.to_owned(),
            secret,
            token_secret,
        })
    }

    /// Removes a key.
    ///
    /// # Errors
    /// There is no such key, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<(), KeyChangeError> {
        self.change(|path| {
            self.check_name(name)?;
            file::revoke(path, name).map_err(KeyChangeError::File)?;
            self.forget_use(name);
            Ok(())
        })
    }

    fn check_name(&self, name: &str) -> Result<(), KeyChangeError> {
        let unknown = || KeyChangeError::Unknown(name.to_owned());
        self.has(name).then_some(()).ok_or_else(unknown)
    }
}

fn check(new: &NewKey) -> Result<(), KeyChangeError> {
    let name = &new.name;
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
        let cause =
            format!("expected a name of 1 to {MAX_NAME_BYTES} bytes without control characters");
        return Err(KeyChangeError::Invalid("/name", cause));
    }
    if let Some(days) = new.expires_in_days {
        check_most("/expires_in_days", days, MAX_LIFETIME_DAYS)?;
    }
    for (field, is_empty) in [
        ("/actions", new.actions.is_empty()),
        ("/collections", new.collections.is_empty()),
    ] {
        if is_empty {
            let cause = "expected at least one, got an empty list".to_owned();
            return Err(KeyChangeError::Invalid(field, cause));
        }
    }
    Ok(())
}

fn check_most(field: &'static str, value: u32, most: u32) -> Result<(), KeyChangeError> {
    match value <= most {
        true => Ok(()),
        false => {
            let cause = format!("expected at most {most}, got {value}");
            Err(KeyChangeError::Invalid(field, cause))
        }
    }
}
