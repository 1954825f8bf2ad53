//! Subscriptions: readers of the log that catch up from disk and then follow live.
//!
//! Guarantees: every event after the start, once, in order, with no gap at the hand-over: a subscription is a cursor, and
//! each step takes the block after the cursor from the in-memory tail if it is there, else from disk. A slow reader holds
//! no memory beyond the batch in its hands and delays nobody. Nothing is given before it is durable and visible.
//! Leaves to others: filters on documents, rights and encodings.

mod body;
mod clauses;
pub mod fanout;
mod filter;
pub mod live;
mod projection;
pub mod window;

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::log::{Block, LogReader, RecordView, Tail, TailRead};
use crate::tasks::Tasks;

pub use body::{BodyFilter, STEPS_MAX};
pub use filter::EventFilter;
pub use projection::BodyProjection;

/// Bytes read from disk in one step of a catch-up; a reader that is stalled holds so much.
const READ_BYTES: usize = 256 << 10;

/// Where a subscription starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first event that is kept.
    Earliest,
    /// After the last event there is.
    Latest,
    /// After a position.
    After(u64),
    /// At the first event at or after a time, UTC ms.
    Time(u64),
}

/// A cursor over the log.
pub struct Subscription {
    reader: LogReader,
    tail: Arc<Tail>,
    published: watch::Receiver<u64>,
    tasks: Tasks,
    cursor: u64,
}

/// Consecutive events: those of a block after one position, up to another.
#[derive(Clone)]
pub struct Batch {
    block: Arc<Block>,
    after: u64,
    to: u64,
}

impl Batch {
    /// The records.
    pub fn records(&self) -> impl Iterator<Item = RecordView<'_>> {
        let (after, to) = (self.after, self.to);
        self.block.iter().filter(move |record| record.position() > after && record.position() <= to)
    }

    /// The events, decoded.
    pub fn events(&self) -> impl Iterator<Item = Result<Event<'_>>> {
        self.records().map(|record| Event::decode(&record))
    }

    /// The position that the batch follows.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The last position of the batch.
    pub fn last_position(&self) -> u64 {
        self.to
    }
}

impl Subscription {
    /// A subscription from `start`; a position past the end or before retention is gone.
    pub(crate) fn open(
        reader: LogReader,
        tail: Arc<Tail>,
        tasks: Tasks,
        start: Start,
    ) -> Result<Self> {
        let published = tail.subscribe();
        let end = *published.borrow();
        let cursor = resolve(&reader, end, start)?;
        Ok(Self { reader, tail, published, tasks, cursor })
    }

    /// The position of the last event given, or where the subscription started.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// How many events there are that this subscription has not been given.
    pub fn lag(&self) -> u64 {
        self.published.borrow().saturating_sub(self.cursor)
    }

    /// The next events; waits until there are some. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.try_next().await? {
                return Ok(batch);
            }
            let cursor = self.cursor;
            if self.published.wait_for(|end| *end > cursor).await.is_err() {
                return Err(Error::unavailable("stopping", "the server is stopping"));
            }
        }
    }

    /// The next events, if there are any.
    pub async fn try_next(&mut self) -> Result<Option<Batch>> {
        let end = *self.published.borrow_and_update();
        if self.cursor >= end {
            return Ok(None);
        }
        let block = match self.tail.after(self.cursor) {
            TailRead::Block(block) => block,
            TailRead::TooOld => self.read().await?,
            TailRead::UpToDate => return Ok(None),
        };
        let to = block.last_position().min(end);
        let batch = Batch { block, after: self.cursor, to };
        self.cursor = to;
        Ok(Some(batch))
    }

    async fn read(&self) -> Result<Arc<Block>> {
        let reader = self.reader.clone();
        let cursor = self.cursor;
        let read = self.tasks.blocking(move || reader.read(cursor, READ_BYTES)).await;
        let block = read.ok_or_else(|| Error::internal("reading the log panicked"))??;
        block.map(Arc::new).ok_or_else(|| {
            Error::internal(format!("the log has nothing after {cursor}, but was said to"))
        })
    }
}

/// The position after which `start` begins.
pub(crate) fn resolve(reader: &LogReader, end: u64, start: Start) -> Result<u64> {
    let first = reader.first_position();
    match start {
        Start::Earliest => Ok(first - 1),
        Start::Latest => Ok(end),
        Start::Time(time_ms) => Ok((reader.position_at(time_ms)? - 1).min(end)),
        Start::After(position) if position > end => Err(gone(
            first,
            format!("position {position} is past the end of the log, which is at {end}"),
        )),
        Start::After(position) if position + 1 < first => Err(gone(
            first,
            format!("position {position} is before retention; the first position kept is {first}"),
        )),
        Start::After(position) => Ok(position),
    }
}

fn gone(first: u64, message: String) -> Error {
    Error::new(ErrorKind::Gone, "position_gone", message).with("first", first)
}
