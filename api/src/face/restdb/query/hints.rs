//! The hints of `h`, one by one. Numbers may be texts: templates make them so.

use headwater_engine::value::{Object, Value};

use super::read::{direction, malformed, size as size_of};
use crate::error::ApiResult;
use crate::face::restdb::system;

/// `$fields`: all 1 or all 0.
pub(super) fn fields(value: &Value) -> ApiResult<Object> {
    let Some(fields) = value.as_object() else {
        return Err(malformed("h", "$fields must be an object of fields"));
    };
    let mut shown = Object::new();
    for (name, value) in fields {
        shown.insert(name.as_str(), i32::from(truth(value)));
    }
    // What is asked for besides the id decides; the id is always there.
    shown.remove("_id");
    let first = shown.iter().next().and_then(|(_, value)| value.as_i64());
    if shown.iter().any(|(_, value)| value.as_i64() != first) {
        return Err(malformed("h", "$fields must be all 1 or all 0"));
    }
    if shown.is_empty() && fields.get("_id").is_some_and(truth) {
        shown.insert("_id", 1);
    }
    Ok(shown)
}

/// Adds the system fields to a list of fields that are shown.
pub(super) fn show_facts(fields: &mut Object) {
    let is_list = fields.iter().next().is_some_and(|(_, value)| value.as_i64() == Some(1));
    if is_list {
        system::names().for_each(|name| drop(fields.insert(name, 1)));
    }
}

/// `$orderby`.
pub(super) fn order(value: &Value) -> ApiResult<Object> {
    let Some(fields) = value.as_object() else {
        return Err(malformed("h", "$orderby must be an object of fields with 1 or -1"));
    };
    let mut order = Object::new();
    for (name, value) in fields {
        let direction = direction("h", &number(value))
            .map_err(|_| malformed("h", format_args!("$orderby: `{name}` must be 1 or -1")))?;
        order.insert(name.as_str(), direction);
    }
    Ok(order)
}

/// How many.
pub(super) fn size(name: &str, value: &Value) -> ApiResult<usize> {
    let text = number(value);
    size_of("h", &text)
        .map_err(|_| malformed("h", format_args!("{name} must be a whole number from 0 on")))
}

/// A text or an array of them.
pub(super) fn texts<'a>(name: &str, value: &'a Value) -> ApiResult<Vec<&'a str>> {
    let wrong = || malformed("h", format_args!("{name} must be an array of texts"));
    match value {
        Value::String(one) => Ok(vec![one]),
        Value::Array(several) => several.iter().map(|one| one.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

/// Whether a value says yes.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text == "true" || text == "1",
        Value::Double(number) => *number != 0.0,
        other => other.as_i64().is_some_and(|number| number != 0),
    }
}

/// A number as text.
fn number(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Double(number) => number.to_string(),
        other => other.as_i64().map_or_else(String::new, |number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::{Raw, json};

    fn value(text: &str) -> Value {
        Raw::trusted(&json::parse_value(text.as_bytes(), &Limits::default()).unwrap()).to_value()
    }

    #[test]
    fn fields_are_not_mixed() {
        let names = |text: &str| fields(&value(text)).map(|fields| fields.len());
        assert_eq!(names(r#"{"a":1,"b":"1","_id":0}"#).unwrap(), 2);
        assert_eq!(names(r#"{"_id":1}"#).unwrap(), 1);
        assert!(names(r#"{"a":1,"b":0}"#).is_err());
        assert!(names("[]").is_err());
    }

    #[test]
    fn numbers_may_be_texts() {
        assert_eq!(size("$max", &value("\"10\"")).unwrap(), 10);
        assert_eq!(size("$max", &value("10.0")).unwrap(), 10);
        assert!(size("$max", &value("-1")).is_err());
        assert_eq!(order(&value(r#"{"a":"-1","b":1}"#)).unwrap().len(), 2);
        assert!(order(&value(r#"{"a":2}"#)).is_err());
    }
}
