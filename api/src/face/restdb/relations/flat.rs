//! `flatten`: what lies deep in a document as members of its root, under their paths.
//!
//! Guarantees: arrays stay as they are, and so do empty objects.

use headwater_engine::value::{Object, Raw, Value};

/// A document with its objects taken apart.
pub(super) fn flat(document: Raw<'_>) -> Vec<u8> {
    let mut members = Vec::new();
    if let Value::Object(object) = document.to_value() {
        take(object, "", &mut members);
    }
    members.into_iter().collect::<Object>().to_bytes()
}

fn take(object: Object, path: &str, members: &mut Vec<(String, Value)>) {
    for (name, value) in object {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => take(inner, &path, members),
            value => members.push((path, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    #[test]
    fn deep_members_come_to_the_root() {
        let text = br#"{"_id":"x","a":{"b":{"c":1},"d":[{"e":2}],"f":{}},"g":null}"#;
        let bytes = json::parse_value(text, &Limits::default()).unwrap();
        let mut out = Vec::new();
        json::write(Raw::trusted(&flat(Raw::trusted(&bytes))), &mut out);
        let wanted = r#"{"_id":"x","a.b.c":1,"a.d":[{"e":2}],"a.f":{},"g":null}"#;
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
