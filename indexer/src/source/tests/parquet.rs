//! Parquet files, written here with the crate's own writer.

use std::{fs::File, sync::Arc};

use ::parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::json;
use vitrine_schemas::Price;

use super::*;

const SCHEMA: &str = "message products {
    required binary id (UTF8);
    optional binary title (UTF8);
    optional double price;
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    optional int64 year;
    required int64 created_at (TIMESTAMP_MILLIS);
}";

fn texts(values: &[&str]) -> Vec<ByteArray> {
    values.iter().map(|v| ByteArray::from(*v)).collect()
}

/// Two products; the second one has its id and time only.
fn write() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut file = SerializedFileWriter::new(
        File::create(&path).unwrap(),
        schema,
        Arc::new(WriterProperties::new()),
    )
    .unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut writer) = group.next_column().unwrap() {
        match column {
            0 => drop(
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&texts(&["1", "2"]), None, None)
                    .unwrap(),
            ),
            1 => drop(
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&texts(&["Boot"]), Some(&[1, 0]), None)
                    .unwrap(),
            ),
            2 => drop(
                writer
                    .typed::<DoubleType>()
                    .write_batch(&[9.5], Some(&[1, 0]), None)
                    .unwrap(),
            ),
            3 => drop(
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&texts(&["a", "b"]), Some(&[3, 3, 0]), Some(&[0, 1, 0]))
                    .unwrap(),
            ),
            4 => drop(
                writer
                    .typed::<Int64Type>()
                    .write_batch(&[2011], Some(&[1, 0]), None)
                    .unwrap(),
            ),
            _ => drop(
                writer
                    .typed::<Int64Type>()
                    .write_batch(&[1_769_860_800_000, i64::MAX], None, None)
                    .unwrap(),
            ),
        }
        writer.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    file.close().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn rows_are_items() {
    let records = catalog("a.parquet", write()).read();
    assert_eq!(outcomes(&records), [(1, "1", ""), (2, "2", "")]);
    let first = Item {
        id: "1".into(),
        title: Some("Boot".into()),
        price: Some(Price {
            amount: 9.5,
            currency: None,
        }),
        created_at: Some("2026-01-31T12:00:00Z".into()),
        attributes: json!({"tags": ["a", "b"], "year": 2011})
            .as_object()
            .cloned()
            .unwrap(),
        ..Item::default()
    };
    assert_eq!(items(records)[0], first);
}

#[test]
fn columns_can_be_mapped() {
    let file = catalog("a.parquet", write());
    let mapped = mapping(
        "id = 'id'\ntitle = 'title'\n[attributes]\nyear = { column = 'year', type = 'float' }\nlabel = 'tags'",
    );
    let items = items(file.read_as(None, &mapped).unwrap());
    assert_eq!(
        json!(items[0].attributes),
        json!({"label": ["a", "b"], "year": 2011.0})
    );
    let error = file.error(&mapping("id = 'sku'"));
    assert!(
        error.ends_with(
            "has no column `sku`; its columns are: id, title, price, tags, year, created_at"
        ),
        "{error}"
    );
}

#[test]
fn only_plain_files_are_read() {
    for name in ["-", "/nowhere/a.parquet.gz"] {
        let error = open(name.as_ref(), Some(Format::Parquet), &Mapping::default())
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("Parquet can be read from an uncompressed file only")
        );
    }
}

#[test]
fn damaged_files_end_in_errors() {
    let whole = write();
    assert!(
        catalog("a.parquet", "id,title\n")
            .read_as(None, &Mapping::default())
            .is_err()
    );
    assert!(
        catalog("a.parquet", &whole[..whole.len() / 2])
            .read_as(None, &Mapping::default())
            .is_err()
    );
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        // Some damage is not detected; none may crash the process.
        let _ = catalog("a.parquet", damaged).read_as(None, &Mapping::default());
    }
}

#[test]
fn a_list_that_claims_more_than_the_file_has_is_refused_before_memory_is_reserved() {
    // Version 1, then a schema: a list (9) of structs (12) of a length of its own (15).
    let lists: [&[u8]; 3] = [
        &[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07],
        &[0xfc, 0x80, 0x80, 0x80, 0x01],
        // A string where the crate reads a list, whose bytes it would take for one.
        &[0x05, 0xfc, 0xff, 0xff, 0xff, 0x07],
    ];
    for (list, field) in lists.into_iter().zip([0x19, 0x19, 0x18]) {
        let footer = [&[0x15, 0x02, field], list, &[0; 16]].concat();
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let file = [&b"PAR1"[..], &footer, &length, b"PAR1"].concat();
        let file = catalog("a.parquet", file);
        let error = file.error(&Mapping::default());
        assert!(error.contains("invalid footer"), "{error}");
        let opened = File::open(&file.path).unwrap();
        let error = crate::source::check_pages(&opened, u64::MAX).unwrap_err();
        assert!(error.contains("invalid footer"), "{error}");
    }
}

#[test]
fn pages_that_become_large_are_refused_before_they_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.parquet");
    let schema = parse_message_type("message events { required binary user (UTF8); }").unwrap();
    let properties = WriterProperties::builder()
        .set_compression(::parquet::basic::Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(::parquet::file::properties::EnabledStatistics::None)
        .build();
    let file = File::create(&path).unwrap();
    let mut file = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let large = ByteArray::from(vec![b'a'; 8 << 20]);
    let typed = column.typed::<ByteArrayType>();
    typed.write_batch(&[large], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();

    let file = File::open(&path).unwrap();
    assert!(file.metadata().unwrap().len() < 1 << 20);
    let refused = crate::source::check_pages(&file, 4 << 20).unwrap_err();
    assert!(
        refused.contains("expected pages of at most 4194304 bytes"),
        "{refused}"
    );
    crate::source::check_pages(&file, 16 << 20).unwrap();
}

#[test]
fn ordinary_files_have_small_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, write()).unwrap();
    crate::source::check_pages(&File::open(&path).unwrap(), 1 << 16).unwrap();
    let mut cut = write();
    cut.truncate(cut.len() / 2);
    std::fs::write(&path, cut).unwrap();
    let refused = crate::source::check_pages(&File::open(&path).unwrap(), 1 << 16).unwrap_err();
    assert!(refused.contains("damaged"), "{refused}");
}
