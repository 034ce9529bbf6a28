//! Events of each item by day.

/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400 * 1_000_000;

/// Events with an item on one day (UTC).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Day {
    /// Days since 1970.
    pub day: i32,
    /// Number of events.
    pub events: u32,
    /// Sum of their weights.
    pub weight: f32,
}

/// Events of all items by day: 12 bytes per item and day with events.
#[derive(Default)]
pub(crate) struct Daily {
    /// Days of each item, ascending.
    items: Vec<Vec<Day>>,
    counts: Vec<u32>,
}

impl Daily {
    /// Counts an event.
    pub fn add(&mut self, item: u32, micros: i64, weight: f32) {
        let item = item as usize;
        if item >= self.items.len() {
            self.items.resize_with(item + 1, Vec::new);
            self.counts.resize(item + 1, 0);
        }
        self.counts[item] += 1;
        let (days, day) = (&mut self.items[item], day_of(micros));
        match days.binary_search_by_key(&day, |d| d.day) {
            Ok(index) => {
                days[index].events += 1;
                days[index].weight += weight;
            }
            Err(index) => days.insert(
                index,
                Day {
                    day,
                    events: 1,
                    weight,
                },
            ),
        }
    }

    /// Subtracts an event that was counted.
    pub fn remove(&mut self, item: u32, micros: i64, weight: f32) {
        let Some(days) = self.items.get_mut(item as usize) else {
            return;
        };
        let Ok(index) = days.binary_search_by_key(&day_of(micros), |d| d.day) else {
            return;
        };
        self.counts[item as usize] -= 1;
        days[index].events -= 1;
        days[index].weight -= weight;
        if days[index].events == 0 {
            days.remove(index);
        }
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        let days: usize = self.items.iter().map(Vec::capacity).sum();
        days * size_of::<Day>() + self.items.capacity() * (size_of::<Vec<Day>>() + 4)
    }

    /// Returns the number of events of an item.
    pub fn count(&self, item: u32) -> u32 {
        self.counts.get(item as usize).copied().unwrap_or(0)
    }

    /// Returns the days of an item from `first` to `last`, both included.
    pub fn between(&self, item: u32, first: i32, last: i32) -> &[Day] {
        let days = self.items.get(item as usize).map_or(&[][..], Vec::as_slice);
        let from = days.partition_point(|d| d.day < first);
        let to = days.partition_point(|d| d.day <= last);
        &days[from..to.max(from)]
    }
}

/// Returns the day of a time, in days since 1970.
pub(crate) fn day_of(micros: i64) -> i32 {
    // Fits: i64 microseconds are fewer than 2^31 days.
    micros.div_euclid(DAY) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_go_to_their_day() {
        let mut daily = Daily::default();
        for (day, weight) in [(5, 1.0), (9, 2.0), (5, 3.0), (-1, 4.0)] {
            daily.add(2, day * DAY + 7, weight);
        }
        let days: Vec<_> = daily.between(2, i32::MIN, i32::MAX).to_vec();
        let plain = |d: &Day| (d.day, d.events, d.weight);
        assert_eq!(
            days.iter().map(plain).collect::<Vec<_>>(),
            [(-1, 1, 4.0), (5, 2, 4.0), (9, 1, 2.0)]
        );
        assert_eq!(daily.between(2, 0, 5).len(), 1);
        assert_eq!((daily.count(2), daily.count(0), daily.count(7)), (4, 0, 0));
        assert!(daily.between(7, 0, 9).is_empty());
        assert!(daily.between(2, 9, 0).is_empty());
        daily.remove(2, 5 * DAY, 3.0);
        daily.remove(2, 9 * DAY, 2.0);
        let days: Vec<_> = daily.between(2, 0, 9).iter().map(plain).collect();
        assert_eq!((days, daily.count(2)), (vec![(5, 1, 1.0)], 2));
    }
}
