//! Vectors of a batch: all its texts in one call, all its images in another, combined per item.

use std::thread;

use vitrine::{EmbedError, Embedding};
use vitrine_schemas::{ImageRef, Item};

use super::{
    IndexError, Pipeline, RejectKind,
    prepare::{Image, Prepared},
};
use crate::{
    source::image::{ImageError, Images},
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
    /// Error of an image that was not fetched because --fetch-images is not set.
    not_fetched: Option<String>,
    /// Transient error: retried on the next run.
    retry: bool,
}

impl Pipeline<'_> {
    /// Returns the items with their vectors; those without any are rejected.
    pub(super) fn embed(
        &mut self,
        mut batch: Vec<Prepared>,
    ) -> Result<Vec<(u64, Item)>, IndexError> {
        for prepared in &mut batch {
            prepared.drop_unneeded(self.embedder.dims());
        }
        let mut embeddings = self.embed_texts(&batch);
        self.embed_images(&mut batch, &mut embeddings);
        let mut done = Vec::with_capacity(batch.len());
        for (prepared, embeddings) in batch.into_iter().zip(embeddings) {
            let (line, mut item) = (prepared.line, prepared.item);
            let id = item.id.clone();
            match self.join(&mut item, &embeddings) {
                Ok(()) => {
                    for error in &embeddings.errors {
                        self.reject(line, Some(&id), RejectKind::Image, error)?;
                    }
                    item.content_hash = (!embeddings.retry).then_some(prepared.hash);
                    done.push((line, item));
                }
                Err(reason) => self.reject(line, Some(&id), RejectKind::Record, &reason)?,
            }
        }
        Ok(done)
    }

    fn embed_texts(&self, batch: &[Prepared]) -> Vec<ItemEmbeddings> {
        let texts: Vec<&str> = batch.iter().filter_map(|p| p.text.as_deref()).collect();
        let mut texts = self.embedder.embed_text(&texts).into_iter();
        let mut embeddings_of = |prepared: &Prepared| ItemEmbeddings {
            text: prepared.text.as_ref().and_then(|_| texts.next()),
            ..ItemEmbeddings::default()
        };
        batch.iter().map(&mut embeddings_of).collect()
    }

    fn embed_images(&mut self, batch: &mut [Prepared], embeddings: &mut [ItemEmbeddings]) {
        // The images of all items in one list; `owners` holds the item of each.
        let (mut owners, mut images) = (Vec::new(), Vec::new());
        for (owner, image, bytes) in collect(batch, &self.images) {
            match bytes {
                Ok(bytes) => {
                    owners.push((owner, image));
                    images.push(bytes);
                }
                Err(error @ ImageError::NotFetched { .. }) => {
                    self.not_fetched += 1;
                    embeddings[owner].not_fetched = Some(error.to_string());
                }
                Err(error) => {
                    embeddings[owner].retry |= matches!(error, ImageError::Fetch { .. });
                    embeddings[owner].errors.push(error.to_string());
                }
            }
        }
        let embedded = self.embedder.embed_image(&images);
        for ((owner, image), embedding) in owners.into_iter().zip(embedded) {
            match embedding {
                Ok(embedding) => embeddings[owner].images.push(embedding),
                Err(error) => embeddings[owner]
                    .errors
                    .push(format!("image {image}: {error}")),
            }
        }
    }

    /// Adds the vectors that the item lacks: the weighted mean of its text, its images and its
    /// behavior.
    fn join(&self, item: &mut Item, embeddings: &ItemEmbeddings) -> Result<(), String> {
        let text = match &embeddings.text {
            Some(Err(error)) => return Err(error.to_string()),
            Some(Ok(embedding)) => Some((self.options.text_weight, embedding)),
            None => None,
        };
        let each = self.options.image_weight / embeddings.images.len().max(1) as f32;
        let images = embeddings.images.iter().map(|embedding| (each, embedding));
        let behavior = self.embedder.embed_behavior(&item.id);
        let behavior = behavior.map_err(|error| error.to_string())?;
        let weight = self.options.behavior_weight;
        let behavior = behavior.iter().map(|(n, vectors)| (weight * n, vectors));
        let all: Vec<_> = text.into_iter().chain(images).chain(behavior).collect();
        for space in self.embedder.dims().keys() {
            let vectors: Vec<(f32, &[f32])> = all
                .iter()
                .filter_map(|(weight, embedding)| Some((*weight, embedding.get(space)?.as_slice())))
                .collect();
            if !vectors.is_empty() && !item.vectors.contains_key(space) {
                item.vectors.insert(space.clone(), fuse(&vectors));
                // A fingerprint of the item itself stays: vectors of other encoders are rejected,
                // not relabeled.
                let fingerprint = || self.embedder.fingerprint().to_owned();
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
        let mut reasons: Vec<_> = embeddings
            .errors
            .iter()
            .chain(&embeddings.not_fetched)
            .cloned()
            .collect();
        reasons.push("add a title, a description, an image or vectors".to_owned());
        Err(format!("nothing to embed: {}", reasons.join("; ")))
    }
}

/// Takes the images out of the batch, each with the index of its item and its name.
fn collect(batch: &mut [Prepared], images: &Images) -> Vec<(usize, String, Bytes)> {
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

fn load(refs: &[(usize, ImageRef)], images: &Images) -> Vec<(usize, String, Bytes)> {
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
