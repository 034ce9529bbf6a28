//! The primitives of the protocol, each from a library, with separate keys for separate purposes.

use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit, StreamCipher},
};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use rand::{TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use super::{
    SecureError,
    context::{Context, Id},
};

/// Number of bytes of keys, seeds and hashes.
pub const KEY_BYTES: usize = 32;

/// A symmetric key, a seed or a hash.
pub type Key = [u8; KEY_BYTES];

/// Number of bytes of the keystream computed at a time.
const BLOCK_BYTES: usize = 1 << 16;

/// Sign of a mask: the participant with the smaller number adds what the other subtracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The mask is added.
    Plus,
    /// The mask is subtracted.
    Minus,
}

impl Sign {
    /// Returns the sign with which `own` uses the mask that it has in common with `other`.
    pub fn of(own: Id, other: Id) -> Self {
        if own < other { Self::Plus } else { Self::Minus }
    }
}

/// Returns random bytes of the operating system.
pub fn random_key() -> Result<Key, SecureError> {
    let mut key = Key::default();
    let failed = |e: rand::rand_core::OsError| SecureError::Random(e.to_string());
    OsRng.try_fill_bytes(&mut key).map_err(failed)?;
    Ok(key)
}

/// Returns the public key of a secret one.
pub fn public_key(secret: &Key) -> Key {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

/// Purpose of a key derived from a key agreement.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// Masks of vectors.
    Mask,
    /// Encryption of shares.
    Seal,
}

/// Returns the key that two participants have in common: X25519, then HKDF-SHA256 with the context
/// as salt. `None` for a public key of small order, with which the key would be known to all.
pub fn agree(context: &Context, purpose: Purpose, secret: &Key, public: &Key) -> Option<Key> {
    let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*public));
    let label: &[u8] = match purpose {
        Purpose::Mask => b"vitrine pairwise mask",
        Purpose::Seal => b"vitrine sealed share",
    };
    let key = expand(context, shared.as_bytes(), label);
    shared.was_contributory().then_some(key)
}

/// Returns the key of the mask that a participant adds for itself.
pub fn self_mask(context: &Context, seed: &Key) -> Key {
    expand(context, seed, b"vitrine self mask")
}

fn expand(context: &Context, secret: &[u8], label: &[u8]) -> Key {
    let mut key = Key::default();
    let hkdf = Hkdf::<Sha256>::new(Some(&context.bytes()), secret);
    // 32 bytes are within the limit of 255 hashes.
    hkdf.expand(label, &mut key).unwrap_or_default();
    key
}

/// Adds the keystream of ChaCha20 under `key` to `values`, or subtracts it, modulo 2^32. Each key
/// masks one vector, so the nonce is zero.
pub fn add_mask(values: &mut [u32], key: &Key, sign: Sign) {
    let mut cipher = ChaCha20::new(&(*key).into(), &[0; 12].into());
    let mut stream = vec![0; BLOCK_BYTES];
    for block in values.chunks_mut(BLOCK_BYTES / 4) {
        stream.fill(0);
        cipher.apply_keystream(&mut stream);
        for (value, bytes) in block.iter_mut().zip(stream.chunks_exact(4)) {
            let mask = u32::from_le_bytes(std::array::from_fn(|i| bytes[i]));
            *value = match sign {
                Sign::Plus => value.wrapping_add(mask),
                Sign::Minus => value.wrapping_sub(mask),
            };
        }
    }
}

/// Encrypts a message from one participant to another. Both directions have the same key, so the
/// sender and the recipient are in the nonce.
pub fn seal(key: &Key, from: Id, to: Id, message: &[u8]) -> Option<Vec<u8>> {
    let aad = [from, to];
    let payload = Payload {
        msg: message,
        aad: &aad,
    };
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    cipher.encrypt(&nonce(from, to).into(), payload).ok()
}

/// Decrypts what [`seal`] encrypted; `None` if anything differs.
pub fn open(key: &Key, from: Id, to: Id, sealed: &[u8]) -> Option<Vec<u8>> {
    let aad = [from, to];
    let payload = Payload {
        msg: sealed,
        aad: &aad,
    };
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    cipher.decrypt(&nonce(from, to).into(), payload).ok()
}

fn nonce(from: Id, to: Id) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..2].copy_from_slice(&[from, to]);
    nonce
}

/// Returns the commitment to a share: SHA-256 of the dealer, the holder and the share, which has
/// 256 random bits.
pub fn commit(context: &Context, dealer: Id, holder: Id, share: &[u8]) -> Key {
    let mut hash = Sha256::new();
    hash.update(b"vitrine share");
    hash.update(context.bytes());
    hash.update([dealer, holder]);
    hash.update(share);
    hash.finalize().into()
}
