//! Batches: inputs of like length together, one batch a core, results in input order.
//!
//! candle's matrix products run on rayon's current pool. Were each of N parallel batches to split
//! its products over N threads, they would fight for the cores. So each batch runs inside a pool of
//! one thread (a lane): a lane's products stay on its thread, and callers at once queue for lanes.
//! A lone batch runs on the global pool and has all cores.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Most tokens a batch of several texts: keeps activations in the cache's reach.
const MAX_TOKENS: usize = 1024;
/// Fewer are not worth another core.
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

/// Splits texts of these numbers of tokens into batches for all cores: each batch is a list of positions, longest first.
pub fn plan(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let share = lengths.iter().sum::<usize>().div_ceil(lanes().len().max(1));
    let most = share.clamp(MIN_TOKENS, MAX_TOKENS);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for at in order {
        tokens += lengths[at];
        match batches.last_mut() {
            Some(batch) if tokens <= most => batch.push(at),
            _ => {
                batches.push(vec![at]);
                tokens = lengths[at];
            }
        }
    }
    batches
}

/// [`run`] for jobs that are small: `size` of them at a time.
pub fn run_each<J: Sync, T: Send>(
    jobs: &[J],
    size: usize,
    work: impl Fn(&J) -> T + Sync,
) -> Vec<T> {
    let groups: Vec<&[J]> = jobs.chunks(size).collect();
    let results = run(&groups, |group| group.iter().map(&work).collect::<Vec<T>>());
    results.into_iter().flatten().collect()
}

/// Runs `work` on each job, one job a core; results are in the order of `jobs`.
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
                // One install a job, so that concurrent callers take turns on a lane.
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    let result = lane.install(|| work(job));
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
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
