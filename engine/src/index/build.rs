//! Building an index while the server goes on: the entries of documents that were there before it.
//!
//! From the event that defines an index on, every write keeps up the entries of what it touches. What is left is the rest:
//! chunk by chunk, entries are made from a snapshot and put in between two groups, but for the documents that changed since
//! that snapshot, whose entries are there already. Nothing waits for longer than the putting in of one chunk.
//! Guarantees: when the last chunk is in, the index holds exactly the entries of all documents, and is ready from then on; a
//! unique index of which two documents have an entry in common fails, as one that cannot take a document does.
//! Leaves to others: starts after a crash, which build what is not ready with nothing else going on.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Entries, Index};
use crate::engine::Engine;
use crate::error::Result;
use crate::event::Event;
use crate::log::LogReader;
use crate::value;
use crate::view::{CollectionId, Snapshot, find_double};
use crate::write::Sequencer;

/// Documents of one chunk.
const CHUNK: usize = 2048;
/// Bytes of events read at a time, to find what changed since a snapshot.
const READ_BYTES: usize = 4 << 20;

/// What became of building an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// It is ready.
    Ready,
    /// It was dropped or replaced meanwhile.
    Gone,
    /// It cannot be built; why.
    Failed(String),
}

impl Engine {
    /// Builds an index that was defined. Blocking.
    pub fn build_index(&self, collection: &str, number: u64) -> Result<Built> {
        let mut after: Option<Bytes> = None;
        let mut done = 0;
        loop {
            let snapshot = self.snapshot();
            let Some((id, index)) = find(&snapshot, collection, number) else {
                return Ok(Built::Gone);
            };
            if index.state.is_ready() {
                return Ok(Built::Ready);
            }
            if let Some(reason) = index.state.failure() {
                return Ok(Built::Failed(reason));
            }
            if self.tasks().token().is_cancelled() {
                return Ok(Built::Gone);
            }
            let mut chunk = Vec::with_capacity(CHUNK);
            for row in snapshot.scan(id, after.as_deref()).take(CHUNK) {
                let (id_key, row) = row?;
                match Entries::of(&index.definition, row.body()) {
                    Ok(entries) => chunk.push((entries, id_key, row.position())),
                    Err(error) => {
                        // A write since may have changed or removed the document; it will be looked at again then.
                        if self.is_unchanged(&snapshot, id, &id_key)? {
                            return self.fail(collection, number, error.to_string());
                        }
                        chunk.push((Entries::default(), id_key, row.position()));
                    }
                }
            }
            done += chunk.len() as u64;
            index.state.report(done, snapshot.counters(id)?.count);
            let last = chunk.len() < CHUNK;
            after = chunk.last().map(|(_, id_key, _)| id_key.clone()).or(after);
            let position = snapshot.position();
            drop(snapshot);
            let (finish, put) = (last && !index.definition.unique, Arc::clone(&index));
            self.control(move |sequencer| put_in(sequencer, &put, chunk, position, finish))??;
            if last && index.definition.unique {
                return self.settle_unique(collection, number);
            }
            if last {
                return Ok(Built::Ready);
            }
        }
    }

    /// Looks for doubles once every document is in; what was written since was checked against all of them.
    fn settle_unique(&self, collection: &str, number: u64) -> Result<Built> {
        let snapshot = self.snapshot();
        let Some((_, index)) = find(&snapshot, collection, number) else { return Ok(Built::Gone) };
        let doubled = find_double(snapshot.store(), &index)?;
        drop(snapshot);
        match doubled {
            Some(reason) => {
                // What is kept says nothing of any document.
                let failed = self.fail(collection, number, index.describe_doubles())?;
                Ok(if let Built::Failed(_) = failed { Built::Failed(reason) } else { failed })
            }
            None => {
                self.control(move |sequencer| {
                    put_in(sequencer, &index, Vec::new(), u64::MAX, true)
                })??;
                Ok(Built::Ready)
            }
        }
    }

    fn fail(&self, collection: &str, number: u64, reason: String) -> Result<Built> {
        let Some((_, index)) = find(&self.snapshot(), collection, number) else {
            return Ok(Built::Gone);
        };
        let why = reason.clone();
        self.control(move |sequencer| {
            if sequencer.applier.has_index(index.number) {
                sequencer.applier.add_entries(&index, &[], Some(Err(why)));
            }
        })?;
        Ok(Built::Failed(reason))
    }

    fn is_unchanged(&self, snapshot: &Snapshot, id: CollectionId, id_key: &[u8]) -> Result<bool> {
        let then = snapshot.get(id, id_key)?.map(|row| row.position());
        let now = self.snapshot().get(id, id_key)?.map(|row| row.position());
        Ok(then == now)
    }
}

fn find(snapshot: &Snapshot, collection: &str, number: u64) -> Option<(CollectionId, Arc<Index>)> {
    let id = snapshot.collections().number(collection)?;
    let index = snapshot.indexes().of(id).iter().find(|index| index.number == number)?;
    Some((id, Arc::clone(index)))
}

/// Puts a chunk in, but for the documents that changed after `position`.
fn put_in(
    sequencer: &mut Sequencer,
    index: &Index,
    mut chunk: Vec<(Entries, Bytes, u64)>,
    position: u64,
    finish: bool,
) -> Result<()> {
    // Entries of an index that was dropped meanwhile would stay for ever.
    if !sequencer.applier.has_index(index.number) {
        return Ok(());
    }
    let to = sequencer.applier.position();
    if position < to && !chunk.is_empty() {
        let changed = changed(sequencer.reader(), &index.collection, position, to)?;
        chunk.retain(|(_, id_key, _)| !changed.ids.contains(id_key));
        if changed.erased {
            // An erased event does not say whose it was.
            let mut kept = Vec::with_capacity(chunk.len());
            for (entries, id_key, written) in chunk {
                if sequencer.applier.row_position(&index.collection, &id_key)? == Some(written) {
                    kept.push((entries, id_key, written));
                }
            }
            chunk = kept;
        }
    }
    let chunk: Vec<_> = chunk.into_iter().map(|(entries, id_key, _)| (entries, id_key)).collect();
    sequencer.applier.add_entries(index, &chunk, finish.then_some(Ok(())));
    Ok(())
}

/// What events changed.
#[derive(Default)]
struct Changed {
    /// The keys of the `_id`s that they are about.
    ids: HashSet<Bytes>,
    /// Whether some of them were erased since.
    erased: bool,
}

/// What events after `from`, up to `to`, changed.
fn changed(log: &LogReader, collection: &str, from: u64, to: u64) -> Result<Changed> {
    let mut changed = Changed::default();
    let mut position = from;
    while position < to {
        let Some(block) = log.read(position, READ_BYTES)? else { break };
        for record in block.iter() {
            let event = Event::decode(&record)?;
            if event.collection != collection {
                continue;
            }
            match event.id() {
                Some(id) => drop(changed.ids.insert(Bytes::from(value::key::encode(id)))),
                None => changed.erased = true,
            }
        }
        position = block.last_position();
    }
    Ok(changed)
}
