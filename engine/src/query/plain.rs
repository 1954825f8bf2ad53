//! Queries in plain JSON, which has no ObjectIds: a text of 24 hexadecimal digits in an `_id` means one.
//!
//! Guarantees: only values of members named `_id` change, their operators' operands included; everything else is copied.

use crate::value::{Raw, encode, object_id};

/// The query with every such text in an `_id` read as an ObjectId.
pub fn with_object_ids(query: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(query.as_bytes().len());
    copy(query, false, &mut out);
    out
}

fn copy(value: Raw<'_>, is_id: bool, out: &mut Vec<u8>) {
    if let Some(elements) = value.as_array() {
        encode::write_array_header(value.member_count(), out);
        elements.for_each(|element| copy(element, is_id, out));
        return;
    }
    if let Some(members) = value.as_object() {
        encode::write_object_header(value.member_count(), out);
        for (name, member) in members {
            encode::write_str(name, out);
            copy(member, name == "_id" || is_id && name.starts_with('$'), out);
        }
        return;
    }
    match value.as_str().filter(|_| is_id).and_then(object_id::parse) {
        Some(id) => encode::write_object_id(&id, out),
        None => out.extend_from_slice(value.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::value::{ejson, json};

    #[test]
    fn hexadecimal_ids_become_object_ids_and_nothing_else_does() {
        let query = r#"{"_id":{"$in":["507f1f77bcf86cd799439011","short"]},"x":"507f1f77bcf86cd799439011","$or":[{"_id":"507f1f77bcf86cd799439011"}],"n":{"_id":{"a":"507f1f77bcf86cd799439011"}}}"#;
        let bytes = json::parse_value(query.as_bytes(), &Limits::default()).unwrap();
        let mut text = Vec::new();
        ejson::write(Raw::trusted(&with_object_ids(Raw::trusted(&bytes))), &mut text);
        let id = r#"{"$oid":"507f1f77bcf86cd799439011"}"#;
        let plain = r#""507f1f77bcf86cd799439011""#;
        let wanted = format!(
            r#"{{"_id":{{"$in":[{id},"short"]}},"x":{plain},"$or":[{{"_id":{id}}}],"n":{{"_id":{{"a":{plain}}}}}}}"#
        );
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
    }
}
