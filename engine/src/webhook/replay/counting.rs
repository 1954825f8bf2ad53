//! How many events a replay is of, and the first of them: reading the log without sending anything.
//!
//! Guarantees: an event counts if the webhook wants it as it is registered now, its owner sees it now, and the replay's
//! own filter matches what is seen.

use super::Listed;
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
    pub(in crate::webhook) listed: Vec<Listed>,
}

impl Counted {
    fn add(&mut self, event: &Event<'_>, list_max: usize) {
        self.matched += 1;
        self.first.get_or_insert(event.position);
        self.last = Some(event.position);
        if self.listed.len() < list_max {
            self.listed.push(Listed {
                position: event.position,
                time_ms: event.time_ms,
                kind: event.kind,
                collection: event.collection.to_owned(),
                id: event.content.as_ref().map(|content| content.id.to_vec()),
            });
        }
    }
}

/// Counts the wanted events after one position up to another.
pub(in crate::webhook) async fn count(
    engine: &Engine,
    wanted: Wanted,
    (after, to): (u64, u64),
    list_max: usize,
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
                    counted.add(&event, list_max);
                }
            }
            cursor = block.last_position();
        }
        Ok(counted)
    });
    counting.await.ok_or_else(|| Error::internal("counting events panicked"))?
}

/// Counts those of some positions whose events are wanted; what is not kept any more is left out.
pub(in crate::webhook) async fn count_known(
    engine: &Engine,
    wanted: Wanted,
    positions: Vec<u64>,
    list_max: usize,
) -> Result<Counted> {
    let log = engine.log().clone();
    let counting = engine.tasks().blocking(move || {
        let mut counted = Counted::default();
        for position in positions {
            let block = match log.get(position) {
                Ok(block) => block,
                Err(error) if error.kind() == ErrorKind::Gone => continue,
                Err(error) => return Err(error),
            };
            let Some(record) = block.get(position) else { continue };
            let event = Event::decode(&record)?;
            if wanted.seen(&event) != Seen::Nothing {
                counted.add(&event, list_max);
            }
        }
        Ok(counted)
    });
    counting.await.ok_or_else(|| Error::internal("reading events panicked"))?
}
