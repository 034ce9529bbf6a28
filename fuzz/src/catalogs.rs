//! Readers of catalogs and events.

use std::fs::File;

use vitrine_indexer::source::{
    Catalog, Format, Mapping, check_pages,
    events::{self, EventFormat, EventMapping},
    text::TextOptions,
};

use crate::scratch::{Scratch, parts};

/// Limit on the pages of a Parquet file; that of the server is larger.
const MAX_PAGE_BYTES: u64 = 32 << 20;

/// A table that has the columns of the mappings in the corpus.
const TABLE: &[u8] = b"sku,name,cost,color,size,parent,tags\n\
    1,Boot,\"1.299,00\",red,42,,a|b\n2,Boot,12 EUR,blue,43,1,c\n";

/// Objects that have the keys of the mappings in the corpus.
const OBJECTS: &[u8] = b"{\"sku\": \"1\", \"name\": \"Boot\", \"cost\": 3.5, \"tags\": [\"a\", 1]}\n\
    {\"sku\": 2, \"name\": null, \"cost\": {\"amount\": 1, \"currency\": \"EUR\"}, \"size\": [[]]}\n";

/// Reads a catalog as `index` does: survey, report on columns, records.
/// Returns the number of its items; none if it cannot be read to its end.
fn read(file: &Scratch, format: Format, mapping: &Mapping, text: &TextOptions) -> Option<usize> {
    let catalog = Catalog::open_as(file.path(), Some(format), mapping, text).ok()?;
    let _ = catalog.columns();
    let mut items = 0;
    for record in catalog.records().ok()? {
        let record = record.ok()?;
        if let Ok(item) = record.item {
            assert_eq!(record.id.as_ref(), Some(&item.id), "the id of a record");
            items += 1;
        }
    }
    Some(items)
}

/// Reads a catalog with the default mapping.
fn read_plain(file: &Scratch, format: Format) -> Option<usize> {
    read(file, format, &Mapping::default(), &TextOptions::default())
}

/// Reads a table. The first character selects the format: `c` CSV, `f` CSV without variants, `g`
/// Google's TSV, `s` Shopify, `v` Vendure, `p` with `|` as separator, `z` gzip and `Z` zstd.
pub fn table(input: &[u8]) {
    let Some((choice, content)) = input.split_first() else {
        return;
    };
    let (ending, format) = match choice {
        b'g' => ("a.tsv", Format::GoogleTsv),
        b's' => ("a.csv", Format::Shopify),
        b'v' => ("a.csv", Format::Vendure),
        b'z' => ("a.csv.gz", Format::Csv),
        b'Z' => ("a.csv.zst", Format::Csv),
        _ => ("a.csv", Format::Csv),
    };
    let mapping = match choice {
        b'f' => Mapping::default().without_variants(),
        _ => Mapping::default(),
    };
    let separator = (*choice == b'p').then_some("|");
    let text = TextOptions::parse(None, separator, None).expect("valid options");
    read(&Scratch::write(ending, content), format, &mapping, &text);
}

/// Reads JSON Lines with the default mapping.
pub fn jsonl(input: &[u8]) {
    read_plain(&Scratch::write("a.jsonl", input), Format::Jsonl);
}

/// Reads a feed in XML.
pub fn xml(input: &[u8]) {
    read_plain(&Scratch::write("a.xml", input), Format::GoogleXml);
}

/// Reads Parquet as a catalog and as events, after the check that the server makes.
pub fn parquet(input: &[u8]) {
    parquet_rows(input);
}

/// Returns the number of items of a Parquet file; none if it cannot be read to its end.
pub fn parquet_rows(input: &[u8]) -> Option<usize> {
    let scratch = Scratch::write("a.parquet", input);
    let file = File::open(scratch.path()).expect("the file was written");
    check_pages(&file, MAX_PAGE_BYTES).ok()?;
    read_events(&scratch, EventFormat::Parquet, &EventMapping::default());
    read_plain(&scratch, Format::Parquet)
}

/// Reads a mapping file, and with it the catalog after a line `===`, or small ones that have the
/// usual columns.
pub fn mapping(input: &[u8]) {
    let (toml, content) = parts(input);
    let file = Scratch::write("mapping.toml", toml);
    let Ok(mapping) = Mapping::load(file.path()) else {
        return;
    };
    let _ = mapping.attributes();
    let text = TextOptions::default();
    let table = Scratch::write("a.csv", content.unwrap_or(TABLE));
    read(&table, Format::Csv, &mapping, &text);
    let objects = Scratch::write("a.jsonl", content.unwrap_or(OBJECTS));
    read(&objects, Format::Jsonl, &mapping, &text);
}

/// Reads events. The first character selects the format (`j` JSON Lines, `t` TSV, otherwise CSV); a
/// mapping file may come first, before a line `===`.
pub fn events(input: &[u8]) {
    let Some((choice, content)) = input.split_first() else {
        return;
    };
    let (ending, format) = match choice {
        b'j' => ("a.jsonl", EventFormat::Jsonl),
        b't' => ("a.tsv", EventFormat::Tsv),
        _ => ("a.csv", EventFormat::Csv),
    };
    let (mapping, content) = match parts(content) {
        (toml, Some(content)) => {
            let file = Scratch::write("events.toml", toml);
            match EventMapping::load(file.path()) {
                Ok(mapping) => (mapping, content),
                Err(_) => return,
            }
        }
        (content, None) => (EventMapping::default(), content),
    };
    read_events(&Scratch::write(ending, content), format, &mapping);
}

fn read_events(file: &Scratch, format: EventFormat, mapping: &EventMapping) {
    let records = events::open(file.path(), Some(format), mapping, "shop");
    for record in records.into_iter().flatten() {
        let Ok(record) = record else { return };
        if let Ok(event) = record.event {
            assert_eq!(event.collection, "shop", "the collection of an event");
        }
    }
}
