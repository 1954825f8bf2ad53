//! The changes that a record of the journal is made of.
//!
//! An operation says what is so afterwards, not what is added: applying one twice does no harm. Encoded as MessagePack
//! arrays; a structure may grow members at its end, each with a default, under a new format number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::webhook::status::Status;

/// One try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, UTC ms.
    pub time_ms: u64,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took, milliseconds.
    pub duration_ms: u32,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// A delivery that is not settled, or dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outstanding {
    /// What it is ordered by.
    pub key: u64,
    /// The event's time, UTC ms.
    pub event_ms: u64,
    /// Attempts made on the present schedule.
    pub attempts: u32,
    /// When the next attempt is due, UTC ms; 0: at once.
    pub next_ms: u64,
    /// The replay that asked for it.
    pub replay: Option<u64>,
    /// Whether it is owed without the replay as well.
    pub live: bool,
    /// The last attempts, oldest first.
    pub history: Vec<Attempt>,
    /// Whether it goes out of its document's order; since format 3.
    #[serde(default)]
    pub alone: bool,
    /// Whether it was dead before its replay took it up; since format 3.
    #[serde(default)]
    pub revived: bool,
}

/// Which events of its range a replay is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Selection {
    /// All that the webhook wants.
    #[default]
    #[serde(rename = "a")]
    All,
    /// Those whose deliveries to a webhook stand in one of these ways when their turn comes.
    #[serde(rename = "s")]
    Standing {
        /// Which webhook's.
        source: Arc<str>,
        /// How they stand.
        statuses: Vec<Status>,
    },
    /// These, in order.
    #[serde(rename = "p")]
    Positions(Vec<u64>),
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReplayStatus {
    /// Deliveries are still to be made.
    #[serde(rename = "r")]
    Running,
    /// Every delivery was made, or is dead.
    #[serde(rename = "d")]
    Done,
    /// It was cancelled.
    #[serde(rename = "c")]
    Cancelled,
    /// It could not go on: the webhook or the events are gone.
    #[serde(rename = "f")]
    Failed,
}

/// A replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplayState {
    /// To which webhook.
    pub webhook: Arc<str>,
    /// Everything up to here was looked at.
    pub cursor: u64,
    /// The last position of the range.
    pub to: u64,
    /// Only these collections; none: what the webhook follows.
    pub collections: Vec<String>,
    /// Most deliveries in a second.
    pub rate_per_second: Option<u32>,
    /// How far it has come.
    pub status: ReplayStatus,
    /// Events that matched when it was asked for.
    pub matched: u64,
    /// Deliveries attempted.
    pub sent: u64,
    /// Deliveries made.
    pub succeeded: u64,
    /// Deliveries that are dead.
    pub failed: u64,
    /// What a document must be like, an encoded filter; since format 2.
    #[serde(default)]
    pub filter: Option<ByteBuf>,
    /// Which events; since format 3.
    #[serde(default)]
    pub selection: Selection,
    /// Whether its deliveries go out of their documents' order; since format 3.
    #[serde(default)]
    pub overtake: bool,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// How far a webhook is.
    #[serde(rename = "c")]
    Cursor {
        /// Which.
        webhook: Arc<str>,
        /// Every event up to here is settled or outstanding.
        cursor: u64,
        /// The backlog up to here was left out at its owner's wish.
        skipped_to: u64,
        /// Since when every attempt failed, UTC ms.
        failing_since_ms: Option<u64>,
    },
    /// A delivery is outstanding.
    #[serde(rename = "o")]
    Outstanding {
        /// Which webhook's.
        webhook: Arc<str>,
        /// The event.
        position: u64,
        /// Its state.
        delivery: Arc<Outstanding>,
    },
    /// A delivery is neither outstanding nor dead any more.
    #[serde(rename = "s")]
    Settled {
        /// Which webhook's.
        webhook: Arc<str>,
        /// The event.
        position: u64,
    },
    /// A delivery is dead.
    #[serde(rename = "d")]
    Dead {
        /// Which webhook's.
        webhook: Arc<str>,
        /// The event.
        position: u64,
        /// Its state.
        delivery: Arc<Outstanding>,
    },
    /// A webhook is gone.
    #[serde(rename = "x")]
    Removed {
        /// Which.
        webhook: Arc<str>,
    },
    /// A replay.
    #[serde(rename = "r")]
    Replay {
        /// Which.
        id: u64,
        /// Its state.
        state: ReplayState,
    },
    /// A replay of long ago is forgotten.
    #[serde(rename = "f")]
    ReplayForgotten {
        /// Which.
        id: u64,
    },
}
