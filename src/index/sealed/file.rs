//! Segment files: a header, then arrays at page boundaries. docs/storage-format.md draws them.
//!
//! A file is a cache of what RocksDB has: one that is damaged, of another version or cut short is an error here and
//! is built again by the caller. Every length is checked against the file before anything is read, every array against
//! its checksum, every link against the number of vectors.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    path::Path,
    sync::Arc,
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::Metric;

use super::{
    Codes, DEGREE, Graph, NONE, SealedIndex,
    blocks::Blocks,
    memory::Memory,
    points::{Lift, Points},
    positions::Positions,
};
use crate::{
    Error, Result,
    quantize::{Fit, Int8, Projected, Terms},
};

/// The first bytes of a file, with the version of the format.
const MAGIC: &[u8; 8] = b"VITSEG\x00\x02";

/// Arrays start at multiples.
const PAGE: usize = 4096;

/// A longer header is damage, not a header.
const MOST_HEADER: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Header {
    metric: Metric,
    dim: usize,
    radius: f32,
    vectors: usize,
    entries: u32,
    codes: Codes,
    /// Of the int8 codes, where there are any.
    step: Option<f32>,
    projection: Option<Projection>,
    arrays: Vec<Array>,
}

/// Of projected codes.
#[derive(Serialize, Deserialize)]
struct Projection {
    /// Bytes of a code.
    bytes: usize,
    fit: Fit,
}

#[derive(Serialize, Deserialize)]
struct Array {
    name: String,
    offset: usize,
    bytes: usize,
    crc32: u32,
}

impl SealedIndex {
    /// Writes the index to a file that is there as a whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.write(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            source,
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let arrays = self.arrays();
        let mut header = Header {
            metric: self.lift.metric,
            dim: self.lift.dim,
            radius: self.lift.radius,
            vectors: self.numbers.len(),
            entries: self.entries,
            codes: self.codes(),
            step: self.points.int8().map(|i| i.parts().1),
            projection: match &self.points {
                Points::Projected { codec, .. } => Some(Projection {
                    bytes: codec.code_bytes(),
                    fit: *codec.fit(),
                }),
                _ => None,
            },
            arrays: Vec::new(),
        };
        let mut offset = PAGE;
        for (name, bytes) in &arrays {
            header.arrays.push(Array {
                name: (*name).to_owned(),
                offset,
                bytes: bytes.len(),
                crc32: crc32fast::hash(bytes),
            });
            offset = (offset + bytes.len()).next_multiple_of(PAGE);
        }
        let json = serde_json::to_vec(&header)?;
        let start = MAGIC.len() + 8;
        if start + json.len() > PAGE {
            return Err(io::Error::other("the header does not fit its page"));
        }
        let unfinished = path.with_extension("new");
        let mut out = BufWriter::new(File::create(&unfinished)?);
        out.write_all(MAGIC)?;
        out.write_all(&(json.len() as u32).to_le_bytes())?;
        out.write_all(&crc32fast::hash(&json).to_le_bytes())?;
        out.write_all(&json)?;
        for (array, (_, bytes)) in header.arrays.iter().zip(&arrays) {
            out.seek(io::SeekFrom::Start(array.offset as u64))?;
            out.write_all(bytes)?;
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Everything that is stored, by name.
    fn arrays(&self) -> Vec<(&'static str, &[u8])> {
        let mut arrays = vec![("numbers", bytemuck::cast_slice(&self.numbers))];
        match &self.points {
            Points::Projected { codec, codes } => {
                let (mean, directions, steps) = codec.parts();
                arrays.push(("mean", bytemuck::cast_slice(mean)));
                arrays.push(("directions", bytemuck::cast_slice(directions)));
                arrays.push(("steps", bytemuck::cast_slice(steps)));
                arrays.push(("codes", codes.of()));
            }
            Points::Coded { int8, codes, terms } => {
                arrays.push(("mean", bytemuck::cast_slice(int8.parts().0)));
                arrays.push(("codes", codes.of()));
                arrays.push(("terms", bytemuck::cast_slice(terms)));
            }
            Points::Full { .. } => {}
        }
        match &self.graph {
            Graph::Links(links) => arrays.push(("links", links.of())),
            Graph::Blocks(blocks) => {
                arrays.push(("centre", bytemuck::cast_slice(blocks.mean())));
                arrays.push(("blocks", blocks.bytes()));
            }
        }
        arrays.push(("vectors", self.vectors.of()));
        arrays
    }

    /// Opens a file. The vectors stay there and are mapped, the rest is read into memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file is not what [`SealedIndex::save`] wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is read only, and the files are this process's own: they are written whole before they are
        // opened (rename), never changed, and the data directory is locked against other processes.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Reader::new(&Arc::new(map))
            .and_then(|reader| reader.index(path))
            .map_err(|e| match e {
                Fault::Damaged(detail) => Error::Corrupt {
                    column: "segment",
                    detail: format!("{}: {detail}", path.display()),
                },
                Fault::Other(e) => e,
            })
    }
}

enum Fault {
    Damaged(String),
    Other(Error),
}

impl From<Error> for Fault {
    fn from(e: Error) -> Self {
        Self::Other(e)
    }
}

fn damaged(detail: impl Into<String>) -> Fault {
    Fault::Damaged(detail.into())
}

struct Reader<'a> {
    map: &'a Arc<Mmap>,
    header: Header,
}

impl<'a> Reader<'a> {
    fn new(map: &'a Arc<Mmap>) -> Result<Self, Fault> {
        let start = MAGIC.len() + 8;
        let head = map.get(..start).ok_or_else(|| damaged("is cut short"))?;
        if &head[..MAGIC.len()] != MAGIC {
            return Err(damaged("is no segment of this version"));
        }
        let number = |at: usize| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            u32::from_le_bytes(bytes)
        };
        let len = number(8) as usize;
        let json = (len <= MOST_HEADER)
            .then(|| map.get(start..start + len))
            .flatten()
            .ok_or_else(|| damaged("is cut short"))?;
        if crc32fast::hash(json) != number(12) {
            return Err(damaged("the header has another checksum"));
        }
        let header: Header =
            serde_json::from_slice(json).map_err(|e| damaged(format!("header: {e}")))?;
        if header.dim == 0 || header.vectors == 0 || header.vectors >= NONE as usize {
            return Err(damaged("the header makes no sense"));
        }
        Ok(Self { map, header })
    }

    /// An array of `bytes` bytes, checked.
    fn array(&self, name: &str, bytes: Option<usize>) -> Result<Memory, Fault> {
        let array = self
            .header
            .arrays
            .iter()
            .find(|a| a.name == name)
            .ok_or_else(|| damaged(format!("has no {name}")))?;
        if Some(array.bytes) != bytes || !array.offset.is_multiple_of(PAGE) {
            return Err(damaged(format!("{name} has a wrong length")));
        }
        let end = array.offset.checked_add(array.bytes);
        let range = end
            .map(|end| array.offset..end)
            .filter(|r| r.end <= self.map.len())
            .ok_or_else(|| damaged(format!("{name} is cut short")))?;
        if crc32fast::hash(&self.map[range.clone()]) != array.crc32 {
            return Err(damaged(format!("{name} has another checksum")));
        }
        Ok(Memory::Mapped {
            map: self.map.clone(),
            range,
        })
    }

    /// An array of `count` rows of `bytes` bytes, in memory.
    fn load(&self, name: &str, bytes: usize) -> Result<Memory, Fault> {
        let bytes = self.header.vectors.checked_mul(bytes);
        Ok(Memory::copy_of(self.array(name, bytes)?.of())?)
    }

    fn numbers_of_f32(&self, name: &str, len: usize) -> Result<Vec<f32>, Fault> {
        Ok(self.array(name, len.checked_mul(4))?.of().to_vec())
    }

    fn projected(&self, dim: usize, projection: &Projection) -> Result<Projected, Fault> {
        let Projection { bytes, fit } = *projection;
        if !Projected::is_code(bytes, dim) || !fit.is_sound() {
            return Err(damaged("the projection makes no sense"));
        }
        let (directions, steps) = Projected::part_lens(bytes, dim);
        Ok(Projected::from_parts(
            self.numbers_of_f32("mean", dim)?,
            self.array("directions", Some(directions))?.of().to_vec(),
            self.numbers_of_f32("steps", steps)?,
            fit,
            bytes,
        ))
    }

    fn index(&self, path: &Path) -> Result<SealedIndex, Fault> {
        let header = &self.header;
        let lift = Lift {
            metric: header.metric,
            dim: header.dim,
            radius: header.radius,
        };
        let row = header.dim.checked_mul(size_of::<f32>());
        let vectors = self.array("vectors", row.and_then(|r| r.checked_mul(header.vectors)))?;
        let numbers = self.load("numbers", size_of::<u32>())?.of().to_vec();
        let positions = Positions::new(&numbers).ok_or_else(|| damaged("a number comes twice"))?;
        let points = match (&header.projection, header.step) {
            (Some(projection), _) => {
                let codec = self.projected(lift.lifted_dim(), projection)?;
                Points::Projected {
                    codes: self.load("codes", codec.code_bytes())?,
                    codec,
                }
            }
            (_, Some(step)) => {
                let mean = self.numbers_of_f32("mean", lift.lifted_dim())?;
                let int8 = Int8::from_parts(mean, step);
                Points::Coded {
                    codes: self.load("codes", int8.code_bytes())?,
                    terms: self.load("terms", size_of::<Terms>())?.of().to_vec(),
                    int8,
                }
            }
            _ => Points::new(lift, vectors.of::<f32>().chunks_exact(header.dim), false)?,
        };
        let graph = match header.codes {
            Codes::RaBitQ => {
                let mean = self.numbers_of_f32("centre", lift.lifted_dim())?;
                let blocks = Blocks::open(mean, |bytes| self.load("blocks", bytes))
                    .ok_or_else(|| damaged("has too long vectors"))??;
                Graph::Blocks(blocks)
            }
            _ => Graph::Links(self.load("links", DEGREE * size_of::<u32>())?),
        };
        let index = SealedIndex {
            lift,
            members: numbers.iter().collect(),
            numbers,
            positions,
            entries: header.entries,
            points,
            graph,
            vectors,
            file: Some(path.to_path_buf()),
            serial: super::next_serial(),
            unreachable: Default::default(),
        };
        let count = header.vectors as u32;
        let inside = |links: &[u32]| links.iter().all(|to| *to < count || *to == NONE);
        if !(1..=count).contains(&header.entries) || !(0..count).all(|p| inside(index.links(p))) {
            return Err(damaged("a link leads nowhere"));
        }
        Ok(index)
    }
}
