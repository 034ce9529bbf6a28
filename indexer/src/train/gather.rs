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

/// What is known of an item: its text and its photos as features.
#[derive(Debug, Clone)]
pub struct Views {
    /// Its id.
    pub id: String,
    /// Its category path, empty where it has none.
    pub category: String,
    /// See [`Example::label`].
    pub label: String,
    /// Features of its text, if it has one.
    pub text: Option<Vec<f32>>,
    /// Mean features of its photos, if there is one that can be read.
    pub photo: Option<Vec<f32>>,
    /// Its text and its photos in the shared space without heads.
    pub untrained: [Option<Vec<f32>>; 2],
}

impl Views {
    /// The example that it is, where it has text and photo.
    pub fn example(&self) -> Option<Example> {
        let [text, photo] = &self.untrained;
        Some(Example {
            id: self.id.clone(),
            category: self.category.clone(),
            label: self.label.clone(),
            text: self.text.clone()?,
            photo: self.photo.clone()?,
            untrained: [text.clone()?, photo.clone()?],
        })
    }
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
        let (views, counts) = self.views(items, progress)?;
        Ok((views.iter().filter_map(Views::example).collect(), counts))
    }

    /// What is known of each of `items`, in their order.
    ///
    /// # Errors
    /// The encoders or the cache failed.
    pub fn views(
        &self,
        items: &[Item],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Views>, Gathered), TrainError> {
        let fingerprint = self.encoders.base_fingerprint();
        let open = |kind, width| FeatureCache::open(&self.cache, kind, fingerprint, width);
        let mut texts = open("text", self.encoders.text_width())?;
        let width = self.encoders.photo_width();
        let mut photos = open("photo", width + self.encoders.untrained_width())?;
        let (mut views, mut counts) = (Vec::with_capacity(items.len()), Gathered::default());
        for (at, batch) in items.chunks(BATCH).enumerate() {
            let text = self.texts(batch, &mut texts)?;
            let photo = self.photos(batch, &mut photos)?;
            for ((item, text), photo) in batch.iter().zip(text).zip(photo) {
                match (&text, &photo) {
                    (Some(_), Some(_)) => counts.pairs += 1,
                    (None, _) => counts.without_text += 1,
                    (_, None) => counts.without_photo += 1,
                }
                views.push(self.seen(item, text, photo));
            }
            progress((at * BATCH + batch.len()).min(items.len()));
        }
        Ok((views, counts))
    }

    fn seen(&self, item: &Item, text: Option<Vec<f32>>, mut photo: Option<Vec<f32>>) -> Views {
        let untrained_photo = photo.as_mut().map(|photo| {
            let mut untrained = photo.split_off(self.encoders.photo_width());
            normalise(&mut untrained);
            untrained
        });
        let width = self.encoders.untrained_width();
        let untrained_text = text.as_ref().map(|text| text[..width].to_vec());
        let category = item.category.clone().unwrap_or_default();
        let named = self
            .label
            .as_ref()
            .and_then(|name| item.attributes.get(name));
        Views {
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
