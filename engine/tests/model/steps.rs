//! Random commands over a few collections and ids that like to collide.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::write::{Absent, Change, Command, DocumentId, Operation, RequestIdentity};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::history::Model;
use crate::support::id_from;

const NAMES: [&str; 5] = ["a", "ab", "b.c", "_credentials", "z-9"];

/// Ids whose keys are near each other: prefixes, NULs, one number in several types.
pub fn ids() -> Vec<Value> {
    let mut ids: Vec<Value> = (0..6).map(Value::Int32).collect();
    ids.extend([
        Value::Int64(1),
        Value::Int64(256),
        Value::Int64(i64::MIN),
        Value::Double(1.0),
        Value::Double(1.5),
        Value::String(String::new()),
        Value::String("a".into()),
        Value::String("a\0".into()),
        Value::String("a\0\0".into()),
        Value::String("ab".into()),
        Value::String("a\u{ff}\u{ffff}".into()),
        Value::ObjectId([0; 12]),
        Value::ObjectId([255; 12]),
        Value::ObjectId(*b"abcdefghijkl"),
        Value::Date(-1),
        Value::Bool(true),
    ]);
    ids
}

/// Sets one member to a value; the same value again changes nothing.
struct SetMember(&'static str, i32);

impl Change for SetMember {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        let mut value = current.to_value();
        if let Some(object) = value.as_object_mut() {
            object.insert(self.0, Value::Int32(self.1));
        }
        Ok(Some(value.to_bytes()))
    }
}

/// Draws commands from a generator.
pub struct Steps<'a> {
    pub random: &'a mut StdRng,
    pub model: &'a Model,
}

impl Steps<'_> {
    pub fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.random.random_range(0..among.len())].clone()
    }

    pub fn id(&mut self) -> (Value, DocumentId) {
        let id = self.pick(&ids());
        let document = id_from(&id);
        (id, document)
    }

    /// Mostly a user's collection.
    pub fn name(&mut self) -> Arc<str> {
        let at = self.random.random_range(0..NAMES.len() * 3) % NAMES.len();
        let name = NAMES[at];
        // A system collection is there without being made, and cannot be defined, dropped or erased from.
        Arc::from(if name.starts_with('_') && self.random.random_bool(0.9) { "a" } else { name })
    }

    fn body(&mut self, id: &Value) -> Bytes {
        let mut object = Object::new();
        object.insert("_id", id.clone());
        for name in ["n", "m", "text"] {
            if self.random.random_bool(0.5) {
                object.insert(name, Value::Int32(self.random.random_range(0..3)));
            }
        }
        if self.random.random_bool(0.3) {
            let len = self.random.random_range(0..400);
            object.insert("long", Value::String("x".repeat(len)));
        }
        object.to_bytes().into()
    }

    /// No version, the present one, or one that is likely wrong.
    fn if_version(&mut self, name: &str, id: &DocumentId) -> Option<u64> {
        let number = self.model.present.collections.get(name).copied().unwrap_or(0);
        let state = self.model.present.documents.get(&(number, id.key.clone()));
        match self.random.random_range(0..6) {
            0 => Some(state.map_or(0, |state| state.version)),
            1 => Some(self.random.random_range(0..4)),
            _ => None,
        }
    }

    fn operation(&mut self) -> Operation {
        let collection = self.name();
        let (value, id) = self.id();
        let if_version = self.if_version(&collection, &id);
        match self.random.random_range(0..40) {
            0..=13 => Operation::Create { collection, id, body: self.body(&value) },
            14..=20 => {
                let absent = self.pick(&[Absent::Refuse, Absent::Create]);
                let body = self.body(&value);
                Operation::Replace { collection, id, body, if_version, absent }
            }
            21..=27 => {
                let change = SetMember(self.pick(&["n", "new"]), self.random.random_range(0..3));
                Operation::Change {
                    collection,
                    id,
                    change: Arc::new(change),
                    if_version,
                    absent: Absent::Refuse,
                }
            }
            28..=34 => Operation::Delete { collection, id, if_version, only_if: None },
            35 => {
                let mut definition = Object::new();
                definition.insert("note", Value::Int32(self.random.random_range(0..2)));
                Operation::Define { collection, definition: definition.to_bytes().into() }
            }
            36 => Operation::Drop { collection },
            _ => {
                let mut event = Object::new();
                event.insert("event", "rang");
                event.insert("data", Value::Int32(self.random.random_range(0..100)));
                Operation::Publish { body: event.to_bytes().into() }
            }
        }
    }

    pub fn command(&mut self, keyed: &mut Vec<Command>) -> Command {
        if !keyed.is_empty() && self.random.random_bool(0.15) {
            return self.again(keyed);
        }
        let len = match self.random.random_range(0..10) {
            0 => 0,
            1..=6 => 1,
            _ => self.random.random_range(2..6),
        };
        let operations: Vec<_> = (0..len).map(|_| self.operation()).collect();
        let mut command = Command { operations, actor: self.actor(), ..Command::default() };
        if self.random.random_bool(0.25) {
            let key = format!("key-{}", keyed.len());
            let digest = [self.random.random_range(0..250); 32];
            command.request = Some(RequestIdentity { key, digest });
            keyed.push(command.clone());
        }
        command
    }

    fn actor(&mut self) -> Arc<str> {
        Arc::from(self.pick(&["ann", "bob"]))
    }

    /// An earlier request again, now and then with another content under its key.
    fn again(&mut self, keyed: &[Command]) -> Command {
        let near = keyed.len().saturating_sub(30);
        let mut command = keyed[self.random.random_range(near..keyed.len())].clone();
        if self.random.random_bool(0.1) {
            let request = command.request.as_mut().expect("keyed");
            request.digest[0] ^= 1;
        }
        command
    }
}
