//! The coordinator's side of a sum: it passes messages on, adds masked vectors, and removes the
//! masks that are left.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Commitment, Context, Id, Inbox, PublicKeys, Revealed, Roster, SealedShares, SecureError,
    crypto::{self, Key, Purpose, Sign},
    graph::{self, least_survivors},
    participant::{tampered, unexpected},
    shares,
};

/// A sum in progress. Messages may come in any order within a step; the caller closes a step by
/// asking for the result of it.
pub struct Aggregation {
    roster: Roster,
    neighbors: BTreeMap<Id, BTreeSet<Id>>,
    shares: BTreeMap<Id, SealedShares>,
    /// Sum of the masked vectors of `survivors`.
    sum: Vec<u32>,
    survivors: BTreeSet<Id>,
    /// Shares by dealer and holder.
    seeds: BTreeMap<Id, BTreeMap<Id, Vec<u8>>>,
    keys: BTreeMap<Id, BTreeMap<Id, Vec<u8>>>,
    revealed: BTreeSet<Id>,
}

impl Aggregation {
    /// Starts a sum of vectors of `length` numbers by participants with these keys.
    ///
    /// # Errors
    /// There are fewer than three.
    pub fn new(
        context: Context,
        keys: BTreeMap<Id, PublicKeys>,
        length: usize,
    ) -> Result<Self, SecureError> {
        let min = least_survivors(keys.len());
        enough("that sent keys", keys.len(), min)?;
        let roster = Roster { context, keys };
        Ok(Self {
            neighbors: roster.neighbors(),
            roster,
            shares: BTreeMap::new(),
            sum: vec![0; length],
            survivors: BTreeSet::new(),
            seeds: BTreeMap::new(),
            keys: BTreeMap::new(),
            revealed: BTreeSet::new(),
        })
    }

    /// Participants and their keys.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Participants whose vectors are in the sum.
    pub fn survivors(&self) -> &BTreeSet<Id> {
        &self.survivors
    }

    /// Participants that have sent their shares, the second message.
    pub fn shared(&self) -> BTreeSet<Id> {
        self.shares.keys().copied().collect()
    }

    /// Participants that have revealed shares, the fourth message.
    pub fn revealed(&self) -> &BTreeSet<Id> {
        &self.revealed
    }

    /// Takes the second message.
    ///
    /// # Errors
    /// The participant is unknown, sends twice, or not for its neighbors.
    pub fn add_shares(&mut self, from: Id, shares: SealedShares) -> Result<(), SecureError> {
        let recipients: BTreeSet<Id> = shares.sealed.keys().copied().collect();
        let neighbors = self.neighbors.get(&from);
        let Some(neighbors) = neighbors.filter(|neighbors| **neighbors == recipients) else {
            return Err(unexpected(
                from,
                "expected one sealed share for each neighbor",
            ));
        };
        if !neighbors
            .iter()
            .chain([&from])
            .all(|id| shares.commitments.contains_key(id))
        {
            return Err(unexpected(from, "expected a commitment for each share"));
        }
        if self.shares.contains_key(&from) {
            return Err(unexpected(from, "it has sent its shares already"));
        }
        self.shares.insert(from, shares);
        Ok(())
    }

    /// Returns the shares that were sealed for a participant.
    pub fn inbox(&self, to: Id) -> Inbox {
        let mut inbox = Inbox::default();
        for (from, shares) in &self.shares {
            let sealed = shares.sealed.get(&to);
            if let Some((sealed, commitment)) = sealed.zip(shares.commitments.get(&to)) {
                inbox.sealed.insert(*from, sealed.clone());
                inbox.commitments.insert(*from, *commitment);
            }
        }
        inbox
    }

    /// Adds a masked vector, the third message.
    ///
    /// # Errors
    /// The participant has sent no shares, or a vector already; or its length differs.
    pub fn add_masked(&mut self, from: Id, masked: &[u32]) -> Result<(), SecureError> {
        if !self.shares.contains_key(&from) || self.survivors.contains(&from) {
            return Err(unexpected(from, "expected one vector after its shares"));
        }
        let (expected, got) = (self.sum.len(), masked.len());
        if got != expected {
            let reason = format!("expected a vector of {expected} numbers, got {got}");
            return Err(unexpected(from, &reason));
        }
        for (sum, value) in self.sum.iter_mut().zip(masked) {
            *sum = sum.wrapping_add(*value);
        }
        self.survivors.insert(from);
        Ok(())
    }

    /// Returns an error if too few vectors came for a sum that hides each of them.
    ///
    /// # Errors
    /// See there.
    pub fn check_survivors(&self) -> Result<(), SecureError> {
        let min = least_survivors(self.roster.keys.len());
        enough("in the sum", self.survivors.len(), min)
    }

    /// Takes the fourth message.
    ///
    /// # Errors
    /// A share differs from the dealer's commitment, or is not the one that was asked for.
    pub fn add_revealed(&mut self, from: Id, revealed: &Revealed) -> Result<(), SecureError> {
        if !self.survivors.contains(&from) || self.revealed.contains(&from) {
            return Err(unexpected(from, "expected shares once, after its vector"));
        }
        let is_survivor = |dealer: &Id| self.survivors.contains(dealer);
        if !revealed.seeds.keys().all(is_survivor) || revealed.keys.keys().any(is_survivor) {
            let reason = "expected seeds of participants that stayed, and keys of the others";
            return Err(unexpected(from, reason));
        }
        for (kind, shares) in [("seed", &revealed.seeds), ("key", &revealed.keys)] {
            for (dealer, share) in shares {
                let of = self.commitment(*dealer, from);
                let expected = of.map(|of| if kind == "seed" { of.seed } else { of.key });
                let kind_and_share = [kind.as_bytes(), share].concat();
                let context = &self.roster.context;
                let got = crypto::commit(context, *dealer, from, &kind_and_share);
                if expected != Some(got) {
                    return Err(tampered(from, "a share that it reveals was changed"));
                }
            }
        }
        for (of, shares) in [
            (&mut self.seeds, &revealed.seeds),
            (&mut self.keys, &revealed.keys),
        ] {
            for (dealer, share) in shares {
                of.entry(*dealer).or_default().insert(from, share.clone());
            }
        }
        self.revealed.insert(from);
        Ok(())
    }

    fn commitment(&self, dealer: Id, holder: Id) -> Option<&Commitment> {
        self.shares.get(&dealer)?.commitments.get(&holder)
    }

    /// Returns true if the shares suffice to remove all masks.
    pub fn is_complete(&self) -> bool {
        self.shares.keys().all(|dealer| {
            let of = match self.survivors.contains(dealer) {
                true => &self.seeds,
                false => &self.keys,
            };
            let found = of.get(dealer).map_or(0, BTreeMap::len);
            found >= usize::from(self.threshold(*dealer))
        })
    }

    fn threshold(&self, dealer: Id) -> u8 {
        let holders = self.neighbors.get(&dealer).map_or(0, BTreeSet::len) + 1;
        graph::threshold(self.roster.keys.len(), holders)
    }

    /// Removes the masks and returns the sum of the vectors of the survivors, modulo 2^32.
    ///
    /// # Errors
    /// There are too few vectors or shares, or a restored secret does not fit its public key.
    pub fn sum(mut self) -> Result<Vec<u32>, SecureError> {
        self.check_survivors()?;
        let mut sum = std::mem::take(&mut self.sum);
        let context = &self.roster.context;
        for id in &self.survivors {
            let seed = self.restore(*id, &self.seeds)?;
            let mask = crypto::self_mask(context, &seed);
            crypto::add_mask(&mut sum, &mask, Sign::Minus);
        }
        let left = self.shares.keys().filter(|id| !self.survivors.contains(id));
        for id in left {
            let key = self.restore(*id, &self.keys)?;
            if crypto::public_key(&key) != self.roster.keys[id].masking {
                return Err(tampered(*id, "its shares restore another key than its own"));
            }
            for other in self.neighbors[id].intersection(&self.survivors) {
                let public = &self.roster.keys[other].masking;
                let with = crypto::agree(context, Purpose::Mask, &key, public)
                    .ok_or_else(|| tampered(*other, "its public key has a small order"))?;
                // The sign of the one that left, whose own vector would have canceled it.
                crypto::add_mask(&mut sum, &with, Sign::of(*id, *other));
            }
        }
        Ok(sum)
    }

    fn restore(
        &self,
        dealer: Id,
        shares: &BTreeMap<Id, BTreeMap<Id, Vec<u8>>>,
    ) -> Result<Key, SecureError> {
        let min = self.threshold(dealer);
        let of = shares.get(&dealer);
        let of = of
            .into_iter()
            .flatten()
            .map(|(id, share)| (*id, share.as_slice()));
        let found = of.clone().count();
        enough("that reveal shares", found, usize::from(min))?;
        shares::restore(min, of).ok_or_else(|| tampered(dealer, "its shares restore no key"))
    }
}

fn enough(when: &'static str, found: usize, min: usize) -> Result<(), SecureError> {
    match found >= min {
        true => Ok(()),
        false => Err(SecureError::TooFew { when, found, min }),
    }
}
