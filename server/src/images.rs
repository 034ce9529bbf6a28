//! Bytes of item images, from the configured folders. Nothing is fetched from the network, and
//! neither `..` nor a symbolic link escapes a folder.

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

/// Maximum size of an image file in bytes.
const MAX_IMAGE_BYTES: u64 = 32 << 20;

/// Folders of item images.
pub struct ImageFolders {
    root: Option<Dir>,
    roots: BTreeMap<String, Dir>,
}

/// Location of the bytes of an image.
pub enum ImageSource<'a> {
    /// A file in a folder.
    File {
        /// The folder.
        dir: &'a Dir,
        /// Path within the folder.
        path: &'a Path,
        /// Metadata of the file.
        metadata: Metadata,
    },
    /// Bytes in the item record.
    Bytes(Vec<u8>),
}

impl ImageFolders {
    /// Opens the folders.
    ///
    /// # Errors
    /// A folder does not exist; the message names its setting.
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

    /// Finds image `n` of an item, from 0.
    ///
    /// # Errors
    /// 404 if the image does not exist or cannot be served; the detail gives the cause.
    pub fn find<'a>(
        &'a self,
        collection: &str,
        item: &'a Item,
        n: usize,
    ) -> ApiResult<ImageSource<'a>> {
        let image = item.images.get(n).ok_or_else(|| {
            let count = item.images.len();
            not_found(format!(
                "no image {n}: item `{}` has {count} images, numbered from 0",
                item.id
            ))
        })?;
        match image {
            ImageRef::Uri(_) => Err(not_found(
                "the image is a URI; the server does not fetch images from the network",
            )),
            ImageRef::Bytes(text) => {
                let bytes = STANDARD.decode(text);
                let error = |e| not_found(format!("the image bytes are not base64: {e}"));
                Ok(ImageSource::Bytes(bytes.map_err(error)?))
            }
            ImageRef::Path(path) => self.file(collection, Path::new(path)),
        }
    }

    /// Returns true if image paths of a collection can be read.
    pub fn has_folder(&self, collection: &str) -> bool {
        self.roots.contains_key(collection) || self.root.is_some()
    }

    /// Finds an image file by its path.
    ///
    /// # Errors
    /// 404 if it is not a file within the folder of the collection.
    pub fn file<'a>(&'a self, collection: &str, path: &'a Path) -> ApiResult<ImageSource<'a>> {
        let dir = self.roots.get(collection).or(self.root.as_ref());
        let dir = dir.ok_or_else(|| {
            not_found("no image folder is configured; set `images.root` (--images-root)")
        })?;
        // Checked before opening, since opening a pipe blocks.
        let metadata = dir.metadata(path).ok().filter(Metadata::is_file);
        let metadata = metadata.ok_or_else(missing)?;
        Ok(ImageSource::File {
            dir,
            path,
            metadata,
        })
    }
}

impl ImageSource<'_> {
    /// Returns a hash that identifies the content; of a file, a hash of its path, length and
    /// modification time.
    pub fn identity(&self) -> blake3::Hash {
        match self {
            Self::Bytes(bytes) => blake3::hash(bytes),
            Self::File { path, metadata, .. } => {
                let modified = metadata.modified().ok();
                let modified = modified.map(cap_std::time::SystemTime::into_std);
                blake3::hash(format!("{path:?} {} {modified:?}", metadata.len()).as_bytes())
            }
        }
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// 404 if the file is gone or too large.
    pub fn read(self) -> ApiResult<Vec<u8>> {
        let (dir, path, metadata) = match self {
            Self::Bytes(bytes) => return Ok(bytes),
            Self::File {
                dir,
                path,
                metadata,
            } => (dir, path, metadata),
        };
        let too_large = || not_found(format!("the image is longer than {MAX_IMAGE_BYTES} bytes"));
        if metadata.len() > MAX_IMAGE_BYTES {
            return Err(too_large());
        }
        let file = dir.open(path).map_err(|_| missing())?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_IMAGE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|_| missing())?;
        if bytes.len() as u64 > MAX_IMAGE_BYTES {
            return Err(too_large());
        }
        Ok(bytes)
    }
}

/// One error for all files that must not or cannot be read; it reveals nothing outside the folder.
fn missing() -> ApiError {
    not_found("the image path is not a readable file within the image folder (`images.root`)")
}

/// Creates a 404 for an image.
pub fn not_found(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "image_not_found", detail)
}
