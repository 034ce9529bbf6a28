//! Shutdown signal: bodies that are still being received are not waited for.

use tokio::sync::watch;

/// Set once, observed by all tasks.
pub struct Stopping(watch::Sender<bool>);

impl Default for Stopping {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Stopping {
    /// Signals that the server stops.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }

    /// Returns once the server stops.
    pub async fn told(&self) {
        // The sender is in `self`, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|is_told| *is_told).await;
    }
}
