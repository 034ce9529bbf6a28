//! Click rates by rank, as priors of items without evidence.

use crate::behavior::Exposure;

/// Click rate that a collection without impressions is assumed to have, and its weight.
const PRIOR_RATE: f64 = 0.05;
const PRIOR_IMPRESSIONS: f64 = 20.0;

/// Impressions of the neighboring ranks that share a rate.
const SEGMENT_IMPRESSIONS: f64 = 1000.0;

/// Click rates by rank in a ranking: they do not rise from the first rank to the last.
#[derive(Debug)]
pub(crate) struct ClickRates {
    /// Rate where nothing else is known: that of the collection.
    overall: f64,
    /// Segments of the ranking, the best ranks first.
    segments: Vec<Segment>,
}

/// Neighboring ranks with one rate.
#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    /// Rank after the last one.
    end: usize,
    impressions: f64,
    clicks: f64,
}

impl Segment {
    fn rate(&self, overall: f64) -> f64 {
        (self.clicks + PRIOR_IMPRESSIONS * overall) / (self.impressions + PRIOR_IMPRESSIONS)
    }

    fn extend(&mut self, next: &Self) {
        self.end = next.end;
        self.impressions += next.impressions;
        self.clicks += next.clicks;
    }
}

impl ClickRates {
    /// Fits the rates to the exposures of ranked items, the best first, and of the collection.
    ///
    /// The ranking is cut into segments of at least 1,000 impressions each. Where a segment has a
    /// higher rate than the one before, both are joined (pool adjacent violators; Ayer et al.
    /// 1955). With fewer impressions, all ranks have the rate of the collection.
    pub fn fit(ranked: impl IntoIterator<Item = Exposure>, total: Exposure) -> Self {
        let overall = (f64::from(total.clicks) + PRIOR_IMPRESSIONS * PRIOR_RATE)
            / (f64::from(total.impressions) + PRIOR_IMPRESSIONS);
        let (mut segments, mut open) = (Vec::new(), Segment::default());
        for (exposure, end) in ranked.into_iter().zip(1..) {
            open.extend(&Segment {
                end,
                impressions: f64::from(exposure.impressions),
                clicks: f64::from(exposure.clicks),
            });
            if open.impressions >= SEGMENT_IMPRESSIONS {
                push_monotone(&mut segments, std::mem::take(&mut open), overall);
            }
        }
        Self { overall, segments }
    }

    /// Returns the rate at a rank, from 0; beyond the last segment, its rate.
    pub fn at(&self, rank: usize) -> f64 {
        let segment = self.segments.iter().find(|segment| rank < segment.end);
        let segment = segment.or(self.segments.last());
        segment.map_or(self.overall, |segment| segment.rate(self.overall))
    }
}

/// Appends a segment, joined with those before it that have a lower rate.
fn push_monotone(segments: &mut Vec<Segment>, mut segment: Segment, overall: f64) {
    while let Some(before) = segments.pop_if(|b| b.rate(overall) < segment.rate(overall)) {
        let mut joined = before;
        joined.extend(&segment);
        segment = joined;
    }
    segments.push(segment);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(impressions: u32, clicks: u32) -> Exposure {
        Exposure {
            impressions,
            clicks,
        }
    }

    #[test]
    fn rates_fall_with_the_rank() {
        let ranked = [(1000, 100), (600, 30), (600, 90), (1000, 40), (200, 200)];
        let ranked = ranked.map(|(impressions, clicks)| exposure(impressions, clicks));
        let rates = ClickRates::fit(ranked, exposure(100_000, 5_000));
        let at: Vec<f64> = (0..6).map(|rank| rates.at(rank)).collect();
        assert!(at.windows(2).all(|pair| pair[0] >= pair[1]), "{at:?}");
        // The second and third item form a segment, as good as the first; the last has too few
        // impressions for one of its own.
        assert!((at[0] - 0.1).abs() < 0.005, "{at:?}");
        assert_eq!((at[1], at[5]), (at[2], at[3]));
        assert!((at[3] - 0.04).abs() < 0.005, "{at:?}");
    }

    #[test]
    fn segments_that_would_rise_are_joined() {
        let ranked = [exposure(1000, 20), exposure(1000, 60), exposure(1000, 10)];
        let rates = ClickRates::fit(ranked, exposure(3000, 90));
        assert_eq!(rates.at(0), rates.at(1));
        assert!((rates.at(0) - 0.04).abs() < 0.002, "{rates:?}");
        assert!((rates.at(2) - 0.01).abs() < 0.002, "{rates:?}");
    }

    #[test]
    fn few_impressions_leave_one_rate() {
        let rates = ClickRates::fit([exposure(5, 5), exposure(0, 0)], exposure(0, 0));
        assert!((rates.at(0) - PRIOR_RATE).abs() < 1e-9);
        assert_eq!(rates.at(0), rates.at(9));
        let rates = ClickRates::fit([], exposure(10_000, 2_000));
        assert!((rates.at(0) - 0.2).abs() < 0.001, "{rates:?}");
    }
}
