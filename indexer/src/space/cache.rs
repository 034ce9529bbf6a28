//! Cache of embeddings on disk, keyed by their input: a changed price does not embed the text or
//! the image again.
//!
//! Two files, `new` and `old`. Entries are appended to `new`; when it reaches half of the maximum
//! size it replaces `old`, so entries that were not used in between are evicted. An entry is
//! `key [16], length u32, hash [8], content`; a partial entry left by a crash is truncated when the
//! file is opened.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};

type Key = [u8; 16];

/// Bytes of an entry before its content.
const HEADER: usize = 16 + 4 + 8;

/// An embedder with a cache on disk.
pub struct Cached<'a> {
    inner: &'a dyn Embedder,
    store: Mutex<Store>,
}

impl<'a> Cached<'a> {
    /// Caches embeddings of `inner` in `dir`, at most `max_bytes`.
    ///
    /// # Errors
    /// The folder cannot be created or written to, or another process is using it.
    pub fn open(inner: &'a dyn Embedder, dir: &Path, max_bytes: u64) -> io::Result<Self> {
        let store = Mutex::new(Store::open(dir, max_bytes)?);
        Ok(Self { inner, store })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, kind: &str, content: &[u8]) -> Key {
        let mut hash = blake3::Hasher::new();
        hash.update(self.inner.fingerprint().as_bytes());
        hash.update(kind.as_bytes());
        hash.update(content);
        let hash = hash.finalize();
        std::array::from_fn(|i| hash.as_bytes()[i])
    }

    /// Returns cached embeddings, and embeds the other inputs by one call of `embed`.
    fn get_or_embed<T>(
        &self,
        inputs: &[T],
        key: impl Fn(&T) -> Key,
        embed: impl Fn(Vec<&T>) -> Vec<Result<Embedding, EmbedError>>,
    ) -> Vec<Result<Embedding, EmbedError>> {
        let keys: Vec<Key> = inputs.iter().map(key).collect();
        let cached: Vec<Option<Embedding>> = {
            let mut store = self.store();
            keys.iter().map(|key| store.get(key)).collect()
        };
        let missing = inputs
            .iter()
            .zip(&cached)
            .filter(|(_, cached)| cached.is_none());
        let mut embedded = embed(missing.map(|(input, _)| input).collect()).into_iter();
        let mut store = self.store();
        let result = |(cached, key): (Option<Embedding>, &Key)| match cached {
            Some(embedding) => Ok(embedding),
            None => {
                let no_result = || Err(EmbedError::Model("no result".to_owned()));
                let embedding = embedded.next().unwrap_or_else(no_result)?;
                store.put(*key, &embedding);
                Ok(embedding)
            }
        };
        cached.into_iter().zip(&keys).map(result).collect()
    }
}

impl Embedder for Cached<'_> {
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        let key = |text: &&str| self.key(" text ", text.as_bytes());
        self.get_or_embed(texts, key, |texts| {
            let texts: Vec<&str> = texts.into_iter().copied().collect();
            self.inner.embed_text(&texts)
        })
    }

    /// Queries rarely repeat, so they are not cached.
    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.inner.embed_query(texts)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        let key = |image: &ImageBytes| self.key(" image ", image);
        self.get_or_embed(images, key, |images| {
            let images: Vec<ImageBytes> = images.into_iter().cloned().collect();
            self.inner.embed_image(&images)
        })
    }

    /// A lookup, so it is not cached.
    fn embed_behavior(&self, id: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        self.inner.embed_behavior(id)
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.inner.count_tokens(text)
    }

    fn model_name(&self) -> &str {
        self.inner.model_name()
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn dims(&self) -> &BTreeMap<String, usize> {
        self.inner.dims()
    }
}

/// The two files.
struct Store {
    dir: PathBuf,
    max_bytes: u64,
    new: Generation,
    old: Option<Generation>,
    /// Locked as long as the store is open.
    _lock: File,
    /// True after a write error; nothing is written then.
    broken: bool,
}

impl Store {
    fn open(dir: &Path, max_bytes: u64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another process is using it"),
            TryLockError::Error(error) => error,
        })?;
        let old = dir.join("old");
        Ok(Self {
            dir: dir.to_owned(),
            max_bytes,
            new: Generation::open(&dir.join("new"))?,
            old: old.is_file().then(|| Generation::open(&old)).transpose()?,
            _lock: lock,
            broken: false,
        })
    }

    fn get(&mut self, key: &Key) -> Option<Embedding> {
        if let Some(bytes) = self.new.get(key) {
            return decode(&bytes);
        }
        let embedding = decode(&self.old.as_mut()?.get(key)?)?;
        // Used again, so it moves to `new`.
        self.put(*key, &embedding);
        Some(embedding)
    }

    fn put(&mut self, key: Key, embedding: &Embedding) {
        if self.broken {
            return;
        }
        if let Err(error) = self.add(key, &encode(embedding)) {
            tracing::warn!(%error, dir = %self.dir.display(), "cannot write the embedding cache; embeddings are no longer cached");
            self.broken = true;
        }
    }

    fn add(&mut self, key: Key, content: &[u8]) -> io::Result<()> {
        if self.new.len + (HEADER + content.len()) as u64 > self.max_bytes / 2 {
            std::fs::rename(self.dir.join("new"), self.dir.join("old"))?;
            let new = Generation::open(&self.dir.join("new"))?;
            self.old = Some(std::mem::replace(&mut self.new, new));
        }
        self.new.add(key, content)
    }
}

/// A file of entries with their offsets.
struct Generation {
    file: File,
    len: u64,
    offsets: HashMap<Key, u64>,
}

impl Generation {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let size = file.metadata()?.len();
        let mut reader = BufReader::new(&file);
        let (mut len, mut offsets) = (0, HashMap::new());
        let mut header = [0; HEADER];
        while len + HEADER as u64 <= size {
            reader.read_exact(&mut header)?;
            let (key, content) = read_header(&header);
            let end = len + (HEADER + content) as u64;
            if end > size {
                break;
            }
            reader.seek_relative(content as i64)?;
            offsets.insert(key, len);
            len = end;
        }
        drop(reader);
        file.set_len(len)?;
        Ok(Self { file, len, offsets })
    }

    /// Returns an entry's content; `None` if it is missing or damaged.
    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        let mut header = [0; HEADER];
        self.file
            .seek(SeekFrom::Start(*self.offsets.get(key)?))
            .ok()?;
        self.file.read_exact(&mut header).ok()?;
        let (stored_key, len) = read_header(&header);
        let mut content = Vec::new();
        (&self.file)
            .take(len as u64)
            .read_to_end(&mut content)
            .ok()?;
        let is_whole = stored_key == *key && content.len() == len && header[20..] == hash(&content);
        is_whole.then_some(content)
    }

    fn add(&mut self, key: Key, content: &[u8]) -> io::Result<()> {
        let len = u32::try_from(content.len()).map_err(io::Error::other)?;
        let entry = [&key[..], &len.to_le_bytes(), &hash(content), content].concat();
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(&entry)?;
        self.offsets.insert(key, self.len);
        self.len += entry.len() as u64;
        Ok(())
    }
}

/// Returns the key and the length of the content.
fn read_header(header: &[u8; HEADER]) -> (Key, usize) {
    let key = std::array::from_fn(|i| header[i]);
    let len = u32::from_le_bytes(std::array::from_fn(|i| header[16 + i]));
    (key, len as usize)
}

fn hash(content: &[u8]) -> [u8; 8] {
    let hash = blake3::hash(content);
    std::array::from_fn(|i| hash.as_bytes()[i])
}

/// Serializes an embedding: for each space the length of its name, the name, the number of floats
/// and the floats.
fn encode(embedding: &Embedding) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (space, vector) in embedding {
        bytes.extend((space.len() as u32).to_le_bytes());
        bytes.extend(space.as_bytes());
        bytes.extend((vector.len() as u32).to_le_bytes());
        bytes.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
    }
    bytes
}

fn decode(mut bytes: &[u8]) -> Option<Embedding> {
    let mut embedding = Embedding::new();
    while !bytes.is_empty() {
        let name = take(&mut bytes, 1)?;
        let floats = take(&mut bytes, 4)?;
        let vector = floats
            .as_chunks::<4>()
            .0
            .iter()
            .map(|x| f32::from_le_bytes(*x));
        embedding.insert(String::from_utf8(name.to_vec()).ok()?, vector.collect());
    }
    Some(embedding)
}

/// Takes a count, and that many values of `size` bytes.
fn take<'b>(bytes: &mut &'b [u8], size: usize) -> Option<&'b [u8]> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let (values, rest) =
        rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(size)?)?;
    *bytes = rest;
    Some(values)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Returns the bytes of an input as its vector and counts the inputs.
    struct Counting {
        fingerprint: String,
        dims: BTreeMap<String, usize>,
        embedded_inputs: Mutex<Cell<usize>>,
    }

    impl Counting {
        fn new(fingerprint: &str) -> Self {
            Self {
                fingerprint: fingerprint.to_owned(),
                dims: BTreeMap::new(),
                embedded_inputs: Mutex::default(),
            }
        }

        fn embedded_inputs(&self) -> usize {
            self.embedded_inputs.lock().unwrap().take()
        }

        fn embed<'b>(
            &self,
            inputs: impl Iterator<Item = &'b [u8]>,
        ) -> Vec<Result<Embedding, EmbedError>> {
            let one = |input: &'b [u8]| {
                let embedded_inputs = self.embedded_inputs.lock().unwrap();
                embedded_inputs.set(embedded_inputs.get() + 1);
                match input {
                    b"bad" => Err(EmbedError::Input("bad".to_owned())),
                    _ => Ok([(
                        "text".to_owned(),
                        input.iter().map(|b| f32::from(*b)).collect(),
                    )]
                    .into()),
                }
            };
            inputs.map(one).collect()
        }
    }

    impl Embedder for Counting {
        fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
            self.embed(texts.iter().map(|text| text.as_bytes()))
        }
        fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
            self.embed_text(texts)
        }
        fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
            self.embed(images.iter().map(Vec::as_slice))
        }
        fn embed_behavior(&self, _: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
            Ok(None)
        }
        fn count_tokens(&self, text: &str) -> usize {
            text.len()
        }
        fn model_name(&self) -> &str {
            "counting"
        }
        fn fingerprint(&self) -> &str {
            &self.fingerprint
        }
        fn dims(&self) -> &BTreeMap<String, usize> {
            &self.dims
        }
    }

    const MAX_BYTES: u64 = 1 << 20;

    fn texts(cached: &Cached, texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        let results = cached.embed_text(texts).into_iter();
        results
            .map(|r| r.ok().map(|mut e| e.remove("text").expect("text")))
            .collect()
    }

    #[test]
    fn what_was_embedded_is_not_embedded_again() {
        let dir = tempfile::tempdir().unwrap();
        let inner = Counting::new("f");
        let wanted = [Some(vec![97.0]), None, Some(vec![98.0, 99.0])];
        for (round, embedded_inputs) in [(0, 3), (1, 1), (2, 1)] {
            // Round 2 comes from the file. Failed inputs are retried each time.
            let cached = Cached::open(&inner, dir.path(), MAX_BYTES).unwrap();
            assert_eq!(texts(&cached, &["a", "bad", "bc"]), wanted, "round {round}");
            assert_eq!(inner.embedded_inputs(), embedded_inputs, "round {round}");
            assert_eq!(
                texts(&cached, &["bc", "a"]),
                [wanted[2].clone(), wanted[0].clone()]
            );
            assert_eq!(inner.embedded_inputs(), 0);
        }
        // An image of the same bytes has another key, and so do the embeddings of other encoders.
        let cached = Cached::open(&inner, dir.path(), MAX_BYTES).unwrap();
        cached.embed_image(&[b"a".to_vec()]);
        assert_eq!(inner.embedded_inputs(), 1);
        assert!(
            Cached::open(&inner, dir.path(), MAX_BYTES).is_err(),
            "in use"
        );
        drop(cached);
        let other = Counting::new("g");
        texts(
            &Cached::open(&other, dir.path(), MAX_BYTES).unwrap(),
            &["a"],
        );
        assert_eq!(other.embedded_inputs(), 1);
    }

    #[test]
    fn a_torn_or_damaged_file_costs_what_was_hit() {
        let dir = tempfile::tempdir().unwrap();
        let inner = Counting::new("f");
        let all = ["first", "second", "third"];
        texts(&Cached::open(&inner, dir.path(), MAX_BYTES).unwrap(), &all);
        let whole = std::fs::read(dir.path().join("new")).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(dir.path().join("new"), &whole[..cut]).unwrap();
            let cached = Cached::open(&inner, dir.path(), MAX_BYTES).unwrap();
            assert!(
                texts(&cached, &all)
                    .iter()
                    .zip(all)
                    .all(|(v, t)| v.as_ref().unwrap().len() == t.len())
            );
        }
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x55;
            std::fs::write(dir.path().join("new"), &bad).unwrap();
            let cached = Cached::open(&inner, dir.path(), MAX_BYTES).unwrap();
            let found = texts(&cached, &all);
            for (vector, text) in found.into_iter().zip(all) {
                let wanted: Vec<f32> = text.bytes().map(f32::from).collect();
                assert_eq!(vector, Some(wanted), "byte {at}");
            }
        }
    }

    #[test]
    fn the_size_is_bounded_and_what_is_asked_for_stays() {
        let dir = tempfile::tempdir().unwrap();
        let inner = Counting::new("f");
        let cached = Cached::open(&inner, dir.path(), 4_000).unwrap();
        for number in 0..500 {
            texts(&cached, &["always", &format!("text {number}")]);
        }
        assert_eq!(inner.embedded_inputs(), 501);
        let size = |name: &str| std::fs::metadata(dir.path().join(name)).map_or(0, |m| m.len());
        assert!(size("new") + size("old") <= 4_000);
    }
}
