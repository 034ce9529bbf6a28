//! Extraction of features: the texts and images of items as features, from the cache or the
//! encoders.

use std::path::PathBuf;

use rayon::prelude::*;
use vitrine::{EmbedError, ImageBytes};
use vitrine_schemas::Item;

use super::feature_cache::FeatureCache;
use super::{Example, TrainError};
use crate::encode::normalize;
use crate::encode::text::bert::Role;
use crate::pipeline::item_text;
use crate::source::image::Images;
use crate::space::Encoders;

/// Number of items whose images are in memory at a time.
const BATCH: usize = 64;

/// Extraction of features.
pub struct Gather<'a> {
    /// Encoders that compute the features.
    pub encoders: &'a Encoders,
    /// Source of the images.
    pub images: Images,
    /// Folder of the feature caches.
    pub cache: PathBuf,
    /// Attribute used as class label of the images; `None`, or an item without it, uses the
    /// category.
    pub label: Option<String>,
}

/// Features of an item's text and images.
#[derive(Debug, Clone)]
pub struct ItemFeatures {
    /// Item id.
    pub id: String,
    /// Category path; empty if the item has none.
    pub category: String,
    /// See [`Example::label`].
    pub label: String,
    /// Features of the text, if there is one.
    pub text: Option<Vec<f32>>,
    /// Mean features of the images, if one of them can be read.
    pub image: Option<Vec<f32>>,
    /// Text and images in the shared space without heads.
    pub untrained: [Option<Vec<f32>>; 2],
}

impl ItemFeatures {
    /// Returns the training example, if the item has text and image.
    pub fn example(&self) -> Option<Example> {
        let [text, image] = &self.untrained;
        Some(Example {
            id: self.id.clone(),
            category: self.category.clone(),
            label: self.label.clone(),
            text: self.text.clone()?,
            image: self.image.clone()?,
            untrained: [text.clone()?, image.clone()?],
        })
    }
}

/// Number of items with and without usable features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Gathered {
    /// Number of items with text and image.
    pub pairs: usize,
    /// Number of items without text, or whose text cannot be embedded.
    pub without_text: usize,
    /// Number of items without a readable image.
    pub without_image: usize,
}

impl Gather<'_> {
    /// Returns examples of the `items` with both text and image; `progress` is called with the
    /// number of items done.
    ///
    /// # Errors
    /// The encoders or the cache failed; an unusable item is counted and skipped.
    pub fn run(
        &self,
        items: &[Item],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Example>, Gathered), TrainError> {
        let (features, counts) = self.features(items, progress)?;
        let examples = features.iter().filter_map(ItemFeatures::example);
        Ok((examples.collect(), counts))
    }

    /// Returns the features of each of `items`, in their order.
    ///
    /// # Errors
    /// The encoders or the cache failed.
    pub fn features(
        &self,
        items: &[Item],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<ItemFeatures>, Gathered), TrainError> {
        let fingerprint = self.encoders.base_fingerprint();
        let open = |kind, width| FeatureCache::open(&self.cache, kind, fingerprint, width);
        let mut texts = open("text", self.encoders.text_width())?;
        let width = self.encoders.image_width();
        // The name on disk is older.
        let mut images = open("photo", width + self.encoders.untrained_width())?; // style: ignore
        let (mut all, mut counts) = (Vec::with_capacity(items.len()), Gathered::default());
        for (index, batch) in items.chunks(BATCH).enumerate() {
            let text = self.texts(batch, &mut texts)?;
            let image = self.images(batch, &mut images)?;
            for ((item, text), image) in batch.iter().zip(text).zip(image) {
                match (&text, &image) {
                    (Some(_), Some(_)) => counts.pairs += 1,
                    (None, _) => counts.without_text += 1,
                    (_, None) => counts.without_image += 1,
                }
                all.push(self.item_features(item, text, image));
            }
            progress((index * BATCH + batch.len()).min(items.len()));
        }
        Ok((all, counts))
    }

    fn item_features(
        &self,
        item: &Item,
        text: Option<Vec<f32>>,
        mut image: Option<Vec<f32>>,
    ) -> ItemFeatures {
        let untrained_image = image.as_mut().map(|image| {
            let mut untrained = image.split_off(self.encoders.image_width());
            normalize(&mut untrained);
            untrained
        });
        let width = self.encoders.untrained_width();
        let untrained_text = text.as_ref().map(|text| text[..width].to_vec());
        let category = item.category.clone().unwrap_or_default();
        let label = self
            .label
            .as_ref()
            .and_then(|name| item.attributes.get(name));
        ItemFeatures {
            id: item.id.clone(),
            label: label.map_or_else(|| category.clone(), ToString::to_string),
            category,
            text,
            image,
            untrained: [untrained_text, untrained_image],
        }
    }

    fn texts(
        &self,
        batch: &[Item],
        cache: &mut FeatureCache,
    ) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let texts: Vec<Option<String>> = batch.iter().map(item_text).collect();
        let present: Vec<_> = texts.iter().flatten().collect();
        let contents: Vec<&[u8]> = present.iter().map(|t| t.as_bytes()).collect();
        let features = features(&contents, cache, |missing| {
            let texts: Vec<&str> = missing.iter().map(|i| present[*i].as_str()).collect();
            self.encoders.text_features(&texts, Role::Document)
        })?;
        let mut features = features.into_iter();
        let by_item = texts
            .iter()
            .map(|text| text.as_ref().and_then(|_| features.next()?));
        Ok(by_item.collect())
    }

    /// Returns the mean features of each item's images, followed by the mean of their vectors in
    /// the shared space without heads.
    fn images(
        &self,
        batch: &[Item],
        cache: &mut FeatureCache,
    ) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let loaded: Vec<Vec<ImageBytes>> = batch
            .par_iter()
            .map(|item| {
                let bytes = item.images.iter().map(|image| self.images.load(image));
                bytes.filter_map(Result::ok).collect()
            })
            .collect();
        let all: Vec<&ImageBytes> = loaded.iter().flatten().collect();
        let contents: Vec<&[u8]> = all.iter().map(|b| b.as_slice()).collect();
        let features = features(&contents, cache, |missing| {
            let images: Vec<ImageBytes> = missing.iter().map(|i| all[*i].clone()).collect();
            let encoded = self.encoders.image_features(&images).into_iter();
            let joined = encoded
                .map(|result| result.map(|(features, untrained)| [features, untrained].concat()));
            joined.collect()
        })?;
        let mut features = features.into_iter();
        let mut mean = |images: &Vec<ImageBytes>| {
            let rows: Vec<Vec<f32>> = features.by_ref().take(images.len()).flatten().collect();
            let mut sum = rows.first()?.clone();
            for row in &rows[1..] {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sum.iter_mut().for_each(|s| *s /= rows.len() as f32);
            Some(sum)
        };
        Ok(loaded.iter().map(&mut mean).collect())
    }
}

/// Returns the features of contents in order, `None` for invalid ones. `embed` is called with the
/// indices that the cache lacks.
fn features(
    contents: &[&[u8]],
    cache: &mut FeatureCache,
    embed: impl FnOnce(&[usize]) -> Vec<Result<Vec<f32>, EmbedError>>,
) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
    let hashes: Vec<blake3::Hash> = contents.iter().map(|c| blake3::hash(c)).collect();
    let is_missing = |i: &usize| cache.get(&hashes[*i]).is_none();
    let missing: Vec<usize> = (0..contents.len()).filter(is_missing).collect();
    for (index, result) in missing.iter().zip(embed(&missing)) {
        match result {
            Ok(features) => cache.put(&hashes[*index], &features)?,
            Err(EmbedError::Input(_)) => {}
            Err(error) => return Err(TrainError::Embed(error)),
        }
    }
    let all = hashes
        .iter()
        .map(|hash| cache.get(hash).map(<[f32]>::to_vec));
    Ok(all.collect())
}
