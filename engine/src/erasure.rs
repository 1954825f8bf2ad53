//! Erasure: a document leaves without a trace of its content, on a legal request.
//!
//! Order: note what is to be erased in a file of its own; commit the deletion and the mark `document.erased`; checkpoint
//! the views past it; blank the events in the log, and the bases' entries; compact the views; forget the note.
//! Guarantees: a crash at any step is finished at the next open; the chain still verifies; the events keep their places.
//! Leaves to others: backups made before (the operator's).

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::fs::OpenMode;
use crate::view::{
    CollectionId, NUMBER, Progress, erase_from_bases, key_of_name, keys, replace_file,
};
use crate::write::{Command, DocumentId, Operation, Sequencer};

/// The file that notes an erasure under way.
pub(crate) const NOTE: &str = "erasing";

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Events that lost their content.
    pub events: u64,
    /// The position of the mark.
    pub position: u64,
}

/// What is being erased; on disk from before the deletion until the log is rewritten.
#[derive(Clone, Serialize, Deserialize)]
struct Note {
    /// The position of the mark `document.erased`; the note is void if there is none.
    mark: u64,
    positions: Vec<u64>,
    /// The document's keys in the views, one for each collection that had the name.
    keys: Vec<serde_bytes::ByteBuf>,
}

impl Engine {
    /// Deletes a document if it is there and erases its content from the log. Blocking.
    pub fn erase(&self, collection: &str, id: &DocumentId, actor: &str) -> Result<Erased> {
        let _one = self.only_rewrite()?;
        if let Some(error) = self.unready() {
            return Err(error);
        }
        // One that failed half-way has its note in the only place that there is for one.
        self.finish_erasure()?;
        if collection.starts_with('_') {
            return Err(Error::new(
                crate::ErrorKind::Forbidden,
                "system_collection",
                format!("documents of `{collection}` cannot be erased"),
            ));
        }
        let numbers = self.numbers_of(collection)?;
        if numbers.is_empty() {
            let message = format!("there is no collection `{collection}`");
            return Err(Error::not_found("collection_not_found", message));
        }
        let Some(note) = self.mark(collection, id, actor, &numbers)? else {
            if numbers.len() > 1 {
                // What retention took of dropped collections may still be named in their history.
                self.rebuild_alone(&Progress::default())?;
            }
            return Ok(Erased { events: 0, position: self.position() });
        };
        let blanked = self.finish(&note)?;
        self.remove_note(&self.data().join(NOTE))?;
        if numbers.len() > 1 {
            // The history of dropped collections still names the id; the log does not any more.
            self.rebuild_alone(&Progress::default())?;
        }
        Ok(Erased { events: blanked.saturating_sub(1), position: note.mark })
    }

    /// Commits the deletion and the mark, with a note of all that is to be blanked; `None` if nothing is known of the id.
    fn mark(
        &self,
        collection: &str,
        id: &DocumentId,
        actor: &str,
        numbers: &BTreeSet<CollectionId>,
    ) -> Result<Option<Note>> {
        let command = Command {
            operations: vec![Operation::Erase { collection: collection.into(), id: id.clone() }],
            actor: actor.into(),
            ..Command::default()
        };
        let (engine, id_key, numbers) = (self.clone(), id.key.clone(), numbers.clone());
        let name = collection.to_owned();
        self.control(move |sequencer| {
            let snapshot = engine.snapshot();
            let present = snapshot.collections().number(&name);
            let first = engine.log().first_position();
            let (mut positions, mut keys) = (Vec::new(), Vec::new());
            for number in numbers {
                keys.push(serde_bytes::ByteBuf::from(keys::document(number, &id_key)));
                for entry in snapshot.history(number, &id_key, u64::MAX) {
                    let position = entry?.position;
                    // Of a dropped collection nothing is left before the base.
                    if present == Some(number) || position >= first {
                        positions.push(position);
                    }
                }
            }
            drop(snapshot);
            if positions.is_empty() {
                return Ok(None);
            }
            let noted = sequencer.commit_noted(&command, |new: std::ops::Range<u64>| {
                positions.extend(new.clone());
                let note = Note { mark: new.end - 1, positions, keys };
                engine.write_note(&note)?;
                Ok(note)
            });
            noted.map(Some)
        })?
    }

    /// The numbers of every collection that has or had a name, as far as history reaches.
    fn numbers_of(&self, collection: &str) -> Result<BTreeSet<CollectionId>> {
        let snapshot = self.snapshot();
        let mut numbers = BTreeSet::new();
        numbers.extend(snapshot.collections().number(collection));
        let first = self.log().first_position();
        for entry in snapshot.history(keys::COLLECTIONS, &key_of_name(collection), u64::MAX) {
            let position = entry?.position;
            if position < first {
                continue;
            }
            let block = self.log().get(position)?;
            let Some(record) = block.iter().next() else { continue };
            let number = Event::decode(&record)?.body().and_then(|body| body.get(NUMBER)?.as_i64());
            numbers.extend(number.and_then(|number| CollectionId::try_from(number).ok()));
        }
        Ok(numbers)
    }

    /// Finishes an erasure that a crash interrupted.
    pub(crate) fn finish_erasure(&self) -> Result<()> {
        let path = self.data().join(NOTE);
        let fs = &self.shared().fs;
        if !fs.exists(&path).map_err(|error| Error::io("look for", &path, &error))? {
            return Ok(());
        }
        let file = fs.open(&path, OpenMode::Read).map_err(|e| Error::io("open", &path, &e))?;
        let len = file.len().map_err(|error| Error::io("read", &path, &error))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0).map_err(|error| Error::io("read", &path, &error))?;
        let note = decode(&bytes).ok_or_else(|| {
            Error::damaged(
                "erasure_note_damaged",
                format!(
                    "{}: the note of an unfinished erasure does not check; remove the file and erase again",
                    path.display()
                ),
            )
        })?;
        if self.is_marked(&note)? {
            self.finish(&note)?;
        }
        self.remove_note(&path)
    }

    /// Whether the mark of a note was committed before the crash.
    fn is_marked(&self, note: &Note) -> Result<bool> {
        if note.mark > self.log().durable_position() || note.mark < self.log().first_position() {
            return Ok(false);
        }
        let block = self.log().get(note.mark)?;
        let Some(record) = block.iter().next() else { return Ok(false) };
        Ok(Event::decode(&record)?.kind == EventKind::DocumentErased)
    }

    fn finish(&self, note: &Note) -> Result<u64> {
        let (generation, state) = self.control(Sequencer::rotate)??;
        self.shared().views.checkpoint(&generation, &state)?;
        let first = self.log().first_position();
        let positions: Vec<u64> =
            note.positions.iter().copied().filter(|position| *position >= first).collect();
        let events = self.control(move |sequencer| {
            let erased = sequencer.log.erase(&positions)?;
            sequencer.tail.clear();
            Ok::<_, Error>(erased)
        })??;
        self.fanout().forget();
        for key in &note.keys {
            erase_from_bases(self.log(), key)?;
        }
        self.shared().views.current().store.compact_fully()?;
        Ok(events)
    }

    fn write_note(&self, note: &Note) -> Result<()> {
        let mut bytes = rmp_serde::to_vec(note)
            .map_err(|error| Error::internal(format!("encode note: {error}")))?;
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        replace_file(&*self.shared().fs, self.data(), NOTE, &bytes)
    }

    fn remove_note(&self, path: &Path) -> Result<()> {
        let fs = &self.shared().fs;
        fs.remove(path)
            .and_then(|()| fs.sync_dir(self.data()))
            .map_err(|error| Error::io("remove", path, &error))
    }
}

fn decode(bytes: &[u8]) -> Option<Note> {
    let (body, digest) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != digest {
        return None;
    }
    rmp_serde::from_slice(body).ok()
}
