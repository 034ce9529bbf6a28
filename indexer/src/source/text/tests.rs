//! Encodings, separators, quotes and line ends, given in parts of any size.

use super::*;

/// Reads a text in parts; returns the form, and line and cells of each row.
fn read(bytes: &[u8], part: usize, options: TextOptions) -> (ReadAs, Vec<(u64, Vec<String>)>) {
    let mut stream = TextStream::new(options, 1000);
    let mut rows = Vec::new();
    for part in bytes.chunks(part.max(1)) {
        stream.push(part).unwrap();
        rows.extend(std::iter::from_fn(|| stream.pop()));
    }
    stream.finish().unwrap();
    rows.extend(std::iter::from_fn(|| stream.pop()));
    let cells = |row: &TextRow| {
        let mut cells: Vec<_> = row.cells.iter().map(text).collect();
        cells.extend(row.error.map(|error| format!("! {error}")));
        cells
    };
    let rows = rows.iter().map(|row| (row.line, cells(row))).collect();
    (stream.read_as().unwrap().clone(), rows)
}

fn text(cell: &[u8]) -> String {
    String::from_utf8(cell.to_vec()).unwrap_or_else(|_| "?".to_owned())
}

/// Returns the cells of the rows below the header, joined by a slash.
fn rows(text: &str) -> Vec<String> {
    let whole = read(text.as_bytes(), text.len(), TextOptions::default());
    for part in [1, 2, 7] {
        let parts = read(text.as_bytes(), part, TextOptions::default());
        assert_eq!(parts, whole, "{part} bytes at a time: {text}");
    }
    let rows = whole.1.into_iter().skip(1);
    rows.map(|(_, cells)| cells.join("/")).collect()
}

fn form(bytes: &[u8]) -> String {
    read(bytes, bytes.len(), TextOptions::default())
        .0
        .to_string()
}

#[test]
fn quotes_that_do_not_enclose_a_cell_are_part_of_it() {
    for (line, cells) in [
        ("1\t\"Best Dad\" mug\tx", "1/\"Best Dad\" mug/x"),
        ("1\t5/8\" bolt\tx", "1/5/8\" bolt/x"),
        ("1\t\"24 in. monitor\tx", "1/\"24 in. monitor/x"),
        ("1\t\"12\"\" ruler, steel\"\tx", "1/12\" ruler, steel/x"),
        ("1\t\"12\" ruler\"\tx", "1/12\" ruler/x"),
        ("1\t\"He said \"hi\" ok\"\tx", "1/He said \"hi\" ok/x"),
        ("1\t\"a\tb\"\tx", "1/a\tb/x"),
        ("1\t \"a\" \tx", "1/a/x"),
        ("1\t\"\"\tx", "1//x"),
        ("\"1\t2\t\"x", "\"1/2/\"x"),
        ("1\tx\t\"", "1/x/\""),
    ] {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("id\ttitle\tmore{end}{line}{end}2\tb\tc{end}");
            assert_eq!(rows(&text), [cells, "2/b/c"], "{line:?} {end:?}");
        }
    }
}

#[test]
fn an_opening_quote_takes_no_other_row_with_it() {
    for (text, wanted) in [
        (
            "a,b,c\n1,\"24 in,x\n2,\"27, wide\",y\n",
            vec!["1/\"24 in/x", "2/27, wide/y"],
        ),
        (
            "a,b,c\n1,\"24 in,x\n2,TV 55\",y\n3,z,z\n",
            vec!["1/\"24 in/x", "2/TV 55\"/y", "3/z/z"],
        ),
        (
            "a\tb\tc\n1\t\"24 in\tx\n2\tTV\"\ty\n",
            vec!["1/\"24 in/x", "2/TV\"/y"],
        ),
        (
            "a;b;c\n1;\"x;y\n2;\"x;y\n3;\"x;y\n",
            vec!["1/\"x/y", "2/\"x/y", "3/\"x/y"],
        ),
        (
            "a,b,c\n1,\"12\" ruler, steel\",5\n2,x,y\n",
            vec!["1/12\" ruler, steel/5", "2/x/y"],
        ),
        ("a,b,c\n1,\"open,\n2,x,y", vec!["1/\"open/", "2/x/y"]),
        ("a,b,c\n1,\"last,", vec!["1/\"last/"]),
    ] {
        assert_eq!(rows(text), wanted, "{text}");
    }
}

#[test]
fn quoted_cells_may_have_several_lines() {
    for (text, wanted) in [
        ("a,b,c\n1,\"x\ny\",z\n2,b,c\n", vec!["1/x\ny/z", "2/b/c"]),
        (
            "a,b,c\r\n1,\"x\r\n\r\n, \"\"y\"\"\",z\r\n2,b,c\r\n",
            vec!["1/x\r\n\r\n, \"y\"/z", "2/b/c"],
        ),
        (
            "a,b,c\n1,\"one, two\nthree, four\",z\n",
            vec!["1/one, two\nthree, four/z"],
        ),
        ("a,b,c\r1,\"x\ny\",z\r2,b,c\r", vec!["1/x\ny/z", "2/b/c"]),
        ("a\tb\tc\n1\t\"x\ny\"\tz\n", vec!["1/x\ny/z"]),
        ("\"a\nb\",c\n1,2\n", vec!["1/2"]),
    ] {
        assert_eq!(rows(text), wanted, "{text:?}");
    }
}

#[test]
fn rows_know_their_line_and_their_fault() {
    let text = "sep=;\n\na;b\n1;\"x\ny\"\n\n;\n2\n3;4;5\n\"6;7\n8;9";
    let (_, rows) = read(text.as_bytes(), text.len(), TextOptions::default());
    let lines: Vec<_> = rows
        .iter()
        .map(|(line, cells)| (*line, cells.len()))
        .collect();
    assert_eq!(lines, [(3, 2), (4, 2), (8, 2), (9, 4), (10, 2), (11, 2)]);
    assert!(
        rows[3].1[3].contains("expected 2 fields as in the header, got 3"),
        "{rows:?}"
    );
    let long = format!(
        "a,b\n1,{}\n2,b\n3,\"{}\n4,b\n",
        "x".repeat(3000),
        "y ".repeat(800)
    );
    for part in [1, 100, long.len()] {
        let (_, rows) = read(long.as_bytes(), part, TextOptions::default());
        let lines: Vec<_> = rows
            .iter()
            .map(|(line, cells)| (*line, cells.len()))
            .collect();
        assert_eq!(lines, [(1, 2), (2, 1), (3, 2), (4, 1), (5, 2)], "{part}");
    }
}

#[test]
fn the_separator_is_the_one_of_the_header_and_the_rows() {
    for (text, wanted) in [
        ("id,title\n1,a;b;c\n2,d|e\n", ','),
        ("id;title;price\n1;a, b;12,99\n2;c;5,00\n", ';'),
        ("id\ttitle\n1\ta,b\n", '\t'),
        ("id|title|x\n1|a,b|c;d\n", '|'),
        ("sep=|\nid|title\n1|a\n", '|'),
        ("\"sep=;\"\nid;title\n1;a\n", ';'),
        ("SEP=,\nid,title\n1,a\n", ','),
        ("id;title\n", ';'),
        ("id;title", ';'),
        ("id\n1\n2\n", ','),
        ("id;name, short;price, net\n1;a;2,5\n2;b;3,5\n", ';'),
        ("\"id\";\"a, b, c\"\n1;\"x, y\"\n", ';'),
        ("id\ttitle; with, marks\n1\tx\n", '\t'),
    ] {
        let read_as = read(text.as_bytes(), text.len(), TextOptions::default()).0;
        assert_eq!(read_as.delimiter, Some(wanted), "{text}");
    }
    let quoted = read(b"'id';'title'\n1;'a;b'\n", 99, TextOptions::default());
    assert_eq!(quoted.1[1].1, ["1", "a;b"]);
}

#[test]
fn line_ends_are_those_outside_of_quotes() {
    for (text, wanted) in [
        ("a,b\n1,2\n", "LF"),
        ("a,b\r\n1,2\r\n", "CRLF"),
        ("a,b\r1,2\r", "CR"),
        ("a,\"b\nc\"\r1,2\r", "CR"),
        ("a,\"b\rc\"\n1,2\n", "LF"),
        ("a,b\r1,\"x\ny\"\r", "CR"),
        ("a,b", "LF"),
    ] {
        assert!(
            form(text.as_bytes()).ends_with(wanted),
            "{text:?}: {}",
            form(text.as_bytes())
        );
    }
}

#[test]
fn the_encoding_is_detected() {
    let text = "id;title\n1;Crème brûlée, Größe: 5 €\n2;Schälchen\n";
    let utf_16 = |big: bool| -> Vec<u8> {
        let pairs = text.encode_utf16();
        pairs
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let files: [(&str, Vec<u8>); 7] = [
        ("UTF-8", text.into()),
        ("UTF-8", ["\u{feff}", text].concat().into()),
        ("UTF-16LE", utf_16(false)),
        ("UTF-16BE", utf_16(true)),
        ("UTF-16LE", [&[0xff, 0xfe], &utf_16(false)[..]].concat()),
        ("UTF-16BE", [&[0xfe, 0xff], &utf_16(true)[..]].concat()),
        ("windows-1252", windows.into_owned()),
    ];
    for (name, bytes) in files {
        for part in [1, 3, bytes.len()] {
            let (read_as, rows) = read(&bytes, part, TextOptions::default());
            assert_eq!(read_as.encoding, name);
            assert_eq!(rows[0].1, ["id", "title"], "{name}");
            assert_eq!(rows[1].1[1], "Crème brûlée, Größe: 5 €", "{name}");
            assert_eq!(
                rows[2],
                (3, vec!["2".to_owned(), "Schälchen".to_owned()]),
                "{name}"
            );
        }
    }
}

#[test]
fn other_alphabets_are_detected() {
    let text = |title: &str| format!("id,title\n{}", format!("1,{title}\n").repeat(20));
    for (encoding, title) in [
        (encoding_rs::WINDOWS_1251, "Чайник электрический красный"),
        (encoding_rs::SHIFT_JIS, "電気ケトル 赤い やかん"),
        (encoding_rs::GBK, "电热水壶 红色 不锈钢"),
        (encoding_rs::EUC_KR, "전기 주전자 빨간색"),
        (encoding_rs::BIG5, "電熱水壺 紅色 不鏽鋼"),
        (encoding_rs::WINDOWS_1253, "Βραστήρας κόκκινος ηλεκτρικός"),
    ] {
        let text = text(title);
        let (bytes, _, unmapped) = encoding.encode(&text);
        assert!(!unmapped, "{title}");
        let rows = read(&bytes, 4096, TextOptions::default()).1;
        assert_eq!(rows[1].1[1], title, "{}", encoding.name());
    }
}

#[test]
fn bytes_that_do_not_fit_are_not_replaced() {
    let mixed = b"id,title\n1,Cr\xc3\xa8me\n2,br\xfbl\xe9e\n3,Gr\xc3\xb6\xc3\x9fe\n4,\xff\n";
    let rows = read(mixed, 5, TextOptions::default()).1;
    let titles: Vec<_> = rows.iter().map(|(_, cells)| cells[1].as_str()).collect();
    assert_eq!(titles, ["title", "Crème", "?", "Größe", "?"]);
    let options = TextOptions {
        encoding: Some(encoding_rs::SHIFT_JIS),
        ..TextOptions::default()
    };
    let rows = read(b"id,title\n1,\xff\xff\n2,b\n", 99, options).1;
    assert_eq!((rows[1].1[1].as_str(), rows[2].1[1].as_str()), ("?", "b"));
    assert!(
        TextStream::new(TextOptions::default(), 9)
            .push(&[0; HEAD])
            .is_err()
    );
}

#[test]
fn options_override_what_is_detected() {
    let options = TextOptions::parse(Some("latin1"), Some("tab"), Some("none")).unwrap();
    let (read_as, rows) = read(b"id,a\tb\n1,\"x\t\xe9\n", 99, options);
    assert_eq!(
        read_as.to_string(),
        "encoding windows-1252, separator tab, no quotes, line ends LF"
    );
    assert_eq!(rows[1].1, ["1,\"x", "é"]);
    for name in [
        "utf-8",
        "UTF8",
        "utf-16",
        "utf-16be",
        "cp1252",
        "ISO-8859-15",
        "shift_jis",
        "mac-roman",
    ] {
        assert!(encoding::by_name(name).is_ok(), "{name}");
    }
    for (error, wanted) in [
        (
            TextOptions::parse(Some("klingon"), None, None),
            "encoding: expected an encoding",
        ),
        (
            TextOptions::parse(None, Some(",,"), None),
            "delimiter: expected one ASCII character",
        ),
        (
            TextOptions::parse(None, Some("\n"), None),
            "delimiter: expected one ASCII character",
        ),
        (
            TextOptions::parse(None, Some("§"), None),
            "delimiter: expected one ASCII character",
        ),
        (
            TextOptions::parse(None, None, Some("''")),
            "quote: expected one ASCII character",
        ),
    ] {
        let error = error.unwrap_err();
        assert!(error.starts_with(wanted), "{error}");
    }
}

/// Cells that need quotes, or hold quotes that mean nothing.
const CELLS: [&str; 12] = [
    "",
    "Käse",
    "12,99",
    "red; blue",
    "a | b\tc",
    "5/8\" bolt",
    "\"Best Dad\" mug",
    "12\" ruler, steel",
    "line one\nline, two",
    "Größe\r\n\r\n\"M\"",
    "\"",
    " x ",
];

/// Writes a cell as spreadsheets do; what needs no quotes gets none.
fn written(cell: &str, delimiter: char) -> String {
    let special = |c| c == delimiter || c == '\n' || c == '\r';
    if cell.contains(special) || cell.trim().starts_with('"') {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

#[test]
fn tables_read_the_same_in_every_form() {
    use rand::{Rng, SeedableRng, rngs::SmallRng};
    for seed in 0..500 {
        let mut random = SmallRng::seed_from_u64(seed);
        let delimiter = [',', ';', '\t', '|'][random.random_range(0..4)];
        let end = ["\n", "\r\n", "\r"][random.random_range(0..3)];
        let mut wanted: Vec<Vec<String>> =
            vec![["id", "title", "b", "c", "d"].map(String::from).into()];
        for row in 0..random.random_range(1..20) {
            let mut cells = vec![format!("SKU-{row}"), "Käse".to_owned()];
            cells.extend((0..3).map(|_| CELLS[random.random_range(0..CELLS.len())].to_owned()));
            wanted.push(cells);
        }
        let lines = wanted.iter().map(|cells| {
            let cells: Vec<_> = cells.iter().map(|cell| written(cell, delimiter)).collect();
            cells.join(&delimiter.to_string()) + end
        });
        let text: String = lines.collect();
        let utf_16 = text.encode_utf16();
        let bytes = match random.random_range(0..5) {
            0 => text.clone().into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            3 => utf_16.flat_map(u16::to_le_bytes).collect(),
            _ => utf_16.flat_map(u16::to_be_bytes).collect(),
        };
        let part = random.random_range(1..200);
        let rows = read(&bytes, part, TextOptions::default()).1;
        let cells: Vec<_> = rows.into_iter().map(|(_, cells)| cells).collect();
        assert_eq!(cells, wanted, "seed {seed}: {text:?}");
    }
}
