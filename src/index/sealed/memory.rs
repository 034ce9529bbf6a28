//! Large arrays: in memory, on huge pages where the system has them (a look-up then rarely misses the processor's
//! address cache as well as its data caches), or mapped from a file.

use std::{ops::Range, sync::Arc};

use bytemuck::{AnyBitPattern, NoUninit};
use memmap2::{Mmap, MmapMut};

use crate::{Error, Result};

/// An array of fixed length.
pub(super) enum Memory {
    Anonymous { map: MmapMut, len: usize },
    Mapped { map: Arc<Mmap>, range: Range<usize> },
}

impl Memory {
    /// `len` zero bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the system has no such memory.
    pub fn zeroed(len: usize) -> Result<Self> {
        // A map of no bytes is refused.
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

    /// A copy.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        let mut memory = Self::zeroed(bytes.len())?;
        memory.of_mut().copy_from_slice(bytes);
        Ok(memory)
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Anonymous { len, .. } => *len,
            Self::Mapped { range, .. } => range.len(),
        }
    }

    /// Whether it lies in a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped { .. })
    }

    /// As an array of numbers. It starts at a page, so any number is aligned.
    #[inline]
    pub fn of<T: AnyBitPattern>(&self) -> &[T] {
        let bytes = match self {
            Self::Anonymous { map, len } => &map[..*len],
            Self::Mapped { map, range } => &map[range.clone()],
        };
        bytemuck::cast_slice(bytes)
    }

    /// As an array of numbers, to be written; empty where it is mapped.
    pub fn of_mut<T: AnyBitPattern + NoUninit>(&mut self) -> &mut [T] {
        match self {
            Self::Anonymous { map, len } => bytemuck::cast_slice_mut(&mut map[..*len]),
            Self::Mapped { .. } => &mut [],
        }
    }
}
