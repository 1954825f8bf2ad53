//! The rights of the clients, from their plain definition: documents whose `owner` is `ann`, without `cost` and
//! `address.street`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The documents as they are, all of them.
#[derive(Default)]
pub(super) struct Model {
    documents: BTreeMap<(String, String), Value>,
}

impl Model {
    /// What is told of the next event of the log: its position, the kind and the event.
    pub(super) fn told(&mut self, event: &Value) -> Option<(u64, String, Value)> {
        let place = (text(&event["collection"]), text(&event["id"]));
        let position = event["position"].as_u64().unwrap();
        let is_deletion = event["kind"] == "document.deleted";
        let before = match is_deletion {
            true => self.documents.remove(&place),
            false => self.documents.insert(place, event["document"].clone()),
        };
        let was_seen = before.as_ref().is_some_and(is_seen);
        if is_deletion {
            return was_seen.then(|| (position, text(&event["kind"]), event.clone()));
        }
        if is_seen(&event["document"]) {
            return Some((position, text(&event["kind"]), cut_event(event)));
        }
        let gone =
            json!({"position": position, "collection": event["collection"], "id": event["id"]});
        was_seen.then(|| (position, "document.hidden".to_owned(), gone))
    }

    /// The documents of a collection with a status, as they are shown, by id.
    pub(super) fn shown(&self, collection: &str, status: &str) -> BTreeMap<String, Value> {
        let documents = self.documents.iter().filter(|((of, _), _)| of == collection);
        let seen = documents.filter(|(_, one)| is_seen(one) && one["status"] == status);
        seen.map(|((_, id), document)| (id.clone(), cut(document))).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn is_seen(document: &Value) -> bool {
    document["owner"] == "ann"
}

fn cut(document: &Value) -> Value {
    let mut shown = document.clone();
    shown.as_object_mut().unwrap().shift_remove("cost");
    if let Some(address) = shown.get_mut("address").and_then(Value::as_object_mut) {
        address.shift_remove("street");
    }
    shown
}

fn cut_event(event: &Value) -> Value {
    let mut told = event.clone();
    told["document"] = cut(&event["document"]);
    for member in ["changed", "removed"] {
        if let Some(paths) = told.get_mut(member).and_then(Value::as_array_mut) {
            paths.retain(|path| path != "cost" && path != "address.street");
        }
    }
    told
}
