//! Reading of segment files, with every length, checksum and link checked.

use std::{fs::File, path::Path, sync::Arc};

use memmap2::Mmap;
use vitrine_schemas::limits::MAX_DIM;

use super::{Header, MAGIC, PAGE, Projection};
use crate::{
    Error, Result,
    index::sealed::{
        Codes, DEGREE, NONE, SealedSegment,
        blocks::Blocks,
        buffer::Buffer,
        clusters::Clusters,
        mips::MipsToL2,
        point_offsets::PointOffsets,
        points::Points,
        segment::{Graph, next_serial},
    },
    quantize::{CodeTerms, Int8, Projected},
};

/// Maximum number of bytes of a header; a longer one is damage.
const MAX_HEADER_BYTES: usize = 1 << 20;

impl SealedSegment {
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
            ood_threshold,
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
        Ok(Some(Clusters::new(dim, centroids, starts, ood_threshold)?))
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
