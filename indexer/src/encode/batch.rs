//! Batching: inputs of similar length form a batch, each core runs one batch at a time, and results
//! are in input order.
//!
//! candle's matrix products run on rayon's current pool. If each of N parallel batches split its
//! products over N threads, they would compete for the cores. So each batch runs inside a pool of
//! one thread (a lane): a lane's products stay on its thread, and concurrent callers queue for
//! lanes. A single batch runs on the global pool and uses all cores.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Maximum number of tokens of a batch of several texts, so that activations fit the cache.
const MAX_TOKENS: usize = 1024;
/// Minimum number of tokens of a batch, below which another core does not pay off.
const MIN_TOKENS: usize = 64;

fn lanes() -> &'static [ThreadPool] {
    static LANES: OnceLock<Vec<ThreadPool>> = OnceLock::new();
    LANES.get_or_init(|| {
        (0..rayon::current_num_threads())
            .map_while(|i| {
                ThreadPoolBuilder::new()
                    .num_threads(1)
                    .thread_name(move |_| format!("encode-{i}"))
                    .build()
                    .ok()
            })
            .collect()
    })
}

/// Splits texts with these numbers of tokens into batches for all cores. Each batch is a list of
/// indices, longest text first.
pub fn plan(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let share = lengths.iter().sum::<usize>().div_ceil(lanes().len().max(1));
    let limit = share.clamp(MIN_TOKENS, MAX_TOKENS);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for index in order {
        tokens += lengths[index];
        match batches.last_mut() {
            Some(batch) if tokens <= limit => batch.push(index),
            _ => {
                batches.push(vec![index]);
                tokens = lengths[index];
            }
        }
    }
    batches
}

/// [`run`] for small jobs, in groups of `size`.
pub fn run_each<J: Sync, T: Send>(
    jobs: &[J],
    size: usize,
    work: impl Fn(&J) -> T + Sync,
) -> Vec<T> {
    let groups: Vec<&[J]> = jobs.chunks(size).collect();
    let results = run(&groups, |group| group.iter().map(&work).collect::<Vec<T>>());
    results.into_iter().flatten().collect()
}

/// Runs `work` on each job, one job on each core; results are in the order of `jobs`.
pub fn run<J: Sync, T: Send>(jobs: &[J], work: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let lanes = lanes();
    if jobs.len() <= 1 || lanes.len() <= 1 {
        return jobs.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for lane in lanes.iter().take(jobs.len()) {
            let (next, done, work) = (&next, &done, &work);
            scope.spawn(move || {
                // One `install` for each job, so that concurrent callers take turns on a lane.
                while let Some((index, job)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(index).map(|job| (index, job))
                } {
                    let result = lane.install(|| work(job));
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_covers_each_input_once() {
        let lengths: Vec<usize> = (0..200).map(|i| (i * 37) % 256).collect();
        let batches = plan(&lengths);
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        for batch in &batches {
            let tokens: usize = batch.iter().map(|&i| lengths[i]).sum();
            assert!(batch.len() == 1 || tokens <= MAX_TOKENS);
        }
        assert!(plan(&[]).is_empty());
    }

    #[test]
    fn results_are_in_input_order() {
        let jobs: Vec<usize> = (0..100).collect();
        assert_eq!(
            run(&jobs, |j| j * 2),
            (0..100).map(|j| j * 2).collect::<Vec<_>>()
        );
    }
}
