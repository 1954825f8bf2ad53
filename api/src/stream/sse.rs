//! Server-sent events: a subscription as a body of frames.
//!
//! Guarantees: every event that was asked for and may be seen, once, in order; nothing after the credential ended or
//! lost the right; never silent for longer than the heartbeat, whatever the log does; no more than one chunk and one batch in memory, however
//! slow the reader is. Those who are told the same share the work and the bytes (`audience`).
//! Leaves to others: where it starts, and who may start it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::fanout::{Member, Next};
use headwater_engine::subscribe::{Batch, EventFilter, Start, Subscription};
use headwater_engine::{Error, ErrorKind, Event, Result};
use tokio::time::Instant;

use super::audience::EventAudience;
use super::frame;
use super::registry::Registration;
use crate::auth::Action;
use crate::extract::Format;
use crate::session::Sight;
use crate::state::App;

/// A chunk is sent once it has this many bytes, or there is nothing more.
const CHUNK_BYTES: usize = 64 << 10;
/// A comment, which breaks the silence.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// What a stream is made of.
pub(crate) struct StreamQuery {
    /// The position to go on after.
    pub(crate) from: u64,
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
    /// Its place among those who are told the same.
    member: Member,
    /// Where it reads for itself what its group does not hold any more.
    catching_up: Option<CatchUp>,
    state: State,
    /// When the last byte was sent.
    sent: Instant,
}

/// A reader of the log.
struct CatchUp {
    subscription: Subscription,
    /// Events in hand, and the last position of them that was written.
    batch: Option<(Batch, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

enum Step {
    Chunk(Bytes),
    Silence,
    Look,
    Stop,
    Failed(Error),
}

impl EventStream {
    /// A stream that has not sent anything.
    pub(crate) fn new(app: App, query: StreamQuery) -> Self {
        let member = join(&app, &query, query.from);
        let (state, sent) = (State::Opening, Instant::now());
        Self { app, query, member, catching_up: None, state, sent }
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
            match self.step().await {
                Step::Chunk(chunk) if !chunk.is_empty() => return Some(chunk),
                // A log that moves on without anything for this stream must not silence it.
                Step::Chunk(_) if self.silence_left().is_zero() => return Some(HEARTBEAT),
                Step::Chunk(_) => tokio::task::consume_budget().await,
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

    /// Takes what there is, or waits for something to happen.
    async fn step(&mut self) -> Step {
        if self.app.stopping.is_cancelled() {
            return Step::Stop;
        }
        // Events in hand are written to their end, so that the group takes over between two batches.
        if self.catching_up.as_ref().is_some_and(|catching_up| catching_up.batch.is_some()) {
            return self.catch_up().await;
        }
        match self.member.try_next() {
            Next::Frames { bytes, events } => {
                self.catching_up = None;
                self.told(events);
                Step::Chunk(bytes)
            }
            Next::Behind => self.catch_up().await,
            Next::Nothing => {
                self.catching_up = None;
                self.query.registration.reached(self.member.cursor());
                self.wait().await
            }
        }
    }

    async fn wait(&mut self) -> Step {
        let stopping = self.app.stopping.clone();
        let retired = self.query.sight.principal().retired.clone();
        let (wait, silence) = self.patience();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Step::Stop,
            () = retired.cancelled() => Step::Look,
            () = self.member.changed() => Step::Look,
            () = tokio::time::sleep(wait) => silence,
        }
    }

    /// Writes a part of what the log holds after the cursor.
    async fn catch_up(&mut self) -> Step {
        match self.read_log().await {
            Ok(chunk) => Step::Chunk(chunk),
            Err(error) => Step::Failed(error),
        }
    }

    async fn read_log(&mut self) -> Result<Bytes> {
        let cursor = self.member.cursor();
        let catching_up = match self.catching_up.take() {
            Some(catching_up) => self.catching_up.insert(catching_up),
            None => {
                let subscription = self.app.engine.subscribe(Start::After(cursor))?;
                self.catching_up.insert(CatchUp { subscription, batch: None })
            }
        };
        if catching_up.batch.is_none() {
            let batch = catching_up.subscription.try_next().await?;
            catching_up.batch = batch.map(|batch| (batch.clone(), batch.after()));
        }
        let Some((batch, written)) = catching_up.batch.take() else { return Ok(Bytes::new()) };
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
                frame::write(&event, &seen, (self.query.format, &self.query.id_suffix), &mut chunk);
                events += 1;
            }
            reached = event.position;
        }
        if reached < batch.last_position() {
            catching_up.batch = Some((batch, reached));
        }
        self.member.resume(reached);
        self.told(events);
        Ok(chunk.into())
    }

    /// Notes how far the stream has come.
    fn told(&self, events: u32) {
        self.app.figures.stream_events.fetch_add(events.into(), Ordering::Relaxed);
        self.query.registration.reached(self.member.cursor());
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
        self.catching_up = None;
        self.member = join(&self.app, &self.query, self.member.cursor());
        if allowed && channels { Ok(()) } else { Err("access_narrowed") }
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

/// The stream's place among those who are told the same, after a position.
fn join(app: &App, query: &StreamQuery, cursor: u64) -> Member {
    let StreamQuery { filter, sight, format, id_suffix, .. } = query;
    let audience = EventAudience::new(filter, sight, *format, id_suffix);
    app.engine.fanout().join(audience.key(), cursor, || Arc::new(audience))
}
