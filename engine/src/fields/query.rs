//! Queries in plain JSON, which has no dates and no ObjectIds: what is compared with typed fields, as those would take it.
//!
//! Guarantees: only operands of fields of the types `number`, `date`, `datetime`, `boolean` and `lookup` change, and only what can
//! be converted; everything else is copied.
//! Leaves to others: faces whose clients need it ask for it; the native face compares what it is given.

use super::convert::{boolean, parse_number};
use super::time::time_of;
use super::{FieldType, Fields};
use crate::value::{Raw, encode, object_id};

impl Fields {
    /// A filter in which texts and numbers that are compared with a date or a boolean are such, and texts of 24 hexadecimal
    /// digits that are compared with a lookup are ObjectIds.
    pub fn typed_filter(&self, filter: Raw<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(filter.as_bytes().len());
        self.copy_filter(filter, &mut out);
        out
    }

    /// A filter, or a branch of one: here names are those of fields.
    fn copy_filter(&self, filter: Raw<'_>, out: &mut Vec<u8>) {
        let Some(members) = filter.as_object() else {
            return out.extend_from_slice(filter.as_bytes());
        };
        encode::write_object_header(filter.member_count(), out);
        for (name, member) in members {
            encode::write_str(name, out);
            match (name, member.as_array()) {
                ("$and" | "$or" | "$nor", Some(branches)) => {
                    encode::write_array_header(member.member_count(), out);
                    branches.for_each(|branch| self.copy_filter(branch, out));
                }
                _ if name.starts_with('$') => out.extend_from_slice(member.as_bytes()),
                _ => self.copy(member, self.kind_at(name), out),
            }
        }
    }

    /// What a field is compared with: names in it are not those of fields.
    fn copy(&self, value: Raw<'_>, kind: Option<FieldType>, out: &mut Vec<u8>) {
        if kind.is_none() {
            return out.extend_from_slice(value.as_bytes());
        }
        if let Some(elements) = value.as_array() {
            encode::write_array_header(value.member_count(), out);
            elements.for_each(|element| self.copy(element, kind, out));
            return;
        }
        if let Some(members) = value.as_object() {
            encode::write_object_header(value.member_count(), out);
            for (name, member) in members {
                encode::write_str(name, out);
                let of_member = match name.strip_prefix('$') {
                    // What a type or a pattern is called is no value.
                    Some("regex" | "options" | "type" | "exists" | "size" | "mod") | None => None,
                    Some(_) => kind,
                };
                self.copy(member, of_member, out);
            }
            return;
        }
        match kind {
            Some(FieldType::Number) => {
                if let Some(number) = value.as_str().and_then(parse_number) {
                    return out.extend_from_slice(&number);
                }
            }
            Some(FieldType::Lookup) => {
                if let Some(id) = value.as_str().and_then(object_id::parse) {
                    return encode::write_object_id(&id, out);
                }
            }
            Some(FieldType::Boolean) => {
                if let Some(truth) = boolean(value) {
                    return encode::write_bool(truth, out);
                }
            }
            Some(_) => {
                if let Some(ms) = time_of(value) {
                    return encode::write_date(ms, out);
                }
            }
            None => {}
        }
        out.extend_from_slice(value.as_bytes());
    }

    /// The type of a path that matters here.
    fn kind_at(&self, path: &str) -> Option<FieldType> {
        let name = path.split('.').next().unwrap_or(path);
        let kind = self.get(name)?.kind;
        let matters = kind.is_date()
            || matches!(kind, FieldType::Lookup | FieldType::Boolean | FieldType::Number);
        matters.then_some(kind)
    }
}
