//! Keys: big-endian numbers first, so that the records of a collection are contiguous.

/// Returns the key prefix of a collection, which also ends the range of the collection before it.
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

/// Returns the key of a setting of a collection, or the prefix of all settings of a kind if the id
/// is empty.
pub(super) fn setting(collection: u32, kind: u8, id: &str) -> Vec<u8> {
    [&settings(collection)[..], &[kind], id.as_bytes()].concat()
}

/// Returns the collection and the text of a key that consists of these, as that of an item.
pub(super) fn collection_and_text(key: &[u8]) -> Option<(u32, &str)> {
    let (collection, text) = key.split_first_chunk::<4>()?;
    let text = std::str::from_utf8(text).ok()?;
    Some((u32::from_be_bytes(*collection), text))
}

/// Returns collection, internal id and stored name of the key of a vector.
pub(super) fn of_vector(key: &[u8]) -> Option<(u32, u32, &str)> {
    let (collection, rest) = key.split_first_chunk::<4>()?;
    let (internal_id, space) = collection_and_text(rest)?;
    Some((u32::from_be_bytes(*collection), internal_id, space))
}

/// Returns collection and time of the key of an event; None for other keys of that column family.
pub(super) fn of_event(key: &[u8]) -> Option<(u32, i64)> {
    let (collection, _) = key.strip_prefix(b"v")?.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*collection), event_ref(key)?.micros))
}

/// Returns collection, kind and id of the key of a setting.
pub(super) fn of_setting(key: &[u8]) -> Option<(u32, u8, &str)> {
    let (collection, rest) = key.strip_prefix(b"settings")?.split_first_chunk::<4>()?;
    let (kind, id) = rest.split_first()?;
    let id = std::str::from_utf8(id).ok()?;
    Some((u32::from_be_bytes(*collection), *kind, id))
}

/// Returns true for the key of a list of segments.
pub(super) fn is_segments(key: &[u8]) -> bool {
    key.strip_prefix(b"segments")
        .is_some_and(|rest| rest.len() == 4)
}

/// Prefix of all settings of a collection.
pub(super) fn settings(collection: u32) -> Vec<u8> {
    [&b"settings"[..], &prefix(collection)].concat()
}

/// Key of a vector.
pub(super) fn vector(collection: u32, internal_id: u32, space: &str) -> Vec<u8> {
    [
        &prefix(collection)[..],
        &internal_id.to_be_bytes(),
        space.as_bytes(),
    ]
    .concat()
}

/// Hash of a name: 16 bytes of BLAKE3. Collisions are negligible.
pub(crate) type NameHash = [u8; 16];

/// Returns the hash of a name.
pub(crate) fn hash_of(name: &str) -> NameHash {
    let hash = blake3::hash(name.as_bytes());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

/// A user or session, by the hash of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubjectHash {
    User(NameHash),
    Session(NameHash),
}

/// Place of an event: its time, then the hash of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventRef {
    /// Microseconds since 1970.
    pub micros: i64,
    /// Hash of its id.
    pub hash: NameHash,
}

impl EventRef {
    /// Returns the first place of a time.
    pub fn first_at(micros: i64) -> Self {
        let hash = [0; 16];
        Self { micros, hash }
    }

    /// Returns the place of an event with this id.
    pub fn new(micros: i64, id: &str) -> Self {
        let hash = hash_of(id);
        Self { micros, hash }
    }

    /// The sign is flipped so that times before 1970 sort first.
    pub(super) fn bytes(self) -> [u8; 24] {
        let time = ((self.micros as u64) ^ (1 << 63)).to_be_bytes();
        std::array::from_fn(|i| if i < 8 { time[i] } else { self.hash[i - 8] })
    }
}

/// Secondary index of the events, and of the recorded searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    User,
    Session,
    Item,
    SearchUser,
    SearchSession,
}

impl Listing {
    fn tag(self) -> u8 {
        match self {
            Self::User => b'u',
            Self::Session => b's',
            Self::Item => b't',
            Self::SearchUser => b'U',
            Self::SearchSession => b'S',
        }
    }
}

fn tagged(tag: u8, collection: u32) -> Vec<u8> {
    [&[tag][..], &prefix(collection)].concat()
}

/// Prefix of a collection's events.
pub(super) fn events(collection: u32) -> Vec<u8> {
    tagged(b'v', collection)
}

/// Key of an event.
pub(super) fn event(collection: u32, at: EventRef) -> Vec<u8> {
    [&events(collection)[..], &at.bytes()].concat()
}

/// Key by which an event is recognized when it is sent again.
pub(super) fn event_id(collection: u32, hash: &[u8; 16]) -> Vec<u8> {
    [&tagged(b'd', collection)[..], hash].concat()
}

/// Prefix of the list of a collection's events that refer to a search.
pub(super) fn follow_ups(collection: u32) -> Vec<u8> {
    tagged(b'f', collection)
}

/// Key of an event in that list.
pub(super) fn follow_up(collection: u32, at: EventRef) -> Vec<u8> {
    [&follow_ups(collection)[..], &at.bytes()].concat()
}

/// Prefix of a collection's recorded searches.
pub(super) fn searches(collection: u32) -> Vec<u8> {
    tagged(b'q', collection)
}

/// Key of a recorded search.
pub(super) fn search(collection: u32, at: EventRef) -> Vec<u8> {
    [&searches(collection)[..], &at.bytes()].concat()
}

/// Prefix of the events of a user, session or item. Its length comes first, so that no name begins
/// another's keys.
pub(super) fn list(collection: u32, listing: Listing, name: &str) -> Vec<u8> {
    let length = (name.len() as u32).to_be_bytes();
    [
        &tagged(listing.tag(), collection)[..],
        &length,
        name.as_bytes(),
    ]
    .concat()
}

/// Prefix of the lists of all users, sessions or items.
pub(super) fn listing(collection: u32, listing: Listing) -> Vec<u8> {
    tagged(listing.tag(), collection)
}

/// Returns the name of the user, session or item of a key in such a list.
pub(super) fn listed_name(key: &[u8]) -> Option<&[u8]> {
    let (length, rest) = key.get(5..)?.split_first_chunk::<4>()?;
    rest.get(..u32::from_be_bytes(*length) as usize)
}

/// Key of an event in such a list.
pub(super) fn listed(collection: u32, listing: Listing, name: &str, at: EventRef) -> Vec<u8> {
    [&list(collection, listing, name)[..], &at.bytes()].concat()
}

/// Returns the place of the event of a key: its last 24 bytes.
pub(super) fn event_ref(key: &[u8]) -> Option<EventRef> {
    let (time, hash) = key.last_chunk::<24>()?.split_first_chunk::<8>()?;
    Some(EventRef {
        micros: (u64::from_be_bytes(*time) ^ (1 << 63)) as i64,
        hash: hash.try_into().ok()?,
    })
}

/// The ranges of all keys of a collection's events and recorded searches.
pub(super) fn all_of_events(collection: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let end = collection.saturating_add(1);
    let range = |tag: &u8| (tagged(*tag, collection), tagged(*tag, end));
    b"vdustfqUScC".iter().map(range).collect()
}

/// Prefix of the consents of a collection's users, or of its sessions.
fn consents(collection: u32, of_users: bool) -> Vec<u8> {
    tagged(if of_users { b'c' } else { b'C' }, collection)
}

/// Prefixes of all consents of a collection.
pub(super) fn all_consents(collection: u32) -> [Vec<u8>; 2] {
    [consents(collection, true), consents(collection, false)]
}

/// Key of the consent of a user or session.
pub(super) fn consent(collection: u32, subject: SubjectHash) -> Vec<u8> {
    let (of_users, hash) = match subject {
        SubjectHash::User(hash) => (true, hash),
        SubjectHash::Session(hash) => (false, hash),
    };
    [&consents(collection, of_users)[..], &hash].concat()
}

/// Returns the collection and the subject of the key of a consent; None for other keys of that
/// column family.
pub(super) fn of_consent(key: &[u8]) -> Option<(u32, SubjectHash)> {
    let (tag, rest) = key.split_first()?;
    let (collection, hash) = rest.split_first_chunk::<4>()?;
    let collection = u32::from_be_bytes(*collection);
    let hash = NameHash::try_from(hash).ok();
    match tag {
        b'c' => Some((collection, SubjectHash::User(hash?))),
        b'C' => Some((collection, SubjectHash::Session(hash?))),
        _ => None,
    }
}

/// Prefix of a collection's models.
pub(super) fn models(collection: u32) -> Vec<u8> {
    prefix(collection).to_vec()
}

/// Key of a collection's list of models.
pub(super) fn model_list(collection: u32) -> Vec<u8> {
    [&prefix(collection)[..], b"l"].concat()
}

/// Key of a chunk of a model.
pub(super) fn model_piece(collection: u32, version: u64, piece: u32) -> Vec<u8> {
    [&model(collection, version)[..], &piece.to_be_bytes()].concat()
}

/// Prefix of the chunks of a model.
pub(super) fn model(collection: u32, version: u64) -> Vec<u8> {
    [&prefix(collection)[..], b"m", &version.to_be_bytes()].concat()
}

/// Key of a chunk of the list of item ids that models refer to.
pub(super) fn model_items(collection: u32, first: u32) -> Vec<u8> {
    [&prefix(collection)[..], b"i", &first.to_be_bytes()].concat()
}

/// Prefix of a collection's privacy ledger.
pub(super) fn ledger(collection: u32) -> Vec<u8> {
    [&prefix(collection)[..], b"p"].concat()
}

/// Key of an entry of the ledger.
pub(super) fn ledger_entry(collection: u32, number: u64) -> Vec<u8> {
    [&ledger(collection)[..], &number.to_be_bytes()].concat()
}

/// Key of the tables released about a period.
pub(super) fn released(collection: u32, period: i64) -> Vec<u8> {
    [&prefix(collection)[..], b"t", &period.to_be_bytes()].concat()
}

/// Key of a collection's list of rankers.
pub(super) fn ranker_list(collection: u32) -> Vec<u8> {
    [&prefix(collection)[..], b"k"].concat()
}

/// Key of a ranking function.
pub(super) fn ranker(collection: u32, version: u64) -> Vec<u8> {
    [&prefix(collection)[..], b"r", &version.to_be_bytes()].concat()
}
