//! Whether the picture of an earlier position can be gone on with, found out before anything is told.
//!
//! What is read from the log is judged by the rights of today. If they changed on the way, a change that came before would be
//! told as if the earlier picture were by today's rights, too; and a group's frames say nothing of a change at all.
//!
//! Guarantees: every event from the position to the newest is looked at, a batch at a time.

use std::sync::Arc;

use headwater_engine::subscribe::{Start, Subscription};
use headwater_engine::{Engine, Result};

use super::super::follow::Reader;
use super::audience::LiveReader;

/// A look ahead.
pub(super) struct Lookout {
    reader: Arc<LiveReader>,
    subscription: Subscription,
    /// The position that is gone on after.
    pub(super) from: u64,
}

/// What a look came to.
pub(super) enum Sighted {
    /// There is more to look at.
    NotYet,
    /// Nothing stands in the way.
    Clear,
    /// The picture is void, and why.
    Void(&'static str),
}

impl Lookout {
    /// A look ahead from a position.
    pub(super) fn new(engine: &Engine, reader: LiveReader, from: u64) -> Result<Self> {
        let subscription = engine.subscribe(Start::After(from))?;
        Ok(Self { reader: Arc::new(reader), subscription, from })
    }

    /// Looks at the next events.
    pub(super) async fn step(&mut self) -> Result<Sighted> {
        let Some(batch) = self.subscription.try_next().await? else { return Ok(Sighted::Clear) };
        for event in batch.events() {
            if let Some(reason) = self.reader.interruption(&event?) {
                return Ok(Sighted::Void(reason));
            }
        }
        Ok(Sighted::NotYet)
    }
}
