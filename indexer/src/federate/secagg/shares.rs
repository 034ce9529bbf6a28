//! Shamir's secret sharing of a key over GF(256), by the crate `blahaj`: it draws all coefficients
//! uniformly, which its predecessor `sharks` (RUSTSEC-2024-0398) and older `vsss-rs` did not.

use blahaj::{Share, Sharks};

use super::{
    Id,
    crypto::{KEY_BYTES, Key},
};

/// Splits a key into the shares of `holders`; any `threshold` of them restore it, fewer say nothing
/// about it.
pub fn split(key: &Key, threshold: u8, holders: &[Id]) -> Vec<(Id, Vec<u8>)> {
    let last = holders.iter().copied().max().unwrap_or_default();
    // The dealer gives the shares at 1, 2, 3, ...
    let all = Sharks(threshold).dealer(key).take(usize::from(last));
    let of_holder = |share: Share| {
        let bytes = Vec::from(&share);
        let id = *bytes.first()?;
        holders.contains(&id).then(|| (id, bytes[1..].to_vec()))
    };
    all.filter_map(of_holder).collect()
}

/// Restores a key from shares of different holders; `None` if there are too few, or one is of
/// another length.
pub fn restore<'a>(threshold: u8, shares: impl IntoIterator<Item = (Id, &'a [u8])>) -> Option<Key> {
    let parse = |(id, share): (Id, &[u8])| {
        let bytes = [&[id], share].concat();
        (share.len() == KEY_BYTES).then(|| Share::try_from(bytes.as_slice()).ok())?
    };
    let shares: Option<Vec<Share>> = shares
        .into_iter()
        .take(usize::from(threshold))
        .map(parse)
        .collect();
    let key = Sharks(threshold).recover(shares?.iter()).ok()?;
    key.try_into().ok()
}
