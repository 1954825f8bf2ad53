//! Conditions of `q` as values: taken apart, and what references in them mean.

use headwater_engine::value::{Object, Value};

use crate::face::restdb::query::id;

/// The operators of a condition; `None` where it is a value.
pub(super) fn operators_of(value: &Value) -> Option<&Object> {
    let object = value.as_object()?;
    object.iter().next().filter(|(name, _)| name.starts_with('$'))?;
    Some(object)
}

/// What a reference is compared with: an object stands for its `_id`, here and in lists.
pub(super) fn reference(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(reference).collect()),
        Value::Object(object) => match object.get("_id") {
            Some(found) if operators_of(value).is_none() => found.clone(),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// A condition on an `_id`, in which texts are read as ids.
pub(super) fn ids_of(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(ids_of).collect()),
        Value::Object(object) => {
            let each = object.iter().map(|(name, value)| (name.clone(), ids_of(value)));
            Value::Object(each.collect())
        }
        other => id(other),
    }
}

/// Whether an operand says yes.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        other => other.as_i64().is_none_or(|number| number != 0),
    }
}
