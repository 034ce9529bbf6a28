//! Messages of the protocol. Bytes are base64 in JSON; vectors travel beside it, as bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    context::{Context, Id},
    crypto::Key,
    graph,
};

/// Public keys of a participant, new for each sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// X25519 key for shares.
    #[serde(with = "base64_key")]
    pub sealing: Key,
    /// X25519 key for masks.
    #[serde(with = "base64_key")]
    pub masking: Key,
}

/// The participants of a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// The sum.
    pub context: Context,
    /// Keys of all participants.
    pub keys: BTreeMap<Id, PublicKeys>,
}

impl Roster {
    /// Returns the neighbors of each participant, with whom it has masks in common.
    pub(super) fn neighbors(&self) -> BTreeMap<Id, BTreeSet<Id>> {
        let ids = self.keys.keys().copied().collect();
        graph::neighbors(&self.context, &ids)
    }
}

/// Hashes of the two shares of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Hash of the share of the masking key.
    #[serde(with = "base64_key")]
    pub key: Key,
    /// Hash of the share of the seed.
    #[serde(with = "base64_key")]
    pub seed: Key,
}

/// Shares of a participant's secrets: one sealed message for each neighbor, and commitments to all
/// shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedShares {
    /// Ciphertexts by recipient.
    #[serde(with = "base64_map")]
    pub sealed: BTreeMap<Id, Vec<u8>>,
    /// Commitments by holder, the dealer included.
    pub commitments: BTreeMap<Id, Commitment>,
}

/// Sealed shares for one participant, by sender, with the sender's commitment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Ciphertexts.
    #[serde(with = "base64_map")]
    pub sealed: BTreeMap<Id, Vec<u8>>,
    /// Commitments.
    pub commitments: BTreeMap<Id, Commitment>,
}

/// Shares that remove masks from the sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revealed {
    /// Shares of the seeds of participants that stayed.
    #[serde(with = "base64_map")]
    pub seeds: BTreeMap<Id, Vec<u8>>,
    /// Shares of the masking keys of participants that left.
    #[serde(with = "base64_map")]
    pub keys: BTreeMap<Id, Vec<u8>>,
}

mod base64_key {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Key;

    pub fn serialize<S: Serializer>(key: &Key, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(key))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
        let wrong = |bytes: Vec<u8>| {
            D::Error::custom(format!("expected 32 bytes in base64, got {}", bytes.len()))
        };
        bytes.try_into().map_err(wrong)
    }
}

mod base64_map {
    use std::collections::BTreeMap;

    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Id;

    pub fn serialize<S: Serializer>(map: &BTreeMap<Id, Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        let encode = |(id, bytes): (&Id, &Vec<u8>)| (*id, BASE64_STANDARD.encode(bytes));
        map.iter()
            .map(encode)
            .collect::<BTreeMap<_, _>>()
            .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Id, Vec<u8>>, D::Error> {
        let map = BTreeMap::<Id, String>::deserialize(from)?;
        let decode = |(id, text): (Id, String)| {
            let bytes = BASE64_STANDARD.decode(text).map_err(D::Error::custom)?;
            Ok((id, bytes))
        };
        map.into_iter().map(decode).collect()
    }
}
