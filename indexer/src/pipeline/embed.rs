//! Vectors of a batch: all its texts in one call, all its images in another, combined per item.

use std::thread;

use rayon::prelude::*;
use vitrine::{EmbedError, Embedder, Embedding};
use vitrine_schemas::{ImageRef, Item};

use super::{
    IndexError, Options, Pipeline, RejectKind,
    prepare::{Image, Prepared},
};
use crate::{
    source::image::{ImageError, LoadImage},
    space::fuse,
};

/// Number of images fetched concurrently; most of the time is spent waiting for the network.
const FETCHES: usize = 16;

type Bytes = Result<Vec<u8>, ImageError>;

/// Embeddings that an item's vectors are made of, and the errors met.
#[derive(Default)]
struct ItemEmbeddings {
    text: Option<Result<Embedding, EmbedError>>,
    images: Vec<Embedding>,
    errors: Vec<String>,
    /// Errors of images that were not read because that is not enabled.
    not_read: Vec<String>,
    /// Transient error: retried on the next run.
    retry: bool,
}

/// Outcome of an item.
pub(super) struct Outcome {
    pub line: u64,
    pub id: String,
    /// Number of images that were not read because that is not enabled.
    pub not_read: u64,
    /// The item with its vectors and the errors of its images, or why it has none.
    pub result: Result<Vectorized, String>,
}

/// An item with its vectors.
pub struct Vectorized {
    /// The item, without images that were sent as bytes.
    pub item: Item,
    /// Errors of images that are not part of its vectors.
    pub image_errors: Vec<String>,
}

/// Embeds items exactly as a run does. Returns one result per item, in order.
pub fn embed_items(
    embedder: &dyn Embedder,
    images: &dyn LoadImage,
    options: &Options,
    items: Vec<Item>,
) -> Vec<Result<Vectorized, String>> {
    let fingerprint = embedder.fingerprint();
    let prepare = |item| Prepared::new(0, item, images, fingerprint, options);
    let batch = items.into_par_iter().map(prepare).collect();
    let outcomes = embed_prepared(embedder, images, options, batch).into_iter();
    outcomes.map(|outcome| outcome.result).collect()
}

/// Returns the vectors of prepared items: all texts in one call, all images in another.
pub(super) fn embed_prepared(
    embedder: &dyn Embedder,
    images: &dyn LoadImage,
    options: &Options,
    mut batch: Vec<Prepared>,
) -> Vec<Outcome> {
    for prepared in &mut batch {
        prepared.drop_unneeded(embedder.dims());
    }
    let mut embeddings = embed_texts(embedder, &batch);
    embed_images(embedder, images, &mut batch, &mut embeddings);
    let outcome = |(prepared, embeddings): (Prepared, ItemEmbeddings)| {
        let (line, mut item) = (prepared.line, prepared.item);
        let (id, not_read) = (item.id.clone(), embeddings.not_read.len() as u64);
        let result = join(embedder, options, &mut item, &embeddings).map(|()| {
            item.content_hash = (!embeddings.retry).then_some(prepared.hash);
            Vectorized {
                item,
                image_errors: embeddings.errors,
            }
        });
        Outcome {
            line,
            id,
            not_read,
            result,
        }
    };
    batch.into_iter().zip(embeddings).map(outcome).collect()
}

impl Pipeline<'_> {
    /// Returns the items with their vectors; those without any are rejected.
    pub(super) fn embed(&mut self, batch: Vec<Prepared>) -> Result<Vec<(u64, Item)>, IndexError> {
        let mut done = Vec::with_capacity(batch.len());
        for outcome in embed_prepared(self.embedder, &self.images, &self.options, batch) {
            self.not_fetched += outcome.not_read;
            let (line, id) = (outcome.line, outcome.id);
            match outcome.result {
                Ok(Vectorized { item, image_errors }) => {
                    for error in &image_errors {
                        self.reject(line, Some(&id), RejectKind::Image, error)?;
                    }
                    done.push((line, item));
                }
                Err(reason) => self.reject(line, Some(&id), RejectKind::Record, &reason)?,
            }
        }
        Ok(done)
    }
}

fn embed_texts(embedder: &dyn Embedder, batch: &[Prepared]) -> Vec<ItemEmbeddings> {
    let texts: Vec<&str> = batch.iter().filter_map(|p| p.text.as_deref()).collect();
    let mut texts = embedder.embed_text(&texts).into_iter();
    let mut embeddings_of = |prepared: &Prepared| ItemEmbeddings {
        text: prepared.text.as_ref().and_then(|_| texts.next()),
        ..ItemEmbeddings::default()
    };
    batch.iter().map(&mut embeddings_of).collect()
}

fn embed_images(
    embedder: &dyn Embedder,
    images: &dyn LoadImage,
    batch: &mut [Prepared],
    embeddings: &mut [ItemEmbeddings],
) {
    // The images of all items in one list; `owners` holds the item of each, and the image's name.
    let (mut owners, mut found) = (Vec::new(), Vec::new());
    for (owner, image, bytes) in collect(batch, images) {
        match bytes {
            Ok(bytes) => {
                owners.push((owner, image));
                found.push(bytes);
            }
            Err(error @ (ImageError::NotFetched { .. } | ImageError::NotAllowed { .. })) => {
                embeddings[owner].not_read.push(error.to_string());
            }
            Err(error) => {
                embeddings[owner].retry |= matches!(error, ImageError::Fetch { .. });
                embeddings[owner].errors.push(error.to_string());
            }
        }
    }
    for ((owner, image), embedding) in owners.into_iter().zip(embedder.embed_image(&found)) {
        match embedding {
            Ok(embedding) => embeddings[owner].images.push(embedding),
            Err(error) => {
                let error = format!("image {image}: {error}");
                embeddings[owner].errors.push(error);
            }
        }
    }
}

/// Adds the vectors that the item lacks: the weighted mean of its text, its images and its
/// behavior.
fn join(
    embedder: &dyn Embedder,
    options: &Options,
    item: &mut Item,
    embeddings: &ItemEmbeddings,
) -> Result<(), String> {
    let text = match &embeddings.text {
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(embedding)) => Some((options.text_weight, embedding)),
        None => None,
    };
    let each = options.image_weight / embeddings.images.len().max(1) as f32;
    let images = embeddings.images.iter().map(|embedding| (each, embedding));
    let behavior = embedder.embed_behavior(&item.id);
    let behavior = behavior.map_err(|error| error.to_string())?;
    let weight = options.behavior_weight;
    let behavior = behavior.iter().map(|(n, vectors)| (weight * n, vectors));
    let all: Vec<_> = text.into_iter().chain(images).chain(behavior).collect();
    for space in embedder.dims().keys() {
        let vectors: Vec<(f32, &[f32])> = all
            .iter()
            .filter_map(|(weight, embedding)| Some((*weight, embedding.get(space)?.as_slice())))
            .collect();
        if !vectors.is_empty() && !item.vectors.contains_key(space) {
            item.vectors.insert(space.clone(), fuse(&vectors));
            // A fingerprint of the item itself stays: vectors of other encoders are rejected,
            // not relabeled.
            let fingerprint = || embedder.fingerprint().to_owned();
            item.fingerprint.get_or_insert_with(fingerprint);
        }
    }
    // JSON has no infinity, but numbers that overflow f32.
    let broken = |v: &&Vec<f32>| !v.iter().all(|x| x.is_finite());
    if let Some((space, _)) = item.vectors.iter().find(|(_, v)| broken(v)) {
        return Err(format!("vector `{space}` has a value that is not finite"));
    }
    if !item.vectors.is_empty() {
        return Ok(());
    }
    let reasons = embeddings.errors.iter().chain(&embeddings.not_read);
    let mut reasons: Vec<_> = reasons.cloned().collect();
    reasons.push("add a title, a description, an image or vectors".to_owned());
    Err(format!("nothing to embed: {}", reasons.join("; ")))
}

/// Takes the images out of the batch, each with the index of its item and its name.
fn collect(batch: &mut [Prepared], images: &dyn LoadImage) -> Vec<(usize, String, Bytes)> {
    let (mut there, mut later) = (Vec::new(), Vec::new());
    for (owner, prepared) in batch.iter_mut().enumerate() {
        for image in prepared.images.drain(..) {
            match image {
                Image::Read(path, bytes) => there.push((owner, path, bytes)),
                Image::Later(image) => later.push((owner, image)),
            }
        }
    }
    there.extend(load(&later, images));
    there
}

fn load(refs: &[(usize, ImageRef)], images: &dyn LoadImage) -> Vec<(usize, String, Bytes)> {
    let get = |(owner, image): &(usize, ImageRef)| {
        let name = match image {
            ImageRef::Uri(name) | ImageRef::Path(name) => name.clone(),
            ImageRef::Bytes(_) => "as bytes".to_owned(),
        };
        (*owner, name, images.load(image))
    };
    thread::scope(|scope| {
        let chunks = refs.chunks(refs.len().div_ceil(FETCHES).max(1));
        let workers: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || chunk.iter().map(get).collect::<Vec<_>>()))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .flat_map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
