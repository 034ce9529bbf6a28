//! Where the vector of a number is.

/// Numbers in a page.
const PAGE: usize = 1024;

/// Fills the places of numbers that are not there.
const NONE: u32 = u32::MAX;

/// Position by number, in pages: numbers are mostly consecutive, with gaps where items were deleted.
pub(super) struct Positions(Vec<Option<Box<[u32; PAGE]>>>);

impl Positions {
    /// None where a number comes twice.
    pub fn new(numbers: &[u32]) -> Option<Self> {
        let pages = numbers.iter().max().map_or(0, |n| *n as usize / PAGE + 1);
        let mut all: Vec<Option<Box<[u32; PAGE]>>> = vec![None; pages];
        for (position, number) in (0..).zip(numbers) {
            let page = all[*number as usize / PAGE].get_or_insert_with(|| Box::new([NONE; PAGE]));
            let place = &mut page[*number as usize % PAGE];
            if std::mem::replace(place, position) != NONE {
                return None;
            }
        }
        Some(Self(all))
    }

    /// The position of a number.
    #[inline]
    pub fn get(&self, number: u32) -> Option<u32> {
        let page = self.0.get(number as usize / PAGE)?.as_ref()?;
        Some(page[number as usize % PAGE]).filter(|p| *p != NONE)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        let pages = self.0.iter().flatten().count();
        size_of_val(self.0.as_slice()) + pages * size_of::<[u32; PAGE]>()
    }
}
