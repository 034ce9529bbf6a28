//! Division of a query among threads: each evaluates a share of the documents of every segment.

use std::{panic::resume_unwind, thread};

use tantivy::Searcher;

use super::{
    LexicalSelection,
    collector::{Collected, SegmentMatches},
    evaluate::{SegmentQuery, mean_lengths},
    plan::QueryPlan,
    share::Share,
    window::Window,
};
use crate::lexical::{LexicalError, LexicalIndex};

/// Number of items of the words of a query for which a further thread pays: about a millisecond.
const ITEMS_PER_THREAD: u64 = 100_000;

/// Maximum number of threads of a query.
const MAX_THREADS: usize = 4;

impl LexicalIndex {
    /// Evaluates a query over all segments on `count` threads.
    pub(super) fn evaluate<'s>(
        &self,
        plan: &QueryPlan,
        searcher: &Searcher,
        selection: &LexicalSelection<'s>,
        count: u32,
    ) -> Result<Collected<'s>, LexicalError> {
        let means = mean_lengths(searcher, &self.fields)?;
        let share = |share: Share| -> Result<Collected<'s>, LexicalError> {
            let mut collected = Collected::new(*selection);
            let mut window = Window::default();
            for segment in searcher.segment_readers() {
                let mut query = SegmentQuery::open(plan, searcher, segment, &self.fields, &means)?;
                let mut matches = SegmentMatches {
                    collected: &mut collected,
                    internal_ids: &self.segment_ids.get(segment, searcher)?,
                };
                query.run(share, &mut window, &mut matches);
            }
            Ok(collected)
        };
        thread::scope(|scope| {
            let others = (1..count).map(|index| {
                let share = &share;
                let work = move || share(Share { index, count });
                (index, thread::Builder::new().spawn_scoped(scope, work))
            });
            let others: Vec<_> = others.collect();
            let mut collected = share(Share { index: 0, count })?;
            for (index, other) in others {
                collected.merge(match other {
                    Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                    // No further thread can be started.
                    Err(_) => share(Share { index, count })?,
                });
            }
            Ok(collected)
        })
    }
}

/// Returns the number of threads of a query: several if its words are frequent.
pub(super) fn thread_count(plan: &QueryPlan) -> u32 {
    let useful = 1 + plan.items() / ITEMS_PER_THREAD;
    let most = rayon::current_num_threads().min(MAX_THREADS);
    useful.min(most as u64) as u32
}
