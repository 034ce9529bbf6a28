//! Images of written items: bytes in the item, files of the image folders and, if allowed, public
//! web addresses.

use std::{io, path::Path};

use vitrine_indexer::source::image::{ImageError, Images, LoadImage};
use vitrine_schemas::ImageRef;

use crate::images::ImageFolders;

/// Images that the server may read for a collection.
pub(super) struct ServerImages<'a> {
    pub folders: &'a ImageFolders,
    /// Reader of bytes and web addresses.
    pub others: &'a Images,
    pub collection: &'a str,
    pub fetches: bool,
}

impl LoadImage for ServerImages<'_> {
    fn load(&self, image: &ImageRef) -> Result<Vec<u8>, ImageError> {
        let not_allowed = |image: &str, hint| ImageError::NotAllowed {
            image: image.to_owned(),
            hint,
        };
        match image {
            ImageRef::Bytes(_) => self.others.load(image),
            ImageRef::Uri(_) if self.fetches => self.others.load(image),
            ImageRef::Uri(uri) => Err(not_allowed(
                uri,
                "web addresses are fetched only with `embedding.fetch_images`",
            )),
            ImageRef::Path(path) if !self.folders.has_folder(self.collection) => Err(not_allowed(
                path,
                "files are read only from a folder that `images.root` or `images.roots` names",
            )),
            ImageRef::Path(path) => {
                let read = |path| self.folders.file(self.collection, path)?.read();
                read(Path::new(path)).map_err(|error| ImageError::Io {
                    path: path.into(),
                    source: io::Error::other(error.detail),
                })
            }
        }
    }
}
