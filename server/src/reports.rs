//! Evaluation reports in JSON, from the folder that the operator names.

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

/// Largest report.
const MOST_BYTES: u64 = 16 << 20;

/// Reports listed; the newest are.
const MOST: usize = 1_000;

/// A folder of reports, where there is one.
pub struct Reports(Option<Dir>);

impl Reports {
    /// Opens the folder.
    ///
    /// # Errors
    /// It is not there; the message names the setting.
    pub fn open(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| {
            Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|e| format!("reports_dir: {}: {e}", path.display()))
        };
        path.map(open).transpose().map(Self)
    }

    /// The reports, the newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> ApiResult<Vec<ReportInfo>> {
        let Some(dir) = &self.0 else {
            return Ok(Vec::new());
        };
        let entries = dir.entries().map_err(ApiError::internal)?;
        // A file that goes meanwhile is not listed.
        let mut reports: Vec<_> = entries.filter_map(|entry| describe(&entry.ok()?)).collect();
        reports.sort_by(|a, b| b.modified_at.cmp(&a.modified_at).then(a.name.cmp(&b.name)));
        reports.truncate(MOST);
        Ok(reports)
    }

    /// A report by its name.
    ///
    /// # Errors
    /// 404: there is none, or its file holds no JSON object.
    pub fn read(&self, name: &str) -> ApiResult<Map<String, Value>> {
        let none = || not_found(format!("no report `{name}`; GET /v1/reports lists them"));
        let file = format!("{name}.json");
        // A name is that of a file of the folder, not a path.
        let is_plain = !name.is_empty() && Path::new(&file).file_name() == Some(OsStr::new(&file));
        let dir = self.0.as_ref().filter(|_| is_plain).ok_or_else(none)?;
        let facts = dir.metadata(&file).map_err(|_| none())?;
        if !facts.is_file() {
            return Err(none());
        }
        let mut text = Vec::new();
        let opened = dir.open(&file).map_err(|_| none())?;
        let read = opened.take(MOST_BYTES + 1).read_to_end(&mut text);
        read.map_err(|_| none())?;
        if text.len() as u64 > MOST_BYTES {
            return Err(not_found(format!(
                "report `{name}` has more than {MOST_BYTES} bytes"
            )));
        }
        let fault = |e| not_found(format!("report `{name}` is no JSON object: {e}"));
        serde_json::from_slice(&text).map_err(fault)
    }
}

fn describe(entry: &DirEntry) -> Option<ReportInfo> {
    let file = entry.file_name();
    let name = file.to_str()?.strip_suffix(".json")?.to_owned();
    let facts = entry.metadata().ok().filter(|facts| facts.is_file())?;
    let modified = facts.modified().ok()?.into_std();
    Some(ReportInfo {
        name,
        modified_at: DateTime::<Utc>::from(modified).to_rfc3339_opts(SecondsFormat::Millis, true),
        bytes: facts.len(),
    })
}

fn not_found(detail: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "report_not_found", detail)
}
