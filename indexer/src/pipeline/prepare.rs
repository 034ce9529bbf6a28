//! From an item to what has to be embedded: its text, its photos, and a hash over all that decides its vectors.

use std::collections::BTreeMap;

use vitrine_schemas::{ImageRef, Item};

use super::Options;
use crate::source::photo::{PhotoError, Photos};

/// Longest text handed to an encoder, bytes. Encoders cut by tokens; this only spares the tokenizer a whole book.
const MAX_TEXT: usize = 8_000;

/// An item on its way.
pub(super) struct Prepared {
    pub line: u64,
    pub item: Item,
    pub text: Option<String>,
    pub photos: Vec<Photo>,
    pub hash: String,
}

/// A photo of an item.
pub(super) enum Photo {
    /// At hand, or known to be missing.
    Read(Result<Vec<u8>, PhotoError>),
    /// To be got once it is known that the item changed.
    Later(ImageRef),
}

impl Prepared {
    /// Reads what is at hand, and hashes it together with what else decides the vectors.
    pub fn new(
        line: u64,
        mut item: Item,
        photos: &Photos,
        fingerprint: &str,
        options: &Options,
    ) -> Self {
        let mut hash = blake3::Hasher::new();
        let weights = (
            options.text_weight,
            options.image_weight,
            options.behavior_weight,
        );
        hash.update(format!("{fingerprint} {weights:?}").as_bytes());
        hash.update(&canonical(&mut item));
        let photos = item
            .images
            .iter()
            .map(|image| match image {
                ImageRef::Path(_) => {
                    let bytes = photos.load(image);
                    // One that is missing counts as empty: the item changes once it is there.
                    let content = bytes.as_deref().unwrap_or_default();
                    hash.update(blake3::hash(content).as_bytes());
                    Photo::Read(bytes)
                }
                // Nothing is fetched to find out that nothing changed: the address is in the item.
                ImageRef::Uri(_) => {
                    hash.update(&[u8::from(options.fetch_images)]);
                    Photo::Later(image.clone())
                }
                ImageRef::Bytes(_) => Photo::Later(image.clone()),
            })
            .collect();
        // A photo sent along is there to be embedded, not to be kept in the record.
        item.images.retain(|i| !matches!(i, ImageRef::Bytes(_)));
        Self {
            line,
            text: text(&item),
            item,
            photos,
            hash: hash.finalize().to_hex().to_string(),
        }
    }

    /// Leaves out what would give vectors that the item has already.
    pub fn spare(&mut self, spaces: &BTreeMap<String, usize>) {
        let lacks =
            |space: &str| spaces.contains_key(space) && !self.item.vectors.contains_key(space);
        if !lacks("shared") && !lacks("text") {
            self.text = None;
        }
        if !lacks("shared") && !lacks("image") {
            self.photos.clear();
        }
    }
}

/// The item as JSON that does not depend on the order its attributes were given in.
fn canonical(item: &mut Item) -> Vec<u8> {
    item.content_hash = None;
    let given = std::mem::take(&mut item.attributes);
    let sorted: BTreeMap<_, _> = given.iter().collect();
    // Writing to memory does not fail, and all keys are strings.
    let json = serde_json::to_vec(&(&*item, sorted)).unwrap_or_default();
    item.attributes = given;
    json
}

/// What an encoder reads of an item: title, category, brand and description in this order. Category and brand only
/// say more about a title or description; alone they are no text, so that an item of photos is found by its photos.
pub fn text(item: &Item) -> Option<String> {
    let given = |field: &Option<String>| field.clone().filter(|s| !s.trim().is_empty());
    let (title, description) = (given(&item.title), given(&item.description));
    if title.is_none() && description.is_none() {
        return None;
    }
    let parts = [
        title,
        given(&item.category),
        given(&item.brand),
        description,
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let mut text = parts.join(". ");
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: serde_json::Value) -> Item {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_text_leads_with_the_title_and_needs_one() {
        let boot = item(json!({
            "id": "1", "title": "Boot", "brand": "Acme", "category": "Shoes > Boots"
        }));
        assert_eq!(text(&boot).as_deref(), Some("Boot. Shoes > Boots. Acme"));
        let untitled = Item {
            title: Some(" ".into()),
            ..boot
        };
        assert_eq!(text(&untitled), None);
        let long = Item {
            title: Some("é".repeat(9_000)),
            ..untitled
        };
        assert_eq!(text(&long).map(|t| t.len()), Some(MAX_TEXT));
    }

    #[test]
    fn the_hash_tells_content_apart_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let photos = Photos::new(folder.path().to_owned(), false);
        let hash = |attributes: &str, params: &str| {
            let json = format!(
                r#"{{"id": "1", "images": [{{"path": "a.png"}}], "attributes": {attributes}}}"#
            );
            let item = serde_json::from_str(&json).unwrap();
            Prepared::new(1, item, &photos, params, &Options::default()).hash
        };
        let first = hash(r#"{"a": 1, "b": 2}"#, "p");
        assert_eq!(hash(r#"{"b": 2, "a": 1}"#, "p"), first);
        assert_ne!(hash(r#"{"a": 1, "b": 3}"#, "p"), first);
        assert_ne!(hash(r#"{"a": 1, "b": 2}"#, "q"), first);
        std::fs::write(folder.path().join("a.png"), "bytes").unwrap();
        assert_ne!(hash(r#"{"a": 1, "b": 2}"#, "p"), first);
    }

    #[test]
    fn a_photo_sent_along_is_not_kept() {
        let photos = Photos::new(".".into(), false);
        let sent = item(json!({"id": "1", "images": [{"bytes": "QUJD"}, {"uri": "http://a/b"}]}));
        let prepared = Prepared::new(1, sent, &photos, "", &Options::default());
        assert_eq!(prepared.photos.len(), 2);
        assert_eq!(prepared.item.images, [ImageRef::Uri("http://a/b".into())]);
    }

    #[test]
    fn what_the_item_brings_is_not_made_again() {
        let spaces = ["shared", "text", "image"]
            .map(|s| (s.to_owned(), 2))
            .into();
        let spared = |vectors: serde_json::Value| {
            let given =
                json!({"id": "1", "title": "a", "images": [{"uri": "u"}], "vectors": vectors});
            let photos = Photos::new(".".into(), false);
            let mut prepared = Prepared::new(1, item(given), &photos, "", &Options::default());
            prepared.spare(&spaces);
            (prepared.text.is_some(), prepared.photos.len())
        };
        assert_eq!(spared(json!({})), (true, 1));
        assert_eq!(spared(json!({"text": [1, 0]})), (true, 1));
        assert_eq!(
            spared(json!({"shared": [1, 0], "text": [1, 0]})),
            (false, 1)
        );
        assert_eq!(
            spared(json!({"shared": [1, 0], "image": [1, 0]})),
            (true, 0)
        );
    }
}
