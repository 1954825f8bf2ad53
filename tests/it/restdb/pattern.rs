//! What an answer must look like: JSON in which some texts stand for what no one can foretell.
//!
//! Guarantees: members and elements are exactly those of the pattern; only the values behind the texts below are open.

use serde_json::Value;

/// Where a value differs from a pattern, and how; `None`: it does not.
pub(super) fn difference(pattern: &Value, found: &Value) -> Option<String> {
    match (pattern, found) {
        (Value::String(name), _) if name.starts_with('$') => open(name, found),
        (Value::Object(wanted), Value::Object(members)) => {
            if let Some(more) = members.keys().find(|name| !wanted.contains_key(*name)) {
                return Some(format!("{more}: is too many"));
            }
            wanted.iter().find_map(|(name, pattern)| match members.get(name) {
                None => Some(format!("{name}: is missing")),
                Some(value) => Some(format!("{name}: {}", difference(pattern, value)?)),
            })
        }
        (Value::Array(wanted), Value::Array(values)) if wanted.len() == values.len() => {
            let mut pairs = wanted.iter().zip(values).enumerate();
            pairs.find_map(|(at, (pattern, value))| {
                Some(format!("{at}: {}", difference(pattern, value)?))
            })
        }
        _ if pattern == found => None,
        _ => Some(format!("is {found}, not {pattern}")),
    }
}

fn open(name: &str, found: &Value) -> Option<String> {
    let text = found.as_str().unwrap_or_default();
    let fits = match name {
        "$any" => true,
        "$text" => !text.is_empty() && !text.contains("\"ValidationError\""),
        "$number" => found.is_number(),
        "$id" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "$time" => is_time(text),
        _ => panic!("a pattern has {name}"),
    };
    (!fits).then(|| format!("is {found}, not {name}"))
}

/// `2015-06-15T11:46:21.042Z`.
pub(super) fn is_time(text: &str) -> bool {
    let shape: String =
        text.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}
