//! A participant's side of a sum. Each step consumes the one before it, so that no secret can be
//! used twice: seeds and keys of the same participant together would reveal its vector.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Commitment, Context, Id, Inbox, PublicKeys, Revealed, Roster, SealedShares, SecureError,
    crypto::{self, KEY_BYTES, Key, Purpose, Sign},
    graph::{self, MIN_PARTICIPANTS},
    shares,
};

/// Secrets of a participant.
struct Secrets {
    sealing: Key,
    masking: Key,
    seed: Key,
}

/// A participant that has keys.
pub struct Advertised {
    context: Context,
    secrets: Secrets,
}

/// A participant that has sealed its shares.
pub struct Shared {
    id: Id,
    roster: Roster,
    secrets: Secrets,
    /// Its shares of its own secrets.
    own: HeldShares,
}

/// A participant that has sent its vector.
pub struct Masked {
    id: Id,
    participants: usize,
    held: BTreeMap<Id, HeldShares>,
}

/// Shares of a dealer's secrets.
struct HeldShares {
    key: Vec<u8>,
    seed: Vec<u8>,
}

impl Advertised {
    /// Draws new keys for a sum.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn new(context: Context) -> Result<Self, SecureError> {
        let secrets = Secrets {
            sealing: crypto::random_key()?,
            masking: crypto::random_key()?,
            seed: crypto::random_key()?,
        };
        Ok(Self { context, secrets })
    }

    /// Public keys: the first message.
    pub fn keys(&self) -> PublicKeys {
        PublicKeys {
            sealing: crypto::public_key(&self.secrets.sealing),
            masking: crypto::public_key(&self.secrets.masking),
        }
    }

    /// Splits the secrets among itself and its neighbors; the second message.
    ///
    /// # Errors
    /// The roster is of another sum, lacks this participant or has too few others, or a key of it
    /// is unsafe.
    pub fn share(self, id: Id, roster: Roster) -> Result<(Shared, SealedShares), SecureError> {
        let Self { context, secrets } = self;
        check_roster(id, &roster, &context)?;
        let participants = roster.keys.len();
        let mut holders = roster.neighbors().remove(&id).unwrap_or_default();
        holders.insert(id);
        let holders: Vec<Id> = holders.into_iter().collect();
        let threshold = graph::threshold(participants, holders.len());
        let keys = shares::split(&secrets.masking, threshold, &holders);
        let seeds = shares::split(&secrets.seed, threshold, &holders);
        let (mut sealed, mut commitments) = (BTreeMap::new(), BTreeMap::new());
        let mut own = None;
        for ((holder, key), (_, seed)) in keys.into_iter().zip(seeds) {
            commitments.insert(holder, commitment(&context, id, holder, &key, &seed));
            if holder == id {
                own = Some(HeldShares { key, seed });
                continue;
            }
            let public = roster.keys[&holder].sealing;
            let unsafe_key = || tampered(holder, "its public key has a small order");
            let with = crypto::agree(&context, Purpose::Seal, &secrets.sealing, &public)
                .ok_or_else(unsafe_key)?;
            let message = [key, seed].concat();
            let message = crypto::seal(&with, id, holder, &message)
                .ok_or_else(|| tampered(holder, "its shares cannot be sealed"))?;
            sealed.insert(holder, message);
        }
        let own = own.ok_or_else(|| unexpected(id, "it has no share of its own"))?;
        let shared = Shared {
            id,
            roster,
            secrets,
            own,
        };
        Ok((
            shared,
            SealedShares {
                sealed,
                commitments,
            },
        ))
    }
}

impl Shared {
    /// Masks the vector `values`; the third message. Participants whose shares are not in the
    /// `inbox` have left.
    ///
    /// # Errors
    /// Shares cannot be opened or differ from their commitments (the sender is named), or too few
    /// participants are left.
    pub fn mask(
        self,
        inbox: &Inbox,
        mut values: Vec<u32>,
    ) -> Result<(Masked, Vec<u32>), SecureError> {
        let context = &self.roster.context;
        let neighbors = self.roster.neighbors().remove(&self.id);
        let neighbors = neighbors.unwrap_or_default();
        let stranger = inbox.sealed.keys().find(|from| !neighbors.contains(from));
        if let Some(from) = stranger {
            return Err(unexpected(*from, "expected shares of neighbors only"));
        }
        let participants = self.roster.keys.len();
        let min = usize::from(graph::threshold(participants, neighbors.len() + 1));
        let found = inbox.sealed.len() + 1;
        if found < min {
            let when = "that shared their secrets";
            return Err(SecureError::TooFew { when, found, min });
        }
        let mut held = BTreeMap::new();
        for (from, message) in &inbox.sealed {
            held.insert(
                *from,
                self.open(*from, message, inbox.commitments.get(from))?,
            );
            let public = &self.roster.keys[from].masking;
            let with = crypto::agree(context, Purpose::Mask, &self.secrets.masking, public)
                .ok_or_else(|| tampered(*from, "its public key has a small order"))?;
            crypto::add_mask(&mut values, &with, Sign::of(self.id, *from));
        }
        let own = crypto::self_mask(context, &self.secrets.seed);
        crypto::add_mask(&mut values, &own, Sign::Plus);
        held.insert(self.id, self.own);
        let masked = Masked {
            id: self.id,
            participants,
            held,
        };
        Ok((masked, values))
    }

    fn open(
        &self,
        from: Id,
        message: &[u8],
        commitment: Option<&Commitment>,
    ) -> Result<HeldShares, SecureError> {
        let context = &self.roster.context;
        let public = &self.roster.keys[&from].sealing;
        let with = crypto::agree(context, Purpose::Seal, &self.secrets.sealing, public)
            .ok_or_else(|| tampered(from, "its public key has a small order"))?;
        let shares = crypto::open(&with, from, self.id, message)
            .filter(|shares| shares.len() == 2 * KEY_BYTES)
            .ok_or_else(|| tampered(from, "its sealed shares cannot be opened"))?;
        let (key, seed) = shares.split_at(KEY_BYTES);
        let computed = self::commitment(context, from, self.id, key, seed);
        if commitment != Some(&computed) {
            return Err(tampered(from, "its shares differ from its commitments"));
        }
        Ok(HeldShares {
            key: key.to_vec(),
            seed: seed.to_vec(),
        })
    }
}

impl Masked {
    /// Reveals shares of the seeds of `survivors`, whose vectors are in the sum, and of the keys of
    /// those who left; the fourth message.
    ///
    /// # Errors
    /// The sum would have too few vectors, or the list lacks this participant.
    pub fn reveal(self, survivors: &BTreeSet<Id>) -> Result<Revealed, SecureError> {
        let min = graph::least_survivors(self.participants).max(MIN_PARTICIPANTS);
        let found = survivors.len();
        if found < min {
            let when = "in the sum";
            return Err(SecureError::TooFew { when, found, min });
        }
        if !survivors.contains(&self.id) {
            return Err(SecureError::Refused(
                "a share of a participant that has sent its vector",
            ));
        }
        let mut revealed = Revealed::default();
        for (dealer, shares) in self.held {
            match survivors.contains(&dealer) {
                true => revealed.seeds.insert(dealer, shares.seed),
                false => revealed.keys.insert(dealer, shares.key),
            };
        }
        Ok(revealed)
    }
}

fn check_roster(id: Id, roster: &Roster, context: &Context) -> Result<(), SecureError> {
    if roster.context != *context {
        let (expected, got) = (context, &roster.context);
        let reason = format!("expected the roster of {expected:?}, got that of {got:?}");
        return Err(unexpected(id, &reason));
    }
    if !roster.keys.contains_key(&id) || roster.keys.contains_key(&0) {
        return Err(unexpected(
            id,
            "expected a roster with this participant, from 1 on",
        ));
    }
    let distinct: BTreeSet<Key> = roster.keys.values().map(|keys| keys.masking).collect();
    let found = distinct.len();
    if found < MIN_PARTICIPANTS {
        return Err(SecureError::TooFew {
            when: "with different keys",
            found,
            min: MIN_PARTICIPANTS,
        });
    }
    Ok(())
}

pub(super) fn commitment(
    context: &Context,
    dealer: Id,
    holder: Id,
    key: &[u8],
    seed: &[u8],
) -> Commitment {
    let commit = |kind: &[u8], share: &[u8]| {
        crypto::commit(context, dealer, holder, &[kind, share].concat())
    };
    Commitment {
        key: commit(b"key", key),
        seed: commit(b"seed", seed),
    }
}

pub(super) fn tampered(participant: Id, what: &'static str) -> SecureError {
    SecureError::Tampered { participant, what }
}

pub(super) fn unexpected(participant: Id, reason: &str) -> SecureError {
    SecureError::Unexpected {
        participant,
        reason: reason.to_owned(),
    }
}
