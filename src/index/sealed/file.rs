//! Segment files: a header, then arrays at page boundaries. docs/storage-format.md draws them.
//!
//! A file is a cache of what RocksDB stores: one that is damaged, truncated or of another version
//! is an error here, and the caller builds it again. Every length is checked against the file
//! before anything is read, every array against its checksum, every link against the number of
//! vectors.

mod read;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use vitrine_schemas::Metric;

use super::{Codes, SealedSegment, clusters::Clusters, points::Points, segment::Graph};
use crate::{Error, Result, quantize::ProjectionFit};

/// First bytes of a file, with the version of the format.
const MAGIC: &[u8; 8] = b"VITSEG\x00\x03";

/// Alignment of arrays in the file.
const PAGE: usize = 4096;

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
    #[serde(rename = "far_distance")]
    ood_threshold: f32,
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
            ood_threshold: self.clusters.as_ref().map_or(0.0, Clusters::ood_threshold),
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
}
