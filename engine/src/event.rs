//! The event: what one record of the log says, and its two encoded parts.
//!
//! Guarantees: [`EventDraft::encode`] and [`Event::decode`] are inverse; decoding borrows from the record and copies
//! nothing. The *kept* part (kind, collection, version, previous, actor, batch, sizes, idempotency) stays for ever; the
//! *erasable* part (salt, id, body, changed paths) can be removed and the event still reads, as erased.
//! Leaves to others: position, time, chain and framing (the log), and what an event means for a view.
//!
//! Both parts are MessagePack arrays; `docs/format.md` lists every member. A part may grow new members at its end,
//! each with a default, so that old logs stay readable; an older version refuses a log that has them, as a newer format.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::log::RecordView;
use crate::restrict::Subject;
use crate::value::Raw;
use crate::value::change::revert;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventKind {
    /// A document came into being.
    DocumentCreated = 1,
    /// A document's body changed.
    DocumentUpdated = 2,
    /// A document went away.
    DocumentDeleted = 3,
    /// A custom event.
    EventPublished = 4,
    /// A request with an idempotency key that changed nothing.
    RequestRecorded = 5,
    /// A document was erased: its earlier events lose their erasable parts.
    DocumentErased = 6,
    /// A webhook was disabled by its receiver or after lasting failure.
    WebhookDisabled = 7,
}

impl EventKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::DocumentCreated,
        Self::DocumentUpdated,
        Self::DocumentDeleted,
        Self::EventPublished,
        Self::RequestRecorded,
        Self::DocumentErased,
        Self::WebhookDisabled,
    ];

    /// The kind's public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DocumentCreated => "document.created",
            Self::DocumentUpdated => "document.updated",
            Self::DocumentDeleted => "document.deleted",
            Self::EventPublished => "event.published",
            Self::RequestRecorded => "request.recorded",
            Self::DocumentErased => "document.erased",
            Self::WebhookDisabled => "webhook.disabled",
        }
    }

    /// The kind of a public name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The idempotency key of the request that made a batch; stored on the batch's first event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestKey<'a> {
    /// The key, with the credential it belongs to in front.
    #[serde(borrow)]
    pub key: &'a str,
    /// Digest of the request, to tell a retry from another request under the same key.
    #[serde(with = "serde_bytes", borrow)]
    pub digest: &'a [u8],
    /// What became of each operation: effect number and the position that last wrote its document. Empty when the
    /// batch holds one event per operation, in order.
    pub outcomes: Vec<(u8, u64)>,
}

/// Who made a document, and when; on every event of the document but the one that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin<'a> {
    /// UTC milliseconds of its creation.
    pub created_ms: u64,
    /// The actor of its creation.
    #[serde(borrow)]
    pub created_by: &'a str,
}

/// A path that an update touched, with the value it had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchedPath<'a> {
    /// The dotted path.
    #[serde(borrow)]
    pub path: &'a str,
    /// The value before, encoded; empty if there was none.
    #[serde(with = "serde_bytes", borrow)]
    pub before: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    kind: u8,
    #[serde(borrow)]
    collection: &'a str,
    version: u64,
    previous: u64,
    #[serde(borrow)]
    actor: &'a str,
    batch: u64,
    body_bytes: u32,
    body_bytes_before: u32,
    #[serde(borrow)]
    origin: Option<Origin<'a>>,
    #[serde(borrow)]
    request: Option<RequestKey<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Erasable<'a> {
    #[serde(with = "serde_bytes", borrow)]
    salt: &'a [u8],
    #[serde(with = "serde_bytes", borrow)]
    id: &'a [u8],
    #[serde(with = "serde_bytes", borrow)]
    body: &'a [u8],
    #[serde(borrow)]
    changed: Vec<TouchedPath<'a>>,
    #[serde(borrow)]
    removed: Vec<TouchedPath<'a>>,
    #[serde(with = "serde_bytes", borrow, default, skip_serializing_if = "<[u8]>::is_empty")]
    before: &'a [u8],
}

/// An event about to be appended.
#[derive(Clone, Debug)]
pub struct EventDraft<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The collection's name; empty for events outside collections.
    pub collection: &'a str,
    /// The document's id, encoded; empty if there is none.
    pub id: &'a [u8],
    /// The document's version after this event.
    pub version: u64,
    /// The position of the same document's event before this one, or 0.
    pub previous: u64,
    /// The credential or user that asked for it.
    pub actor: &'a str,
    /// The first position of this event's batch.
    pub batch: u64,
    /// The new body (created, updated), the last body (deleted), or the content of a custom event, encoded.
    pub body: &'a [u8],
    /// Bytes of the body before this event, 0 if there was none; keeps counters independent of the views.
    pub body_bytes_before: u32,
    /// Who made the document; `None` on the event that makes it.
    pub origin: Option<Origin<'a>>,
    /// Paths set by an update, with their old values.
    pub changed: Vec<TouchedPath<'a>>,
    /// Paths removed by an update, with their old values.
    pub removed: Vec<TouchedPath<'a>>,
    /// The body before an update, where the paths alone do not give it back byte for byte; else empty.
    pub before: &'a [u8],
    /// On the first event of a batch made under an idempotency key.
    pub request: Option<RequestKey<'a>>,
}

impl EventDraft<'_> {
    /// Appends the kept part to `out`.
    pub fn encode_kept(&self, out: &mut Vec<u8>) -> Result<()> {
        let kept = Kept {
            kind: self.kind as u8,
            collection: self.collection,
            version: self.version,
            previous: self.previous,
            actor: self.actor,
            batch: self.batch,
            body_bytes: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
            body_bytes_before: self.body_bytes_before,
            origin: self.origin,
            request: self.request.clone(),
        };
        rmp_serde::encode::write(out, &kept)
            .map_err(|e| Error::internal(format!("encode event: {e}")))
    }

    /// Appends the erasable part to `out`; `salt` keeps its digest from being guessed.
    pub fn encode_erasable(&self, salt: &[u8; 16], out: &mut Vec<u8>) -> Result<()> {
        let erasable = Erasable {
            salt,
            id: self.id,
            body: self.body,
            changed: self.changed.clone(),
            removed: self.removed.clone(),
            before: self.before,
        };
        rmp_serde::encode::write(out, &erasable)
            .map_err(|e| Error::internal(format!("encode event: {e}")))
    }
}

/// Appends the erasable part of an event that touches no earlier value: a create.
pub(crate) fn encode_erasable(
    salt: &[u8; 16],
    id: &[u8],
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let erasable =
        Erasable { salt, id, body, changed: Vec::new(), removed: Vec::new(), before: &[] };
    rmp_serde::encode::write(out, &erasable)
        .map_err(|error| Error::internal(format!("encode event: {error}")))
}

/// A committed event, borrowed from its record.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Place in the log, from 1.
    pub position: u64,
    /// UTC milliseconds; never less than the event's before.
    pub time_ms: u64,
    /// What happened.
    pub kind: EventKind,
    /// The collection's name; empty for events outside collections.
    pub collection: &'a str,
    /// The document's version after this event.
    pub version: u64,
    /// The position of the same document's event before, or 0.
    pub previous: u64,
    /// The credential or user that asked for it.
    pub actor: &'a str,
    /// The first position of its batch.
    pub batch: u64,
    /// Whether this is the last event of its batch.
    pub batch_end: bool,
    /// Bytes of the body.
    pub body_bytes: u32,
    /// Bytes of the body before.
    pub body_bytes_before: u32,
    /// Who made the document; `None` on the event that made it.
    pub origin: Option<Origin<'a>>,
    /// The idempotency key, on the first event of a batch that had one.
    pub request: Option<RequestKey<'a>>,
    /// The chain digest at this event.
    pub digest: [u8; 32],
    /// What erasure removes; `None` once erased.
    pub content: Option<Content<'a>>,
}

/// The erasable part of an event.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// The document's id, encoded; empty if there is none.
    pub id: &'a [u8],
    /// The body, encoded; empty if there is none.
    pub body: &'a [u8],
    /// Paths set by an update, with their old values.
    pub changed: Vec<TouchedPath<'a>>,
    /// Paths removed by an update, with their old values.
    pub removed: Vec<TouchedPath<'a>>,
    /// The body before an update, where the paths alone do not give it back byte for byte; else empty.
    pub before: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads an event from its record.
    pub fn decode(record: &RecordView<'a>) -> Result<Self> {
        let kept: Kept<'a> =
            rmp_serde::from_slice(record.kept()).map_err(|e| undecodable(record, &e))?;
        let kind = EventKind::from_number(kept.kind).ok_or_else(|| {
            Error::damaged(
                "newer_format",
                format!(
                    "event {} has kind {}, which this version does not know; use a newer headwater",
                    record.position(),
                    kept.kind
                ),
            )
        })?;
        let content = if record.is_erased() { None } else { Some(Content::decode(record)?) };
        Ok(Self {
            position: record.position(),
            time_ms: record.time_ms(),
            kind,
            collection: kept.collection,
            version: kept.version,
            previous: kept.previous,
            actor: kept.actor,
            batch: kept.batch,
            batch_end: record.is_batch_end(),
            body_bytes: kept.body_bytes,
            body_bytes_before: kept.body_bytes_before,
            origin: kept.origin,
            request: kept.request,
            digest: record.digest(),
            content,
        })
    }

    /// The actor that made the document; empty for what is not about a document, or does not say.
    pub fn made_by(&self) -> &'a str {
        match self.kind {
            EventKind::DocumentCreated => self.actor,
            EventKind::DocumentUpdated | EventKind::DocumentDeleted => {
                self.origin.map_or("", |origin| origin.created_by)
            }
            _ => "",
        }
    }

    /// A state of the event's document, as restrictions judge it.
    pub fn subject<'b>(&self, body: Raw<'b>) -> Subject<'b>
    where
        'a: 'b,
    {
        Subject { body, made_by: self.made_by() }
    }

    /// The document's id, unless there is none or it was erased.
    pub fn id(&self) -> Option<Raw<'a>> {
        self.content.as_ref().and_then(|content| raw(content.id))
    }

    /// The body, unless there is none or it was erased.
    pub fn body(&self) -> Option<Raw<'a>> {
        self.content.as_ref().and_then(|content| raw(content.body))
    }

    /// The body before an update or a deletion, unless it was erased.
    pub fn body_before(&self) -> Option<Cow<'a, [u8]>> {
        let content = self.content.as_ref()?;
        match self.kind {
            EventKind::DocumentDeleted => Some(Cow::Borrowed(content.body)),
            EventKind::DocumentUpdated if !content.before.is_empty() => {
                Some(Cow::Borrowed(content.before))
            }
            EventKind::DocumentUpdated => {
                let touched = |path: &TouchedPath<'a>| (path.path, path.before);
                let changed = content.changed.iter().map(touched);
                let removed = content.removed.iter().map(touched);
                Some(Cow::Owned(revert(Raw::trusted(content.body), changed, removed)))
            }
            _ => None,
        }
    }

    /// Whether its content was erased.
    pub fn erased(&self) -> bool {
        self.content.is_none()
    }

    /// Whether it belongs to a system collection or to the system itself.
    pub fn is_system(&self) -> bool {
        self.collection.starts_with('_')
            || matches!(self.kind, EventKind::RequestRecorded | EventKind::WebhookDisabled)
    }
}

impl<'a> Content<'a> {
    fn decode(record: &RecordView<'a>) -> Result<Self> {
        let erasable: Erasable<'a> =
            rmp_serde::from_slice(record.erasable()).map_err(|e| undecodable(record, &e))?;
        Ok(Self {
            id: erasable.id,
            body: erasable.body,
            changed: erasable.changed,
            removed: erasable.removed,
            before: erasable.before,
        })
    }
}

fn raw(bytes: &[u8]) -> Option<Raw<'_>> {
    (!bytes.is_empty()).then(|| Raw::trusted(bytes))
}

fn undecodable(record: &RecordView<'_>, error: &dyn std::fmt::Display) -> Error {
    Error::damaged(
        "event_undecodable",
        format!("the event at position {} cannot be decoded: {error}", record.position()),
    )
}
