//! Update operators on lookups: elements are compared by what is stored.
//!
//! Guarantees: a text of 24 hexadecimal digits, or a document as it was read, means its id in `$push`, `$pull`, `$pullAll`
//! and `$addToSet`, as it does everywhere else in a body.
//! Leaves to others: plain members and `$set`, which the engine converts.

use headwater_engine::fields::FieldType;
use headwater_engine::value::{Object, Value};

use super::{Relation, relations};
use crate::face::restdb::query::id;
use crate::session::Session;

const OPERATORS: [&str; 4] = ["$push", "$pull", "$pullAll", "$addToSet"];

/// The body of an update with ids in the operators on lookups.
pub(in crate::face::restdb) fn with_ids(
    session: &Session,
    collection: &str,
    body: Object,
) -> Object {
    if !body.iter().any(|(name, _)| name.starts_with('$')) {
        return body;
    }
    let fields = session.fields(collection);
    let lookups = relations(fields.as_deref(), FieldType::Lookup);
    let each = |(name, value): (String, Value)| match value {
        // They compare before they set, so that their operands have to be of the field's type.
        Value::Object(compared) if name == "$min" || name == "$max" => {
            (name, Value::Object(Session::typed(fields.as_deref(), compared)))
        }
        value => read(&lookups, name, value),
    };
    body.into_iter().map(each).collect()
}

fn read(lookups: &[Relation], name: String, value: Value) -> (String, Value) {
    let Value::Object(fields) = value else { return (name, value) };
    if !OPERATORS.contains(&name.as_str()) {
        return (name, Value::Object(fields));
    }
    let is_lookup = |path: &str| lookups.iter().any(|lookup| lookup.field == path);
    let each = fields.into_iter().map(|(path, value)| {
        if is_lookup(&path) { (path, reference(value)) } else { (path, value) }
    });
    (name, Value::Object(each.collect()))
}

/// A value, or the values of an operator in its place, as ids.
fn reference(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(reference).collect()),
        Value::Object(object) => match object.get("_id") {
            Some(found) => reference(found.clone()),
            None => {
                let each = object.into_iter().map(|(name, value)| (name, reference(value)));
                Value::Object(each.collect())
            }
        },
        other => id(&other),
    }
}
