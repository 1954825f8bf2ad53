//! The audit trail: acts on what governs the server, as documents of `_audit` in the same batch as the act.
//!
//! Guarantees: no change of a credential, user, role, provider, setting, webhook, collection or index without its entry.
//! Leaves to others: what changes nothing in the log (logins, refusals, exports: [`crate::audit`]).

use std::sync::Arc;

use headwater_engine::value::{Raw, Value};
use headwater_engine::write::{DocumentId, Operation};

use super::{Session, to_json};
use crate::audit::{Entry, creation};
use crate::collection_name;

impl Session {
    /// The entries for those of the operations that belong into the trail.
    pub(super) fn audit_entries(&self, operations: &[Operation]) -> Vec<Operation> {
        operations
            .iter()
            .filter_map(act)
            .map(|(action, target)| {
                let entry = Entry { outcome: "done", ..self.audit_entry(action, target) };
                creation(&self.engine, &entry)
            })
            .collect()
    }

    /// An entry about the caller.
    pub(crate) fn audit_entry(&self, action: impl Into<String>, target: Value) -> Entry {
        Entry {
            action: action.into(),
            actor: Some(Arc::clone(&self.principal.id)),
            user: self.principal.user.clone(),
            address: Some(self.visitor.address),
            target,
            ..Entry::default()
        }
    }
}

/// What an operation does, and to what; `None` where that is no matter of the trail.
fn act(operation: &Operation) -> Option<(String, Value)> {
    let (collection, verb, id) = match operation {
        Operation::Create { collection, id, .. } => (collection, "created", Some(id)),
        Operation::Replace { collection, id, .. } | Operation::Change { collection, id, .. } => {
            (collection, "changed", Some(id))
        }
        Operation::Delete { collection, id, .. } => (collection, "deleted", Some(id)),
        Operation::Define { collection, .. } => return Some(of("collection.defined", collection)),
        Operation::Drop { collection } => return Some(of("collection.dropped", collection)),
        Operation::DefineIndex { collection, name, .. } => {
            return Some(of_index("index.defined", collection, name));
        }
        Operation::DropIndex { collection, name } => {
            return Some(of_index("index.dropped", collection, name));
        }
        Operation::Erase { collection, .. } => return Some(of("document.erased", collection)),
        Operation::WebhookDisabled { .. } | Operation::Publish { .. } => return None,
    };
    if !collection_name::is_system(collection) {
        return None;
    }
    let what = match &**collection {
        "_credentials" => "credential",
        "_users" => "user",
        "_roles" => "role",
        "_sessions" => "session",
        "_providers" => "provider",
        "_settings" => "value",
        "_webhooks" => "webhook",
        _ => return None,
    };
    Some((format!("{what}.{verb}"), target(collection, id)))
}

fn of(action: &str, collection: &Arc<str>) -> (String, Value) {
    (action.to_owned(), target(collection, None))
}

fn of_index(action: &str, collection: &Arc<str>, name: &str) -> (String, Value) {
    let members = [("collection", &**collection), ("index", name)];
    let members = members.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())));
    (action.to_owned(), Value::Object(members.into_iter().collect()))
}

/// What an act was done to.
fn target(collection: &str, id: Option<&DocumentId>) -> Value {
    let mut members = vec![("collection".to_owned(), Value::String(collection.to_owned()))];
    if let Some(id) = id {
        let shown = match to_json(Raw::trusted(&id.raw)) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        members.push(("id".to_owned(), Value::String(shown)));
    }
    Value::Object(members.into_iter().collect())
}
