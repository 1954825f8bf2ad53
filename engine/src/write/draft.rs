//! Drafts: resolved events before they are encoded.

use std::sync::Arc;

use bytes::Bytes;

use crate::event::{EventDraft, EventKind, Origin, RequestKey, TouchedPath};
use crate::value::change::Diff;

use super::seal::Sealed;

/// An event that is resolved but not encoded.
pub(super) struct Draft {
    pub(super) kind: EventKind,
    pub(super) collection: Arc<str>,
    pub(super) id: Bytes,
    pub(super) version: u64,
    pub(super) previous: u64,
    pub(super) body: Bytes,
    pub(super) body_bytes_before: u32,
    pub(super) origin: Option<(u64, Arc<str>)>,
    pub(super) diff: Option<Diff>,
    /// The erasable part, where the caller made it.
    pub(super) sealed: Option<Sealed>,
}

impl Draft {
    /// A request that changed nothing, but is to be remembered.
    pub(super) fn request_recorded() -> Self {
        Self {
            kind: EventKind::RequestRecorded,
            collection: Arc::from(""),
            id: Bytes::new(),
            version: 0,
            previous: 0,
            body: Bytes::new(),
            body_bytes_before: 0,
            origin: None,
            diff: None,
            sealed: None,
        }
    }

    /// The event as it is encoded, in the batch that begins at `batch`.
    pub(super) fn event<'a>(
        &'a self,
        actor: &'a str,
        batch: u64,
        request: Option<RequestKey<'a>>,
    ) -> EventDraft<'a> {
        let (changed, removed) = self.touched();
        let origin = self.origin.as_ref();
        EventDraft {
            kind: self.kind,
            collection: &self.collection,
            id: &self.id,
            version: self.version,
            previous: self.previous,
            actor,
            batch,
            body: &self.body,
            body_bytes_before: self.body_bytes_before,
            origin: origin
                .map(|(created_ms, by)| Origin { created_ms: *created_ms, created_by: by }),
            changed,
            removed,
            before: self.diff.as_ref().and_then(|diff| diff.before.as_deref()).unwrap_or_default(),
            request,
        }
    }

    fn touched(&self) -> (Vec<TouchedPath<'_>>, Vec<TouchedPath<'_>>) {
        let Some(diff) = &self.diff else { return (Vec::new(), Vec::new()) };
        let changed = diff.changed.iter().map(|(path, before)| TouchedPath {
            path,
            before: before.as_deref().unwrap_or_default(),
        });
        let removed = diff.removed.iter().map(|(path, before)| TouchedPath { path, before });
        (changed.collect(), removed.collect())
    }
}
