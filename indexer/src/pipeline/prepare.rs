//! Preparation of an item: its text, its images, and a hash over everything that its vectors depend
//! on.

use std::collections::BTreeMap;

use vitrine_schemas::{ImageRef, Item};

use super::Options;
use crate::source::image::{ImageError, LoadImage};

/// Maximum length of a text passed to an encoder, in bytes. Encoders truncate by tokens; this limit
/// avoids tokenizing a whole book.
const MAX_TEXT: usize = 8_000;

/// Item prepared for embedding.
pub(super) struct Prepared {
    pub line: u64,
    pub item: Item,
    pub text: Option<String>,
    pub images: Vec<Image>,
    pub hash: String,
}

/// Image of an item.
pub(super) enum Image {
    /// Already read, or known to be missing; with its path.
    Read(String, Result<Vec<u8>, ImageError>),
    /// Fetched once the item is known to have changed.
    Later(ImageRef),
}

impl Prepared {
    /// Reads local images, and hashes them together with everything else that the vectors depend
    /// on.
    pub fn new(
        line: u64,
        mut item: Item,
        images: &dyn LoadImage,
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
        let images = item
            .images
            .iter()
            .map(|image| match image {
                ImageRef::Path(path) => {
                    let bytes = images.load(image);
                    // A missing image counts as empty: the item changes once it is present.
                    let content = bytes.as_deref().unwrap_or_default();
                    hash.update(blake3::hash(content).as_bytes());
                    Image::Read(path.clone(), bytes)
                }
                // Nothing is fetched to detect changes: the address is part of the item.
                ImageRef::Uri(_) => {
                    hash.update(&[u8::from(options.fetch_images)]);
                    Image::Later(image.clone())
                }
                ImageRef::Bytes(_) => Image::Later(image.clone()),
            })
            .collect();
        // An uploaded image is embedded and not stored in the record.
        let is_kept = |image: &ImageRef| !matches!(image, ImageRef::Bytes(_));
        item.images.retain(is_kept);
        for variant in &mut item.variants {
            variant.images.retain(is_kept);
        }
        Self {
            line,
            text: text(&item),
            item,
            images,
            hash: hash.finalize().to_hex().to_string(),
        }
    }

    /// Drops inputs of vectors that the item has already.
    pub fn drop_unneeded(&mut self, spaces: &BTreeMap<String, usize>) {
        let lacks =
            |space: &str| spaces.contains_key(space) && !self.item.vectors.contains_key(space);
        if !lacks("shared") && !lacks("text") {
            self.text = None;
        }
        if !lacks("shared") && !lacks("image") {
            self.images.clear();
        }
    }
}

/// Returns the content hash of an item whose images need not be read; None if one is a file.
pub fn content_hash(item: &Item, fingerprint: &str, options: &Options) -> Option<String> {
    struct Unread;
    impl LoadImage for Unread {
        fn load(&self, _: &ImageRef) -> Result<Vec<u8>, ImageError> {
            Ok(Vec::new())
        }
    }
    if item.images.iter().any(|i| matches!(i, ImageRef::Path(_))) {
        return None;
    }
    Some(Prepared::new(0, item.clone(), &Unread, fingerprint, options).hash)
}

/// Returns true if an embedded item has the vectors of another one: the same text and the same
/// images, none of them a file, which may have changed.
pub fn has_same_content(a: &Item, b: &Item) -> bool {
    let has_file = b.images.iter().any(|i| matches!(i, ImageRef::Path(_)));
    !has_file && a.images == b.images && text(a) == text(b)
}

/// Returns the item as JSON that does not depend on the order of its attributes.
fn canonical(item: &mut Item) -> Vec<u8> {
    item.content_hash = None;
    let given = std::mem::take(&mut item.attributes);
    let sorted: BTreeMap<_, _> = given.iter().collect();
    for variant in &mut item.variants {
        variant.attributes.sort_keys();
    }
    // Writing to memory cannot fail, and all keys are strings.
    let json = serde_json::to_vec(&(&*item, sorted)).unwrap_or_default();
    item.attributes = given;
    json
}

/// Returns the text of an item for the encoder: title, category, brand and description, in this
/// order. Category and brand only complement a title or description; alone they are not a text, so
/// that an item with images only is found by its images.
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
    use crate::source::image::Images;

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
        let images = Images::new(folder.path().to_owned(), false);
        let hash = |attributes: &str, params: &str| {
            let json = format!(
                r#"{{"id": "1", "images": [{{"path": "a.png"}}], "attributes": {attributes}}}"#
            );
            let item = serde_json::from_str(&json).unwrap();
            Prepared::new(1, item, &images, params, &Options::default()).hash
        };
        let first = hash(r#"{"a": 1, "b": 2}"#, "p");
        assert_eq!(hash(r#"{"b": 2, "a": 1}"#, "p"), first);
        assert_ne!(hash(r#"{"a": 1, "b": 3}"#, "p"), first);
        assert_ne!(hash(r#"{"a": 1, "b": 2}"#, "q"), first);
        std::fs::write(folder.path().join("a.png"), "bytes").unwrap();
        assert_ne!(hash(r#"{"a": 1, "b": 2}"#, "p"), first);
    }

    #[test]
    fn an_uploaded_image_is_not_stored() {
        let images = Images::new(".".into(), false);
        let sent = item(json!({"id": "1", "images": [{"bytes": "QUJD"}, {"uri": "http://a/b"}]}));
        let prepared = Prepared::new(1, sent, &images, "", &Options::default());
        assert_eq!(prepared.images.len(), 2);
        assert_eq!(prepared.item.images, [ImageRef::Uri("http://a/b".into())]);
    }

    #[test]
    fn vectors_of_the_item_are_not_computed_again() {
        let spaces = ["shared", "text", "image"]
            .map(|s| (s.to_owned(), 2))
            .into();
        let needed = |vectors: serde_json::Value| {
            let given =
                json!({"id": "1", "title": "a", "images": [{"uri": "u"}], "vectors": vectors});
            let images = Images::new(".".into(), false);
            let mut prepared = Prepared::new(1, item(given), &images, "", &Options::default());
            prepared.drop_unneeded(&spaces);
            (prepared.text.is_some(), prepared.images.len())
        };
        assert_eq!(needed(json!({})), (true, 1));
        assert_eq!(needed(json!({"text": [1, 0]})), (true, 1));
        assert_eq!(
            needed(json!({"shared": [1, 0], "text": [1, 0]})),
            (false, 1)
        );
        assert_eq!(
            needed(json!({"shared": [1, 0], "image": [1, 0]})),
            (true, 0)
        );
    }
}
