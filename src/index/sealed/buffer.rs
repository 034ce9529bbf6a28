//! Large arrays: in memory, on huge pages where the system has them (a look-up then rarely misses
//! the processor's address cache as well as its data caches), or mapped from a file.

use std::{ops::Range, sync::Arc};

use bytemuck::{AnyBitPattern, NoUninit};
use memmap2::{Mmap, MmapMut};

use crate::{Error, Result};

/// An array of fixed length.
pub(super) enum Buffer {
    Anonymous { map: MmapMut, len: usize },
    Mapped { map: Arc<Mmap>, range: Range<usize> },
}

impl Buffer {
    /// Allocates `len` zero bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the system cannot allocate them.
    pub fn zeroed(len: usize) -> Result<Self> {
        // The system rejects a map of no bytes.
        let map = MmapMut::map_anon(len.max(1)).map_err(|e| Error::OutOfMemory {
            bytes: len as u64,
            detail: e.to_string(),
        })?;
        #[cfg(target_os = "linux")]
        if let Err(e) = map.advise(memmap2::Advice::HugePage) {
            tracing::debug!("no huge pages: {e}");
        }
        Ok(Self::Anonymous { map, len })
    }

    /// Copies `bytes` into a new buffer.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        let mut buffer = Self::zeroed(bytes.len())?;
        buffer.as_mut_slice().copy_from_slice(bytes);
        Ok(buffer)
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Anonymous { len, .. } => *len,
            Self::Mapped { range, .. } => range.len(),
        }
    }

    /// True if the bytes are mapped from a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped { .. })
    }

    /// Returns the bytes as a slice of numbers. The buffer starts at a page, so any number type is
    /// aligned.
    #[inline]
    pub fn as_slice<T: AnyBitPattern>(&self) -> &[T] {
        let bytes = match self {
            Self::Anonymous { map, len } => &map[..*len],
            Self::Mapped { map, range } => &map[range.clone()],
        };
        bytemuck::cast_slice(bytes)
    }

    /// Returns the bytes as a mutable slice of numbers; empty if they are mapped from a file.
    pub fn as_mut_slice<T: AnyBitPattern + NoUninit>(&mut self) -> &mut [T] {
        match self {
            Self::Anonymous { map, len } => bytemuck::cast_slice_mut(&mut map[..*len]),
            Self::Mapped { .. } => &mut [],
        }
    }
}
