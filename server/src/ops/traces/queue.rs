//! Queue of finished spans, and the thread that sends them.

use std::{
    fmt, io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanProcessor},
};

use super::{STOP_TIMEOUT, count, otlp};

/// Maximum number of spans that wait to be sent; a search has about eight.
const MAX_QUEUED: usize = 8_192;

/// Maximum number of spans sent together.
const MAX_BATCH: usize = 512;

/// Maximum time that a span waits for others.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time after which a collector that does not answer counts as failed.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between attempts to enter a full queue at the end.
const PAUSE: Duration = Duration::from_millis(10);

/// Content of the queue.
enum Message {
    Span(Box<SpanData>),
    /// Everything before is to be sent, then this is dropped.
    Flush(SyncSender<()>),
}

/// Processor that queues finished spans.
pub struct Queue(SyncSender<Message>);

impl Queue {
    /// Starts the thread that sends spans to an address.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(url: String, resource: Resource) -> io::Result<Self> {
        let (queue, spans) = sync_channel(MAX_QUEUED);
        let config = ureq::Agent::config_builder().timeout_global(Some(SEND_TIMEOUT));
        let mut sender = Sender {
            agent: config.build().into(),
            url,
            resource,
            is_failing: false,
        };
        let thread = thread::Builder::new().name("traces".to_owned());
        thread.spawn(move || sender.run(&spans))?;
        Ok(Self(queue))
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let is_sampled = span.span_context.is_sampled();
        if is_sampled && self.0.try_send(Message::Span(Box::new(span))).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.shutdown_with_timeout(STOP_TIMEOUT)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let deadline = Instant::now() + timeout;
        let (done, sent) = sync_channel(0);
        let mut message = Message::Flush(done);
        loop {
            match self.0.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(_) => return Err(OTelSdkError::Timeout(timeout)),
            }
            thread::sleep(PAUSE);
        }
        match sent.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(timeout)),
            _ => Ok(()),
        }
    }
}

/// State of the thread that sends spans.
struct Sender {
    agent: ureq::Agent,
    url: String,
    resource: Resource,
    /// True if the last batch was not taken.
    is_failing: bool,
}

impl Sender {
    /// Sends spans in batches until the queue is closed.
    fn run(&mut self, spans: &Receiver<Message>) {
        let mut is_open = true;
        while is_open {
            let (mut batch, mut flushed) = (Vec::new(), None);
            let due = Instant::now() + INTERVAL;
            while batch.len() < MAX_BATCH && flushed.is_none() {
                match spans.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(Message::Span(span)) => batch.push(*span),
                    Ok(Message::Flush(done)) => flushed = Some(done),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_open = false;
                        break;
                    }
                }
            }
            if !batch.is_empty() {
                self.send(&batch);
            }
        }
    }

    /// Sends a batch; one that the collector does not take is dropped. Only the first failure in a
    /// row is logged.
    fn send(&mut self, batch: &[SpanData]) {
        let body = otlp::request(&self.resource, batch);
        let request = self.agent.post(&self.url);
        let request = request.content_type("application/x-protobuf");
        let failed = request.send(&body).err();
        let outcome = if failed.is_some() { "dropped" } else { "sent" };
        count(outcome, batch.len());
        match &failed {
            Some(cause) if !self.is_failing => {
                let url = &self.url;
                tracing::warn!(%url, "traces cannot be sent, and are dropped: {cause}");
            }
            None if self.is_failing => tracing::info!("traces are sent again"),
            _ => {}
        }
        self.is_failing = failed.is_some();
    }
}
