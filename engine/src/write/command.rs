//! Commands: requested changes, as the sequencer takes them.
//!
//! Guarantees: everything that needs no state (parsing, ids, encoding, limits) is done before a command is queued.
//! Leaves to others: whether it is allowed (the access layer) and whether it applies (the sequencer).

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::query::Filter;
use crate::restrict::Subject;
use crate::value::Raw;

/// A document's id in both forms that the engine needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentId {
    /// The id, encoded.
    pub raw: Bytes,
    /// Its order-preserving key: equal for equal ids.
    pub key: Bytes,
}

/// A change computed from the present body: a patch, an update.
pub trait Change: Send + Sync {
    /// The whole new body, `_id` first and unchanged. The same bytes mean that nothing changes; `None` that the document is
    /// not meant any more.
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>>;
}

/// What a guarded command does to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Makes it.
    Create,
    /// Gives it another body.
    Update,
    /// Ends it.
    Delete,
}

/// What a caller with restricted rights may do to documents, asked on the sequencer's thread, about the newest state.
///
/// Whoever changes or deletes a document works on the *view* of it: its visible part. Changes, versions and conditions are
/// looked at after [`Guard::view`] has let the caller through, so that refusals say nothing of what is hidden.
///
/// It is asked about every document of the command, those of system collections too, but not about erasures, definitions and
/// custom events, nor about a repeat of an idempotent request. What it gives has `_id` first and unchanged; limits of size
/// are its own to check.
pub trait Guard: Send + Sync {
    /// What the caller sees of a document that it changes or deletes; `None`: all of it. Refuses as if there were no such
    /// document (any error of the kind `NotFound`: the caller gets the one of a missing document), or because it may be read
    /// but not touched.
    fn view(&self, collection: &str, touch: Touch, current: Subject<'_>)
    -> Result<Option<Vec<u8>>>;

    /// The body to store for `wanted`, which was made from the view: hidden parts of `current` come back, and what may not
    /// be written is refused. `current` is `None` for a new document; then it is asked before anything is said about whether
    /// the id is taken.
    fn settle(&self, collection: &str, current: Option<Raw<'_>>, wanted: Bytes) -> Result<Bytes>;

    /// Refuses to store `after`, which is what was `settled` with its typed fields converted. Rules on documents are judged
    /// here, so that no conversion goes around them.
    fn check(
        &self,
        collection: &str,
        current: Option<Raw<'_>>,
        settled: Raw<'_>,
        after: Raw<'_>,
    ) -> Result<()>;
}

/// One requested change.
#[derive(Clone)]
pub enum Operation {
    /// A new document; a taken id is a conflict.
    Create {
        /// The collection's name; it comes into being if it is not there.
        collection: Arc<str>,
        /// The id, the same as in `body`.
        id: DocumentId,
        /// The body with `_id` first.
        body: Bytes,
    },
    /// A whole new body for a document.
    Replace {
        /// The collection's name.
        collection: Arc<str>,
        /// The document.
        id: DocumentId,
        /// The new body with `_id` first.
        body: Bytes,
        /// The version that the document must have.
        if_version: Option<u64>,
        /// What to do when it is not there.
        absent: Absent,
    },
    /// A change of a document's body.
    Change {
        /// The collection's name.
        collection: Arc<str>,
        /// The document.
        id: DocumentId,
        /// How the body changes.
        change: Arc<dyn Change>,
        /// The version that the document must have.
        if_version: Option<u64>,
        /// What to do when it is not there.
        absent: Absent,
    },
    /// The end of a document.
    Delete {
        /// The collection's name.
        collection: Arc<str>,
        /// The document.
        id: DocumentId,
        /// The version that the document must have.
        if_version: Option<u64>,
        /// Which state it must be in besides; one that is not is passed over.
        only_if: Option<Arc<Filter>>,
    },
    /// A collection's definition: made if it is not there, replaced if it is.
    Define {
        /// The collection's name.
        collection: Arc<str>,
        /// The members of the definition, an encoded object without `_id` and `number`.
        definition: Bytes,
    },
    /// The end of a collection with all its documents.
    Drop {
        /// The collection's name.
        collection: Arc<str>,
    },
    /// An index: made, or put in the place of one with the same name and another definition. The collection comes into
    /// being if it is not there.
    DefineIndex {
        /// The collection's name.
        collection: Arc<str>,
        /// The index's name.
        name: Arc<str>,
        /// Its members as `index::Definition` has them, an encoded object.
        definition: Bytes,
    },
    /// The end of an index.
    DropIndex {
        /// The collection's name.
        collection: Arc<str>,
        /// The index's name.
        name: Arc<str>,
    },
    /// A system event about a webhook.
    WebhookDisabled {
        /// What happened, encoded.
        body: Bytes,
    },
    /// The end of a document and of everything known about it; its events lose their content afterwards.
    Erase {
        /// The collection's name.
        collection: Arc<str>,
        /// The document.
        id: DocumentId,
    },
    /// A custom event.
    Publish {
        /// `{"event", "data", "channel"}`, encoded.
        body: Bytes,
    },
}

impl Operation {
    /// The collection that it is about; `None` for events of no document.
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::Create { collection, .. }
            | Self::Replace { collection, .. }
            | Self::Change { collection, .. }
            | Self::Delete { collection, .. }
            | Self::Define { collection, .. }
            | Self::Drop { collection }
            | Self::DefineIndex { collection, .. }
            | Self::DropIndex { collection, .. }
            | Self::Erase { collection, .. } => Some(collection),
            Self::WebhookDisabled { .. } | Self::Publish { .. } => None,
        }
    }

    /// Whether later operations may have to be checked against what this one defines.
    pub(super) fn defines(&self) -> bool {
        matches!(
            self,
            Self::Define { .. }
                | Self::Drop { .. }
                | Self::DefineIndex { .. }
                | Self::DropIndex { .. }
        )
    }
}

/// What an operation does when its document is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Refuse: not found.
    Refuse,
    /// Create it.
    Create,
    /// Pass it over.
    Skip,
}

/// A retry-safe request: the same key with the same digest takes effect once.
#[derive(Clone, Debug)]
pub struct RequestIdentity {
    /// The key, with the credential it belongs to in front.
    pub key: String,
    /// Digest of the request.
    pub digest: [u8; 32],
}

/// Whether documents must satisfy their collection's typed fields and its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// They must.
    #[default]
    All,
    /// They need not: required fields, types, patterns and the schema are not asked. Typed fields are converted as far as
    /// they can be, unique values and the guard hold all the same. The next write that is checked refuses what stands.
    Unchecked,
}

/// Operations that take effect together or not at all.
#[derive(Clone, Default)]
pub struct Command {
    /// The changes, in order; a document may come up as often as wanted.
    pub operations: Vec<Operation>,
    /// The credential or user that asks.
    pub actor: Arc<str>,
    /// Set when the request carries an idempotency key.
    pub request: Option<RequestIdentity>,
    /// Asked about every document that is touched, where the caller's rights depend on documents or fields.
    pub guard: Option<Arc<dyn Guard>>,
    /// Whether the documents are checked. It is no part of the request's identity: a repeat has the first one's answer.
    pub checks: Checks,
}

/// What became of one operation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The document's id, encoded; empty for custom events.
    pub id: Bytes,
    /// Its version now.
    pub version: u64,
    /// The position that last wrote it.
    pub position: u64,
    /// The body now; `None` after a delete.
    pub body: Option<Bytes>,
    /// What happened.
    pub effect: Effect,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Effect {
    /// Made a document.
    Created,
    /// Changed one.
    Updated,
    /// Removed one.
    Deleted,
    /// Left one as it was.
    Unchanged,
    /// Published a custom event.
    Published,
    /// Erased a document.
    Erased,
    /// Passed over a document that is gone or no longer matches.
    Skipped,
}

impl Effect {
    /// The effect of a stored number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [
            Self::Created,
            Self::Updated,
            Self::Deleted,
            Self::Unchanged,
            Self::Published,
            Self::Erased,
            Self::Skipped,
        ]
        .into_iter()
        .find(|effect| *effect as u8 == number)
    }
}

/// The answer to a command; everything in it is durable and visible.
#[derive(Clone, Debug)]
pub struct Committed {
    /// One outcome per operation, in order.
    pub outcomes: Vec<Outcome>,
    /// The position of the last event of the batch, or the one that was read when nothing changed.
    pub position: u64,
    /// Whether this repeats the answer to an earlier request with the same idempotency key.
    pub repeated: bool,
}
