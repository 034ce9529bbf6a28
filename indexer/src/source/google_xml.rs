//! Google Merchant feeds in XML: RSS items and Atom entries become rows. The meaning of the fields
//! lives in `google`.

use quick_xml::{
    NsReader,
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
};
use serde_json::Value;

use super::{
    SourceError,
    cells::Row,
    html,
    input::{Guard, Input},
    line::Line,
};

const GOOGLE: Namespace = Namespace(b"http://base.google.com/ns/1.0");
const ATOM: Namespace = Namespace(b"http://www.w3.org/2005/Atom");

/// Returns the entries of a feed.
pub(super) fn rows(
    input: Input,
) -> Result<impl Iterator<Item = Result<Line, SourceError>> + Send + use<>, SourceError> {
    let mut feed = Feed {
        name: input.name,
        encoding: input.encoding.name(),
        xml: NsReader::from_reader(Guard::new(input.reader)),
        depth: 0,
    };
    feed.find_root()?;
    Ok(std::iter::from_fn(move || {
        let entry = feed.next_entry().transpose()?;
        Some(entry.map(|entry| Line {
            row: entry.row(),
            line: entry.line,
            item: None,
            error: entry.error,
        }))
    }))
}

struct Feed {
    name: String,
    /// Name of the encoding.
    encoding: &'static str,
    xml: NsReader<Guard>,
    /// Number of open elements around the entries.
    depth: usize,
}

/// RSS item or Atom entry.
struct Entry {
    line: u64,
    /// Fields of Google's namespace; they take precedence over plain ones of the same name.
    google: Row,
    plain: Row,
    error: Option<String>,
}

/// Element directly below an entry, with its text.
struct Field {
    /// Namespace and name of the field; `None` if it is ignored.
    key: Option<(Origin, String)>,
    text: String,
    /// Number of open elements, including this one.
    depth: usize,
    /// True if it has elements of its own, such as the country of `shipping`; it is ignored then.
    is_nested: bool,
}

#[derive(Clone, Copy)]
enum Origin {
    Google,
    Plain,
}

impl Feed {
    fn find_root(&mut self) -> Result<(), SourceError> {
        // An `&` that is not written `&amp;` is too common to reject a feed for it.
        self.xml.config_mut().allow_dangling_amp = true;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match self.read(&mut buffer)? {
                Event::Start(root) if is_root(&root) => {
                    self.depth = 1;
                    return Ok(());
                }
                Event::Empty(root) if is_root(&root) => return Ok(()),
                Event::Decl(_) | Event::DocType(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                _ => {
                    let reason = "expected an `rss` or `feed` root element";
                    return Err(self.error(reason.to_owned()));
                }
            }
        }
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, SourceError> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            self.xml.get_mut().begin();
            let line = self.xml.get_ref().line;
            match self.read(&mut buffer)? {
                Event::Start(start) if is_entry(&start) => return self.entry(line).map(Some),
                Event::Empty(start) if is_entry(&start) => return Ok(Some(Entry::new(line))),
                Event::Start(_) => self.depth += 1,
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                Event::Eof if self.depth > 0 => return Err(self.cut_off()),
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// Reads to the end of an entry.
    fn entry(&mut self, line: u64) -> Result<Entry, SourceError> {
        let mut entry = Entry::new(line);
        let mut open: Option<Field> = None;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let event = self.read(&mut buffer)?;
            let text = match &event {
                Event::Text(text) => text.decode().map_err(|e| e.to_string()),
                Event::CData(text) => text.decode().map_err(|e| e.to_string()),
                Event::GeneralRef(name) => match name.decode() {
                    Ok(name) => Ok(html::entity(&name)
                        .unwrap_or_else(|| format!("&{name};"))
                        .into()),
                    Err(error) => Err(error.to_string()),
                },
                _ => Ok("".into()),
            };
            match (&mut open, text) {
                (Some(field), Ok(text)) => field.text.push_str(&text),
                (None, Ok(_)) => {}
                (_, Err(error)) => {
                    let (name, field) = (self.encoding, field_name(&open));
                    let reason = format!("{field}not valid {name} ({error}); set --encoding");
                    entry.error = Some(reason);
                }
            }
            match (event, &mut open) {
                (Event::Start(_), Some(field)) => {
                    field.depth += 1;
                    field.is_nested = true;
                }
                (Event::Empty(start), None) => entry.keep_link(self.key(&start), &start),
                (Event::Start(start), None) => {
                    open = Some(Field {
                        key: self.key(&start),
                        text: String::new(),
                        depth: 1,
                        is_nested: false,
                    })
                }
                (Event::End(_), Some(field)) if field.depth > 1 => field.depth -= 1,
                (Event::End(_), Some(_)) => entry.keep(open.take()),
                (Event::End(_), None) => return Ok(entry),
                (Event::Eof, _) => return Err(self.cut_off()),
                _ => {}
            }
        }
    }

    /// Returns the field of an element. Namespaces other than Google's and Atom's do not describe
    /// the product.
    fn key(&self, start: &BytesStart) -> Option<(Origin, String)> {
        let (namespace, name) = self.xml.resolve_element(start.name());
        let origin = match namespace {
            ResolveResult::Bound(GOOGLE) => Origin::Google,
            ResolveResult::Unknown(prefix) if prefix == b"g" => Origin::Google,
            ResolveResult::Unbound | ResolveResult::Bound(ATOM) => Origin::Plain,
            ResolveResult::Unknown(_) | ResolveResult::Bound(_) => return None,
        };
        Some((origin, String::from_utf8_lossy(name.as_ref()).into_owned()))
    }

    fn read<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Event<'b>, SourceError> {
        match self.xml.read_event_into(buffer) {
            Ok(event) => Ok(event),
            Err(quick_xml::Error::Io(error)) => Err(SourceError::Read {
                name: self.name.clone(),
                line: self.xml.get_ref().line,
                source: std::io::Error::new(error.kind(), error.to_string()),
            }),
            Err(error) => Err(self.error(error.to_string())),
        }
    }

    fn cut_off(&self) -> SourceError {
        self.error("unexpected end within an element".to_owned())
    }

    fn error(&self, reason: String) -> SourceError {
        SourceError::Xml {
            name: self.name.clone(),
            line: self.xml.get_ref().line,
            byte: self.xml.buffer_position(),
            reason,
        }
    }
}

/// Returns the beginning of a message about an open field.
fn field_name(field: &Option<Field>) -> String {
    let key = field.as_ref().and_then(|field| field.key.as_ref());
    key.map_or(String::new(), |(_, name)| format!("field `{name}`: "))
}

fn is_root(start: &BytesStart) -> bool {
    matches!(start.local_name().as_ref(), b"rss" | b"feed" | b"RDF")
}

fn is_entry(start: &BytesStart) -> bool {
    matches!(start.local_name().as_ref(), b"item" | b"entry")
}

impl Entry {
    fn new(line: u64) -> Self {
        Self {
            line,
            google: Row::new(),
            plain: Row::new(),
            error: None,
        }
    }

    /// Adds the address of a link of Atom, which is an attribute; of several, that of the page.
    fn keep_link(&mut self, key: Option<(Origin, String)>, start: &BytesStart) {
        let attribute = |name: &str| {
            let found = start.try_get_attribute(name).ok()??;
            Some(html::decode(&String::from_utf8_lossy(&found.value)).into_owned())
        };
        let is_page = attribute("rel").is_none_or(|rel| rel == "alternate");
        if let Some((Origin::Plain, name)) = key
            && name == "link"
            && is_page
            && let Some(address) = attribute("href")
        {
            self.plain.entry(name).or_insert_with(|| address.into());
        }
    }

    /// Adds a field; repeated fields become a list.
    fn keep(&mut self, field: Option<Field>) {
        let Some(Field {
            key: Some((origin, name)),
            text,
            is_nested: false,
            ..
        }) = field
        else {
            return;
        };
        // Lines and indentation of XML are no part of a title.
        let text = match name.as_str() {
            "title" | "brand" => text.split_whitespace().collect::<Vec<_>>().join(" "),
            _ => text,
        };
        let row = match origin {
            Origin::Google => &mut self.google,
            Origin::Plain => &mut self.plain,
        };
        match row.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(values) => values.push(text.into()),
            other => *other = text.into(),
        }
    }

    fn row(&self) -> Row {
        let mut row = self.plain.clone();
        row.extend(self.google.clone());
        // Names of the description in Atom.
        for atom in ["summary", "content"] {
            if let (false, Some(text)) = (row.contains_key("description"), row.get(atom).cloned()) {
                row.insert("description".to_owned(), text);
            }
        }
        row
    }
}
