//! Configuration: defaults, then the TOML file, then `VITRINE_SERVER__*`, then flags. Every fault is reported at once.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Provider,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing_subscriber::EnvFilter;
use vitrine::Bounds;
use vitrine_indexer::space::Precision;

use crate::machine;

const PREFIX: &str = "VITRINE_SERVER__";

/// How safe an acknowledged write is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Survives the process.
    #[default]
    Os,
    /// Survives a power cut.
    Fsync,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for humans.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Log settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Form.
    pub format: LogFormat,
    /// Level or filter directives.
    pub level: String,
}

/// Photos shown by the server: paths of items are relative to a folder, and nothing outside of it is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Folder of every collection that has none of its own; none: no photos by path.
    pub root: Option<PathBuf>,
    /// Folders by collection.
    pub roots: BTreeMap<String, PathBuf>,
}

/// Bounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest JSON body.
    pub body_bytes: usize,
    /// Longest line of an import.
    pub import_line_bytes: usize,
    /// Largest Parquet file of an import, which is kept on the disk while it is read.
    pub import_file_bytes: u64,
    /// Searches and reads at a time.
    pub search_permits: usize,
    /// Writes at a time.
    pub write_permits: usize,
    /// Embedding calls at a time.
    pub embed_permits: usize,
    /// Photos shrunk at a time.
    pub image_permits: usize,
    /// Requests of a kind that may wait.
    pub queue: usize,
    /// Time a request may take, and a batch of an import.
    pub timeout_ms: u64,
    /// Memory that vector indexes, ids and filters of all collections may take; 0: no bound.
    pub memory_bytes: u64,
    /// Memory that a merge of index parts may take while it runs; 0: no bound.
    pub merge_memory_bytes: u64,
    /// Free disk that writes leave.
    pub disk_reserve_bytes: u64,
    /// Dialogues kept; those used longest ago make room.
    pub dialogues: usize,
    /// Memory of them.
    pub dialogue_bytes: usize,
    /// Seconds after which a dialogue is forgotten that nobody goes on with.
    pub dialogue_idle_s: u64,
}

/// The server's configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the database lives.
    pub data_dir: PathBuf,
    /// Where the encoders live; none: no text and image search.
    pub models_dir: Option<PathBuf>,
    /// Numbers the text encoder computes in: that of the collections' vectors.
    pub precision: Precision,
    /// Keys; none: everything is open, on loopback only.
    pub keys_file: Option<PathBuf>,
    /// Safety of acknowledged writes.
    pub durability: Durability,
    /// Threads that a merge of indexes in the background uses, beside one that seals.
    pub index_threads: usize,
    /// Whether a few searches are done again exactly, in the background, to measure recall.
    pub canary: bool,
    /// Folder of evaluation reports (`vitrine-indexer evaluate ... --json`); none: none are listed.
    pub reports_dir: Option<PathBuf>,
    /// Photos of items.
    pub images: Images,
    /// Bounds.
    pub limits: Limits,
    /// Log settings.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        let memory = machine::memory().unwrap_or_default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7280)),
            data_dir: "./data".into(),
            models_dir: None,
            precision: Precision::default(),
            keys_file: None,
            durability: Durability::Os,
            index_threads: cores.div_ceil(2),
            canary: true,
            reports_dir: None,
            images: Images::default(),
            limits: Limits {
                body_bytes: 32 << 20,
                import_line_bytes: 2 << 20,
                import_file_bytes: 4 << 30,
                search_permits: cores * 2,
                write_permits: 4,
                embed_permits: 2,
                image_permits: cores.div_ceil(2),
                queue: 64,
                timeout_ms: 10_000,
                // Half of the machine's; the other half is for RocksDB, mapped vectors, merges and encoders.
                memory_bytes: memory / 2,
                merge_memory_bytes: memory / 4,
                disk_reserve_bytes: 1 << 30,
                dialogues: 10_000,
                dialogue_bytes: 64 << 20,
                dialogue_idle_s: 1_800,
            },
            log: Log {
                format: LogFormat::Text,
                level: format!("{},actix_server=warn", vitrine::LOG_FILTER),
            },
        }
    }
}

impl Config {
    /// Reads all sources; `flags` holds the keys given on the command line. Errors are all faults of all sources.
    pub fn load(file: Option<&Path>, flags: Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut merging = Merging {
            merged: serde_json::to_value(Self::default()).map_err(|e| vec![e.to_string()])?,
            faults: Vec::new(),
        };
        if let Some(path) = file {
            let name = |keys: &[String]| format!("{}: {}", path.display(), keys.join("."));
            if path.is_file() {
                merging.add(Toml::file(path), name);
            } else {
                merging.faults.push(name(&["no such file".into()]));
            }
        }
        merging.add(Env::prefixed(PREFIX).split("__"), |keys| {
            format!("{PREFIX}{}", keys.join("__").to_uppercase())
        });
        for (key, value) in flags {
            let flag = format!("--{}", key.replace(['_', '.'], "-"));
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            merging.set(flag, &path, value);
        }
        let Merging { merged, mut faults } = merging;
        let config: Self = serde_json::from_value(merged).map_err(|e| vec![e.to_string()])?;
        faults.extend(config.limits.faults());
        faults.extend(config.log.filter().err());
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }
}

impl Log {
    /// The level, read.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        EnvFilter::try_new(&self.level).map_err(|e| format!("log.level: {e}"))
    }
}

impl Limits {
    /// What the database may take.
    pub fn bounds(&self) -> Bounds {
        let bound = |bytes| (bytes > 0).then_some(bytes);
        Bounds {
            memory_bytes: bound(self.memory_bytes),
            merge_memory_bytes: bound(self.merge_memory_bytes),
            disk_reserve_bytes: self.disk_reserve_bytes,
        }
    }

    fn faults(&self) -> Vec<String> {
        let most = usize::MAX as u64;
        let bounds = [
            ("body_bytes", self.body_bytes as u64, 1, most),
            ("import_line_bytes", self.import_line_bytes as u64, 1, most),
            ("import_file_bytes", self.import_file_bytes, 1, most),
            ("search_permits", self.search_permits as u64, 1, 10_000),
            ("write_permits", self.write_permits as u64, 1, 10_000),
            ("embed_permits", self.embed_permits as u64, 1, 10_000),
            ("image_permits", self.image_permits as u64, 1, 10_000),
            ("queue", self.queue as u64, 0, 100_000),
            ("dialogues", self.dialogues as u64, 1, 10_000_000),
            ("dialogue_bytes", self.dialogue_bytes as u64, 1 << 20, most),
            ("dialogue_idle_s", self.dialogue_idle_s, 1, 31_536_000),
            ("timeout_ms", self.timeout_ms, 1, 600_000),
        ];
        bounds
            .into_iter()
            .filter(|(_, value, least, most)| !(least..=most).contains(&value))
            .map(|(name, value, least, most)| {
                format!("limits.{name}: {value} is out of range; use {least} to {most}")
            })
            .collect()
    }
}

/// The settings so far, valid at any time, and what could not be taken.
struct Merging {
    merged: Value,
    faults: Vec<String>,
}

impl Merging {
    /// Takes every key of a source; `name` makes a fault's name of the path of keys.
    fn add(&mut self, source: impl Provider, name: impl Fn(&[String]) -> String) {
        match Figment::from(source).extract::<Value>() {
            Ok(values) => {
                let mut leaves = Vec::new();
                collect(values, &mut Vec::new(), &mut leaves);
                for (path, value) in leaves {
                    self.set(name(&path), &path, value);
                }
            }
            Err(faults) => self
                .faults
                .extend(faults.into_iter().map(|e| name(&[e.to_string()]))),
        }
    }

    fn set(&mut self, name: String, path: &[String], value: Value) {
        let mut attempt = self.merged.clone();
        put(&mut attempt, path, value);
        match serde_json::from_value::<Config>(attempt.clone()) {
            Ok(_) => self.merged = attempt,
            Err(e) => self.faults.push(format!("{name}: {e}")),
        }
    }
}

fn collect(value: Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    match value {
        Value::Object(map) => map.into_iter().for_each(|(key, value)| {
            path.push(key);
            collect(value, path, leaves);
            path.pop();
        }),
        leaf => leaves.push((path.clone(), leaf)),
    }
}

fn put(target: &mut Value, path: &[String], leaf: Value) {
    match path {
        [] => *target = leaf,
        [first, rest @ ..] => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            put(&mut target[first.as_str()], rest, leaf);
        }
    }
}
