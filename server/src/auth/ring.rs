//! The keys that a server accepts now. A changed keys file takes effect within seconds, so that a
//! key can be added or revoked without a restart.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::{Key, KeyChangeError, Keys, UserToken, user_token};
use crate::file_watch;

/// Keys in use.
pub struct KeyRing {
    /// True if the server began without keys: all routes are open, on the loopback address only.
    /// Keys that are all revoked later do not open it.
    is_open: bool,
    keys: ArcSwap<Keys>,
    /// File of the keys; locked while a request changes it.
    file: Mutex<Option<PathBuf>>,
    /// Time of the last use of each key, by name.
    used: Mutex<HashMap<String, DateTime<Utc>>>,
}

/// Rights of a caller.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The key.
    pub key: Key,
    /// Limits of a user token that the key signed.
    pub token: Option<Arc<UserToken>>,
}

impl KeyRing {
    /// Creates a ring of the keys of a file.
    pub fn new(keys: Keys, file: Option<PathBuf>) -> Self {
        Self {
            is_open: keys.is_empty(),
            keys: ArcSwap::from_pointee(keys),
            file: Mutex::new(file),
            used: Mutex::default(),
        }
    }

    /// Returns true if no key is required.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns what a secret grants, that of a key or a user token.
    ///
    /// # Errors
    /// The reason why a user token is not valid; None for an unknown key.
    pub fn find(&self, secret: &str) -> Result<Grant, Option<String>> {
        let keys = self.keys.load();
        let grant = match user_token::is_token(secret) {
            true => {
                let (key, token) = user_token::verify(secret, &keys).map_err(Some)?;
                let token = Some(Arc::new(token));
                Grant { key, token }
            }
            false => {
                let key = keys.find(secret).cloned().ok_or(None)?;
                Grant { key, token: None }
            }
        };
        let mut used = self.used.lock();
        match used.get_mut(&grant.key.name) {
            Some(at) => *at = Utc::now(),
            None => drop(used.insert(grant.key.name.clone(), Utc::now())),
        }
        Ok(grant)
    }

    /// Returns the time of the last use of each key since the start, by name.
    pub(super) fn last_uses(&self) -> HashMap<String, DateTime<Utc>> {
        self.used.lock().clone()
    }

    /// Forgets the last use of a key that was removed.
    pub(super) fn forget_use(&self, name: &str) {
        self.used.lock().remove(name);
    }

    /// Returns the keys in use.
    pub(super) fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }

    /// Returns true if a key has the name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.load().keys.iter().any(|key| key.name == name)
    }

    /// Changes the file, one change at a time, and takes its keys.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&Path) -> Result<T, KeyChangeError>,
    ) -> Result<T, KeyChangeError> {
        let file = self.file.lock();
        let path = file.as_deref().ok_or(KeyChangeError::NoFile)?;
        self.reload(path);
        let changed = change(path)?;
        self.reload(path);
        Ok(changed)
    }

    /// Takes the keys of a file that has changed. One that cannot be read changes nothing.
    pub fn reload(&self, path: &Path) {
        match Keys::load(path) {
            Ok(keys) if **self.keys.load() != keys => {
                tracing::info!(keys = keys.keys.len(), "keys file read again");
                self.keys.store(Arc::new(keys));
            }
            Ok(_) => {}
            Err(e) => tracing::error!("the keys in use stay as they are: {e}"),
        }
    }

    /// Reloads the file whenever it changes, for as long as the ring is in use.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<()> {
        let Some(path) = self.file.lock().clone() else {
            return Ok(());
        };
        let files = vec![path.clone()];
        file_watch::watch("keys", files, self, move |ring| {
            // A request may be changing the file.
            let _file = ring.file.lock();
            ring.reload(&path);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use chrono::TimeDelta;

    use super::*;
    use crate::auth::{Action, append, revoke, rotate};

    fn key(name: &str) -> (Key, String) {
        Key::create(name.into(), vec![Action::Read], vec!["*".into()]).expect("a key")
    }

    #[test]
    fn a_revoked_or_expired_key_is_refused_without_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.toml");
        let ((first, one), (mut second, two)) = (key("first"), key("second"));
        append(&path, first).expect("written");
        let ring = KeyRing::new(Keys::load(&path).expect("keys"), None);
        assert!(ring.find(&one).is_ok() && ring.find(&two).is_err());
        append(&path, second.clone()).expect("written");
        ring.reload(&path);
        assert!(ring.find(&two).is_ok());
        revoke(&path, "first").expect("revoked");
        ring.reload(&path);
        assert!(ring.find(&one).is_err() && ring.find(&two).is_ok());
        revoke(&path, "second").expect("revoked");
        second.expires_at = Some(crate::auth::Time(chrono::Utc::now()));
        append(&path, second).expect("written");
        ring.reload(&path);
        assert!(ring.find(&two).is_err(), "expired");
        revoke(&path, "second").expect("revoked");
        ring.reload(&path);
        assert!(!ring.is_open(), "without keys no one gets in");
        assert!(revoke(&path, "second").is_err());
    }

    #[test]
    fn the_old_secret_of_a_key_is_accepted_during_the_overlap() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.toml");
        let (mut first, old) = key("first");
        first.sign_tokens().expect("random bytes");
        append(&path, first).expect("written");
        append(&path, key("second").0).expect("written");
        let rotate = |hours| rotate(&path, "first", TimeDelta::hours(hours)).expect("rotated");
        let (new, token_secret) = rotate(1);
        assert!(token_secret.is_some(), "the secret of tokens is new too");
        let (second, _) = rotate(1);
        let ring = KeyRing::new(Keys::load(&path).expect("keys"), None);
        for secret in [&old, &new, &second] {
            assert!(ring.find(secret).is_ok(), "all overlap");
        }
        let (newest, _) = rotate(0);
        ring.reload(&path);
        for secret in [&old, &new, &second] {
            assert!(ring.find(secret).is_err(), "no overlap");
        }
        assert_eq!(ring.find(&newest).expect("valid").key.name, "first");
        assert!(crate::auth::rotate(&path, "third", TimeDelta::zero()).is_err());
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.toml");
        append(&path, key("first").0).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("set");
        let refused = Keys::load(&path).expect_err("refused");
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
