//! How far it is: a bar with rate and remaining time on a terminal, a log line every few seconds elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::LazyLock,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Summary;

const EVERY: Duration = Duration::from_secs(5);

/// All bars there are: the log has to take them away while it writes.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Standard error, for log lines: they come above the bar.
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Progress of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: Option<u64>,
    said: Instant,
}

impl Progress {
    /// `total` is the number of records where it is known.
    pub fn new(total: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| BARS.add(bar(total)));
        Self {
            bar,
            total,
            said: Instant::now(),
        }
    }

    /// Says where the run is.
    pub fn at(&mut self, summary: &Summary) {
        if let Some(bar) = &self.bar {
            bar.set_position(summary.read);
            let (skipped, refused) = (summary.skipped, summary.rejected);
            bar.set_message(format!("{skipped} skipped, {refused} refused"));
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let left = |total: u64| total.saturating_sub(summary.read) as f64;
            tracing::info!(
                read = summary.read,
                of = self.total,
                skipped = summary.skipped,
                refused = summary.rejected,
                items_per_s = summary.items_per_s,
                seconds_left = self.total.map(|t| (left(t) / summary.items_per_s).round()),
                "indexing"
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:32} {pos}/{len} items  {per_sec}  {eta} left  {msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {pos} items  {per_sec}  {msg}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
