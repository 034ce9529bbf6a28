//! Keys: big-endian numbers first, so that a collection's records lie together.

/// Prefix of a collection; also the end of the collection before it.
pub(super) fn prefix(collection: u32) -> [u8; 4] {
    collection.to_be_bytes()
}

/// Key of a collection's list of segment files.
pub(super) fn segments(collection: u32) -> Vec<u8> {
    [&b"segments"[..], &prefix(collection)].concat()
}

/// Key of the number of writes to a collection's items.
pub(super) fn writes(collection: u32) -> Vec<u8> {
    [&b"writes"[..], &prefix(collection)].concat()
}

/// Key of an item record.
pub(super) fn item(collection: u32, id: &str) -> Vec<u8> {
    [&prefix(collection)[..], id.as_bytes()].concat()
}

/// Key of a collection's learned blend.
pub(super) fn blend(collection: u32) -> Vec<u8> {
    [&prefix(collection)[..], b"b"].concat()
}

/// Key of a vector.
pub(super) fn vector(collection: u32, number: u32, space: &str) -> Vec<u8> {
    [
        &prefix(collection)[..],
        &number.to_be_bytes(),
        space.as_bytes(),
    ]
    .concat()
}

/// Key of an event in the order of time. The sign is flipped so that times before 1970 sort first.
pub(super) fn event(collection: u32, micros: i64, id: &str) -> Vec<u8> {
    let time = (micros as u64) ^ (1 << 63);
    [
        &b"e"[..],
        &prefix(collection),
        &time.to_be_bytes(),
        id.as_bytes(),
    ]
    .concat()
}

/// Prefix of a collection's events.
pub(super) fn events(collection: u32) -> Vec<u8> {
    [&b"e"[..], &prefix(collection)].concat()
}

/// Time in the key of an event.
pub(super) fn event_micros(key: &[u8]) -> Option<i64> {
    let time = key.get(5..13)?.try_into().ok()?;
    Some((u64::from_be_bytes(time) ^ (1 << 63)) as i64)
}

/// Key by which an event is recognised when it is sent again.
pub(super) fn event_id(collection: u32, id: &str) -> Vec<u8> {
    [&b"i"[..], &prefix(collection), id.as_bytes()].concat()
}
