//! Event files of each format, valid and invalid.

use std::{fs, io::Write, path::PathBuf, sync::Arc};

use ::parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{rules::time_of, *};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn mapping(&self, text: &str) -> Result<EventMapping, SourceError> {
        EventMapping::load(&self.file("mapping.toml", text))
    }
}

fn read(path: &Path, mapping: &EventMapping) -> Vec<EventRecord> {
    let records = open(path, None, mapping, "shop").unwrap();
    records.collect::<Result<_, _>>().unwrap()
}

fn event(record: &EventRecord) -> Value {
    json!(record.event.as_ref().unwrap_or_else(|f| panic!("{f:?}")))
}

/// Line and field of every invalid record.
fn errors(records: &[EventRecord]) -> Vec<(u64, &str)> {
    let faulty = records.iter().filter_map(|r| match &r.event {
        Ok(_) => None,
        Err(error) => Some((r.line, error.field.as_str())),
    });
    faulty.collect()
}

#[test]
fn columns_go_by_their_names() {
    let folder = Folder::new();
    let text = "user_id,item_id,event,timestamp,rating,other\n\
        u1,a,Add to cart,2026-01-31 12:00:00,,x\n\
        u2,b,rating,1700000000,4.5,x\n";
    for (name, text) in [
        ("events.csv", text.to_owned()),
        ("events.tsv", text.replace(',', "\t")),
    ] {
        let records = read(&folder.file(name, text), &EventMapping::default());
        assert_eq!(
            event(&records[0]),
            json!({"kind": "add_to_cart", "collection": "shop", "user": "u1", "items": ["a"], "ts": "2026-01-31T12:00:00Z"})
        );
        assert_eq!(
            event(&records[1]),
            json!({"kind": "rating", "collection": "shop", "user": "u2", "items": ["b"], "ts": "2023-11-14T22:13:20Z", "value": 4.5})
        );
    }
}

#[test]
fn names_are_recognized_in_any_case_and_in_json_too() {
    let folder = Folder::new();
    let csv = "Customer-ID,Product ID,EventType,Event_Time,Qty,Value\n\
        u1,a,purchase,2026-01-31,2,\"4,5\"\n";
    let lines = "{\"customer_id\": 501, \"product_id\": 77, \"event\": \"view\", \"time\": 1772359200}\n\
        {\"session_id\": \"s\", \"user\": null, \"item\": \"a\", \"kind\": \"click\", \"extra\": {\"x\": 1}}\n";
    let records = read(&folder.file("e.csv", csv), &EventMapping::default());
    let wanted = json!({"kind": "purchase", "collection": "shop", "user": "u1", "items": ["a"],
        "ts": "2026-01-31T00:00:00Z", "quantity": 2.0, "value": 4.5});
    assert_eq!(event(&records[0]), wanted);
    let records = read(&folder.file("e.jsonl", lines), &EventMapping::default());
    let wanted = json!({"kind": "view", "collection": "shop", "user": "501", "items": ["77"],
        "ts": "2026-03-01T10:00:00Z"});
    assert_eq!(event(&records[0]), wanted);
    let second = event(&records[1]);
    assert_eq!(
        (&second["session"], &second["items"]),
        (&json!("s"), &json!(["a"]))
    );
}

#[test]
fn a_mapping_says_what_columns_and_words_mean() {
    let folder = Folder::new();
    let mapping = folder
        .mapping(
            "user = \"who\"\nsession = \"basket\"\nitems = \"what\"\nitems_separator = \"|\"\nid = \"nr\"\n\
            kind = \"type\"\nkinds = { transaction = \"purchase\" }\ndefault_kind = \"view\"\n\
            ts = \"when\"\nts_format = \"%d/%m/%Y %H:%M\"\n",
        )
        .unwrap();
    let csv = "nr,who,basket,what,type,when\n7,u,b1,a| c ||,transaction,01/02/2026 09:30\n8,,b2,d,,31/12/2025 00:00\n";
    let lines = "{\"nr\": 7, \"who\": \"u\", \"basket\": \"b1\", \"what\": [\"a\", \"c\"], \"type\": \"transaction\", \"when\": \"01/02/2026 09:30\"}\n\
        {\"nr\": 8, \"basket\": \"b2\", \"what\": \"d\", \"when\": \"31/12/2025 00:00\"}\n";
    for path in [folder.file("e.csv", csv), folder.file("e.ndjson", lines)] {
        let records = read(&path, &mapping);
        assert_eq!(
            event(&records[0]),
            json!({"id": "7", "kind": "purchase", "collection": "shop", "user": "u", "session": "b1", "items": ["a", "c"], "ts": "2026-02-01T09:30:00Z"})
        );
        assert_eq!(
            event(&records[1]),
            json!({"id": "8", "kind": "view", "collection": "shop", "session": "b2", "items": ["d"], "ts": "2025-12-31T00:00:00Z"})
        );
    }
}

#[test]
fn each_bad_record_is_rejected_by_line_and_field() {
    let folder = Folder::new();
    let csv = "user,items,kind,ts,value\n\
        ,a,view,2026-01-01,\n\
        u,,view,2026-01-01,\n\
        u,a,looked,2026-01-01,\n\
        u,a,view,01/02/2026,\n\
        u,a,view,,\n\
        u,a,rating,2026-01-01,many\n\
        u,a,view\n\
        u,a,view,2026-01-01,\n";
    let records = read(&folder.file("e.csv", csv), &EventMapping::default());
    let wanted = [
        (2, "user"),
        (3, "items"),
        (4, "kind"),
        (5, "ts"),
        (6, "ts"),
        (7, "value"),
        (8, ""),
    ];
    assert_eq!(errors(&records), wanted);
    assert!(records[7].event.is_ok());

    let lines =
        b"{\"kind\": \"view\", \"user\": \"u\", \"items\": [\"a\"]}\n\n[1]\n\xff\xfe\xfd{}\n\
        {\"kind\": \"view\", \"user\": \"u\", \"items\": [1]}\n\
        {\"kind\": \"look\", \"user\": \"u\", \"items\": [\"a\"]}\n\
        {\"kind\": \"view\", \"user\": \"u\", \"items\": [\"a\"], \"collection\": \"other\"}\n\
        {\"kind\": \"view\", \"usr\": \"u\", \"items\": [\"a\"]}\n{\"kind\"";
    let records = read(&folder.file("e.jsonl", lines), &EventMapping::default());
    let errors = errors(&records);
    assert_eq!(
        errors[..5],
        [
            (3, ""),
            (4, ""),
            (5, "items"),
            (6, "kind"),
            (7, "collection")
        ]
    );
    assert_eq!(
        errors.iter().map(|f| f.0).collect::<Vec<_>>(),
        [3, 4, 5, 6, 7, 8, 9]
    );
    let unknown = records[6].event.as_ref().unwrap_err();
    assert!(unknown.reason.contains("usr"), "{unknown:?}");
}

#[test]
fn a_file_without_required_columns_is_rejected() {
    let folder = Folder::new();
    let bad = |name: &str, text: &str, mapping: &EventMapping| {
        let path = folder.file(name, text);
        match open(&path, None, mapping, "shop") {
            Ok(_) => panic!("{text} was taken"),
            Err(error) => error.to_string(),
        }
    };
    let plain = EventMapping::default();
    assert!(bad("a.csv", "user,kind\n", &plain).contains("items"));
    assert!(bad("a.csv", "item,kind\n", &plain).contains("user or session"));
    assert!(bad("a.csv", "item,user\n", &plain).contains("default kind"));
    assert!(bad("a.csv", "", &plain).contains("first line"));
    assert!(bad("a.xml", "", &plain).contains("jsonl, csv, tsv, parquet"));
    let mapping = folder.mapping("user = \"who\"\n").unwrap();
    assert!(bad("a.csv", "user,item,kind\n", &mapping).contains("who"));
    for (text, hint) in [
        ("usr = \"a\"", "usr"),
        ("ts_format = \"day\"", "ts_format"),
        ("ts_format = \"%Q\"", "ts_format"),
        ("default_kind = \"buy\"", "buy"),
        ("items_separator = \"\"", "items_separator"),
    ] {
        let error = folder.mapping(text).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    let open = |path: &Path| open(path, None, &plain, "shop").err().unwrap().to_string();
    assert!(open(Path::new("no such.csv")).contains("no such.csv"));
    assert!(open(&folder.file("a.parquet", "PAR1 not")).contains("a.parquet"));
}

#[test]
fn times_are_read_where_they_read_one_way_only() {
    let noon = "2026-01-31T12:00:00Z";
    for text in [
        "2026-01-31T12:00:00Z",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31 12:00:00",
        "2026-01-31 12:00",
        "2026-01-31 12:00:00 UTC",
        "2026-01-31 12:00:00.000 +00:00",
        "2026/01/31 12:00",
        "1769860800",
        "1769860800.0",
        "1769860800000",
        "1769860800000000",
        "1769860800000000000",
        "1.7698608E9",
        " 1769860800 ",
        "2026-01-31T12:00:00.000+0000",
        "2026-01-31T14:00:00+0200",
        "2026-01-31 14:00:00 +02:00",
        "2026-01-31 14:00:00+02",
        "2026-01-31T12:00Z",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00 GMT",
        "Sat, 31 Jan 2026 12:00:00 GMT",
        "Sat, 31 Jan 2026 14:00:00 +0200",
        "31 Jan 2026 12:00:00 +0000",
        "20260131120000",
        "202601311200",
        "20260131T120000Z",
        "31-Jan-2026 12:00",
        "31 Jan 2026 12:00",
        "Jan 31, 2026 12:00:00 PM",
    ] {
        assert_eq!(time_of(text, None).as_deref(), Ok(noon), "{text}");
    }
    assert_eq!(
        time_of("2026-01-31", None).as_deref(),
        Ok("2026-01-31T00:00:00Z")
    );
    assert_eq!(
        time_of("20260131", None).as_deref(),
        Ok("2026-01-31T00:00:00Z")
    );
    for text in [
        "0",
        "-1",
        "1",
        "45458.5",
        "20261331",
        "1970-01-01T00:00:00Z",
        "1970-01-01 00:00:00",
        "1970-01-01",
        "-1769860800",
        "03/01/2026",
        "31/01/2026",
        "01/31/2026 12:00 PM",
        "31.01.2026 12:00",
        "31-01-2026",
        "2026-02-30",
        "noon",
        "1e300",
        "NaN",
        "",
    ] {
        let error = time_of(text, None);
        assert!(error.is_err(), "{text}: {error:?}");
    }
    assert_eq!(
        time_of("31.01.2026", Some("%d.%m.%Y")).as_deref(),
        Ok("2026-01-31T00:00:00Z")
    );
    assert!(time_of("2026-01-31", Some("%d.%m.%Y")).is_err());
}

#[test]
fn an_event_without_id_and_time_is_identified_by_its_line() {
    let folder = Folder::new();
    let path = folder.file("e.csv", "user,item\nu,a\nu,a\n");
    let mapping = EventMapping {
        default_kind: Some(vitrine_schemas::EventKind::View),
        ..EventMapping::default()
    };
    let ids = || -> Vec<_> {
        let records = read(&path, &mapping);
        records.into_iter().map(|r| r.event.unwrap().id).collect()
    };
    assert_eq!(ids(), ids());
    assert_ne!(ids()[0], ids()[1]);
}

#[test]
fn compressed_files_are_decompressed() {
    let folder = Folder::new();
    let text = b"user,item,kind\nu,a,view\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text).unwrap();
    let zst = zstd::encode_all(&text[..], 1).unwrap();
    for (name, bytes) in [("e.csv.gz", gz.finish().unwrap()), ("e.csv.zst", zst)] {
        assert!(
            read(&folder.file(name, bytes), &EventMapping::default())[0]
                .event
                .is_ok()
        );
    }
}

#[test]
fn parquet_times_and_whole_numbers_are_read_as_meant() {
    let schema = "message events {
        optional double user_id; required binary item (UTF8); required int64 ts (TIMESTAMP_MILLIS);
    }";
    let folder = Folder::new();
    let path = folder.0.path().join("e.parquet");
    let mut file = SerializedFileWriter::new(
        fs::File::create(&path).unwrap(),
        Arc::new(parse_message_type(schema).unwrap()),
        Arc::new(WriterProperties::new()),
    )
    .unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<DoubleType>()
        .write_batch(&[17850.0], Some(&[1, 0]), None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let items = ["85123A", "22752"].map(ByteArray::from);
    column
        .typed::<ByteArrayType>()
        .write_batch(&items, None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&[1_769_860_800_000, 0], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
    let mapping = EventMapping {
        default_kind: Some(vitrine_schemas::EventKind::Purchase),
        ..EventMapping::default()
    };
    let records = read(&path, &mapping);
    assert_eq!(
        event(&records[0]),
        json!({"kind": "purchase", "collection": "shop", "user": "17850", "items": ["85123A"], "ts": "2026-01-31T12:00:00Z"})
    );
    assert_eq!(errors(&records), [(2, "user")]);
}

#[test]
fn a_quantity_below_zero_stays_a_purchase_that_the_store_takes_back() {
    let folder = Folder::new();
    let csv = "user;item;event;ts;qty\nu;a;purchase;2026-01-31;2\nu;a;purchase;2026-02-01;-2\n\
        u;a;return;2026-02-02;\nu;a;view;2026-02-02;0\nu;a;purchase;2026-02-03;x\nu;a;refund;2026-02-03;1\n";
    let records = read(&folder.file("e.csv", csv), &EventMapping::default());
    let quantity = |at: usize| records[at].event.as_ref().map(|e| (e.kind, e.quantity));
    assert_eq!(quantity(0), Ok((EventKind::Purchase, Some(2.0))));
    assert_eq!(quantity(1), Ok((EventKind::Purchase, Some(-2.0))));
    assert_eq!(quantity(2), Ok((EventKind::Return, None)));
    assert_eq!(quantity(3), Ok((EventKind::View, None)));
    assert_eq!(errors(&records), [(6, "quantity"), (7, "kind")]);
}

#[test]
fn events_are_read_in_the_forms_of_catalogs() {
    let folder = Folder::new();
    let csv = "user,item,event,ts\nu1,Käse,view,2026-01-31\nu2,b,view,1769860800\n";
    let wanted = ["Käse", "b"];
    let utf_16: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, bytes) in [
        ("a.csv", csv.as_bytes().to_vec()),
        ("a.csv", ["\u{feff}", csv].concat().into_bytes()),
        ("a.csv", ["sep=,\n", csv].concat().into_bytes()),
        ("a.csv", csv.replace(',', ";").into_bytes()),
        ("a.csv", csv.replace(',', "\t").into_bytes()),
        ("a.tsv", csv.replace(',', "|").into_bytes()),
        ("a.csv", csv.replace('\n', "\r").into_bytes()),
        ("a.csv", csv.replace('\n', "\r\n").into_bytes()),
        (
            "a.csv",
            encoding_rs::WINDOWS_1252.encode(csv).0.into_owned(),
        ),
        ("a.csv", utf_16),
    ] {
        let records = read(&folder.file(name, &bytes), &EventMapping::default());
        let items = records
            .iter()
            .map(|r| r.event.as_ref().unwrap().items[0].clone());
        assert_eq!(items.collect::<Vec<_>>(), wanted, "{name} {bytes:?}");
    }
    let lines = "{\"kind\": \"view\", \"user\": \"u\", \"items\": [\"a\"], \"ts\": 1769860800}\n\
        {\"kind\": \"view\", \"user\": \"u\", \"items\": [\"a\"], \"ts\": \"2026-01-31 12:00:00\"}\n\
        {\"kind\": \"view\", \"user\": \"u\", \"items\": [\"a\"], \"ts\": 0}\n";
    let records = read(&folder.file("a.jsonl", lines), &EventMapping::default());
    for record in &records[..2] {
        assert_eq!(event(record)["ts"], "2026-01-31T12:00:00Z");
    }
    assert_eq!(errors(&records), [(3, "ts")]);
}
