//! Tests of the readers by format, through [`open`](super::open).

mod feeds;
mod forms;
mod generated;
mod images;
mod jsonl;
mod mappings;
mod packed;
mod parquet;
mod parquet_types;
mod shops;
mod tables;
mod variants;

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use vitrine_schemas::Item;

use super::{Format, Mapping, Record, SourceError, open};

/// Catalog file in a folder of its own.
struct Catalog {
    path: PathBuf,
    _folder: TempDir,
}

fn catalog(name: &str, content: impl AsRef<[u8]>) -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    Catalog {
        path,
        _folder: folder,
    }
}

fn mapping(text: &str) -> Mapping {
    Mapping::parse(text).unwrap()
}

impl Catalog {
    fn read_as(
        &self,
        format: Option<Format>,
        mapping: &Mapping,
    ) -> Result<Vec<Record>, SourceError> {
        open(&self.path, format, mapping)?.collect()
    }

    fn read(&self) -> Vec<Record> {
        self.read_as(None, &Mapping::default()).unwrap()
    }

    fn error(&self, mapping: &Mapping) -> String {
        self.read_as(None, mapping).unwrap_err().to_string()
    }
}

/// Returns the items, all of which must be valid.
fn items(records: Vec<Record>) -> Vec<Item> {
    records.into_iter().map(|r| r.item.unwrap()).collect()
}

/// Returns line, id and error of every record; the error of a valid one is empty.
fn outcomes(records: &[Record]) -> Vec<(u64, &str, &str)> {
    fn outcome(record: &Record) -> (u64, &str, &str) {
        let error = record.item.as_ref().err().map_or("", String::as_str);
        (record.line, record.id.as_deref().unwrap_or("?"), error)
    }
    records.iter().map(outcome).collect()
}

/// Returns line and reason of every value that was left out.
fn notes(records: &[Record]) -> Vec<(u64, &str)> {
    let notes = records.iter().flat_map(|record| &record.notes);
    notes
        .map(|note| (note.line, note.reason.as_str()))
        .collect()
}

#[test]
fn the_extension_selects_the_format() {
    let of = |name: &str| Format::of(name.as_ref()).ok();
    assert_eq!(of("a.jsonl"), Some(Format::Jsonl));
    assert_eq!(of("dir.csv/a.NDJSON.gz"), Some(Format::Jsonl));
    assert_eq!(of("a.csv.zst"), Some(Format::Csv));
    assert_eq!(of("a.parquet"), Some(Format::Parquet));
    assert_eq!(of("a.xml"), Some(Format::GoogleXml));
    assert_eq!(of("a.tsv"), Some(Format::GoogleTsv));
    let error = Format::of("-".as_ref()).unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown format of standard input; set --format to one of: \
         jsonl, csv, parquet, google-xml, google-tsv, shopify, vendure"
    );
}
