//! The model: a list of events and a map of documents, with the rules of the sequencer written down once more, simply.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::view::keys;
use headwater_engine::write::{Absent, Command, DocumentId, Effect, Operation};
use headwater_engine::{ErrorKind, EventKind};

use crate::support::id_from;

/// The number of `_collections`.
pub const COLLECTIONS: u32 = keys::COLLECTIONS;

/// The number of `_credentials`.
pub const CREDENTIALS: u32 = 2;

/// A refusal: kind and code.
pub type Refusal = (ErrorKind, &'static str);

/// An event as the log must give it.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub position: u64,
    pub time_ms: u64,
    pub kind: EventKind,
    pub collection: String,
    pub number: u32,
    pub id: DocumentId,
    pub version: u64,
    pub previous: u64,
    pub batch: u64,
    pub body: Bytes,
    pub erased: bool,
}

/// A document as it is now.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub version: u64,
    pub position: u64,
    pub body: Option<Bytes>,
}

/// What an operation must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub id: Bytes,
    pub version: u64,
    pub position: u64,
    pub body: Option<Bytes>,
    pub effect: Effect,
}

/// What a command must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcomes: Vec<Expected>,
    pub position: u64,
    pub repeated: bool,
}

#[derive(Clone)]
struct Remembered {
    digest: [u8; 32],
    time_ms: u64,
    answer: Answer,
    first: u64,
}

/// Documents and names as they are now.
#[derive(Clone, Default)]
pub struct Present {
    pub collections: BTreeMap<String, u32>,
    /// What the versions of a collection's documents begin above.
    pub floors: BTreeMap<String, u64>,
    pub highest: u32,
    pub documents: BTreeMap<(u32, Bytes), State>,
}

/// Everything that happened, and what it came to.
pub struct Model {
    pub present: Present,
    pub events: Vec<Recorded>,
    /// The first position that is kept.
    pub first: u64,
    requests: HashMap<String, Remembered>,
    kept_ms: u64,
    /// Up to where a document's history was forgotten.
    forgotten: HashMap<(u32, Bytes), u64>,
}

/// A document's body at one position.
pub struct Past {
    pub position: u64,
    pub version: u64,
    pub body: Option<Bytes>,
}

impl Model {
    pub fn new(idempotency_seconds: u64) -> Self {
        let present = Present { highest: keys::FIRST_USER - 1, ..Present::default() };
        Self {
            present,
            events: Vec::new(),
            first: 1,
            requests: HashMap::new(),
            kept_ms: idempotency_seconds * 1000,
            forgotten: HashMap::new(),
        }
    }

    pub fn last(&self) -> u64 {
        self.events.len() as u64
    }

    /// Time of the next event when the clock says `now_ms`.
    fn time(&self, now_ms: u64) -> u64 {
        self.events.last().map_or(now_ms, |last| last.time_ms.max(now_ms))
    }

    /// What the command does and answers.
    pub fn apply(&mut self, command: &Command, now_ms: u64) -> Result<Answer, Refusal> {
        let time_ms = self.time(now_ms);
        if let Some(request) = &command.request
            && let Some(known) = self.requests.get(&request.key)
            && known.time_ms + self.kept_ms > time_ms
        {
            if known.digest != request.digest {
                return Err((ErrorKind::Unprocessable, "idempotency_key_reused"));
            }
            return self.repeat(&known.clone());
        }
        let mut batch = Batch {
            present: self.present.clone(),
            first: self.last() + 1,
            time_ms,
            events: Vec::new(),
        };
        let mut outcomes = Vec::new();
        for operation in &command.operations {
            outcomes.push(batch.operation(operation)?);
        }
        if batch.events.is_empty() && command.request.is_some() {
            batch.record(EventKind::RequestRecorded, "", 0, &nobody(), (0, 0), Bytes::new());
        }
        self.present = batch.present;
        self.events.extend(batch.events);
        let answer = Answer { outcomes, position: self.last(), repeated: false };
        if let Some(request) = &command.request {
            let known = Remembered {
                digest: request.digest,
                time_ms,
                answer: answer.clone(),
                first: batch.first,
            };
            self.requests.insert(request.key.clone(), known);
        }
        Ok(answer)
    }

    /// The same answer again, but for what was erased meanwhile; refused where retention took what it would need.
    fn repeat(&self, known: &Remembered) -> Result<Answer, Refusal> {
        let mut answer = known.answer.clone();
        answer.repeated = true;
        let needed = answer.outcomes.iter().map(|outcome| outcome.position).chain([known.first]);
        if needed.into_iter().any(|position| position < self.first) {
            return Err((ErrorKind::Gone, "*"));
        }
        for outcome in &mut answer.outcomes {
            if self.events[outcome.position as usize - 1].erased {
                outcome.id = Bytes::new();
                outcome.body = None;
            }
        }
        Ok(answer)
    }

    /// What an erasure does; the number of events that lose their content.
    pub fn erase(&mut self, name: &str, id: &DocumentId, now_ms: u64) -> Result<u64, Refusal> {
        let numbers = self.numbers_of(name);
        if numbers.is_empty() {
            return Err((ErrorKind::NotFound, "collection_not_found"));
        }
        let present = self.present.collections.get(name).copied();
        let mut blank = Vec::new();
        for number in &numbers {
            let history = self.history(*number, &id.key);
            // Of a dropped collection nothing is left before the base.
            let kept = |position: &u64| Some(*number) == present || *position >= self.first;
            blank.extend(history.into_iter().filter(kept));
        }
        if blank.is_empty() {
            return Ok(0);
        }
        let number = present.unwrap_or(0);
        let mut batch = Batch {
            present: self.present.clone(),
            first: self.last() + 1,
            time_ms: self.time(now_ms),
            events: Vec::new(),
        };
        if batch.state(number, id).body.is_some() {
            batch.delete(name, id, None)?;
        }
        let previous = batch.state(number, id).position;
        batch.record(EventKind::DocumentErased, name, number, id, (0, previous), Bytes::new());
        let first = batch.first;
        let mark = first + batch.events.len() as u64 - 1;
        batch.present.documents.remove(&(number, id.key.clone()));
        self.present = batch.present;
        self.events.extend(batch.events);
        blank.retain(|position| *position >= self.first);
        blank.extend(first..=mark);
        for position in &blank {
            self.events[*position as usize - 1].erased = true;
        }
        for number in numbers {
            self.forgotten.insert((number, id.key.clone()), mark);
        }
        Ok(blank.len() as u64 - 1)
    }

    /// The numbers of every collection that has or had a name, as far as the log reaches.
    fn numbers_of(&self, name: &str) -> BTreeSet<u32> {
        let id = id_from(&Value::String(name.to_owned()));
        let told = self.events.iter().filter(|event| {
            event.position >= self.first && event.number == COLLECTIONS && event.id.key == id.key
        });
        let number = |event: &Recorded| Raw::trusted(&event.body).get("number")?.as_i64();
        let told = told.filter_map(number).filter_map(|number| u32::try_from(number).ok());
        told.chain(self.present.collections.get(name).copied()).collect()
    }

    /// The positions of a document's events that are known, ascending.
    pub fn history(&self, number: u32, key: &Bytes) -> Vec<u64> {
        let from = self.forgotten.get(&(number, key.clone())).copied().unwrap_or(0);
        let of_it = |event: &&Recorded| {
            event.number == number
                && event.id.key == *key
                && event.position > from
                && is_document(event.kind)
        };
        let all: Vec<u64> = self.events.iter().filter(of_it).map(|e| e.position).collect();
        // Of what is before the base, the newest is left.
        let gone = all.iter().filter(|position| **position < self.first).count();
        all[gone.saturating_sub(1)..].to_vec()
    }

    /// The document at a position.
    pub fn at(&self, number: u32, key: &Bytes, position: u64) -> Option<Past> {
        let newest = self.history(number, key).into_iter().rfind(|p| *p <= position)?;
        let event = &self.events[newest as usize - 1];
        let body = (event.kind != EventKind::DocumentDeleted).then(|| event.body.clone());
        Some(Past { position: newest, version: event.version, body })
    }

    /// The number that a name had at a position.
    pub fn number_at(&self, name: &str, position: u64) -> Option<u32> {
        let key = id_from(&Value::String(name.to_owned())).key;
        let body = self.at(COLLECTIONS, &key, position)?.body?;
        Raw::trusted(&body).get("number").and_then(|n| n.as_i64()).map(|n| n as u32)
    }

    /// The keys that a collection ever had, in order.
    pub fn keys(&self, number: u32) -> Vec<Bytes> {
        let mut keys: Vec<Bytes> = self
            .events
            .iter()
            .filter(|event| event.number == number && is_document(event.kind))
            .map(|event| event.id.key.clone())
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

fn is_document(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::DocumentCreated | EventKind::DocumentUpdated | EventKind::DocumentDeleted
    )
}

fn nobody() -> DocumentId {
    DocumentId { raw: Bytes::new(), key: Bytes::new() }
}

/// One command under way.
struct Batch {
    present: Present,
    first: u64,
    time_ms: u64,
    events: Vec<Recorded>,
}

impl Batch {
    fn record(
        &mut self,
        kind: EventKind,
        collection: &str,
        number: u32,
        id: &DocumentId,
        (version, previous): (u64, u64),
        body: Bytes,
    ) -> u64 {
        let position = self.first + self.events.len() as u64;
        self.events.push(Recorded {
            position,
            time_ms: self.time_ms,
            kind,
            collection: collection.to_owned(),
            number,
            id: id.clone(),
            version,
            previous,
            batch: self.first,
            body,
            erased: false,
        });
        position
    }

    fn state(&self, number: u32, id: &DocumentId) -> State {
        self.present.documents.get(&(number, id.key.clone())).cloned().unwrap_or_default()
    }

    fn set(&mut self, number: u32, id: &DocumentId, state: State) {
        self.present.documents.insert((number, id.key.clone()), state);
    }

    fn number(&self, name: &str) -> Option<u32> {
        match name {
            "_collections" => Some(COLLECTIONS),
            "_credentials" => Some(CREDENTIALS),
            _ => self.present.collections.get(name).copied(),
        }
    }

    fn operation(&mut self, operation: &Operation) -> Result<Expected, Refusal> {
        match operation {
            Operation::Create { collection, id, body } => {
                let number = self.writable(collection)?;
                if self.state(number, id).body.is_some() {
                    return Err((ErrorKind::Conflict, "duplicate_id"));
                }
                Ok(self.created(collection, number, id, body))
            }
            Operation::Replace { collection, id, body, if_version, absent } => {
                self.replace(collection, id, body, *if_version, *absent)
            }
            Operation::Change { collection, id, change, if_version, .. } => {
                let (number, state, before) = self.existing(collection, id)?;
                check(&state, *if_version)?;
                let body = change.apply(Raw::trusted(&before)).expect("a change of a test");
                let body = Bytes::from(body.expect("always meant"));
                Ok(self.updated(collection, number, id, &body))
            }
            Operation::Delete { collection, id, if_version, .. } => {
                self.delete(collection, id, *if_version)
            }
            Operation::Define { collection, definition } => self.define(collection, definition),
            Operation::Drop { collection } => self.drop_collection(collection),
            Operation::Publish { body } => {
                let nobody = nobody();
                let position =
                    self.record(EventKind::EventPublished, "", 0, &nobody, (0, 0), body.clone());
                let body = Some(body.clone());
                let effect = Effect::Published;
                Ok(Expected { id: Bytes::new(), version: 0, position, body, effect })
            }
            _ => panic!("the model does not know this operation"),
        }
    }

    fn writable(&mut self, name: &str) -> Result<u32, Refusal> {
        if let Some(number) = self.number(name) {
            return Ok(number);
        }
        self.define(name, &Object::new().to_bytes().into())?;
        self.number(name).ok_or((ErrorKind::Internal, "not defined"))
    }

    fn existing(&self, name: &str, id: &DocumentId) -> Result<(u32, State, Bytes), Refusal> {
        let missing = (ErrorKind::NotFound, "document_not_found");
        let number = self.number(name).ok_or(missing)?;
        let state = self.state(number, id);
        let body = state.body.clone().ok_or(missing)?;
        Ok((number, state, body))
    }

    fn replace(
        &mut self,
        name: &str,
        id: &DocumentId,
        body: &Bytes,
        if_version: Option<u64>,
        absent: Absent,
    ) -> Result<Expected, Refusal> {
        let missing = (ErrorKind::NotFound, "document_not_found");
        let number = match absent {
            Absent::Create => self.writable(name)?,
            Absent::Refuse | Absent::Skip => self.number(name).ok_or(missing)?,
        };
        let state = self.state(number, id);
        if state.body.is_some() {
            check(&state, if_version)?;
            return Ok(self.updated(name, number, id, body));
        }
        if absent == Absent::Refuse {
            return Err(missing);
        }
        check(&State::default(), if_version)?;
        Ok(self.created(name, number, id, body))
    }

    fn created(&mut self, name: &str, number: u32, id: &DocumentId, body: &Bytes) -> Expected {
        let kind = EventKind::DocumentCreated;
        self.written(kind, name, number, id, body, Effect::Created)
    }

    fn updated(&mut self, name: &str, number: u32, id: &DocumentId, body: &Bytes) -> Expected {
        let state = self.state(number, id);
        if state.body.as_ref() == Some(body) {
            return Expected {
                id: id.raw.clone(),
                version: state.version,
                position: state.position,
                body: state.body,
                effect: Effect::Unchanged,
            };
        }
        self.written(EventKind::DocumentUpdated, name, number, id, body, Effect::Updated)
    }

    fn written(
        &mut self,
        kind: EventKind,
        name: &str,
        number: u32,
        id: &DocumentId,
        body: &Bytes,
        effect: Effect,
    ) -> Expected {
        let before = self.state(number, id);
        let floor = match before.version {
            0 => self.present.floors.get(name).copied().unwrap_or(0),
            _ => 0,
        };
        let version = before.version.max(floor) + 1;
        let numbers = (version, before.position);
        let position = self.record(kind, name, number, id, numbers, body.clone());
        let live = (kind != EventKind::DocumentDeleted).then(|| body.clone());
        self.set(number, id, State { version, position, body: live.clone() });
        Expected { id: id.raw.clone(), version, position, body: live, effect }
    }

    fn delete(
        &mut self,
        name: &str,
        id: &DocumentId,
        if_version: Option<u64>,
    ) -> Result<Expected, Refusal> {
        let (number, state, body) = self.existing(name, id)?;
        check(&state, if_version)?;
        let kind = EventKind::DocumentDeleted;
        Ok(self.written(kind, name, number, id, &body, Effect::Deleted))
    }

    fn define(&mut self, name: &str, definition: &Bytes) -> Result<Expected, Refusal> {
        if name.starts_with('_') {
            return Err((ErrorKind::Forbidden, "system_collection"));
        }
        let number = self.number(name).unwrap_or(self.present.highest + 1);
        let mut object = Object::new();
        object.insert("_id", Value::String(name.to_owned()));
        object.insert("number", Value::Int64(i64::from(number)));
        let id = id_from(&Value::String(name.to_owned()));
        if self.number(name).is_none() {
            let again = self.state(COLLECTIONS, &id).version > 0;
            let floor = if again { self.first + self.events.len() as u64 } else { 0 };
            self.present.floors.insert(name.to_owned(), floor);
        }
        let floor = self.present.floors.get(name).copied().unwrap_or(0);
        if floor > 0 {
            object.insert("version_floor", Value::Int64(i64::try_from(floor).unwrap()));
        }
        for (member, value) in Raw::trusted(definition).object_iter() {
            object.insert(member, value.to_value());
        }
        let body = Bytes::from(object.to_bytes());
        self.present.highest = self.present.highest.max(number);
        self.present.collections.insert(name.to_owned(), number);
        if self.state(COLLECTIONS, &id).body.is_some() {
            return Ok(self.updated("_collections", COLLECTIONS, &id, &body));
        }
        Ok(self.created("_collections", COLLECTIONS, &id, &body))
    }

    fn drop_collection(&mut self, name: &str) -> Result<Expected, Refusal> {
        if !self.present.collections.contains_key(name) {
            return Err((ErrorKind::NotFound, "collection_not_found"));
        }
        let id = id_from(&Value::String(name.to_owned()));
        let outcome = self.delete("_collections", &id, None)?;
        self.present.collections.remove(name);
        Ok(outcome)
    }
}

fn check(state: &State, if_version: Option<u64>) -> Result<(), Refusal> {
    match if_version {
        Some(wanted) if wanted != state.version => {
            Err((ErrorKind::VersionMismatch, "version_mismatch"))
        }
        _ => Ok(()),
    }
}
