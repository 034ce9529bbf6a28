//! Compressed files and streams.

use std::io::{Cursor, Read, Write};

use super::*;
use crate::source::{
    input::{Input, Reading},
    text::encoding::Content,
};

const LINES: &[u8] = b"\xef\xbb\xbf{\"id\":\"1\"}\n{\"id\":\"2\"}\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

#[test]
fn files_are_decompressed_by_their_extension() {
    // Several members make one stream, as with `cat a.gz b.gz`.
    let (gz, zst) = (
        [gzip(LINES), gzip(b"{\"id\":\"3\"}")].concat(),
        [zstd(LINES), zstd(b"{\"id\":\"3\"}")].concat(),
    );
    for (name, bytes) in [("a.jsonl.gz", gz), ("a.jsonl.zst", zst)] {
        let ids: Vec<_> = items(catalog(name, bytes).read())
            .into_iter()
            .map(|i| i.id)
            .collect();
        assert_eq!(ids, ["1", "2", "3"]);
    }
}

#[test]
fn a_truncated_file_ends_in_an_error() {
    let lines: String = (0..20_000)
        .map(|n| format!("{{\"id\":\"{n}\"}}\n"))
        .collect();
    for (name, mut bytes) in [
        ("a.jsonl.gz", gzip(lines.as_bytes())),
        ("a.jsonl.zst", zstd(lines.as_bytes())),
    ] {
        bytes.truncate(bytes.len() - 5);
        let file = catalog(name, bytes);
        let records: Vec<_> = open(&file.path, None, &Mapping::default())
            .unwrap()
            .collect();
        let (last, sound) = records.split_last().unwrap();
        assert!(sound.iter().all(Result::is_ok));
        let error = last.as_ref().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot read {} beyond line", file.path.display())),
            "{error}"
        );
    }
}

#[test]
fn a_file_with_another_compression_than_its_extension_is_an_error() {
    for name in ["a.jsonl.gz", "a.jsonl.zst"] {
        assert!(
            catalog(name, LINES)
                .error(&Mapping::default())
                .starts_with("cannot read")
        );
    }
    let missing = open("/nowhere/a.csv".as_ref(), None, &Mapping::default())
        .err()
        .unwrap();
    assert!(
        missing
            .to_string()
            .starts_with("cannot open /nowhere/a.csv")
    );
}

#[test]
fn a_stream_is_decompressed_by_its_first_bytes() {
    /// Reader of one byte at a time, like a slow pipe.
    struct Slow(Cursor<Vec<u8>>);
    impl Read for Slow {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let amount = to.len().min(1);
            self.0.read(&mut to[..amount])
        }
    }
    fn open(stream: impl Read + Send + 'static) -> Input {
        let reading = Reading::default();
        Input::from_stream("stream".into(), stream, &reading, Content::Json).unwrap()
    }
    for bytes in [LINES.to_vec(), gzip(LINES), zstd(LINES)] {
        let mut input = open(Slow(Cursor::new(bytes)));
        let mut text = String::new();
        input.reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n");
    }
    let mut empty = open(Cursor::new(b""));
    assert_eq!(empty.reader.read(&mut [0]).unwrap(), 0);
}
