//! The audit trail: who did what, from where; documents of `_audit`.
//!
//! Guarantees: an act that changes the log has its entry in the same batch ([`creation`]). Others (logins, refusals,
//! exports) are noted by [`Audit::note`], which never holds up a request: entries wait in a bounded queue, those that find no
//! room are counted, and refusals of one caller for one reason are noted once a minute with their number.
//! Leaves to others: who may read it (full access, as any system collection).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_engine::Engine;
use headwater_engine::value::{Object, Raw, Value, key};
use headwater_engine::write::{Command, DocumentId, Operation};
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::auth::{Principal, limit_key};
use crate::error::ApiError;

/// The collection of the trail.
pub(crate) const COLLECTION: &str = "_audit";
/// Entries that may wait to be written.
const QUEUE: usize = 1024;
/// Entries written together.
const BATCH: usize = 128;
/// Reasons that are kept apart when refusals are sampled.
const REASONS_MAX: usize = 4096;
/// How long refusals for one reason are only counted, milliseconds.
const SAMPLE_MS: u64 = 60_000;

/// What happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What was done: `credential.created`, `login`, `refused`, ...
    pub(crate) action: String,
    /// The credential or user.
    pub(crate) actor: Option<Arc<str>>,
    /// The user, where there is one.
    pub(crate) user: Option<Arc<str>>,
    /// From where.
    pub(crate) address: Option<IpAddr>,
    /// To what.
    pub(crate) target: Value,
    /// What came of it: `done`, `refused`, or a code.
    pub(crate) outcome: &'static str,
    /// How often, where several are one entry.
    pub(crate) count: u64,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            action: String::new(),
            actor: None,
            user: None,
            address: None,
            target: Value::Null,
            outcome: "done",
            count: 1,
        }
    }
}

/// What an act was done to, as one member.
pub(crate) fn target(name: &str, value: &str) -> Value {
    Value::Object([(name.to_owned(), Value::String(value.to_owned()))].into_iter().collect())
}

/// The operation that puts an entry into the trail.
pub(crate) fn creation(engine: &Engine, entry: &Entry) -> Operation {
    let id = Value::ObjectId(engine.new_id());
    let raw = id.to_bytes();
    let id_key = key::encode(Raw::trusted(&raw));
    let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::String(text.to_owned()));
    let mut body = Object::new();
    body.insert("_id", id);
    let now_ms = i64::try_from(engine.clock().now_ms()).unwrap_or(i64::MAX);
    body.insert("time", Value::Date(now_ms));
    body.insert("action", Value::String(entry.action.clone()));
    body.insert("outcome", Value::String(entry.outcome.to_owned()));
    body.insert("actor", text(entry.actor.as_deref()));
    body.insert("user", text(entry.user.as_deref()));
    body.insert("address", text(entry.address.map(|address| address.to_string()).as_deref()));
    body.insert("target", entry.target.clone());
    if entry.count > 1 {
        body.insert("count", Value::Int64(i64::try_from(entry.count).unwrap_or(i64::MAX)));
    }
    Operation::Create {
        collection: Arc::from(COLLECTION),
        id: DocumentId { raw: raw.into(), key: id_key.into() },
        body: body.to_bytes().into(),
    }
}

/// Takes entries that belong to no batch.
#[derive(Debug)]
pub(crate) struct Audit {
    queue: mpsc::Sender<Entry>,
    sampled: Mutex<HashMap<(String, &'static str), Sample>>,
    /// Entries that found no room.
    pub(crate) dropped: AtomicU64,
}

#[derive(Debug)]
struct Sample {
    since_ms: u64,
    unnoted: u64,
}

impl Audit {
    /// Begins to write entries, until the stop.
    pub(crate) fn start(engine: &Engine) -> Arc<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        engine.tasks().spawn("audit", write(engine.clone(), waiting));
        Arc::new(Self { queue, sampled: Mutex::default(), dropped: AtomicU64::new(0) })
    }

    /// Notes what happened.
    pub(crate) fn note(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the refusal of a request, by its first line, if it was for want of a right.
    pub(crate) fn refusal(
        &self,
        error: &ApiError,
        who: Option<&Principal>,
        address: IpAddr,
        line: &str,
        now_ms: u64,
    ) {
        let of_rights =
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
        if !of_rights.contains(&error.status()) {
            return;
        }
        let entry = Entry {
            action: "refused".to_owned(),
            actor: who.map(|principal| Arc::clone(&principal.id)),
            user: who.and_then(|principal| principal.user.clone()),
            address: Some(address),
            target: target("request", line),
            ..Entry::default()
        };
        self.refused(entry, error.code(), now_ms);
    }

    /// Notes a refusal, unless the same caller was refused for the same reason shortly before.
    pub(crate) fn refused(&self, mut entry: Entry, code: &'static str, now_ms: u64) {
        let who = match (&entry.actor, entry.address) {
            (Some(actor), _) => actor.to_string(),
            // One who rotates through the addresses of a network is one.
            (None, Some(address)) => limit_key(address).to_string(),
            (None, None) => String::new(),
        };
        let mut sampled = self.sampled.lock();
        if sampled.len() >= REASONS_MAX {
            // Those of whom nothing is to be told any more go first, then those told of longest ago.
            let mut ages: Vec<u64> = sampled.values().map(|sample| sample.since_ms).collect();
            ages.sort_unstable();
            let median = ages.get(ages.len() / 2).copied().unwrap_or_default();
            sampled.retain(|_, sample| sample.since_ms > median);
        }
        let first = Sample { since_ms: 0, unnoted: 0 };
        let sample = sampled.entry((who, code)).or_insert(first);
        sample.unnoted += 1;
        if now_ms.saturating_sub(sample.since_ms) < SAMPLE_MS {
            return;
        }
        sample.since_ms = now_ms;
        entry.count = std::mem::take(&mut sample.unnoted);
        drop(sampled);
        entry.outcome = code;
        self.note(entry);
    }
}

async fn write(engine: Engine, mut waiting: mpsc::Receiver<Entry>) {
    let stop = engine.tasks().token();
    let mut entries = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            count = waiting.recv_many(&mut entries, BATCH) => if count == 0 { return },
            () = stop.cancelled() => return,
        }
        let operations = entries.drain(..).map(|entry| creation(&engine, &entry)).collect();
        let command = Command { operations, actor: Arc::from("system"), ..Command::default() };
        if let Err(error) = engine.write(command).await {
            tracing::warn!(%error, "entries of the audit trail were not written");
        }
    }
}
