//! Configuration: defaults, then the TOML file, then `VITRINE_SERVER__*` variables, then flags. All
//! errors are reported at once.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use figment::{
    Figment, Provider,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing_subscriber::EnvFilter;
use vitrine::{Bounds, Durability};
use vitrine_indexer::space::Precision;

use crate::{backup::BackupSettings, machine, replication::ReplicationSettings};

const ENV_PREFIX: &str = "VITRINE_SERVER__";

/// Format of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human-readable lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Log settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Format.
    pub format: LogFormat,
    /// Level or filter directives.
    pub level: String,
    /// Milliseconds from which on a search is logged with its plan; 0 for none.
    pub slow_search_ms: u64,
    /// File of the access log: one JSON object per request.
    pub access_file: Option<PathBuf>,
    /// File of the audit log: changes, and requests refused for their key.
    pub audit_file: Option<PathBuf>,
}

/// Traces.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Address of an OpenTelemetry collector that takes OTLP over HTTP; without it, there are no
    /// traces.
    pub otlp_endpoint: Option<String>,
    /// Share of the requests that are traced, 0 to 1, if they do not come with a trace.
    pub sample_ratio: f64,
    /// Name of this server in traces.
    pub service_name: String,
}

impl Telemetry {
    /// Returns the address that traces are sent to; None if there are none.
    ///
    /// # Errors
    /// The endpoint is not an address of HTTP.
    pub fn traces_url(&self) -> Result<Option<String>, String> {
        let Some(endpoint) = &self.otlp_endpoint else {
            return Ok(None);
        };
        let url = url::Url::parse(endpoint).ok();
        let is_usable = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        };
        if !url.as_ref().is_some_and(is_usable) {
            let detail = "telemetry.otlp_endpoint: expected an address such as http://localhost:4318, \
                          without user or query";
            return Err(detail.to_owned());
        }
        let base = endpoint.trim_end_matches('/');
        let base = base.strip_suffix(TRACES_PATH).unwrap_or(base);
        Ok(Some(format!("{base}{TRACES_PATH}")))
    }

    fn errors(&self) -> Vec<String> {
        let mut errors: Vec<_> = self.traces_url().err().into_iter().collect();
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            let ratio = self.sample_ratio;
            errors.push(format!(
                "telemetry.sample_ratio: {ratio} is out of range; expected 0 to 1"
            ));
        }
        errors
    }
}

/// Path of traces at a collector.
const TRACES_PATH: &str = "/v1/traces";

/// Encryption of connections.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate and those between it and the root, in this order; without it,
    /// connections are not encrypted.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the private key.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Returns the two files; None without TLS.
    ///
    /// # Errors
    /// Only one of them is configured.
    pub fn files(&self) -> Result<Option<(&Path, &Path)>, String> {
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (Some(_), None) => Err("tls.key_file: expected the file of the key too".into()),
            (None, Some(_)) => {
                Err("tls.certificate_file: expected the file of the certificate too".into())
            }
        }
    }
}

/// Image folders: image paths of items are relative to a folder; nothing outside of it is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Folder of all collections without a folder in `roots`; without it, no images by path are
    /// served.
    pub root: Option<PathBuf>,
    /// Folders by collection.
    pub roots: BTreeMap<String, PathBuf>,
}

/// Embedding of written items.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// Embed items that are written without vectors.
    pub writes: bool,
    /// Items embedded together; fewer while queries are embedded.
    pub batch: usize,
    /// Pending items of all collections from which on writes are refused or, in an import, wait.
    pub max_pending: u64,
    /// Milliseconds that a write of few items waits for their vectors if few others are pending.
    pub wait_ms: u64,
    /// Fetch images by web address (public addresses only).
    pub fetch_images: bool,
}

/// Limits on sizes, time, concurrency and memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Maximum size of a JSON body in bytes.
    pub body_bytes: usize,
    /// Maximum memory in bytes of the bodies of all requests in flight, parsed.
    pub bodies_bytes: u64,
    /// Maximum length of an import line in bytes.
    pub import_line_bytes: usize,
    /// Maximum size in bytes of a Parquet file to import; it is kept on disk while it is read.
    pub import_file_bytes: u64,
    /// Maximum number of Parquet files that are received or read at a time.
    pub parquet_imports: usize,
    /// Maximum concurrent searches and reads.
    pub search_permits: usize,
    /// Maximum concurrent writes.
    pub write_permits: usize,
    /// Maximum concurrent embedding calls.
    pub embed_permits: usize,
    /// Maximum concurrent transcriptions; each uses all cores.
    pub speech_permits: usize,
    /// Maximum concurrent thumbnail computations.
    pub image_permits: usize,
    /// Requests per second of a key without a limit of its own; more get 429; 0 for no limit.
    pub key_requests_per_second: u32,
    /// Maximum queued requests of each kind; more get 429.
    pub queue: usize,
    /// Timeout of a request, and of a batch of an import, in milliseconds.
    pub timeout_ms: u64,
    /// Maximum timeout that a request may ask for (`x-timeout-ms`), in milliseconds.
    pub max_timeout_ms: u64,
    /// Maximum memory in bytes of vector indexes, ids and filters of all collections; 0 for no
    /// limit.
    pub memory_bytes: u64,
    /// Maximum memory in bytes of a running merge of index segments; 0 for no limit.
    pub merge_memory_bytes: u64,
    /// Free disk space in bytes below which writes are rejected.
    pub disk_reserve_bytes: u64,
    /// Maximum number of dialogues kept; the least recently used are evicted.
    pub dialogues: usize,
    /// Maximum memory of the dialogues in bytes.
    pub dialogue_bytes: usize,
    /// Seconds after which an idle dialogue expires.
    pub dialogue_idle_s: u64,
}

/// Configuration of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on; port 0 selects a free port.
    pub listen: SocketAddr,
    /// Folder of the database.
    pub data_dir: PathBuf,
    /// Folder of the encoders; without it there is no semantic search by text or image.
    pub models_dir: Option<PathBuf>,
    /// Numeric precision of the text encoder; it must match the vectors of the collections.
    pub precision: Precision,
    /// File of API keys; without it all routes are open, on the loopback address only.
    pub keys_file: Option<PathBuf>,
    /// Names of hosts that a server without keys answers for, besides localhost and its addresses;
    /// pages of these hosts may send requests.
    pub allowed_hosts: Vec<String>,
    /// Encryption of connections.
    pub tls: Tls,
    /// Durability of acknowledged writes.
    pub durability: Durability,
    /// Threads of a background merge of index segments; sealing uses one more.
    pub index_threads: usize,
    /// Recall canary: repeats a sample of searches exactly, in the background, to measure recall.
    pub canary: bool,
    /// Folder of evaluation reports (`vitrine-indexer evaluate ... --json`).
    pub reports_dir: Option<PathBuf>,
    /// Folders of item images.
    pub images: Images,
    /// Embedding of written items.
    pub embedding: Embedding,
    /// Limits on sizes, time, concurrency and memory.
    pub limits: Limits,
    /// Backups.
    pub backup: BackupSettings,
    /// Replication.
    pub replication: ReplicationSettings,
    /// Log settings.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
}

impl Default for Embedding {
    fn default() -> Self {
        Self {
            writes: true,
            batch: 64,
            max_pending: 100_000,
            wait_ms: 1_000,
            fetch_images: false,
        }
    }
}

impl Embedding {
    fn errors(&self) -> Vec<String> {
        let bounds = [
            ("batch", self.batch as u64, 1, 1_000),
            ("max_pending", self.max_pending, 1, u64::MAX),
            ("wait_ms", self.wait_ms, 0, 600_000),
        ];
        out_of_range("embedding", &bounds)
    }
}

/// Returns an error for each value that is out of its range.
fn out_of_range(section: &str, bounds: &[(&str, u64, u64, u64)]) -> Vec<String> {
    bounds
        .iter()
        .filter(|(_, value, min, max)| !(min..=max).contains(&value))
        .map(|(name, value, min, max)| {
            format!("{section}.{name}: {value} is out of range; expected {min} to {max}")
        })
        .collect()
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
            allowed_hosts: Vec::new(),
            tls: Tls::default(),
            durability: Durability::Os,
            index_threads: cores.div_ceil(2),
            canary: true,
            reports_dir: None,
            images: Images::default(),
            embedding: Embedding::default(),
            limits: Limits {
                body_bytes: 32 << 20,
                bodies_bytes: 384 << 20,
                import_line_bytes: 2 << 20,
                import_file_bytes: 4 << 30,
                parquet_imports: 2,
                search_permits: cores * 2,
                write_permits: 4,
                embed_permits: 2,
                speech_permits: 1,
                image_permits: cores.div_ceil(2),
                key_requests_per_second: 0,
                queue: 64,
                timeout_ms: 10_000,
                max_timeout_ms: 60_000,
                // Half of the machine; the other half is for RocksDB, mapped vectors, merges,
                // encoders.
                memory_bytes: memory / 2,
                merge_memory_bytes: memory / 4,
                disk_reserve_bytes: 1 << 30,
                dialogues: 10_000,
                dialogue_bytes: 64 << 20,
                dialogue_idle_s: 1_800,
            },
            backup: BackupSettings::default(),
            replication: ReplicationSettings::default(),
            log: Log {
                format: LogFormat::Text,
                level: format!("{},actix_server=warn,symphonia=off", vitrine::LOG_FILTER),
                slow_search_ms: 1_000,
                access_file: None,
                audit_file: None,
            },
            telemetry: Telemetry {
                otlp_endpoint: None,
                sample_ratio: 1.0,
                service_name: "vitrine".to_owned(),
            },
        }
    }
}

impl Config {
    /// Reads all sources; `flags` holds the keys given on the command line.
    ///
    /// # Errors
    /// Returns the errors of all sources.
    pub fn load(file: Option<&Path>, flags: Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut merging = Merge {
            merged: serde_json::to_value(Self::default()).map_err(|e| vec![e.to_string()])?,
            errors: Vec::new(),
        };
        if let Some(path) = file {
            let name = |keys: &[String]| format!("{}: {}", path.display(), keys.join("."));
            if path.is_file() {
                merging.add(Toml::file(path), name);
            } else {
                merging.errors.push(name(&["no such file".into()]));
            }
        }
        merging.add(Env::prefixed(ENV_PREFIX).split("__"), |keys| {
            format!("{ENV_PREFIX}{}", keys.join("__").to_uppercase())
        });
        for (key, value) in flags {
            let flag = format!("--{}", key.replace(['_', '.'], "-"));
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            merging.set(flag, &path, value);
        }
        let Merge { merged, mut errors } = merging;
        let config: Self = serde_json::from_value(merged).map_err(|e| vec![e.to_string()])?;
        errors.extend(config.limits.errors());
        errors.extend(config.embedding.errors());
        errors.extend(config.backup.errors());
        errors.extend(config.replication.errors());
        if config.replication.replica && config.backup.target.is_some() {
            errors.push(
                "backup.target: a replica makes no backups; configure it at the writer".into(),
            );
        }
        errors.extend(config.tls.files().err());
        errors.extend(config.log.filter().err());
        errors.extend(config.telemetry.errors());
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(errors)
        }
    }
}

/// Maximum length of the level of the log, in bytes.
const MAX_LOG_LEVEL_BYTES: usize = 1_000;

/// Parses the level of the log: levels, and levels of modules.
///
/// # Errors
/// It is too long, or a directive has no level.
pub fn log_filter(text: &str) -> Result<EnvFilter, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if text.len() > MAX_LOG_LEVEL_BYTES {
        let length = text.len();
        return Err(format!(
            "expected at most {MAX_LOG_LEVEL_BYTES} bytes, got {length}"
        ));
    }
    let filled = |directive: &&str| !directive.trim().is_empty();
    let mut directives: Vec<&str> = text.split(',').filter(filled).collect();
    if directives.is_empty() {
        directives.push(text);
    }
    for directive in directives {
        let level = directive.rsplit('=').next().unwrap_or_default().trim();
        if !LEVELS.contains(&level.to_lowercase().as_str()) {
            return Err(format!(
                "expected one of {}, got {level:?}",
                LEVELS.join(", ")
            ));
        }
    }
    EnvFilter::try_new(text).map_err(|e| e.to_string())
}

impl Log {
    /// Parses the level.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        log_filter(&self.level).map_err(|e| format!("log.level: {e}"))
    }

    /// Returns the time from which on a search is slow.
    pub fn slow_search(&self) -> Option<Duration> {
        (self.slow_search_ms > 0).then(|| Duration::from_millis(self.slow_search_ms))
    }
}

impl Limits {
    /// Returns the resource limits of the database.
    pub fn bounds(&self) -> Bounds {
        let limit = |bytes| (bytes > 0).then_some(bytes);
        Bounds {
            memory_bytes: limit(self.memory_bytes),
            merge_memory_bytes: limit(self.merge_memory_bytes),
            disk_reserve_bytes: self.disk_reserve_bytes,
        }
    }

    fn errors(&self) -> Vec<String> {
        let max = usize::MAX as u64;
        let bounds = [
            ("body_bytes", self.body_bytes as u64, 1, max),
            ("bodies_bytes", self.bodies_bytes, 1 << 20, max),
            ("import_line_bytes", self.import_line_bytes as u64, 1, max),
            ("import_file_bytes", self.import_file_bytes, 1, max),
            ("parquet_imports", self.parquet_imports as u64, 1, 1_000),
            ("search_permits", self.search_permits as u64, 1, 10_000),
            ("write_permits", self.write_permits as u64, 1, 10_000),
            ("embed_permits", self.embed_permits as u64, 1, 10_000),
            ("speech_permits", self.speech_permits as u64, 1, 100),
            ("image_permits", self.image_permits as u64, 1, 10_000),
            ("queue", self.queue as u64, 0, 100_000),
            ("dialogues", self.dialogues as u64, 1, 10_000_000),
            ("dialogue_bytes", self.dialogue_bytes as u64, 1 << 20, max),
            ("dialogue_idle_s", self.dialogue_idle_s, 1, 31_536_000),
            ("timeout_ms", self.timeout_ms, 1, 600_000),
            ("max_timeout_ms", self.max_timeout_ms, 1, 600_000),
        ];
        out_of_range("limits", &bounds)
    }
}

/// Settings merged so far, always valid, and the errors of rejected ones.
struct Merge {
    merged: Value,
    errors: Vec<String>,
}

impl Merge {
    /// Merges every key of a source; `name` formats a path of keys for an error message.
    fn add(&mut self, source: impl Provider, name: impl Fn(&[String]) -> String) {
        match Figment::from(source).extract::<Value>() {
            Ok(values) => {
                let mut leaves = Vec::new();
                collect(values, &mut Vec::new(), &mut leaves);
                for (path, value) in leaves {
                    self.set(name(&path), &path, value);
                }
            }
            Err(errors) => self
                .errors
                .extend(errors.into_iter().map(|e| name(&[e.to_string()]))),
        }
    }

    fn set(&mut self, name: String, path: &[String], value: Value) {
        let mut attempt = self.merged.clone();
        put(&mut attempt, path, value);
        match serde_json::from_value::<Config>(attempt.clone()) {
            Ok(_) => self.merged = attempt,
            Err(e) => self.errors.push(format!("{name}: {e}")),
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
