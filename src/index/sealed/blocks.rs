//! Blocks of 1-bit codes of the neighbors of each vertex, stored with its links: an expansion of a
//! graph search reads one contiguous block and has estimates for all neighbors (SymphonyQG, Gou et
//! al. 2024).

use super::{DEGREE, NONE, buffer::Buffer, mips::MipsToL2, points::row, prefetch::prefetch};
use crate::{
    Result,
    quantize::{BLOCK, RaBitQ, RotatedQuery},
};

const _: () = assert!(DEGREE == BLOCK, "a block codes all links of a vertex");

/// Bytes of an array of 32 links or factors.
const ARRAY_BYTES: usize = BLOCK * 4;

/// Blocks by point offset: links, added factors, multiplied factors, bits.
pub(super) struct Blocks {
    codec: RaBitQ,
    /// Number of bytes of a block.
    block_bytes: usize,
    buffer: Buffer,
}

impl Blocks {
    /// Encodes the neighbors that `links` lists; `vector` returns vectors by point offset. None if
    /// the vectors have too many components.
    pub fn new<'a>(
        to_l2: MipsToL2,
        links: &[u32],
        vector: impl Fn(u32) -> &'a [f32] + Sync,
        mean: Vec<f32>,
        threads: usize,
    ) -> Result<Option<Self>> {
        let Some(codec) = RaBitQ::new(mean, ROTATION_SEED) else {
            return Ok(None);
        };
        let bytes = 3 * ARRAY_BYTES + codec.block_bytes();
        let count = links.len() / DEGREE;
        let mut buffer = Buffer::zeroed(count * bytes)?;
        let per_thread = count.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let shares = buffer.as_mut_slice::<u8>().chunks_mut(per_thread * bytes);
            for (start, blocks) in (0..count).step_by(per_thread).zip(shares) {
                let (codec, vector) = (&codec, &vector);
                scope.spawn(move || {
                    let mut encoder = codec.encoder();
                    let mut transformed = vec![0.0; to_l2.transformed_dim()];
                    for (vertex, block) in (start as u32..).zip(blocks.chunks_exact_mut(bytes)) {
                        to_l2.transform(vector(vertex), &mut transformed);
                        encoder.center(&transformed);
                        let links = row(links, vertex, DEGREE);
                        let (head, bits) = block.split_at_mut(3 * ARRAY_BYTES);
                        let head: &mut [u32] = bytemuck::cast_slice_mut(head);
                        head[..DEGREE].copy_from_slice(links);
                        for (i, to) in links.iter().enumerate().take_while(|(_, to)| **to != NONE) {
                            to_l2.transform(vector(*to), &mut transformed);
                            let factors = encoder.neighbor(&transformed, i, bits);
                            head[DEGREE + i] = factors.add.to_bits();
                            head[2 * DEGREE + i] = factors.scale.to_bits();
                        }
                    }
                });
            }
        });
        Ok(Some(Self {
            codec,
            block_bytes: bytes,
            buffer,
        }))
    }

    /// Restores blocks from what [`Blocks::bytes`] returned; `load` receives the number of bytes of
    /// a block. None if the vectors have too many components.
    pub fn open<E>(
        mean: Vec<f32>,
        load: impl FnOnce(usize) -> Result<Buffer, E>,
    ) -> Option<Result<Self, E>> {
        let codec = RaBitQ::new(mean, ROTATION_SEED)?;
        let bytes = 3 * ARRAY_BYTES + codec.block_bytes();
        Some(load(bytes).map(|buffer| Self {
            codec,
            block_bytes: bytes,
            buffer,
        }))
    }

    /// Returns all blocks, to be stored.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// Returns the vector that the codes are relative to, to be stored.
    pub fn mean(&self) -> &[f32] {
        self.codec.mean()
    }

    /// Prepares a transformed query.
    pub fn query(&self, vector: &[f32], query: &mut RotatedQuery) {
        self.codec.query(vector, query);
    }

    /// Returns the links of a point, [`NONE`] after the last.
    pub fn links(&self, offset: u32) -> &[u32; DEGREE] {
        self.arrays(offset).0
    }

    /// Calls `near` for each neighbor of a vertex with an estimate below `worst`. `vertex_distance`
    /// is the squared distance of the query to the vertex.
    #[inline]
    pub fn scan(
        &self,
        query: &RotatedQuery,
        vertex: u32,
        vertex_distance: f32,
        worst: f32,
        mut near: impl FnMut(u32, f32),
    ) {
        let (links, adds, scales, bits) = self.arrays(vertex);
        let estimates = query.estimate(vertex_distance, adds, scales, bits);
        for (to, estimate) in links.iter().zip(estimates) {
            if estimate < worst && *to != NONE {
                near(*to, estimate);
            }
        }
    }

    /// Prefetches the block of a vertex.
    #[inline]
    pub fn prefetch(&self, vertex: u32) {
        prefetch(row::<u8>(self.buffer.as_slice(), vertex, self.block_bytes));
    }

    fn arrays(&self, vertex: u32) -> (&[u32; 32], &[f32; 32], &[f32; 32], &[u8]) {
        let block: &[u8] = row(self.buffer.as_slice(), vertex, self.block_bytes);
        let (head, bits) = block.split_at(3 * ARRAY_BYTES);
        let (links, factors) = head.split_at(ARRAY_BYTES);
        let (adds, scales) = factors.split_at(ARRAY_BYTES);
        (array(links), array(adds), array(scales), bits)
    }
}

fn array<T: bytemuck::Pod>(bytes: &[u8]) -> &[T; BLOCK] {
    bytemuck::from_bytes(bytes)
}

/// Seed of the rotation: any number is suitable, but stored blocks must be read with the one they
/// were made with.
const ROTATION_SEED: u64 = 0x5eed;
