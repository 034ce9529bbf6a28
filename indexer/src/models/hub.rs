//! Models of the [Hugging Face Hub](https://huggingface.co/docs/hub/api), or of a server with its
//! interface: the files that an encoder reads, at one commit, which the record of the model locks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Component, Path};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::record::Record;
use super::{FetchError, fetch};
use crate::encode::registry::FINGERPRINT_FILES;

#[cfg(test)]
mod tests;

const SCHEME: &str = "hf:";
const ENDPOINT: &str = "https://huggingface.co";
const WEIGHTS: [&str; 2] = ["model.safetensors", "open_clip_model.safetensors"];

/// Timeout for connecting and for the beginning of an answer; a download may take any time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// A repository of models, as `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    name: String,
    /// Branch, tag or commit; the newest commit of `main` without it.
    revision: Option<String>,
}

impl Repository {
    /// Returns true if a name of a model is that of a repository.
    pub fn is_named_by(name: &str) -> bool {
        name.starts_with(SCHEME)
    }

    /// Folder of the model in the models folder.
    pub fn folder(&self) -> String {
        self.name.replace('/', "--")
    }

    fn source(&self, commit: &str) -> String {
        format!("{SCHEME}{}@{commit}", self.name)
    }

    /// Returns true if a model from `source` is what was asked for.
    fn is_locked_by(&self, source: &str) -> bool {
        match &self.revision {
            Some(revision) => source == self.source(revision),
            None => source.starts_with(&self.source("")),
        }
    }
}

impl FromStr for Repository {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<Self, FetchError> {
        let rest = text.strip_prefix(SCHEME).unwrap_or_default();
        let (name, revision) = match rest.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (rest, None),
        };
        let is_safe = |part: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(is_allowed)
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() == 2 && parts.into_iter().chain(revision).all(is_safe) {
            return Ok(Self {
                name: name.to_owned(),
                revision: revision.map(str::to_owned),
            });
        }
        Err(FetchError::Repository(text.to_owned()))
    }
}

/// The description of a repository at a revision.
#[derive(Deserialize)]
struct Info {
    /// The commit.
    sha: String,
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    license: Option<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    /// Present for large files.
    #[serde(default)]
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: String,
}

/// Returns `$HF_ENDPOINT`, else the address of the Hub.
pub fn endpoint() -> String {
    let given = std::env::var("HF_ENDPOINT").ok().filter(|e| !e.is_empty());
    given.map_or_else(
        || ENDPOINT.to_owned(),
        |e| e.trim_end_matches('/').to_owned(),
    )
}

/// Downloads a model into `dir`, unless an intact one of the requested revision is there.
///
/// # Errors
/// The server cannot be reached or refuses, a checksum is wrong, the repository has no weights as
/// safetensors, or the disk is full.
pub fn get(
    repository: &Repository,
    endpoint: &str,
    dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), FetchError> {
    let (name, target) = (&repository.name, dir.join(repository.folder()));
    let intact = Record::load(&target).filter(|record| record.problems(&target).is_empty());
    let source = intact.and_then(|record| record.source).unwrap_or_default();
    let present = format!("{name}: already present");
    if repository.is_locked_by(&source) {
        progress(&present);
        return Ok(());
    }
    let client = Client::new(endpoint);
    let info = client.info(repository)?;
    if source == repository.source(&info.sha) {
        progress(&present);
        return Ok(());
    }
    let wanted: Vec<&Sibling> = info.siblings.iter().filter(|s| s.is_wanted()).collect();
    if !wanted.iter().any(|s| WEIGHTS.contains(&&*s.rfilename)) {
        return Err(FetchError::Archive {
            archive: name.clone(),
            reason: format!("expected one of {}, got none", WEIGHTS.join(", ")),
        });
    }
    std::fs::create_dir_all(dir).map_err(FetchError::io(dir))?;
    let work = fetch::WorkDir::new(dir)?;
    let built = work.path().join(repository.folder());
    let mut files = BTreeMap::new();
    for Sibling { rfilename, lfs } in wanted {
        progress(&format!("{name}: downloading {rfilename}"));
        let url = format!("{endpoint}/{name}/resolve/{}/{rfilename}", info.sha);
        let found = client.download(&url, &built.join(rfilename))?;
        if let Some(file) = lfs.as_ref().filter(|file| file.sha256 != found) {
            return Err(FetchError::Checksum {
                file: url,
                expected: file.sha256.clone(),
                found,
            });
        }
        files.insert(rfilename.clone(), found);
    }
    let license = info.card.and_then(|card| card.license);
    let record = Record {
        name: repository.folder(),
        license: license.unwrap_or_else(|| "unknown".to_owned()),
        source: Some(repository.source(&info.sha)),
        files,
    };
    record.save(&built)?;
    fetch::replace_dir(&built, &target, work.path())?;
    progress(&format!("{name}: ready as {}", repository.folder()));
    Ok(())
}

impl Sibling {
    /// Returns true for the files that encoders read: some in the folder itself, and those of
    /// modules such as `2_Dense`.
    fn is_wanted(&self) -> bool {
        let path = Path::new(&self.rfilename);
        let is_below = path.components().all(|c| matches!(c, Component::Normal(_)));
        let is_module = || match self.rfilename.split('/').collect::<Vec<_>>()[..] {
            [folder, "config.json" | "model.safetensors"] => {
                folder.starts_with(|c: char| c.is_ascii_digit()) && folder.contains('_')
            }
            _ => false,
        };
        is_below && (FINGERPRINT_FILES.contains(&&*self.rfilename) || is_module())
    }
}

struct Client {
    agent: ureq::Agent,
    endpoint: String,
}

impl Client {
    fn new(endpoint: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .build();
        Self {
            agent: config.into(),
            endpoint: endpoint.to_owned(),
        }
    }

    fn open(&self, url: &str) -> Result<ureq::Body, FetchError> {
        let response = self.agent.get(url).call().map_err(http(url))?;
        Ok(response.into_body())
    }

    fn info(&self, repository: &Repository) -> Result<Info, FetchError> {
        let revision = repository.revision.as_deref().unwrap_or("main");
        let url = format!(
            "{}/api/models/{}/revision/{revision}?blobs=true",
            self.endpoint, repository.name
        );
        let text = self.open(&url)?.read_to_string().map_err(http(&url))?;
        let info: Info = serde_json::from_str(&text).map_err(|e| FetchError::Http {
            url: url.clone(),
            reason: e.to_string(),
        })?;
        let is_commit = !info.sha.is_empty() && info.sha.chars().all(|c| c.is_ascii_hexdigit());
        if is_commit {
            return Ok(info);
        }
        Err(FetchError::Http {
            url,
            reason: format!("expected a commit as `sha`, got `{}`", info.sha),
        })
    }

    /// Writes a file and returns its sha256, hexadecimal.
    fn download(&self, url: &str, path: &Path) -> Result<String, FetchError> {
        let mut body = self.open(url)?.into_reader();
        fetch::write(path, &[])?;
        let mut file = File::create(path).map_err(FetchError::io(path))?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = body.read(&mut chunk).map_err(|e| FetchError::Http {
                url: url.to_owned(),
                reason: e.to_string(),
            })?;
            if read == 0 {
                return Ok(fetch::hexadecimal(&hash.finalize()));
            }
            hash.update(&chunk[..read]);
            file.write_all(&chunk[..read])
                .map_err(FetchError::io(path))?;
        }
    }
}

fn http(url: &str) -> impl FnOnce(ureq::Error) -> FetchError + '_ {
    |error| FetchError::Http {
        url: url.to_owned(),
        reason: error.to_string(),
    }
}
