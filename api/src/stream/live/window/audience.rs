//! What the keeper of a window is told of changes: the fan-out's frames, for its own use.
//!
//! Guarantees: windows over the same documents have equal keys, so that one look at an event serves all of them.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Event;
use headwater_engine::subscribe::BodyFilter;
use headwater_engine::subscribe::fanout::{Audience, GroupKey, Interests};
use headwater_engine::subscribe::live::{Change, LiveQuery, Reason};

use super::super::audience::interests;
use crate::auth::Grant;
use crate::extract::Format;
use crate::stream::group::KeyMaker;
use crate::stream::wire::Wire;

/// Those who keep windows over the same documents.
pub(super) struct ChangeAudience {
    pub(super) query: LiveQuery,
    pub(super) grant: Arc<Grant>,
}

/// What happened to one document of the result.
#[derive(Debug)]
pub(super) enum Happened {
    /// It changed: the shown part before, if it was in, and after, or why it is not.
    Document { before: Option<Bytes>, after: Result<Bytes, Reason> },
    /// All documents are gone.
    Dropped,
}

/// Kinds of what is written.
const DROPPED: u8 = 0;
const PRESENT: u8 = 1;
const REASONS: [(u8, Reason); 4] =
    [(2, Reason::Deleted), (3, Reason::Filter), (4, Reason::Access), (5, Reason::Window)];

impl ChangeAudience {
    pub(super) fn key(&self, wire: &Wire) -> GroupKey {
        let mut key = KeyMaker::new(b"changes", &self.grant, Format::Plain, wire);
        key.bytes(Some(self.query.collection.as_bytes()));
        key.bytes(self.query.filter.as_ref().map(BodyFilter::source));
        key.finish()
    }
}

impl Audience for ChangeAudience {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !self.query.concerns(event) {
            return;
        }
        let before = || self.query.before(event).unwrap_or_default();
        match self.query.change(event) {
            Change::Enter(after) => write(event.position, PRESENT, &[], &after, out),
            Change::Update(after) => write(event.position, PRESENT, &before(), &after, out),
            Change::Leave(reason) => {
                let kind = REASONS.iter().find(|(_, one)| *one == reason).map_or(2, |one| one.0);
                write(event.position, kind, &before(), &[], out);
            }
            Change::Dropped => write(event.position, DROPPED, &[], &[], out),
            // The keeper reads the log behind an erasure, and begins again.
            Change::Nothing | Change::Erased => {}
        }
    }

    fn overruns(&self) -> u32 {
        self.query.filter.as_ref().map_or(0, BodyFilter::overruns)
    }

    fn interests(&self) -> Interests {
        interests(&self.query, &self.grant)
    }
}

fn write(position: u64, kind: u8, before: &[u8], after: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&position.to_le_bytes());
    out.push(kind);
    for part in [before, after] {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(part);
    }
}

/// What a chunk holds, with the positions.
pub(super) fn read(mut chunk: Bytes) -> impl Iterator<Item = (u64, Happened)> {
    std::iter::from_fn(move || {
        let position = u64::from_le_bytes(*chunk.first_chunk()?);
        let kind = *chunk.get(8)?;
        let mut rest = chunk.split_off(9);
        let mut part = || {
            let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
            let mut part = rest.split_to((4 + length).min(rest.len()));
            Some(part.split_off(4))
        };
        let (before, after) = (part()?, part()?);
        chunk = rest;
        let before = Some(before).filter(|before| !before.is_empty());
        let reason = REASONS.iter().find(|(one, _)| *one == kind).map(|(_, reason)| *reason);
        let happened = match reason {
            _ if kind == DROPPED => Happened::Dropped,
            Some(reason) => Happened::Document { before, after: Err(reason) },
            // What is kept must not keep the chunk.
            None => Happened::Document { before, after: Ok(Bytes::copy_from_slice(&after)) },
        };
        Some((position, happened))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        write(7, PRESENT, &[], b"new", &mut out);
        write(8, 4, b"old", &[], &mut out);
        write(9, DROPPED, &[], &[], &mut out);
        let read: Vec<_> = read(out.into()).collect();
        let text = format!("{read:?}");
        assert_eq!(
            text,
            "[(7, Document { before: None, after: Ok(b\"new\") }), \
             (8, Document { before: Some(b\"old\"), after: Err(Access) }), (9, Dropped)]"
        );
    }
}
