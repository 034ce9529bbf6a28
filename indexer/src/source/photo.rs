//! The bytes of photos: from files beside the catalog, from Base64 and, where it is allowed, from the web. Decoding does
//! not live here.

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

/// Most bytes of a photo.
const MAX_BYTES: u64 = 32 << 20;

/// Time to fetch a photo, redirects included.
const TIMEOUT: Duration = Duration::from_secs(10);

const MAX_REDIRECTS: u32 = 3;

/// Why the bytes of a photo cannot be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PhotoError {
    #[error("photo {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("photo {}: is no file", path.display())]
    NoFile { path: PathBuf },
    #[error("photo {}: leads outside of the catalog's folder; write a path within it, or an absolute one", path.display())]
    Outside { path: PathBuf },
    #[error("photo {photo}: has more than {MAX_BYTES} bytes")]
    TooLarge { photo: String },
    #[error("photo as bytes: {0}; write standard Base64 with padding")]
    Base64(#[from] base64::DecodeError),
    #[error("photo {uri}: web addresses are fetched only with --fetch-images")]
    NotFetched { uri: String },
    #[error("photo {uri}: {source}")]
    Fetch {
        uri: String,
        source: Box<ureq::Error>,
    },
}

/// Gets photos.
pub struct Photos {
    base: PathBuf,
    /// Present where web addresses are fetched.
    agent: Option<Agent>,
}

impl Photos {
    /// Paths are relative to `base`, the folder of the catalog; web addresses are fetched only where `urls` says so.
    pub fn new(base: PathBuf, urls: bool) -> Self {
        Self {
            base,
            agent: urls.then(|| agent(is_public)),
        }
    }

    /// The bytes of a photo.
    ///
    /// # Errors
    /// It is not there, too large, or not allowed.
    pub fn load(&self, image: &ImageRef) -> Result<Vec<u8>, PhotoError> {
        match image {
            ImageRef::Path(path) => self.read(Path::new(path)),
            ImageRef::Bytes(text) => decode(text),
            ImageRef::Uri(uri) => match &self.agent {
                Some(agent) => fetch(agent, uri),
                None => Err(PhotoError::NotFetched { uri: uri.clone() }),
            },
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, PhotoError> {
        if leads_outside(path) {
            return Err(PhotoError::Outside {
                path: path.to_owned(),
            });
        }
        let path = self.base.join(path);
        let failed = |source| PhotoError::Io {
            path: path.clone(),
            source,
        };
        // Before opening, which waits on a pipe.
        let facts = std::fs::metadata(&path).map_err(failed)?;
        if !facts.is_file() {
            return Err(PhotoError::NoFile { path });
        }
        let too_large = || PhotoError::TooLarge {
            photo: path.display().to_string(),
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

/// Whether the `..` of a relative path lead above where it starts.
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

fn decode(text: &str) -> Result<Vec<u8>, PhotoError> {
    if text.len() as u64 > MAX_BYTES / 3 * 4 {
        return Err(PhotoError::TooLarge {
            photo: "as bytes".to_owned(),
        });
    }
    Ok(BASE64_STANDARD.decode(text)?)
}

pub(super) fn agent(allows: fn(IpAddr) -> bool) -> Agent {
    let config = Agent::config_builder()
        // A proxy from the environment would resolve names by itself, unchecked.
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

pub(super) fn fetch(agent: &Agent, uri: &str) -> Result<Vec<u8>, PhotoError> {
    let response = agent.get(uri).call();
    let bytes = response.and_then(|r| {
        r.into_body()
            .into_with_config()
            .limit(MAX_BYTES)
            .read_to_vec()
    });
    bytes.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => PhotoError::TooLarge {
            photo: uri.to_owned(),
        },
        other => PhotoError::Fetch {
            uri: uri.to_owned(),
            source: Box::new(other),
        },
    })
}
