//! Evaluation reports: JSON files in the configured folder (`reports_dir`).

use std::{ffi::OsStr, io::Read, path::Path};

use actix_web::http::StatusCode;
use cap_std::{
    ambient_authority,
    fs::{Dir, DirEntry},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use vitrine_schemas::ReportInfo;

use crate::error::{ApiError, ApiResult};

/// Maximum size of a report in bytes.
const MAX_REPORT_BYTES: u64 = 16 << 20;

/// Maximum number of reports listed, newest first.
const MAX_LISTED: usize = 1_000;

/// Folder of reports, if configured.
pub struct Reports(Option<Dir>);

impl Reports {
    /// Opens the folder.
    ///
    /// # Errors
    /// The folder does not exist; the message names the setting.
    pub fn open(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| {
            Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|e| format!("reports_dir: {}: {e}", path.display()))
        };
        path.map(open).transpose().map(Self)
    }

    /// Returns the reports, newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> ApiResult<Vec<ReportInfo>> {
        let Some(dir) = &self.0 else {
            return Ok(Vec::new());
        };
        let entries = dir.entries().map_err(ApiError::internal)?;
        // A file that is deleted concurrently is not listed.
        let mut reports: Vec<_> = entries.filter_map(|entry| describe(&entry.ok()?)).collect();
        reports.sort_by(|a, b| b.modified_at.cmp(&a.modified_at).then(a.name.cmp(&b.name)));
        reports.truncate(MAX_LISTED);
        Ok(reports)
    }

    /// Returns a report by name.
    ///
    /// # Errors
    /// 404 if there is no such report or its file is not a JSON object.
    pub fn read(&self, name: &str) -> ApiResult<Map<String, Value>> {
        let missing = || not_found(format!("no report `{name}`; GET /v1/reports lists them"));
        let file = format!("{name}.json");
        // The name must be a file name, not a path.
        let is_plain = !name.is_empty() && Path::new(&file).file_name() == Some(OsStr::new(&file));
        let dir = self.0.as_ref().filter(|_| is_plain).ok_or_else(missing)?;
        let metadata = dir.metadata(&file).map_err(|_| missing())?;
        if !metadata.is_file() {
            return Err(missing());
        }
        let mut text = Vec::new();
        let opened = dir.open(&file).map_err(|_| missing())?;
        let read = opened.take(MAX_REPORT_BYTES + 1).read_to_end(&mut text);
        read.map_err(|_| missing())?;
        if text.len() as u64 > MAX_REPORT_BYTES {
            return Err(not_found(format!(
                "report `{name}` is longer than {MAX_REPORT_BYTES} bytes"
            )));
        }
        let error = |e| not_found(format!("report `{name}` is not a JSON object: {e}"));
        serde_json::from_slice(&text).map_err(error)
    }
}

fn describe(entry: &DirEntry) -> Option<ReportInfo> {
    let file = entry.file_name();
    let name = file.to_str()?.strip_suffix(".json")?.to_owned();
    let metadata = entry.metadata().ok().filter(|m| m.is_file())?;
    let modified = metadata.modified().ok()?.into_std();
    Some(ReportInfo {
        name,
        modified_at: DateTime::<Utc>::from(modified).to_rfc3339_opts(SecondsFormat::Millis, true),
        bytes: metadata.len(),
    })
}

fn not_found(detail: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "report_not_found", detail)
}
