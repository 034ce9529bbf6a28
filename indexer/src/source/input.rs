//! Bytes of a catalog: opened, decompressed, without a byte order mark. Parsing does not live here.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

use super::SourceError;

/// Maximum size of a record in bytes; bounds the memory that a damaged file can use.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// Opened catalog.
pub(super) struct Input {
    /// Name for messages.
    pub name: String,
    pub reader: Box<dyn BufRead + Send>,
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
    pub fn open(source: &Path) -> Result<Self, SourceError> {
        let name = name_of(source);
        if source == Path::new("-") {
            return Self::from_stream(name, io::stdin());
        }
        let file = File::open(source).map_err(|e| SourceError::Open {
            path: source.to_owned(),
            source: e,
        })?;
        Self::unpack(name, file, Packing::of_ending(source))
    }

    /// Opens a stream; its compression is detected from its first bytes.
    pub fn from_stream(
        name: String,
        mut stream: impl Read + Send + 'static,
    ) -> Result<Self, SourceError> {
        let head = take_head(&name, &mut stream)?;
        let packing = Packing::of_magic(&head);
        Self::unpack(name, Cursor::new(head).chain(stream), packing)
    }

    fn unpack(
        name: String,
        stream: impl Read + Send + 'static,
        packing: Option<Packing>,
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
        let head = take_head(&name, &mut stream)?;
        let text = match &*head {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(SourceError::Utf16 { name }),
            [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
            _ => head,
        };
        let reader = BufReader::with_capacity(64 << 10, Cursor::new(text).chain(stream));
        Ok(Self {
            name,
            reader: Box::new(reader),
        })
    }
}

fn take_head(name: &str, stream: &mut impl Read) -> Result<Vec<u8>, SourceError> {
    let mut head = Vec::new();
    match stream.by_ref().take(4).read_to_end(&mut head) {
        Ok(_) => Ok(head),
        Err(source) => Err(first_read(name, source)),
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
