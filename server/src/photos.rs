//! The bytes of items' photos, from the folders that the operator names. Nothing is fetched from the network, and
//! neither `..` nor a link leads out of a folder.

use std::{collections::BTreeMap, io::Read, path::Path};

use actix_web::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata},
};
use vitrine_schemas::{ImageRef, Item};

use crate::{
    config::Images,
    error::{ApiError, ApiResult},
};

/// Largest file.
const MOST_BYTES: u64 = 32 << 20;

/// Folders of photos.
pub struct Photos {
    root: Option<Dir>,
    roots: BTreeMap<String, Dir>,
}

/// Where the bytes of a photo are.
pub enum Photo<'a> {
    /// In a file of a folder.
    File {
        /// The folder.
        dir: &'a Dir,
        /// Path within it.
        path: &'a Path,
        /// Of the file.
        facts: Metadata,
    },
    /// In the record.
    Bytes(Vec<u8>),
}

impl Photos {
    /// Opens the folders.
    ///
    /// # Errors
    /// One is not there; the message names its setting.
    pub fn open(images: &Images) -> Result<Self, String> {
        let open = |name: &str, path: &Path| {
            Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|e| format!("{name}: {}: {e}", path.display()))
        };
        let roots = images.roots.iter().map(|(collection, path)| {
            let dir = open(&format!("images.roots.{collection}"), path)?;
            Ok((collection.clone(), dir))
        });
        Ok(Self {
            root: images
                .root
                .as_deref()
                .map(|path| open("images.root", path))
                .transpose()?,
            roots: roots.collect::<Result<_, String>>()?,
        })
    }

    /// Photo `n` of an item, from 0.
    ///
    /// # Errors
    /// 404: there is none that can be had; the detail says why.
    pub fn find<'a>(&'a self, collection: &str, item: &'a Item, n: usize) -> ApiResult<Photo<'a>> {
        let image = item.images.get(n).ok_or_else(|| {
            let count = item.images.len();
            not_found(format!(
                "item `{}` has {count} photos, counted from 0",
                item.id
            ))
        })?;
        match image {
            ImageRef::Uri(_) => Err(not_found(
                "the photo is a web address, and the server fetches nothing from the network",
            )),
            ImageRef::Bytes(text) => {
                let bytes = STANDARD.decode(text);
                let fault = |e| not_found(format!("the photo's bytes are not base64: {e}"));
                Ok(Photo::Bytes(bytes.map_err(fault)?))
            }
            ImageRef::Path(path) => {
                let dir = self.roots.get(collection).or(self.root.as_ref());
                let dir = dir.ok_or_else(|| {
                    not_found(
                        "no folder of photos is configured: set `images.root` (--images-root)",
                    )
                })?;
                let path = Path::new(path);
                // Before opening, which waits on a pipe.
                let facts = dir.metadata(path).ok().filter(Metadata::is_file);
                let facts = facts.ok_or_else(missing)?;
                Ok(Photo::File { dir, path, facts })
            }
        }
    }
}

impl Photo<'_> {
    /// Tells this content from others: of a file by its path, length and time.
    pub fn identity(&self) -> blake3::Hash {
        match self {
            Self::Bytes(bytes) => blake3::hash(bytes),
            Self::File { path, facts, .. } => {
                let modified = facts.modified().ok();
                let modified = modified.map(cap_std::time::SystemTime::into_std);
                blake3::hash(format!("{path:?} {} {modified:?}", facts.len()).as_bytes())
            }
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// 404: the file is gone or too large.
    pub fn read(self) -> ApiResult<Vec<u8>> {
        let (dir, path, facts) = match self {
            Self::Bytes(bytes) => return Ok(bytes),
            Self::File { dir, path, facts } => (dir, path, facts),
        };
        let too_large = || not_found(format!("the photo has more than {MOST_BYTES} bytes"));
        if facts.len() > MOST_BYTES {
            return Err(too_large());
        }
        let file = dir.open(path).map_err(|_| missing())?;
        let mut bytes = Vec::new();
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|_| missing())?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(too_large());
        }
        Ok(bytes)
    }
}

/// One answer for all files that may not or cannot be read: it tells nothing of what lies outside.
fn missing() -> ApiError {
    not_found("the photo's path leads to no file within the folder of photos (`images.root`)")
}

/// 404.
pub fn not_found(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "image_not_found", detail)
}
