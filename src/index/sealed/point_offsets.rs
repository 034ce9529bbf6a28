//! Point offsets by internal id.

/// Number of internal ids in a page.
const PAGE: usize = 1024;

/// Placeholder of internal ids that are not in the segment.
const NONE: u32 = u32::MAX;

/// Point offset by internal id, in pages: ids are mostly consecutive, with gaps where items were
/// deleted.
pub(super) struct PointOffsets(Vec<Option<Box<[u32; PAGE]>>>);

impl PointOffsets {
    /// Inverts `internal_ids`, which are by point offset. None if an internal id is repeated.
    pub fn new(internal_ids: &[u32]) -> Option<Self> {
        let max = internal_ids.iter().max();
        let page_count = max.map_or(0, |id| *id as usize / PAGE + 1);
        let mut pages: Vec<Option<Box<[u32; PAGE]>>> = vec![None; page_count];
        for (offset, id) in (0..).zip(internal_ids) {
            let page = pages[*id as usize / PAGE].get_or_insert_with(|| Box::new([NONE; PAGE]));
            let slot = &mut page[*id as usize % PAGE];
            if std::mem::replace(slot, offset) != NONE {
                return None;
            }
        }
        Some(Self(pages))
    }

    /// Returns the point offset of an internal id.
    #[inline]
    pub fn get(&self, internal_id: u32) -> Option<u32> {
        let page = self.0.get(internal_id as usize / PAGE)?.as_ref()?;
        Some(page[internal_id as usize % PAGE]).filter(|p| *p != NONE)
    }

    /// Number of bytes in memory.
    pub fn bytes(&self) -> usize {
        let pages = self.0.iter().flatten().count();
        size_of_val(self.0.as_slice()) + pages * size_of::<[u32; PAGE]>()
    }
}
