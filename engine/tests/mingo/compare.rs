//! Whether two results are the same as far as JavaScript can tell: numbers without types, members in any order.

use serde_json::Value;

/// Numbers may differ in their last digits: sums and powers are not computed in the same order.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) if a.contains_key("$date") => {
            milliseconds(a.get("$date")) == milliseconds(b.get("$date"))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The moment of a date in any of its texts.
fn milliseconds(date: Option<&Value>) -> Option<i64> {
    let text = serde_json::json!({"$date": date?}).to_string();
    let limits = headwater_engine::limits::Limits::default();
    let mode = headwater_engine::value::ejson::Mode::Data;
    let bytes = headwater_engine::value::ejson::parse_value(text.as_bytes(), &limits, mode).ok()?;
    headwater_engine::value::Raw::trusted(&bytes).as_date()
}
