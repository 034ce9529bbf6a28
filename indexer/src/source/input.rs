//! Bytes of a catalog: opened, decompressed, decoded to UTF-8, without a byte order mark. Parsing
//! does not live here.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::{Arc, OnceLock},
};

use encoding_rs::{Encoding, UTF_8};

use super::{
    SourceError,
    text::{
        HEAD, ReadAs, TextOptions,
        encoding::{self, Content, Decoded},
    },
};

/// Maximum size of a record in bytes; bounds the memory that a damaged file can use.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// Bytes read from a file at once.
const BUFFER: usize = 256 << 10;

/// Options of an input, and where the detected form is noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub text: TextOptions,
    pub read_as: Arc<OnceLock<ReadAs>>,
}

impl Reading {
    /// Notes the form of a text; the first note counts.
    pub fn note(&self, read_as: ReadAs) {
        self.read_as.get_or_init(|| read_as);
    }
}

/// Opened catalog.
pub(super) struct Input {
    /// Name for messages.
    pub name: String,
    /// Text in UTF-8; bytes that do not fit the encoding are not UTF-8.
    pub reader: Box<dyn BufRead + Send>,
    /// Encoding of the file.
    pub encoding: &'static Encoding,
    pub reading: Reading,
}

#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    fn of_ending(source: &Path) -> Option<Self> {
        match source.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn of_magic(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Returns the extension of a file in lower case, without that of its compression.
pub(super) fn ending(source: &Path) -> Option<String> {
    let name = source.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|packed| name.strip_suffix(packed))
        .unwrap_or(&name);
    name.rsplit_once('.').map(|(_, ending)| ending.to_owned())
}

/// Returns the name of a source for messages.
pub(super) fn name_of(source: &Path) -> String {
    if source == Path::new("-") {
        return "standard input".to_owned();
    }
    source.display().to_string()
}

impl Input {
    pub fn open(source: &Path, reading: &Reading, content: Content) -> Result<Self, SourceError> {
        let name = name_of(source);
        if source == Path::new("-") {
            return Self::from_stream(name, io::stdin(), reading, content);
        }
        let file = File::open(source).map_err(|e| SourceError::Open {
            path: source.to_owned(),
            source: e,
        })?;
        match Packing::of_ending(source) {
            None => Self::from_stream(name, file, reading, content),
            packing => Self::unpack(name, file, packing, reading, content),
        }
    }

    /// Opens a stream; its compression is detected from its first bytes.
    pub fn from_stream(
        name: String,
        mut stream: impl Read + Send + 'static,
        reading: &Reading,
        content: Content,
    ) -> Result<Self, SourceError> {
        let head = take_head(&name, &mut stream, 4)?;
        let packing = Packing::of_magic(&head);
        let stream = Cursor::new(head).chain(stream);
        Self::unpack(name, stream, packing, reading, content)
    }

    fn unpack(
        name: String,
        stream: impl Read + Send + 'static,
        packing: Option<Packing>,
        reading: &Reading,
        content: Content,
    ) -> Result<Self, SourceError> {
        let mut stream: Box<dyn Read + Send> = match packing {
            None => Box::new(stream),
            Some(Packing::Gzip) => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(stream)))
            }
            Some(Packing::Zstd) => match zstd::Decoder::new(stream) {
                Ok(decoder) => Box::new(decoder),
                Err(source) => return Err(first_read(&name, source)),
            },
        };
        let head = take_head(&name, &mut stream, HEAD)?;
        let encoding = match reading.text.encoding {
            Some(encoding) => encoding,
            None => encoding::detect(&head, head.len() < HEAD, content).map_err(|reason| {
                SourceError::Header {
                    name: name.clone(),
                    reason,
                }
            })?,
        };
        let mut raw = Cursor::new(head);
        raw.set_position(encoding::mark_length(encoding, raw.get_ref()) as u64);
        let raw = raw.chain(stream);
        let text: Box<dyn Read + Send> = if encoding == UTF_8 {
            Box::new(raw)
        } else {
            Box::new(Decoded::new(raw, encoding))
        };
        if content != Content::Table {
            reading.note(ReadAs::text(encoding));
        }
        Ok(Self {
            name,
            reader: Box::new(BufReader::with_capacity(BUFFER, text)),
            encoding,
            reading: reading.clone(),
        })
    }
}

/// Reads the first bytes; an error after some of them is left to later reads.
fn take_head(name: &str, stream: &mut impl Read, size: usize) -> Result<Vec<u8>, SourceError> {
    let mut head = Vec::new();
    match stream.by_ref().take(size as u64).read_to_end(&mut head) {
        Err(source) if head.is_empty() => Err(first_read(name, source)),
        _ => Ok(head),
    }
}

fn first_read(name: &str, source: io::Error) -> SourceError {
    SourceError::Read {
        name: name.to_owned(),
        line: 0,
        source,
    }
}

/// Reader that counts lines, and fails once a record grows beyond [`MAX_RECORD`] (an unclosed quote
/// or tag includes all that follows).
pub(super) struct Guard {
    reader: Box<dyn BufRead + Send>,
    /// Line of the next byte, from 1.
    pub line: u64,
    used: usize,
}

impl Guard {
    pub fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self {
            reader,
            line: 1,
            used: 0,
        }
    }

    /// Starts a new record.
    pub fn begin(&mut self) {
        self.used = 0;
    }
}

impl BufRead for Guard {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used > MAX_RECORD {
            return Err(io::Error::other(
                "a record is larger than 16 MiB; look for an unclosed quote or tag",
            ));
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // Consumed bytes were buffered before, so this reads nothing and cannot fail.
        if let Ok(filled) = self.reader.fill_buf() {
            let breaks = filled.iter().take(amount).filter(|b| **b == b'\n').count();
            self.line += breaks as u64;
        }
        self.used += amount;
        self.reader.consume(amount);
    }
}

impl Read for Guard {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let filled = self.fill_buf()?;
        let amount = filled.len().min(to.len());
        to[..amount].copy_from_slice(&filled[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
