//! How many events a replay is of: reading the log without sending anything.
//!
//! Guarantees: an event counts if the webhook wants it as it is registered now, its owner sees it now, and the replay's
//! own filter matches what is seen.

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::restrict::Seen;
use crate::webhook::feed::Wanted;

const READ_BYTES: usize = 1 << 20;

/// What a range holds for a webhook.
#[derive(Clone, Debug, Default)]
pub(in crate::webhook) struct Counted {
    pub(in crate::webhook) matched: u64,
    pub(in crate::webhook) first: Option<u64>,
    pub(in crate::webhook) last: Option<u64>,
}

impl Counted {
    fn add(&mut self, position: u64) {
        self.matched += 1;
        self.first.get_or_insert(position);
        self.last = Some(position);
    }

    /// Counts positions that are known.
    pub(in crate::webhook) fn of(positions: &[u64]) -> Self {
        let mut counted = Self::default();
        positions.iter().for_each(|position| counted.add(*position));
        counted
    }
}

/// Counts the wanted events after one position up to another.
pub(in crate::webhook) async fn count(
    engine: &Engine,
    wanted: Wanted,
    after: u64,
    to: u64,
) -> Result<Counted> {
    let log = engine.log().clone();
    let counting = engine.tasks().blocking(move || {
        let mut counted = Counted::default();
        let mut cursor = after;
        while cursor < to {
            let Some(block) = log.read(cursor, READ_BYTES)? else { break };
            for record in block.iter().take_while(|record| record.position() <= to) {
                let event = Event::decode(&record)?;
                if wanted.seen(&event) != Seen::Nothing {
                    counted.add(event.position);
                }
            }
            cursor = block.last_position();
        }
        Ok(counted)
    });
    counting.await.ok_or_else(|| Error::internal("counting events panicked"))?
}

/// Those of some positions whose events are wanted; what is not kept any more is left out.
pub(in crate::webhook) async fn wanted_of(
    engine: &Engine,
    wanted: Wanted,
    positions: Vec<u64>,
) -> Result<Vec<u64>> {
    let log = engine.log().clone();
    let choosing = engine.tasks().blocking(move || {
        let mut chosen = Vec::with_capacity(positions.len());
        for position in positions {
            let block = match log.get(position) {
                Ok(block) => block,
                Err(error) if error.kind() == ErrorKind::Gone => continue,
                Err(error) => return Err(error),
            };
            if let Some(record) = block.get(position)
                && wanted.seen(&Event::decode(&record)?) != Seen::Nothing
            {
                chosen.push(position);
            }
        }
        Ok(chosen)
    });
    choosing.await.ok_or_else(|| Error::internal("reading events panicked"))?
}
