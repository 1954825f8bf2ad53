//! `flatten`: what lies deep in a document as members of its root, under their paths.
//!
//! Guarantees: arrays stay as they are, and so do empty objects; of two members that get the same path the first stays.
//! Names grow with depth, so that what is made is taken from the answer's room before it is.

use std::collections::HashSet;

use headwater_engine::Result;
use headwater_engine::value::{Raw, ValueKind, encode};

use super::embed::Room;

/// A document with its objects taken apart.
pub(super) fn flat(document: Raw<'_>, room: &mut Room) -> Result<Vec<u8>> {
    let mut members = Vec::new();
    take(document, "", (&mut members, room))?;
    let mut known = HashSet::with_capacity(members.len());
    members.retain(|(path, _)| known.insert(path.clone()));
    let mut out = Vec::with_capacity(document.as_bytes().len());
    encode::write_object_header(members.len(), &mut out);
    for (path, value) in members {
        encode::write_str(&path, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    Ok(out)
}

fn take<'a>(
    object: Raw<'a>,
    above: &str,
    (members, room): (&mut Vec<(String, Raw<'a>)>, &mut Room),
) -> Result<()> {
    for (name, value) in object.object_iter() {
        if !above.is_empty() {
            room.take(above.len() + 1)?;
        }
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        match value.kind() {
            ValueKind::Object if value.member_count() > 0 => {
                take(value, &path, (&mut *members, &mut *room))?;
            }
            _ => members.push((path, value)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    fn flattened(text: &str, room: u64) -> Result<String> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default())?;
        let mut out = Vec::new();
        let flat = flat(Raw::trusted(&bytes), &mut Room::of(room))?;
        json::write(Raw::trusted(&flat), &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn deep_members_come_to_the_root() {
        let text = r#"{"_id":"x","a":{"b":{"c":1},"d":[{"e":2}],"f":{}},"g":null}"#;
        let wanted = r#"{"_id":"x","a.b.c":1,"a.d":[{"e":2}],"a.f":{},"g":null}"#;
        assert_eq!(flattened(text, 100).unwrap(), wanted);
        assert_eq!(
            flattened(r#"{"a.b":1,"a":{"b":2,"c":3}}"#, 100).unwrap(),
            r#"{"a.b":1,"a.c":3}"#
        );
    }

    #[test]
    fn long_names_at_great_depth_are_refused_before_they_are_made() {
        let text = format!(r#"{{"{0}":{{"{0}":{{"a":1,"b":2}}}}}}"#, "x".repeat(100));
        let error = flattened(&text, 400).unwrap_err();
        assert_eq!(error.code(), "limit_exceeded", "{error}");
        assert!(flattened(&text, 600).is_ok());
    }
}
