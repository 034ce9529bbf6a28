//! Types of Parquet columns: times of every unit, dates, decimals, floats, nested columns.

use std::{fs::File, sync::Arc};

use ::parquet::{
    column::writer::ColumnWriter,
    data_type::{ByteArray, FixedLenByteArray},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};

use super::*;

/// Cells of a column, for one row.
enum Cell {
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(&'static [u8]),
    Fixed(&'static [u8]),
}

/// Returns the item of a file with an id, a title and one more column of this type.
fn item(column: &str, cell: Cell) -> Item {
    items_of(column, vec![cell]).remove(0)
}

fn items_of(columns: &str, cells: Vec<Cell>) -> Vec<Item> {
    items_of_group(columns, |group| {
        for cell in cells {
            let mut column = group.next_column().unwrap().unwrap();
            write(column.untyped(), cell);
            column.close().unwrap();
        }
    })
}

/// Returns the items of a file with one row, whose columns after the id `fill` writes.
fn items_of_group(
    columns: &str,
    fill: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>),
) -> Vec<Item> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let schema = format!("message m {{ required binary id (UTF8); {columns} }}");
    let mut file = SerializedFileWriter::new(
        File::create(&path).unwrap(),
        Arc::new(parse_message_type(&schema).unwrap()),
        Arc::new(WriterProperties::new()),
    )
    .unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    write(column.untyped(), Cell::Bytes(b"1"));
    column.close().unwrap();
    fill(&mut group);
    group.close().unwrap();
    file.close().unwrap();
    items(catalog("a.parquet", fs::read(path).unwrap()).read())
}

fn write(column: &mut ColumnWriter, cell: Cell) {
    let written = match (column, cell) {
        (ColumnWriter::Int32ColumnWriter(w), Cell::Int(v)) => w.write_batch(&[v], None, None),
        (ColumnWriter::Int64ColumnWriter(w), Cell::Long(v)) => w.write_batch(&[v], None, None),
        (ColumnWriter::FloatColumnWriter(w), Cell::Float(v)) => w.write_batch(&[v], None, None),
        (ColumnWriter::DoubleColumnWriter(w), Cell::Double(v)) => w.write_batch(&[v], None, None),
        (ColumnWriter::ByteArrayColumnWriter(w), Cell::Bytes(v)) => {
            w.write_batch(&[ByteArray::from(v.to_vec())], None, None)
        }
        (ColumnWriter::FixedLenByteArrayColumnWriter(w), Cell::Fixed(v)) => {
            let value = FixedLenByteArray::from(ByteArray::from(v.to_vec()));
            w.write_batch(&[value], None, None)
        }
        _ => panic!("a cell of another type"),
    };
    assert_eq!(written.unwrap(), 1);
}

/// Returns the attribute `x` of a file with a column of this type.
fn value(kind: &str, cell: Cell) -> Value {
    item(&format!("required {kind};"), cell)
        .attributes
        .get("x")
        .cloned()
        .unwrap_or_default()
}

#[test]
fn times_have_every_unit() {
    let time = "2024-06-15T12:34:56Z";
    for (kind, cell) in [
        (
            "int64 x (TIMESTAMP(MILLIS, true))",
            Cell::Long(1_718_454_896_000),
        ),
        (
            "int64 x (TIMESTAMP(MILLIS, false))",
            Cell::Long(1_718_454_896_000),
        ),
        (
            "int64 x (TIMESTAMP(MICROS, true))",
            Cell::Long(1_718_454_896_000_000),
        ),
        (
            "int64 x (TIMESTAMP(MICROS, false))",
            Cell::Long(1_718_454_896_000_000),
        ),
        (
            "int64 x (TIMESTAMP(NANOS, true))",
            Cell::Long(1_718_454_896_000_000_000),
        ),
        (
            "int64 x (TIMESTAMP(NANOS, false))",
            Cell::Long(1_718_454_896_000_000_000),
        ),
        ("int64 x (TIMESTAMP_MILLIS)", Cell::Long(1_718_454_896_000)),
        (
            "int64 x (TIMESTAMP_MICROS)",
            Cell::Long(1_718_454_896_000_000),
        ),
    ] {
        assert_eq!(value(kind, cell), time, "{kind}");
    }
    assert_eq!(
        value("int32 x (DATE)", Cell::Int(19_889)),
        "2024-06-15T00:00:00Z"
    );
    assert_eq!(
        value("int32 x (DATE)", Cell::Int(-1)),
        "1969-12-31T00:00:00Z"
    );
    assert_eq!(
        value("int32 x (TIME(MILLIS, true))", Cell::Int(34_200_000)),
        "09:30:00"
    );
    assert_eq!(
        value("int64 x (TIME(MICROS, true))", Cell::Long(34_200_000_000)),
        "09:30:00"
    );
    assert_eq!(
        value(
            "int64 x (TIME(NANOS, true))",
            Cell::Long(34_200_000_000_000)
        ),
        "09:30:00"
    );
}

#[test]
fn a_creation_time_may_be_a_number_or_a_day() {
    for (column, cell) in [
        ("required int64 created_at;", Cell::Long(1_718_454_896)),
        ("required int64 created_at;", Cell::Long(1_718_454_896_000)),
        ("required double created_at;", Cell::Double(1_718_454_896.0)),
        (
            "required int64 created_at (TIMESTAMP(NANOS, true));",
            Cell::Long(1_718_454_896_000_000_000),
        ),
        ("required int32 created_at (DATE);", Cell::Int(19_889)),
        (
            "required binary created_at (UTF8);",
            Cell::Bytes(b"2024-06-15"),
        ),
        (
            "required binary created_at;",
            Cell::Bytes(b"Sat, 15 Jun 2024 12:34:56 GMT"),
        ),
    ] {
        let made = item(column, cell).created_at.unwrap_or_default();
        assert!(made.starts_with("2024-06-15T"), "{column}: {made}");
    }
}

#[test]
fn numbers_are_the_decimals_that_were_written() {
    for (kind, cell, wanted) in [
        ("float x", Cell::Float(0.1), json!(0.1)),
        ("float x", Cell::Float(16_777_216.0), json!(16_777_216.0)),
        ("float x", Cell::Float(f32::NAN), Value::Null),
        ("double x", Cell::Double(0.1), json!(0.1)),
        ("double x", Cell::Double(f64::INFINITY), Value::Null),
        (
            "fixed_len_byte_array(2) x (FLOAT16)",
            Cell::Fixed(&[0x66, 0x2e]),
            json!(0.1),
        ),
        (
            "fixed_len_byte_array(2) x (FLOAT16)",
            Cell::Fixed(&[0x00, 0x3e]),
            json!(1.5),
        ),
        (
            "fixed_len_byte_array(2) x (FLOAT16)",
            Cell::Fixed(&[0x00, 0x00]),
            json!(0.0),
        ),
        ("int32 x (DECIMAL(9, 2))", Cell::Int(1999), json!(19.99)),
        (
            "int64 x (DECIMAL(18, 6))",
            Cell::Long(19_990_000),
            json!(19.99),
        ),
        (
            "int64 x (DECIMAL(18, 0))",
            Cell::Long(123_456_789_012_345_678),
            json!(123_456_789_012_345_678_i64),
        ),
        (
            "int64 x (DECIMAL(18, 2))",
            Cell::Long(123_456_789_012_345_678),
            json!("1234567890123456.78"),
        ),
        (
            "binary x (DECIMAL(10, 2))",
            Cell::Bytes(&[0x07, 0xcf]),
            json!(19.99),
        ),
        (
            "binary x (DECIMAL(10, 2))",
            Cell::Bytes(&[0xf8, 0x31]),
            json!(-19.99),
        ),
        (
            "int64 x (INTEGER(64, false))",
            Cell::Long(-1),
            json!(u64::MAX),
        ),
        ("int32 x (INTEGER(8, true))", Cell::Int(-5), json!(-5)),
    ] {
        assert_eq!(value(kind, cell), wanted, "{kind}");
    }
}

#[test]
fn bytes_are_text_where_they_are() {
    let uuid = b"\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00";
    for (kind, cell, wanted) in [
        ("binary x", Cell::Bytes("Größe".as_bytes()), "Größe"),
        ("binary x (ENUM)", Cell::Bytes(b"RED"), "RED"),
        ("binary x (JSON)", Cell::Bytes(b"{}"), "{}"),
        ("binary x", Cell::Bytes(&[0xff, 0x00]), "/wA="),
        (
            "fixed_len_byte_array(16) x (UUID)",
            Cell::Fixed(uuid),
            "123e4567-e89b-12d3-a456-426614174000",
        ),
    ] {
        assert_eq!(value(kind, cell), wanted, "{kind}");
    }
}

#[test]
fn nested_columns_have_dotted_names() {
    let size = "required group size { required int32 w; required group h { required float cm; } }";
    let read = items_of(size, vec![Cell::Int(3), Cell::Float(0.5)]).remove(0);
    assert_eq!(
        json!(read.attributes),
        json!({"size_w": 3, "size_h_cm": 0.5})
    );
    let parts = "required group parts (LIST) { repeated group list { required group element {
        required binary sku (UTF8); required int32 count; } } }";
    let file = items_of_lists(parts);
    assert_eq!(
        json!(file.attributes),
        json!({"parts_sku": ["a", "b"], "parts_count": [1, 2]})
    );
}

/// Returns the item of a file with a list of two parts.
fn items_of_lists(column: &str) -> Item {
    let fill = |group: &mut SerializedRowGroupWriter<'_, File>| {
        let mut column = group.next_column().unwrap().unwrap();
        let skus = [ByteArray::from("a"), ByteArray::from("b")];
        column
            .typed::<::parquet::data_type::ByteArrayType>()
            .write_batch(&skus, Some(&[1, 1]), Some(&[0, 1]))
            .unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<::parquet::data_type::Int32Type>()
            .write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 1]))
            .unwrap();
        column.close().unwrap();
    };
    items_of_group(column, fill).remove(0)
}
