//! The vectors of a batch: all its texts in one call, all its photos in another, joined item by item.

use std::thread;

use vitrine::{EmbedError, Embedding};
use vitrine_schemas::{ImageRef, Item};

use super::{
    IndexError, Pipeline, RejectKind,
    prepare::{Photo, Prepared},
};
use crate::{
    source::photo::{PhotoError, Photos},
    space::fuse,
};

/// Photos fetched at the same time; the time goes on waiting for the web.
const FETCHES: usize = 16;

type Bytes = Result<Vec<u8>, PhotoError>;

/// What there is to make an item's vectors of.
#[derive(Default)]
struct Parts {
    text: Option<Result<Embedding, EmbedError>>,
    photos: Vec<Embedding>,
    faults: Vec<String>,
    /// Why a photo was left out that nobody asked for.
    left_out: Option<String>,
    /// A fault may pass, so the item is to be tried again at the next run.
    again: bool,
}

impl Pipeline<'_> {
    /// Items with their vectors; those that cannot have any are refused.
    pub(super) fn embed(
        &mut self,
        mut batch: Vec<Prepared>,
    ) -> Result<Vec<(u64, Item)>, IndexError> {
        for prepared in &mut batch {
            prepared.spare(self.embedder.dims());
        }
        let mut parts = self.text_parts(&batch);
        self.photo_parts(&mut batch, &mut parts);
        let mut done = Vec::with_capacity(batch.len());
        for (prepared, parts) in batch.into_iter().zip(parts) {
            let (line, mut item) = (prepared.line, prepared.item);
            let id = item.id.clone();
            match self.join(&mut item, &parts) {
                Ok(()) => {
                    for fault in &parts.faults {
                        self.reject(line, Some(&id), RejectKind::Photo, fault)?;
                    }
                    item.content_hash = (!parts.again).then_some(prepared.hash);
                    done.push((line, item));
                }
                Err(reason) => self.reject(line, Some(&id), RejectKind::Record, &reason)?,
            }
        }
        Ok(done)
    }

    fn text_parts(&self, batch: &[Prepared]) -> Vec<Parts> {
        let texts: Vec<&str> = batch.iter().filter_map(|p| p.text.as_deref()).collect();
        let mut texts = self.embedder.embed_text(&texts).into_iter();
        let mut part = |prepared: &Prepared| Parts {
            text: prepared.text.as_ref().and_then(|_| texts.next()),
            ..Parts::default()
        };
        batch.iter().map(&mut part).collect()
    }

    fn photo_parts(&mut self, batch: &mut [Prepared], parts: &mut [Parts]) {
        // The photos of all items in one row; `owners` says whose each is.
        let (mut owners, mut photos) = (Vec::new(), Vec::new());
        for (owner, bytes) in collect(batch, &self.photos) {
            match bytes {
                Ok(bytes) => {
                    owners.push(owner);
                    photos.push(bytes);
                }
                Err(error @ PhotoError::NotFetched { .. }) => {
                    self.not_fetched += 1;
                    parts[owner].left_out = Some(error.to_string());
                }
                Err(error) => {
                    parts[owner].again |= matches!(error, PhotoError::Fetch { .. });
                    parts[owner].faults.push(error.to_string());
                }
            }
        }
        for (owner, embedding) in owners.into_iter().zip(self.embedder.embed_image(&photos)) {
            match embedding {
                Ok(embedding) => parts[owner].photos.push(embedding),
                Err(error) => parts[owner].faults.push(format!("photo: {error}")),
            }
        }
    }

    /// Gives the item the vectors it lacks: the weighted mean of what there is of its text, its photos and its behaviour.
    fn join(&self, item: &mut Item, parts: &Parts) -> Result<(), String> {
        let text = match &parts.text {
            Some(Err(error)) => return Err(error.to_string()),
            Some(Ok(embedding)) => Some((self.options.text_weight, embedding)),
            None => None,
        };
        let each = self.options.image_weight / parts.photos.len().max(1) as f32;
        let photos = parts.photos.iter().map(|embedding| (each, embedding));
        let behavior = self.embedder.embed_behavior(&item.id);
        let behavior = behavior.map_err(|error| error.to_string())?;
        let weight = self.options.behavior_weight;
        let behavior = behavior.iter().map(|(n, vectors)| (weight * n, vectors));
        let all: Vec<_> = text.into_iter().chain(photos).chain(behavior).collect();
        for space in self.embedder.dims().keys() {
            let vectors: Vec<(f32, &[f32])> = all
                .iter()
                .filter_map(|(weight, embedding)| Some((*weight, embedding.get(space)?.as_slice())))
                .collect();
            if !vectors.is_empty() && !item.vectors.contains_key(space) {
                item.vectors.insert(space.clone(), fuse(&vectors));
                // One the item came with stays: vectors of other encoders are refused, not renamed.
                let fingerprint = || self.embedder.fingerprint().to_owned();
                item.fingerprint.get_or_insert_with(fingerprint);
            }
        }
        // JSON has no infinity, but numbers too large for a vector.
        let broken = |v: &&Vec<f32>| !v.iter().all(|x| x.is_finite());
        if let Some((space, _)) = item.vectors.iter().find(|(_, v)| broken(v)) {
            return Err(format!("vector `{space}` has a number that is not finite"));
        }
        if !item.vectors.is_empty() {
            return Ok(());
        }
        let mut reasons: Vec<_> = parts
            .faults
            .iter()
            .chain(&parts.left_out)
            .cloned()
            .collect();
        reasons.push("give it a title, a description, a photo or vectors".to_owned());
        Err(format!("nothing to embed: {}", reasons.join("; ")))
    }
}

/// Takes the photos out of the batch, each with the place of its item.
fn collect(batch: &mut [Prepared], photos: &Photos) -> Vec<(usize, Bytes)> {
    let (mut there, mut later) = (Vec::new(), Vec::new());
    for (owner, prepared) in batch.iter_mut().enumerate() {
        for photo in prepared.photos.drain(..) {
            match photo {
                Photo::Read(bytes) => there.push((owner, bytes)),
                Photo::Later(image) => later.push((owner, image)),
            }
        }
    }
    there.extend(load(&later, photos));
    there
}

fn load(images: &[(usize, ImageRef)], photos: &Photos) -> Vec<(usize, Bytes)> {
    let get = |(owner, image): &(usize, ImageRef)| (*owner, photos.load(image));
    thread::scope(|scope| {
        let chunks = images.chunks(images.len().div_ceil(FETCHES).max(1));
        let workers: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || chunk.iter().map(get).collect::<Vec<_>>()))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .flat_map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
