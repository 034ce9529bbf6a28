//! Progress of a run: a bar with rate and remaining time on a terminal, a log line every few
//! seconds elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::LazyLock,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const INTERVAL: Duration = Duration::from_secs(5);

/// All active bars, which are hidden while a log line is written.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Standard error for log lines, which are printed above the bar.
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
    started: Instant,
    said: Instant,
}

impl Progress {
    /// Creates the progress of a run over `total` records, if their number is known.
    pub fn new(total: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| BARS.add(bar(total)));
        Self {
            bar,
            total,
            started: Instant::now(),
            said: Instant::now(),
        }
    }

    /// Reports the number of records read, and a message.
    pub fn at(&mut self, read: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            bar.set_message(message.to_owned());
        } else if self.said.elapsed() >= INTERVAL {
            self.said = Instant::now();
            let rate = read as f64 / self.started.elapsed().as_secs_f64();
            let left = |total: u64| (total.saturating_sub(read) as f64 / rate).round();
            tracing::info!(
                read,
                of = self.total,
                per_s = rate.round(),
                seconds_left = self.total.map(left),
                "{message}"
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
            "{bar:32} {pos}/{len}  {per_sec}  {eta} left  {msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {pos}  {per_sec}  {msg}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
