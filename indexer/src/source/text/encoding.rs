//! Encodings: detection from the head of a file, and decoding to UTF-8.
//!
//! Bytes that do not fit the encoding become a byte that is not UTF-8, so that the record with them
//! is refused where its text is checked; they are never replaced silently.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    DecoderResult, Encoding, ISO_8859_2, ISO_8859_4, ISO_8859_13, UTF_8, UTF_16BE, UTF_16LE,
    WINDOWS_1250, WINDOWS_1252, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258,
};

/// Marker of bytes that could not be decoded; it is not part of any UTF-8 text.
const BROKEN: u8 = 0xff;

/// Bytes that no common 8-bit encoding uses for text, so they are damage rather than a hint.
const UNUSED: [u8; 6] = [0x81, 0x8d, 0x8f, 0x90, 0x9d, 0xff];

/// Encodings of Latin letters that are less frequent than windows-1252, which a few letters do not
/// tell from it.
const RARE: [&Encoding; 7] = [
    ISO_8859_2,
    ISO_8859_4,
    ISO_8859_13,
    WINDOWS_1250,
    WINDOWS_1254,
    WINDOWS_1257,
    WINDOWS_1258,
];

/// Maximum number of letters outside ASCII that are few.
const MAX_FEW_LETTERS: usize = 2;

/// Kind of content, which decides what an encoding is detected from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Separated text.
    Table,
    /// JSON, which is Unicode.
    Json,
    /// XML, which may declare its encoding.
    Xml,
}

/// Returns the encoding of a name.
///
/// # Errors
/// The name is unknown.
pub(crate) fn by_name(name: &str) -> Result<&'static Encoding, String> {
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    let label = match plain.as_str() {
        "utf16" | "utf-16" => "utf-16le",
        "utf8" | "utf-8-sig" => "utf-8",
        "utf16le" => "utf-16le",
        "utf16be" => "utf-16be",
        "latin-1" => "latin1",
        "mac-roman" | "macroman" => "macintosh",
        "sjis" => "shift-jis",
        other => other,
    };
    Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(name.trim().as_bytes()))
        .ok_or_else(|| {
            format!(
                "expected an encoding such as utf-8, utf-16le, windows-1252, iso-8859-2, macintosh, \
                 shift_jis or gb18030, got `{name}`"
            )
        })
}

/// Detects the encoding from the head of a file, which is the whole file if `complete`.
///
/// # Errors
/// The content is not text, or XML declares an unknown encoding.
pub(crate) fn detect(
    head: &[u8],
    complete: bool,
    content: Content,
) -> Result<&'static Encoding, String> {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return Ok(encoding);
    }
    if let Some(encoding) = utf_16(head) {
        return Ok(encoding);
    }
    let zeros = memchr::memchr_iter(0, head).count();
    if zeros * 100 > head.len() {
        return Err(
            "expected text, got binary data (zero bytes); set --encoding if it is text".into(),
        );
    }
    if content == Content::Xml
        && let Some(name) = declared(head)
    {
        // A declaration of UTF-16 that can be read byte by byte is wrong.
        return by_name(name).map(Encoding::output_encoding);
    }
    if content == Content::Json || is_utf_8(head, complete) {
        return Ok(UTF_8);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, complete);
    let guess = detector.guess(None, Utf8Detection::Deny);
    Ok(
        match RARE.contains(&guess) && has_few_letters(head, guess) {
            true => WINDOWS_1252,
            false => guess,
        },
    )
}

/// Returns true if a text has few letters outside ASCII in an encoding.
fn has_few_letters(head: &[u8], encoding: &'static Encoding) -> bool {
    let (text, _) = encoding.decode_without_bom_handling(head);
    let letters = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic());
    letters.take(MAX_FEW_LETTERS + 1).count() <= MAX_FEW_LETTERS
}

/// Returns UTF-16 if every second byte of many characters is zero, as in Latin text.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    let (mut even, mut odd) = (0_usize, 0_usize);
    for pair in head.chunks_exact(2).take(4096) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
    }
    let pairs = (head.len() / 2).min(4096);
    match (even, odd) {
        _ if pairs < 2 => None,
        (even, odd) if odd * 5 > pairs && odd > even * 4 => Some(UTF_16LE),
        (even, odd) if even * 5 > pairs && even > odd * 4 => Some(UTF_16BE),
        _ => None,
    }
}

/// Returns true for UTF-8 text, of which some records may be damaged.
fn is_utf_8(head: &[u8], complete: bool) -> bool {
    let (mut sound, mut broken) = (0_usize, 0_usize);
    let mut odd_bytes_only = true;
    let mut chunks = head.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        let cut_off = chunks.peek().is_none() && !complete;
        if !chunk.invalid().is_empty() && !cut_off {
            broken += 1;
            odd_bytes_only &= chunk.invalid().iter().all(|b| UNUSED.contains(b));
        }
    }
    sound * 2 >= broken || odd_bytes_only
}

/// Returns the encoding that an XML declaration names.
fn declared(head: &[u8]) -> Option<&str> {
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = memchr::memmem::find(declaration, b"?>")?;
    let text = std::str::from_utf8(&declaration[..end]).ok()?;
    let value = text.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let mark = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(mark).next()
}

/// Decoder of consecutive parts of a text to UTF-8.
pub(crate) enum Decoder {
    /// UTF-8, passed on unchecked.
    Utf8,
    /// Another encoding.
    Other(Box<encoding_rs::Decoder>),
}

impl Decoder {
    /// Creates a decoder of text whose byte order mark, if it has one, was removed.
    pub fn new(encoding: &'static Encoding) -> Self {
        if encoding == UTF_8 {
            return Self::Utf8;
        }
        Self::Other(Box::new(encoding.new_decoder_without_bom_handling()))
    }

    /// Appends the next part to `out`; `last` ends the text.
    pub fn decode(&mut self, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        let Self::Other(decoder) = self else {
            out.extend_from_slice(bytes);
            return;
        };
        loop {
            let start = out.len();
            let room = decoder
                .max_utf8_buffer_length_without_replacement(bytes.len())
                .unwrap_or(bytes.len().saturating_mul(4).max(64));
            out.resize(start + room, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(bytes, &mut out[start..], last);
            out.truncate(start + written);
            bytes = &bytes[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => out.push(BROKEN),
            }
        }
    }
}

/// Returns the length of the byte order mark that a text of this encoding begins with.
pub(crate) fn mark_length(encoding: &'static Encoding, head: &[u8]) -> usize {
    match Encoding::for_bom(head) {
        Some((found, length)) if found == encoding => length,
        _ => 0,
    }
}

/// Reader that decodes to UTF-8.
pub(crate) struct Decoded<R> {
    reader: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    /// Decodes a reader without byte order mark.
    pub fn new(reader: R, encoding: &'static Encoding) -> Self {
        Self {
            reader,
            decoder: Decoder::new(encoding),
            raw: vec![0; 64 << 10],
            text: Vec::new(),
            at: 0,
            ended: false,
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            let count = self.reader.read(&mut self.raw)?;
            self.ended = count == 0;
            self.text.clear();
            self.at = 0;
            self.decoder
                .decode(&self.raw[..count], self.ended, &mut self.text);
        }
        let amount = to.len().min(self.text.len() - self.at);
        to[..amount].copy_from_slice(&self.text[self.at..self.at + amount]);
        self.at += amount;
        Ok(amount)
    }
}
