//! Server-sent events: a subscription as a body of frames.
//!
//! Guarantees: every event that was asked for and may be seen, once, in order; nothing after the credential ended or
//! lost the right; never silent for longer than the heartbeat, whatever the log does; no more than one chunk and one batch in memory, however
//! slow the reader is.
//! Leaves to others: where it starts, and who may start it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::{Batch, EventFilter, Subscription};
use headwater_engine::{Error, ErrorKind, Event, Result};
use tokio::time::Instant;

use super::registry::Registration;
use crate::auth::Action;
use crate::extract::Format;
use crate::reply::write_number;
use crate::session::Sight;
use crate::state::App;

/// A chunk is sent once it has this many bytes, or there is nothing more.
const CHUNK_BYTES: usize = 64 << 10;
/// A comment, which breaks the silence.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// What a stream is made of.
pub(crate) struct StreamQuery {
    /// The events.
    pub(crate) subscription: Subscription,
    /// What was asked for.
    pub(crate) filter: EventFilter,
    /// What may be seen.
    pub(crate) sight: Sight,
    /// The dialect of documents.
    pub(crate) format: Format,
    /// What follows the position in an event's id: `@epoch`, or nothing in the first epoch.
    pub(crate) id_suffix: String,
    /// Its place in the register.
    pub(crate) registration: Registration,
}

/// A stream of events on its way to one reader.
pub(crate) struct EventStream {
    app: App,
    query: StreamQuery,
    /// Events in hand, and the last position of them that was written.
    batch: Option<(Batch, u64)>,
    state: State,
    /// When the last byte was sent.
    sent: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

enum Step {
    Events(Batch),
    Silence,
    Look,
    Stop,
    Failed(Error),
}

impl EventStream {
    /// A stream that has not sent anything.
    pub(crate) fn new(app: App, query: StreamQuery) -> Self {
        Self { app, query, batch: None, state: State::Opening, sent: Instant::now() }
    }

    /// The chunks, one after another.
    pub(crate) fn into_chunks(self) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_chunk().await?;
            stream.sent = Instant::now();
            Some((Ok(chunk), stream))
        })
    }

    async fn next_chunk(&mut self) -> Option<Bytes> {
        match self.state {
            State::Ended => return None,
            State::Opening => {
                self.state = State::Open;
                return Some(Bytes::from_static(b"retry: 1000\n\n"));
            }
            State::Open => {}
        }
        loop {
            if let Err(reason) = self.look().await {
                return Some(self.closed(reason));
            }
            if self.batch.is_some() {
                match self.write_chunk() {
                    Ok(chunk) if chunk.is_empty() => {}
                    Ok(chunk) => return Some(chunk.into()),
                    Err(error) => return Some(self.failed(&error)),
                }
                tokio::task::consume_budget().await;
                // A log that moves on without anything for this stream must not silence it.
                if self.silence_left().is_zero() {
                    return Some(HEARTBEAT);
                }
                continue;
            }
            match self.step().await {
                Step::Events(batch) => self.batch = Some((batch.clone(), batch.after())),
                Step::Silence => return Some(HEARTBEAT),
                Step::Look => {}
                Step::Stop => {
                    self.state = State::Ended;
                    let farewell = b": the server is stopping; resume at the last id\n\n";
                    return Some(Bytes::from_static(farewell));
                }
                Step::Failed(error) => return Some(self.failed(&error)),
            }
        }
    }

    /// Waits for something to happen.
    async fn step(&mut self) -> Step {
        let stopping = self.app.stopping.clone();
        if stopping.is_cancelled() {
            return Step::Stop;
        }
        match self.query.subscription.try_next().await {
            Ok(Some(batch)) => return Step::Events(batch),
            Ok(None) => {}
            Err(error) => return Step::Failed(error),
        }
        let retired = self.query.sight.principal().retired.clone();
        let (wait, silence) = self.patience();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Step::Stop,
            () = retired.cancelled() => Step::Look,
            next = self.query.subscription.next() => match next {
                Ok(batch) => Step::Events(batch),
                Err(error) => Step::Failed(error),
            },
            () = tokio::time::sleep(wait) => silence,
        }
    }

    /// How long to wait for events, and what to do then: break the silence, or look at the credential that ends.
    fn patience(&self) -> (Duration, Step) {
        let silence = self.silence_left();
        let Some(end) = self.query.sight.principal().expires_ms else {
            return (silence, Step::Silence);
        };
        let left = Duration::from_millis(end.saturating_sub(self.app.engine.clock().now_ms()));
        if left < silence { (left, Step::Look) } else { (silence, Step::Silence) }
    }

    /// How long it may still be silent.
    fn silence_left(&self) -> Duration {
        self.app.options.heartbeat.saturating_sub(self.sent.elapsed())
    }

    /// Looks at the caller again if it changed or may have ended; the error is why the stream closes.
    async fn look(&mut self) -> Result<(), &'static str> {
        let principal = self.query.sight.principal();
        if principal.expired(self.app.engine.clock().now_ms()) {
            return Err("credential_expired");
        }
        if !principal.retired.is_cancelled() {
            return Ok(());
        }
        let now = self.app.access.current(principal).await.ok_or("credential_revoked")?;
        let renewed = self.query.sight.renewed(now, self.app.engine.limits());
        let sight = renewed.map_err(|_| "access_narrowed")?;
        let grant = sight.grant();
        let filter = &self.query.filter;
        let channels =
            filter.channels.iter().all(|name| grant.allows_channel(Some(name), Action::Subscribe));
        let allowed = match filter.collections.is_empty() {
            true => grant.allows_somewhere(Action::Subscribe),
            false => filter.collections.iter().all(|name| grant.allows(name, Action::Subscribe)),
        };
        self.query.filter.system = grant.is_full();
        self.query.sight = sight;
        if allowed && channels { Ok(()) } else { Err("access_narrowed") }
    }

    /// Writes frames of the batch in hand until the chunk is full or the batch is through.
    fn write_chunk(&mut self) -> Result<Vec<u8>> {
        let Some((batch, written)) = self.batch.take() else { return Ok(Vec::new()) };
        let mut chunk = Vec::new();
        let mut reached = written;
        let mut events = 0;
        for record in batch.records().filter(|record| record.position() > written) {
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
            let event = Event::decode(&record)?;
            let seen = self.query.sight.sees(&event, &self.query.filter);
            if seen != Seen::Nothing {
                self.write_frame(&event, &seen, &mut chunk);
                events += 1;
            }
            reached = event.position;
        }
        self.app.figures.stream_events.fetch_add(events, Ordering::Relaxed);
        self.query.registration.reached(reached);
        if reached < batch.last_position() {
            self.batch = Some((batch, reached));
        }
        Ok(chunk)
    }

    fn write_frame(&self, event: &Event<'_>, seen: &Seen, out: &mut Vec<u8>) {
        out.extend_from_slice(b"id: ");
        write_number(event.position, out);
        out.extend_from_slice(self.query.id_suffix.as_bytes());
        out.extend_from_slice(b"\nevent: ");
        out.extend_from_slice(seen.kind(event).as_bytes());
        out.extend_from_slice(b"\ndata: ");
        self.query.format.write_event(event, seen, out);
        out.extend_from_slice(b"\n\n");
    }

    fn failed(&mut self, error: &Error) -> Bytes {
        let reason = match error.kind() {
            ErrorKind::Gone => "position_gone",
            ErrorKind::Unavailable => "unavailable",
            _ => {
                tracing::error!(%error, "a stream of events failed");
                "internal"
            }
        };
        self.closed(reason)
    }

    /// The last frame: why the stream ends.
    fn closed(&mut self, reason: &'static str) -> Bytes {
        self.state = State::Ended;
        format!("event: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n").into()
    }
}
