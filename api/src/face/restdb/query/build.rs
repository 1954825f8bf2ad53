//! Putting filters together from conditions.

use headwater_engine::value::{Object, Value};

/// An object of one member.
pub(crate) fn object(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

/// A filter and other conditions, all of which have to hold.
pub(crate) fn all_of(filter: Object, mut others: Vec<Value>) -> Object {
    if others.is_empty() {
        return filter;
    }
    if !filter.is_empty() {
        others.insert(0, Value::Object(filter));
    }
    match (others.len(), others.first_mut()) {
        (1, Some(Value::Object(only))) => std::mem::take(only),
        _ => [("$and".to_owned(), Value::Array(others))].into_iter().collect(),
    }
}
