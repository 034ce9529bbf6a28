//! The neighbours of each vertex as one block of 1-bit codes, beside the links: a step of the walk reads one piece of
//! memory from start to end and has estimates for all neighbours (SymphonyQG, Gou et al. 2024).

use super::{
    DEGREE, NONE,
    memory::Memory,
    points::{Lift, row},
    prefetch::prefetch,
};
use crate::{
    Result,
    quantize::{BLOCK, RaBitQ, RotatedQuery},
};

const _: () = assert!(DEGREE == BLOCK, "a block codes all links of a vertex");

/// Bytes of 32 links, and of 32 factors of a kind.
const ARRAY: usize = BLOCK * 4;

/// Blocks by position: links, factors added, factors multiplied, bits.
pub(super) struct Blocks {
    codec: RaBitQ,
    bytes: usize,
    memory: Memory,
}

impl Blocks {
    /// Codes the neighbours named by `links`; vectors by position. None where the vectors are too long.
    pub fn new<'a>(
        lift: Lift,
        links: &[u32],
        vector: impl Fn(u32) -> &'a [f32] + Sync,
        mean: Vec<f32>,
        threads: usize,
    ) -> Result<Option<Self>> {
        let Some(codec) = RaBitQ::new(mean, SEED) else {
            return Ok(None);
        };
        let bytes = 3 * ARRAY + codec.block_bytes();
        let count = links.len() / DEGREE;
        let mut memory = Memory::zeroed(count * bytes)?;
        let part = count.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let blocks = memory.of_mut::<u8>().chunks_mut(part * bytes);
            for (start, blocks) in (0..count).step_by(part).zip(blocks) {
                let (codec, vector) = (&codec, &vector);
                scope.spawn(move || {
                    let mut encoder = codec.encoder();
                    let mut lifted = vec![0.0; lift.lifted_dim()];
                    for (at, block) in (start as u32..).zip(blocks.chunks_exact_mut(bytes)) {
                        lift.lift(vector(at), &mut lifted);
                        encoder.centre(&lifted);
                        let links = row(links, at, DEGREE);
                        let (head, bits) = block.split_at_mut(3 * ARRAY);
                        let head: &mut [u32] = bytemuck::cast_slice_mut(head);
                        head[..DEGREE].copy_from_slice(links);
                        for (i, to) in links.iter().enumerate().take_while(|(_, to)| **to != NONE) {
                            lift.lift(vector(*to), &mut lifted);
                            let factors = encoder.neighbour(&lifted, i, bits);
                            head[DEGREE + i] = factors.add.to_bits();
                            head[2 * DEGREE + i] = factors.scale.to_bits();
                        }
                    }
                });
            }
        });
        Ok(Some(Self {
            codec,
            bytes,
            memory,
        }))
    }

    /// Blocks that [`Blocks::bytes`] gave; `load` is told the length of one. None where the vectors are too long.
    pub fn open<E>(
        mean: Vec<f32>,
        load: impl FnOnce(usize) -> Result<Memory, E>,
    ) -> Option<Result<Self, E>> {
        let codec = RaBitQ::new(mean, SEED)?;
        let bytes = 3 * ARRAY + codec.block_bytes();
        Some(load(bytes).map(|memory| Self {
            codec,
            bytes,
            memory,
        }))
    }

    /// All blocks, to be stored.
    pub fn bytes(&self) -> &[u8] {
        self.memory.of()
    }

    /// What the codes were made relative to, to be stored.
    pub fn mean(&self) -> &[f32] {
        self.codec.mean()
    }

    /// Prepares a lifted query.
    pub fn query(&self, vector: &[f32], query: &mut RotatedQuery) {
        self.codec.query(vector, query);
    }

    /// Links of a position, [`NONE`] after the last.
    pub fn links(&self, position: u32) -> &[u32; DEGREE] {
        self.arrays(position).0
    }

    /// Calls `near` for each neighbour with an estimate below `worst`. `vertex` is the squared distance of the query
    /// to the position.
    #[inline]
    pub fn scan(
        &self,
        query: &RotatedQuery,
        position: u32,
        vertex: f32,
        worst: f32,
        mut near: impl FnMut(u32, f32),
    ) {
        let (links, adds, scales, bits) = self.arrays(position);
        let estimates = query.estimate(vertex, adds, scales, bits);
        for (to, estimate) in links.iter().zip(estimates) {
            if estimate < worst && *to != NONE {
                near(*to, estimate);
            }
        }
    }

    /// Has the processor fetch what a scan of the position reads.
    #[inline]
    pub fn prefetch(&self, position: u32) {
        prefetch(row::<u8>(self.memory.of(), position, self.bytes));
    }

    fn arrays(&self, position: u32) -> (&[u32; 32], &[f32; 32], &[f32; 32], &[u8]) {
        let block: &[u8] = row(self.memory.of(), position, self.bytes);
        let (head, bits) = block.split_at(3 * ARRAY);
        let (links, factors) = head.split_at(ARRAY);
        let (adds, scales) = factors.split_at(ARRAY);
        (array(links), array(adds), array(scales), bits)
    }
}

fn array<T: bytemuck::Pod>(bytes: &[u8]) -> &[T; BLOCK] {
    bytemuck::from_bytes(bytes)
}

/// Of the rotation: any will do, but a stored block has to be read with the one it was made with.
const SEED: u64 = 0x5eed;
