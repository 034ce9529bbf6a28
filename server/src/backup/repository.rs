//! Target of backups: files by content, and manifests of snapshots.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart,
    local::LocalFileSystem, parse_url_opts, path::Path as Key,
};
use tokio::task::spawn_blocking;

use super::{erasures::Erasure, manifest::Manifest};

/// Bytes read and sent at a time; larger files are sent in parts of this size.
pub(super) const PART_BYTES: usize = 8 << 20;

/// Parts that are sent at once.
const PARTS_IN_FLIGHT: usize = 4;

/// Manifests that are read at once.
const MANIFESTS_IN_FLIGHT: usize = 8;

/// Prefixes of the environment variables with credentials and settings of object stores.
const VARIABLES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// An open target.
#[derive(Clone)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    /// The folder of a target on this machine.
    folder: Option<PathBuf>,
    root: Key,
    target: String,
}

impl Repository {
    /// Opens a target: a folder, which is made, or a URL such as `s3://bucket/path`, with the
    /// credentials of the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`).
    ///
    /// # Errors
    /// The folder cannot be made, or the URL or its settings are invalid.
    pub fn open(target: &str) -> Result<Self, String> {
        let error = |e: &dyn std::fmt::Display| format!("backup target {target}: {e}");
        if let Some((scheme, _)) = target.split_once("://")
            && scheme != "file"
        {
            let url = url::Url::parse(target).map_err(|e| error(&e))?;
            let settings = std::env::vars()
                .filter(|(name, _)| VARIABLES.iter().any(|prefix| name.starts_with(prefix)))
                .map(|(name, value)| (name.to_ascii_lowercase(), value));
            let (store, root) = parse_url_opts(&url, settings).map_err(|e| error(&e))?;
            return Ok(Self {
                store: Arc::from(store),
                folder: None,
                root,
                target: target.to_owned(),
            });
        }
        let folder = PathBuf::from(target.strip_prefix("file://").unwrap_or(target));
        fs::create_dir_all(&folder).map_err(|e| error(&e))?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|e| error(&e))?;
        Ok(Self {
            store: Arc::new(store),
            folder: Some(folder),
            root: Key::default(),
            target: target.to_owned(),
        })
    }

    /// Returns the same target with all names below a folder.
    pub(crate) fn below(mut self, folder: &str) -> Self {
        self.root = self.root.join(folder);
        self
    }

    /// Returns the folder or URL.
    pub fn target(&self) -> &str {
        &self.target
    }

    fn key(&self, parts: &[&str]) -> Key {
        let mut key = self.root.clone();
        for part in parts {
            key = key.join(*part);
        }
        key
    }

    fn object(&self, hash: &str) -> Key {
        self.key(&["objects", hash.get(..2).unwrap_or("00"), hash])
    }

    fn manifest(&self, id: &str) -> Key {
        self.key(&["snapshots", &format!("{id}.json")])
    }

    fn error(&self, e: impl std::fmt::Display) -> String {
        format!("backup target {}: {e}", self.target)
    }

    /// Returns the size of each object, by hash.
    ///
    /// # Errors
    /// The target cannot be listed.
    pub async fn objects(&self) -> Result<HashMap<String, u64>, String> {
        let prefix = self.key(&["objects"]);
        let listed = self.store.list(Some(&prefix));
        let named = listed.map_ok(|object| {
            let name = object.location.filename().unwrap_or_default().to_owned();
            (name, object.size)
        });
        named.try_collect().await.map_err(|e| self.error(e))
    }

    /// Returns the objects below a folder of the target.
    async fn listed(&self, folder: &[&str]) -> Result<Vec<ObjectMeta>, String> {
        let listed = self.store.list(Some(&self.key(folder))).try_collect();
        listed.await.map_err(|e| self.error(e))
    }

    /// Reads a small object; None if there is none.
    ///
    /// # Errors
    /// The target cannot be read.
    pub(crate) async fn read(&self, name: &[&str]) -> Result<Option<Bytes>, String> {
        match self.bytes(&self.key(name)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(e)),
        }
    }

    /// Writes a small object in one request; it replaces one of the same name.
    ///
    /// # Errors
    /// The target cannot be written.
    pub(crate) async fn write(&self, name: &[&str], bytes: Vec<u8>) -> Result<(), String> {
        let put = self.store.put(&self.key(name), bytes.into()).await;
        put.map(|_| ()).map_err(|e| self.error(e))
    }

    /// Writes a small object in one request, durably and only if there is none of that name;
    /// returns false if there is one. Of several writers, one succeeds.
    ///
    /// # Errors
    /// The target cannot be written; the object may be there all the same.
    pub(crate) async fn write_new(&self, name: &[&str], bytes: Vec<u8>) -> Result<bool, String> {
        let key = self.key(name);
        let mode = PutMode::Create.into();
        match self.store.put_opts(&key, bytes.into(), mode).await {
            Ok(_) => self.sync_object(&key).await.map(|()| true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(self.error(e)),
        }
    }

    /// Returns the names of the objects below a folder, each with the time of its last change.
    ///
    /// # Errors
    /// The target cannot be listed.
    pub(crate) async fn names(
        &self,
        folder: &[&str],
    ) -> Result<Vec<(String, DateTime<Utc>)>, String> {
        let listed = self.listed(folder).await?.into_iter();
        let named = listed.filter_map(|object| {
            let name = object.location.filename()?.to_owned();
            Some((name, object.last_modified))
        });
        Ok(named.collect())
    }

    /// Deletes an object by name.
    ///
    /// # Errors
    /// The target cannot be written.
    pub(crate) async fn remove(&self, name: &[&str]) -> Result<(), String> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.error(e)),
        }
    }

    /// Reads a small object.
    async fn bytes(&self, key: &Key) -> Result<Bytes, object_store::Error> {
        self.store.get(key).await?.bytes().await
    }

    /// Returns the ids of all snapshots, the newest first.
    ///
    /// # Errors
    /// The target cannot be listed.
    pub async fn ids(&self) -> Result<Vec<String>, String> {
        let listed = self.listed(&["snapshots"]).await?;
        let names = listed
            .iter()
            .filter_map(|object| object.location.filename());
        let ids = names.filter_map(|name| name.strip_suffix(".json"));
        let mut ids: Vec<_> = ids.map(str::to_owned).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// Returns all manifests, the newest first, each with its id.
    ///
    /// # Errors
    /// The target cannot be read. A damaged manifest is an error of its own.
    pub async fn manifests(&self) -> Result<Vec<(String, Result<Manifest, String>)>, String> {
        let ids = self.ids().await?;
        let read = futures_util::stream::iter(ids).map(|id| async {
            let manifest = self.read_manifest(&id).await;
            (id, manifest)
        });
        Ok(read.buffered(MANIFESTS_IN_FLIGHT).collect().await)
    }

    /// Reads the manifest of a snapshot.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub async fn read_manifest(&self, id: &str) -> Result<Manifest, String> {
        let bytes = self.bytes(&self.manifest(id)).await;
        let bytes = bytes.map_err(|e| self.error(format!("snapshot {id}: {e}")))?;
        Manifest::parse(&bytes).map_err(|e| self.error(format!("snapshot {id}: {e}")))
    }

    /// Writes the manifest of a snapshot, which makes it complete.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn write_manifest(&self, manifest: &Manifest) -> Result<(), String> {
        let bytes = serde_json::to_vec_pretty(manifest).map_err(|e| e.to_string())?;
        self.sync().await?;
        let key = self.manifest(&manifest.snapshot.id);
        let put = self.store.put(&key, bytes.into()).await;
        put.map_err(|e| self.error(e))?;
        self.sync().await
    }

    /// Syncs a folder of this machine to disk; object stores acknowledge what is durable.
    async fn sync(&self) -> Result<(), String> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let synced = spawn_blocking(move || {
            let opened = File::open(&folder)?;
            rustix::fs::syncfs(&opened).map_err(std::io::Error::from)
        });
        let synced = synced.await.map_err(|e| self.error(e))?;
        synced.map_err(|e| self.error(e))
    }

    /// Syncs an object of a folder of this machine to disk, without waiting for other files.
    async fn sync_object(&self, key: &Key) -> Result<(), String> {
        let Some(path) = self.folder.as_ref().map(|f| f.join(key.as_ref())) else {
            return Ok(());
        };
        let synced = spawn_blocking(move || {
            File::open(&path)?.sync_all()?;
            path.parent().map_or(Ok(()), |p| File::open(p)?.sync_all())
        });
        let synced = synced.await.map_err(|e| self.error(e))?;
        synced.map_err(|e| self.error(e))
    }

    /// Syncs an object that was uploaded to disk, as [`Self::write_manifest`] does for all.
    ///
    /// # Errors
    /// The target cannot be written.
    pub(crate) async fn sync_upload(&self, hash: &str) -> Result<(), String> {
        self.sync_object(&self.object(hash)).await
    }

    /// Deletes the manifest of a snapshot.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn delete_manifest(&self, id: &str) -> Result<(), String> {
        let deleted = self.store.delete(&self.manifest(id)).await;
        deleted.map_err(|e| self.error(e))
    }

    /// Writes an erasure; it is durable when this returns.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn write_erasure(&self, erasure: &Erasure) -> Result<(), String> {
        let bytes = serde_json::to_vec(erasure).map_err(|e| e.to_string())?;
        let id = uuid::Uuid::now_v7();
        let key = self.key(&["erasures", &format!("{id}.json")]);
        let put = self.store.put(&key, bytes.into()).await;
        put.map_err(|e| self.error(e))?;
        self.sync().await
    }

    /// Returns all erasures, each with its name.
    ///
    /// # Errors
    /// The target cannot be read, or an erasure is damaged.
    pub async fn erasures(&self) -> Result<Vec<(String, Erasure)>, String> {
        let listed = self.listed(&["erasures"]).await?;
        let read = futures_util::stream::iter(listed).map(|object| async move {
            let name = object.location.filename().unwrap_or_default().to_owned();
            let bytes = self.bytes(&object.location).await;
            let bytes = bytes.map_err(|e| self.error(e))?;
            let erasure = serde_json::from_slice(&bytes);
            let erasure = erasure.map_err(|e| self.error(format!("erasures/{name}: {e}")))?;
            Ok((name, erasure))
        });
        read.buffered(MANIFESTS_IN_FLIGHT).try_collect().await
    }

    /// Deletes an erasure.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn delete_erasure(&self, name: &str) -> Result<(), String> {
        let deleted = self.store.delete(&self.key(&["erasures", name])).await;
        deleted.map_err(|e| self.error(e))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// The target cannot be written.
    pub async fn delete_object(&self, hash: &str) -> Result<(), String> {
        let deleted = self.store.delete(&self.object(hash)).await;
        deleted.map_err(|e| self.error(e))
    }

    /// Copies a file to the target, under its hash.
    ///
    /// # Errors
    /// The file cannot be read or the target not written.
    pub async fn upload(&self, file: &Path, hash: &str, bytes: u64) -> Result<(), String> {
        let key = self.object(hash);
        let mut reader = Parts::open(file)?;
        if bytes <= PART_BYTES as u64 {
            let whole = reader.next().await?.unwrap_or_default();
            let put = self.store.put(&key, PutPayload::from(whole)).await;
            return put.map(|_| ()).map_err(|e| self.error(e));
        }
        let upload = self.store.put_multipart(&key).await;
        let upload = upload.map_err(|e| self.error(e))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        while let Some(part) = reader.next().await? {
            let room = writer.wait_for_capacity(PARTS_IN_FLIGHT).await;
            room.map_err(|e| self.error(e))?;
            writer.put(part.into());
        }
        writer.finish().await.map(|_| ()).map_err(|e| self.error(e))
    }

    /// Writes an object under its hash.
    ///
    /// # Errors
    /// The target cannot be written.
    pub(crate) async fn upload_bytes(&self, hash: &str, bytes: Vec<u8>) -> Result<(), String> {
        let put = self.store.put(&self.object(hash), bytes.into()).await;
        put.map(|_| ()).map_err(|e| self.error(e))
    }

    /// Reads an object in parts, with a check of its hash and size.
    ///
    /// # Errors
    /// It is missing, damaged, or `each` failed.
    pub async fn download(
        &self,
        hash: &str,
        bytes: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let found = self.store.get(&self.object(hash)).await;
        let mut stream = found.map_err(|e| self.error(e))?.into_stream();
        let (mut hasher, mut read) = (blake3::Hasher::new(), 0);
        while let Some(part) = stream.next().await {
            let part = part.map_err(|e| self.error(e))?;
            hasher.update(&part);
            read += part.len() as u64;
            each(&part)?;
        }
        let found = hasher.finalize().to_hex();
        if read != bytes || found.as_str() != hash {
            return Err(self.error(format!(
                "object {hash} is damaged: expected {bytes} bytes with that hash, got {read} bytes with {found}"
            )));
        }
        Ok(())
    }
}

/// A file read in parts by blocking threads.
struct Parts {
    path: PathBuf,
    file: Option<File>,
}

impl Parts {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: Some(file),
        })
    }

    /// Returns the next part; None at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        let read = spawn_blocking(move || {
            let mut part = Vec::new();
            let mut limited = file.take(PART_BYTES as u64);
            limited.read_to_end(&mut part)?;
            Ok::<_, std::io::Error>((limited.into_inner(), part))
        });
        let error = |e: &dyn std::fmt::Display| format!("{}: {e}", self.path.display());
        let read = read.await.map_err(|e| error(&e))?;
        let (file, part) = read.map_err(|e| error(&e))?;
        self.file = Some(file);
        Ok((!part.is_empty()).then_some(part))
    }
}
