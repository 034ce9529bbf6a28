//! From items to examples: their texts and photos as features, from the cache or the encoders.

use std::path::PathBuf;

use rayon::prelude::*;
use vitrine::{EmbedError, ImageBytes};
use vitrine_schemas::Item;

use super::feature_cache::FeatureCache;
use super::{Example, TrainError};
use crate::encode::bert::Role;
use crate::encode::normalise;
use crate::pipeline::item_text;
use crate::source::photo::Photos;
use crate::space::Encoders;

/// Items whose photos are in memory at once.
const BATCH: usize = 64;

/// How examples are made.
pub struct Gather<'a> {
    /// Whose features.
    pub encoders: &'a Encoders,
    /// Where photos come from.
    pub photos: Photos,
    /// Folder of the feature caches.
    pub cache: PathBuf,
    /// Attribute that says what photos are kin; the category where it is `None` or an item lacks it.
    pub label: Option<String>,
}

/// What became of the items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Gathered {
    /// Items with text and photo.
    pub pairs: usize,
    /// Items without text, or whose text cannot be embedded.
    pub without_text: usize,
    /// Items without a photo that can be read.
    pub without_photo: usize,
}

impl Gather<'_> {
    /// Examples of those of `items` that have both text and photo; `progress` is told how many items are done.
    ///
    /// # Errors
    /// The encoders or the cache failed; an item that cannot be used is counted and left out.
    pub fn run(
        &self,
        items: &[Item],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Example>, Gathered), TrainError> {
        let fingerprint = self.encoders.base_fingerprint();
        let open = |kind, width| FeatureCache::open(&self.cache, kind, fingerprint, width);
        let mut texts = open("text", self.encoders.text_width())?;
        let width = self.encoders.photo_width();
        let mut photos = open("photo", width + self.encoders.untrained_width())?;
        let (mut examples, mut counts) = (Vec::new(), Gathered::default());
        for (at, batch) in items.chunks(BATCH).enumerate() {
            let text = self.texts(batch, &mut texts)?;
            let photo = self.photos(batch, &mut photos)?;
            for ((item, text), photo) in batch.iter().zip(text).zip(photo) {
                match (text, photo) {
                    (Some(text), Some(photo)) => examples.push(self.example(item, text, photo)),
                    (None, _) => counts.without_text += 1,
                    (_, None) => counts.without_photo += 1,
                }
            }
            progress((at * BATCH + batch.len()).min(items.len()));
        }
        counts.pairs = examples.len();
        Ok((examples, counts))
    }

    fn example(&self, item: &Item, text: Vec<f32>, mut photo: Vec<f32>) -> Example {
        let mut untrained_photo = photo.split_off(self.encoders.photo_width());
        normalise(&mut untrained_photo);
        let untrained_text = text[..self.encoders.untrained_width()].to_vec();
        let category = item.category.clone().unwrap_or_default();
        let named = self
            .label
            .as_ref()
            .and_then(|name| item.attributes.get(name));
        Example {
            id: item.id.clone(),
            label: named.map_or_else(|| category.clone(), ToString::to_string),
            category,
            text,
            photo,
            untrained: [untrained_text, untrained_photo],
        }
    }

    fn texts(
        &self,
        batch: &[Item],
        cache: &mut FeatureCache,
    ) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let texts: Vec<Option<String>> = batch.iter().map(item_text).collect();
        let known: Vec<_> = texts.iter().flatten().collect();
        let contents: Vec<&[u8]> = known.iter().map(|t| t.as_bytes()).collect();
        let found = features(&contents, cache, |missing| {
            let texts: Vec<&str> = missing.iter().map(|i| known[*i].as_str()).collect();
            self.encoders.text_features(&texts, Role::Document)
        })?;
        let mut found = found.into_iter();
        let own = texts
            .iter()
            .map(|text| text.as_ref().and_then(|_| found.next()?));
        Ok(own.collect())
    }

    /// Mean features of each item's photos, followed by what they are in the shared space without heads.
    fn photos(
        &self,
        batch: &[Item],
        cache: &mut FeatureCache,
    ) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let loaded: Vec<Vec<ImageBytes>> = batch
            .par_iter()
            .map(|item| {
                let bytes = item.images.iter().map(|image| self.photos.load(image));
                bytes.filter_map(Result::ok).collect()
            })
            .collect();
        let all: Vec<&ImageBytes> = loaded.iter().flatten().collect();
        let contents: Vec<&[u8]> = all.iter().map(|b| b.as_slice()).collect();
        let found = features(&contents, cache, |missing| {
            let photos: Vec<ImageBytes> = missing.iter().map(|i| all[*i].clone()).collect();
            let seen = self.encoders.photo_features(&photos).into_iter();
            seen.map(|seen| seen.map(|(features, untrained)| [features, untrained].concat()))
                .collect()
        })?;
        let mut found = found.into_iter();
        let mut mean = |photos: &Vec<ImageBytes>| {
            let own: Vec<Vec<f32>> = found.by_ref().take(photos.len()).flatten().collect();
            let mut sum = own.first()?.clone();
            for other in &own[1..] {
                sum.iter_mut().zip(other).for_each(|(s, v)| *s += v);
            }
            sum.iter_mut().for_each(|s| *s /= own.len() as f32);
            Some(sum)
        };
        Ok(loaded.iter().map(&mut mean).collect())
    }
}

/// Features of contents in order, `None` for those that are no text or photo; `embed` gets the positions the cache
/// lacks.
fn features(
    contents: &[&[u8]],
    cache: &mut FeatureCache,
    embed: impl FnOnce(&[usize]) -> Vec<Result<Vec<f32>, EmbedError>>,
) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
    let hashes: Vec<blake3::Hash> = contents.iter().map(|c| blake3::hash(c)).collect();
    let lacks = |i: &usize| cache.get(&hashes[*i]).is_none();
    let missing: Vec<usize> = (0..contents.len()).filter(lacks).collect();
    for (at, result) in missing.iter().zip(embed(&missing)) {
        match result {
            Ok(features) => cache.put(&hashes[*at], &features)?,
            Err(EmbedError::Input(_)) => {}
            Err(error) => return Err(TrainError::Embed(error)),
        }
    }
    let found = hashes
        .iter()
        .map(|hash| cache.get(hash).map(<[f32]>::to_vec));
    Ok(found.collect())
}
