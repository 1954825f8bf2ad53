//! Following: the frames of an audience, from the fan-out where its group still holds them, else from the log.
//!
//! Guarantees: every frame after the cursor, once, in order; one chunk and one batch in memory, however slow the reader is.
//! Leaves to others: who may be told, and how long to wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::clock::SharedClock;
use headwater_engine::subscribe::fanout::{Audience, GroupKey, Member, Next};
use headwater_engine::subscribe::{Batch, Start, Subscription};
use headwater_engine::{Engine, Error, ErrorKind, Event, Result};

use crate::session::blocking;

/// A chunk is given once it has this many bytes, or there is nothing more.
const CHUNK_BYTES: usize = 64 << 10;
/// Nobody else on the thread waits longer than this for events to be looked at.
const TURN: Duration = Duration::from_millis(5);

/// A place among those who are told the same.
pub(super) struct Follow {
    engine: Engine,
    member: Member,
    reader: Option<Arc<dyn Reader>>,
    /// Where it reads for itself what its group does not hold any more.
    reading: Option<Box<Reading>>,
}

/// A reader of the log.
struct Reading {
    subscription: Subscription,
    /// Events in hand, and the last position of them that was written.
    batch: Option<(Batch, u64)>,
}

/// What there is to tell.
pub(super) enum Found {
    /// Frames, possibly none, of so many events; there may be more.
    Frames(Bytes, u32),
    /// Nothing.
    Nothing,
    /// An event that cannot be told by a frame, and why; the cursor is before it.
    Interrupted(&'static str),
}

/// What is looked at on each event that is read from the log.
pub(super) trait Reader: Send + Sync + 'static {
    /// Why the frames cannot go on beyond an event, if they cannot.
    fn interruption(&self, event: &Event<'_>) -> Option<&'static str>;

    /// Whether an event need not be told. May read documents.
    fn passes_over(&self, event: &Event<'_>) -> Result<bool>;

    /// Whether looking takes long, so that it has to be done off the async threads.
    fn is_slow(&self) -> bool;
}

impl Follow {
    /// A place after a position.
    pub(super) fn new(
        engine: &Engine,
        key: GroupKey,
        cursor: u64,
        audience: impl Audience,
        reader: Option<Arc<dyn Reader>>,
    ) -> Self {
        let member = engine.fanout().join(key, cursor, || Arc::new(audience));
        Self { engine: engine.clone(), member, reader, reading: None }
    }

    /// The position up to which everything was given.
    pub(super) fn cursor(&self) -> u64 {
        self.member.cursor()
    }

    /// Takes what there is.
    pub(super) async fn next(&mut self) -> Result<Found> {
        check_pace(self.member.audience())?;
        // Events in hand are written to their end, so that the group takes over between two batches.
        let in_hand = self.reading.as_ref().is_some_and(|reading| reading.batch.is_some());
        if in_hand {
            return self.read().await;
        }
        let next = self.member.try_next();
        if matches!(next, Next::Frames { .. } | Next::Nothing) {
            // What was passed over because it took too long must not count as told.
            check_pace(self.member.audience())?;
        }
        match next {
            Next::Frames { bytes, events } => {
                self.reading = None;
                Ok(Found::Frames(bytes, events))
            }
            Next::Behind => self.read().await,
            Next::Nothing => {
                self.reading = None;
                Ok(Found::Nothing)
            }
        }
    }

    /// Waits until there may be something new. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        self.member.changed().await;
    }

    /// Writes a part of what the log holds after the cursor.
    async fn read(&mut self) -> Result<Found> {
        if self.reading.is_none() {
            let subscription = self.engine.subscribe(Start::After(self.member.cursor()))?;
            self.reading = Some(Box::new(Reading { subscription, batch: None }));
        }
        let Some(reading) = &mut self.reading else { return Ok(Found::Nothing) };
        if reading.batch.is_none() {
            let batch = reading.subscription.try_next().await?;
            reading.batch = batch.map(|batch| (batch.clone(), batch.after()));
        }
        let Some((batch, written)) = reading.batch.take() else {
            return Ok(Found::Frames(Bytes::new(), 0));
        };
        let part = Part {
            audience: Arc::clone(self.member.audience()),
            reader: self.reader.clone(),
            batch: batch.clone(),
            written,
            clock: Arc::clone(self.engine.clock()),
        };
        let told = match &self.reader {
            Some(reader) if reader.is_slow() => blocking(&self.engine, move || part.tell()).await?,
            _ => part.tell()?,
        };
        if let Some(reason) = told.interrupted.filter(|_| told.reached == written) {
            self.reading = None;
            return Ok(Found::Interrupted(reason));
        }
        if told.chunk.is_empty() {
            check_pace(self.member.audience())?;
        }
        if told.reached < batch.last_position() {
            reading.batch = Some((batch, told.reached));
        }
        self.member.resume(told.reached);
        if told.chunk.is_empty() {
            // Others have their turn, also where much is read in vain.
            tokio::task::yield_now().await;
        }
        Ok(Found::Frames(told.chunk.into(), told.events))
    }
}

/// Ends a subscription whose filter or projection took too long on a document, before anything after it is told.
fn check_pace(audience: &Arc<dyn Audience>) -> Result<()> {
    if audience.overruns() == 0 {
        return Ok(());
    }
    let message = "the filter or projection takes too many steps on a document";
    Err(Error::new(ErrorKind::LimitExceeded, "filter_too_slow", message))
}

/// Events in hand after a position.
struct Part {
    audience: Arc<dyn Audience>,
    reader: Option<Arc<dyn Reader>>,
    batch: Batch,
    written: u64,
    clock: SharedClock,
}

/// What was written of a part.
struct Told {
    chunk: Vec<u8>,
    events: u32,
    /// The last position that was looked at.
    reached: u64,
    /// Why it cannot go on beyond, if it cannot.
    interrupted: Option<&'static str>,
}

impl Part {
    fn tell(&self) -> Result<Told> {
        let (reached, interrupted) = (self.written, None);
        let mut told = Told { chunk: Vec::new(), events: 0, reached, interrupted };
        let end = self.clock.monotonic() + TURN;
        for record in self.batch.records().filter(|record| record.position() > self.written) {
            if told.chunk.len() >= CHUNK_BYTES {
                break;
            }
            let event = Event::decode(&record)?;
            let before = told.chunk.len();
            told.interrupted = self.reader.as_ref().and_then(|reader| reader.interruption(&event));
            if told.interrupted.is_some() {
                break;
            }
            match &self.reader {
                Some(reader) if reader.passes_over(&event)? => {}
                _ => self.audience.write(&event, &mut told.chunk),
            }
            if self.audience.overruns() > 0 {
                // What came before is still told; this is not, and nothing after it.
                told.chunk.truncate(before);
                break;
            }
            told.events += u32::from(told.chunk.len() > before);
            told.reached = event.position;
            if self.clock.monotonic() > end {
                break;
            }
        }
        Ok(told)
    }
}
