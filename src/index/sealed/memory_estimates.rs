//! Estimates of the memory that a segment takes.

use super::{Codes, DEGREE, SealedSegment};

impl SealedSegment {
    /// Estimated number of bytes in memory of a vector of `dim` components: codes, links, internal
    /// id and point offset.
    pub fn vector_bytes(dim: usize, codes: Codes) -> u64 {
        let full = dim * size_of::<f32>();
        let coded = dim.next_multiple_of(64) + size_of::<crate::quantize::CodeTerms>();
        let links = DEGREE * size_of::<u32>();
        let by_codes = match codes {
            Codes::None => full + links,
            // Projected codes take no more than int8, which is used in the worst case.
            Codes::Int8 | Codes::Projected => coded + links,
            // Links, two factors and one bit per component for each neighbor.
            Codes::RaBitQ => coded + 3 * links + DEGREE * dim.next_multiple_of(64) / 8,
        };
        (by_codes + 2 * size_of::<u32>()) as u64
    }

    /// Estimated number of bytes that a vector takes while a segment is built, without its source.
    pub fn build_bytes(dim: usize, codes: Codes) -> u64 {
        // Links with their distances, up to half more than are kept, and the copy that is written
        // to the file.
        let links = DEGREE * 3 / 2 * 2 * size_of::<u32>() + 2 * DEGREE * size_of::<u32>();
        Self::vector_bytes(dim, codes) + (links + 2 * dim * size_of::<f32>()) as u64
    }
}
