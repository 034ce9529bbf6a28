//! Segment files: a header, then arrays at page boundaries. docs/storage-format.md draws them.
//!
//! A file is a cache of what RocksDB stores: one that is damaged, truncated or of another version
//! is an error here, and the caller builds it again. Every length is checked against the file
//! before anything is read, every array against its checksum, every link against the number of
//! vectors.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    path::Path,
    sync::Arc,
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::{Metric, limits::MAX_DIM};

use super::{
    Codes, DEGREE, NONE, SealedSegment,
    blocks::Blocks,
    buffer::Buffer,
    clusters::Clusters,
    point_offsets::PointOffsets,
    points::{MipsToL2, Points},
    segment::{Graph, next_serial},
};
use crate::{
    Error, Result,
    quantize::{CodeTerms, Int8, Projected, ProjectionFit},
};

/// First bytes of a file, with the version of the format.
const MAGIC: &[u8; 8] = b"VITSEG\x00\x03";

/// Alignment of arrays in the file.
const PAGE: usize = 4096;

/// Maximum number of bytes of a header; a longer one is damage.
const MAX_HEADER_BYTES: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Header {
    metric: Metric,
    dim: usize,
    radius: f32,
    vectors: usize,
    /// Number of entry points.
    entries: u32,
    /// Number of clusters.
    clusters: usize,
    /// See [`Clusters::ood_threshold`].
    far_distance: f32,
    codes: Codes,
    /// Step of the int8 codes, if there are any.
    step: Option<f32>,
    projection: Option<Projection>,
    arrays: Vec<Array>,
}

/// Parameters of projected codes.
#[derive(Serialize, Deserialize)]
struct Projection {
    /// Number of bytes of a code.
    bytes: usize,
    fit: ProjectionFit,
}

#[derive(Serialize, Deserialize)]
struct Array {
    name: String,
    offset: usize,
    bytes: usize,
    crc32: u32,
}

impl SealedSegment {
    /// Writes the segment to a file, which is there as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        self.write(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            source,
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let arrays = self.arrays();
        let mut header = Header {
            metric: self.to_l2.metric,
            dim: self.to_l2.dim,
            radius: self.to_l2.radius,
            vectors: self.internal_ids.len(),
            entries: self.entry_points,
            clusters: self.clusters.as_ref().map_or(0, |c| c.starts().len()),
            far_distance: self.clusters.as_ref().map_or(0.0, Clusters::ood_threshold),
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

    /// Returns the arrays to store, by name.
    fn arrays(&self) -> Vec<(&'static str, &[u8])> {
        let mut arrays = vec![("numbers", bytemuck::cast_slice(&self.internal_ids))];
        match &self.points {
            Points::Projected { codec, codes } => {
                let (mean, directions, steps) = codec.parts();
                arrays.push(("mean", bytemuck::cast_slice(mean)));
                arrays.push(("directions", bytemuck::cast_slice(directions)));
                arrays.push(("steps", bytemuck::cast_slice(steps)));
                arrays.push(("codes", codes.as_slice()));
            }
            Points::Int8 {
                codec,
                codes,
                terms,
            } => {
                arrays.push(("mean", bytemuck::cast_slice(codec.parts().0)));
                arrays.push(("codes", codes.as_slice()));
                arrays.push(("terms", bytemuck::cast_slice(terms)));
            }
            Points::Full { .. } => {}
        }
        if let Some(clusters) = &self.clusters {
            arrays.push(("centroids", bytemuck::cast_slice(clusters.centroids())));
            arrays.push(("clusters", bytemuck::cast_slice(clusters.starts())));
        }
        match &self.graph {
            Graph::Adjacency(links) => arrays.push(("links", links.as_slice())),
            Graph::QuantizedAdjacency(blocks) => {
                arrays.push(("centre", bytemuck::cast_slice(blocks.mean()))); // spelling: ignore
                arrays.push(("blocks", blocks.bytes()));
            }
        }
        arrays.push(("vectors", self.vectors.as_slice()));
        arrays
    }

    /// Opens a file. The vectors are mapped from it, the rest is read into memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file is not what [`SealedSegment::save`] wrote; [`Error::Io`];
    /// [`Error::OutOfMemory`].
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is read only, and the files belong to this process: they are written
        // whole before they are opened (rename), never changed, and the data directory is locked
        // against other processes.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Reader::new(&Arc::new(map))
            .and_then(|reader| reader.segment(path))
            .map_err(|e| match e {
                OpenError::Damaged(detail) => Error::Corrupt {
                    column: "segment",
                    detail: format!("{}: {detail}", path.display()),
                },
                OpenError::Other(e) => e,
            })
    }
}

enum OpenError {
    Damaged(String),
    Other(Error),
}

impl From<Error> for OpenError {
    fn from(e: Error) -> Self {
        Self::Other(e)
    }
}

fn damaged(detail: impl Into<String>) -> OpenError {
    OpenError::Damaged(detail.into())
}

struct Reader<'a> {
    map: &'a Arc<Mmap>,
    header: Header,
}

impl<'a> Reader<'a> {
    fn new(map: &'a Arc<Mmap>) -> Result<Self, OpenError> {
        let start = MAGIC.len() + 8;
        let head = map.get(..start).ok_or_else(|| damaged("truncated file"))?;
        if &head[..MAGIC.len()] != MAGIC {
            return Err(damaged("not a segment file of this version"));
        }
        let number = |start: usize| {
            let bytes = [
                head[start],
                head[start + 1],
                head[start + 2],
                head[start + 3],
            ];
            u32::from_le_bytes(bytes)
        };
        let len = number(8) as usize;
        let json = (len <= MAX_HEADER_BYTES)
            .then(|| map.get(start..start + len))
            .flatten()
            .ok_or_else(|| damaged("truncated file"))?;
        if crc32fast::hash(json) != number(12) {
            return Err(damaged("header checksum mismatch"));
        }
        let header: Header =
            serde_json::from_slice(json).map_err(|e| damaged(format!("header: {e}")))?;
        if !(1..=MAX_DIM).contains(&header.dim)
            || header.vectors == 0
            || header.vectors >= NONE as usize
        {
            return Err(damaged("invalid header"));
        }
        Ok(Self { map, header })
    }

    /// Returns an array of `bytes` bytes, checked and mapped from the file.
    fn array(&self, name: &str, bytes: Option<usize>) -> Result<Buffer, OpenError> {
        let array = self
            .header
            .arrays
            .iter()
            .find(|a| a.name == name)
            .ok_or_else(|| damaged(format!("missing array `{name}`")))?;
        if Some(array.bytes) != bytes || !array.offset.is_multiple_of(PAGE) {
            return Err(damaged(format!("wrong length of array `{name}`")));
        }
        let end = array.offset.checked_add(array.bytes);
        let range = end
            .map(|end| array.offset..end)
            .filter(|r| r.end <= self.map.len())
            .ok_or_else(|| damaged(format!("truncated array `{name}`")))?;
        if crc32fast::hash(&self.map[range.clone()]) != array.crc32 {
            return Err(damaged(format!("checksum mismatch of array `{name}`")));
        }
        Ok(Buffer::Mapped {
            map: self.map.clone(),
            range,
        })
    }

    /// Reads an array with `bytes` bytes per vector into memory.
    fn load(&self, name: &str, bytes: usize) -> Result<Buffer, OpenError> {
        let bytes = self.header.vectors.checked_mul(bytes);
        Ok(Buffer::copy_of(self.array(name, bytes)?.as_slice())?)
    }

    fn read_f32(&self, name: &str, len: usize) -> Result<Vec<f32>, OpenError> {
        Ok(self.array(name, len.checked_mul(4))?.as_slice().to_vec())
    }

    fn projected(&self, dim: usize, projection: &Projection) -> Result<Projected, OpenError> {
        let Projection { bytes, fit } = *projection;
        if !Projected::is_code(bytes, dim) || !fit.is_valid() {
            return Err(damaged("invalid projection"));
        }
        let (directions, steps) = Projected::part_lens(bytes, dim);
        Ok(Projected::from_parts(
            self.read_f32("mean", dim)?,
            self.array("directions", Some(directions))?
                .as_slice()
                .to_vec(),
            self.read_f32("steps", steps)?,
            fit,
            bytes,
        ))
    }

    fn clusters(&self, dim: usize) -> Result<Option<Clusters>, OpenError> {
        let Header {
            clusters: count,
            entries,
            vectors,
            far_distance,
            ..
        } = self.header;
        if count == 0 {
            return Ok(None);
        }
        let too_long = || damaged("invalid header");
        let centroids = self.read_f32("centroids", count.checked_mul(dim).ok_or_else(too_long)?)?;
        let starts = self.array("clusters", count.checked_mul(size_of::<u32>()))?;
        let starts: Vec<u32> = starts.as_slice().to_vec();
        let in_order = starts.is_sorted() && starts.first().is_some_and(|s| *s >= entries);
        if !in_order || starts.last().is_some_and(|s| *s as usize > vectors) {
            return Err(damaged("cluster out of range"));
        }
        Ok(Some(Clusters::new(dim, centroids, starts, far_distance)?))
    }

    fn segment(&self, path: &Path) -> Result<SealedSegment, OpenError> {
        let header = &self.header;
        let to_l2 = MipsToL2 {
            metric: header.metric,
            dim: header.dim,
            radius: header.radius,
        };
        let row_bytes = header.dim.checked_mul(size_of::<f32>());
        let bytes = row_bytes.and_then(|r| r.checked_mul(header.vectors));
        let vectors = self.array("vectors", bytes)?;
        let internal_ids = self.load("numbers", size_of::<u32>())?.as_slice().to_vec();
        let offsets =
            PointOffsets::new(&internal_ids).ok_or_else(|| damaged("duplicate item id"))?;
        let points = match (&header.projection, header.step) {
            (Some(projection), _) => {
                let codec = self.projected(to_l2.transformed_dim(), projection)?;
                Points::Projected {
                    codes: self.load("codes", codec.code_bytes())?,
                    codec,
                }
            }
            (_, Some(step)) => {
                let mean = self.read_f32("mean", to_l2.transformed_dim())?;
                let codec = Int8::from_parts(mean, step);
                let terms = self.load("terms", size_of::<CodeTerms>())?;
                let terms: Vec<CodeTerms> = terms.as_slice().to_vec();
                if !terms.iter().all(|terms| codec.is_in_range(*terms)) {
                    return Err(damaged("terms of a code out of range"));
                }
                Points::Int8 {
                    codes: self.load("codes", codec.code_bytes())?,
                    terms,
                    codec,
                }
            }
            _ => {
                let vectors = vectors.as_slice::<f32>().chunks_exact(header.dim);
                Points::new(to_l2, vectors, false)?
            }
        };
        let graph = match header.codes {
            Codes::RaBitQ => {
                let mean = self.read_f32("centre", to_l2.transformed_dim())?; // spelling: ignore
                let blocks = Blocks::open(mean, |bytes| self.load("blocks", bytes))
                    .ok_or_else(|| damaged("too many components for 1-bit codes"))??;
                Graph::QuantizedAdjacency(blocks)
            }
            _ => Graph::Adjacency(self.load("links", DEGREE * size_of::<u32>())?),
        };
        let segment = SealedSegment {
            to_l2,
            members: internal_ids.iter().collect(),
            internal_ids,
            offsets,
            entry_points: header.entries,
            points,
            graph,
            clusters: self.clusters(to_l2.transformed_dim())?,
            vectors,
            file: Some(path.to_path_buf()),
            serial: next_serial(),
            unreachable: Default::default(),
        };
        let count = header.vectors as u32;
        let in_range = |links: &[u32]| links.iter().all(|to| *to < count || *to == NONE);
        let entries_valid = (1..=count).contains(&header.entries);
        if !entries_valid || !(0..count).all(|p| in_range(segment.link_row(p))) {
            return Err(damaged("link out of range"));
        }
        Ok(segment)
    }
}
