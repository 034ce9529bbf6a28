//! Bytes of images: from files next to the catalog, from Base64 and, if allowed, from the web.
//! Decoding does not live here.

use std::{
    fs::File,
    io::{self, Read},
    net::IpAddr,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ureq::{Agent, unversioned::transport::DefaultConnector};
use vitrine_schemas::ImageRef;

use super::public_net::{CheckedResolver, is_public};

/// Maximum size of an image in bytes.
const MAX_BYTES: u64 = 32 << 20;

/// Timeout for fetching an image, redirects included.
const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_REDIRECTS: u32 = 3;

/// Errors of reading the bytes of an image.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ImageError {
    #[error("image {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("image {}: not a regular file", path.display())]
    NoFile { path: PathBuf },
    #[error("image {}: the path is outside of the catalog's folder; use a path within it, or an absolute one", path.display())]
    Outside { path: PathBuf },
    #[error("image {image}: larger than {MAX_BYTES} bytes")]
    TooLarge { image: String },
    #[error("image as bytes: {0}; expected standard Base64 with padding")]
    Base64(#[from] base64::DecodeError),
    #[error("image {uri}: web addresses are fetched only with --fetch-images")]
    NotFetched { uri: String },
    #[error("image {image}: {hint}")]
    NotAllowed { image: String, hint: &'static str },
    #[error("image {uri}: {source}")]
    Fetch {
        uri: String,
        source: Box<ureq::Error>,
    },
}

/// Source of the bytes of images.
pub trait LoadImage: Sync {
    /// Returns the bytes of an image.
    ///
    /// # Errors
    /// The image is missing, too large, or not allowed.
    fn load(&self, image: &ImageRef) -> Result<Vec<u8>, ImageError>;
}

/// Reader of images.
pub struct Images {
    base: PathBuf,
    /// Present if web addresses are fetched.
    agent: Option<Agent>,
}

impl Images {
    /// Creates a reader. Paths are relative to `base`, the folder of the catalog; web addresses are
    /// fetched only if `urls` is set.
    pub fn new(base: PathBuf, urls: bool) -> Self {
        Self {
            base,
            agent: urls.then(|| agent(is_public)),
        }
    }

    /// Returns the bytes of an image.
    ///
    /// # Errors
    /// The image is missing, too large, or not allowed.
    pub fn load(&self, image: &ImageRef) -> Result<Vec<u8>, ImageError> {
        match image {
            ImageRef::Path(path) => self.read(Path::new(path)),
            ImageRef::Bytes(text) => decode(text),
            ImageRef::Uri(uri) => match &self.agent {
                Some(agent) => fetch(agent, uri),
                None => Err(ImageError::NotFetched { uri: uri.clone() }),
            },
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, ImageError> {
        if leads_outside(path) {
            return Err(ImageError::Outside {
                path: path.to_owned(),
            });
        }
        let path = self.base.join(path);
        let failed = |source| ImageError::Io {
            path: path.clone(),
            source,
        };
        // Checked before opening, which would block on a pipe.
        let facts = std::fs::metadata(&path).map_err(failed)?;
        if !facts.is_file() {
            return Err(ImageError::NoFile { path });
        }
        let too_large = || ImageError::TooLarge {
            image: path.display().to_string(),
        };
        if facts.len() > MAX_BYTES {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_large());
        }
        Ok(bytes)
    }
}

impl LoadImage for Images {
    fn load(&self, image: &ImageRef) -> Result<Vec<u8>, ImageError> {
        Images::load(self, image)
    }
}

/// Returns true if the `..` of a relative path lead above its start.
fn leads_outside(path: &Path) -> bool {
    let mut depth = 0_i32;
    !path.is_absolute()
        && path.components().any(|component| {
            match component {
                Component::Normal(_) => depth += 1,
                Component::ParentDir => depth -= 1,
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
            depth < 0
        })
}

fn decode(text: &str) -> Result<Vec<u8>, ImageError> {
    if text.len() as u64 > MAX_BYTES / 3 * 4 {
        return Err(ImageError::TooLarge {
            image: "as bytes".to_owned(),
        });
    }
    Ok(BASE64_STANDARD.decode(text)?)
}

pub(super) fn agent(allows: fn(IpAddr) -> bool) -> Agent {
    let config = Agent::config_builder()
        // A proxy from the environment would resolve names itself, unchecked.
        .proxy(None)
        .max_redirects(MAX_REDIRECTS)
        .timeout_global(Some(TIMEOUT))
        .build();
    Agent::with_parts(
        config,
        DefaultConnector::default(),
        CheckedResolver { allows },
    )
}

pub(super) fn fetch(agent: &Agent, uri: &str) -> Result<Vec<u8>, ImageError> {
    let response = agent.get(uri).call();
    let bytes = response.and_then(|r| {
        r.into_body()
            .into_with_config()
            .limit(MAX_BYTES)
            .read_to_vec()
    });
    bytes.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => ImageError::TooLarge {
            image: uri.to_owned(),
        },
        other => ImageError::Fetch {
            uri: uri.to_owned(),
            source: Box::new(other),
        },
    })
}
