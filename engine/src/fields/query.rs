//! Queries in plain JSON, which has no dates and no ObjectIds: texts that are compared with typed fields.
//!
//! Guarantees: only operands of fields of the types `date`, `datetime` and `lookup` change, and only texts that can be
//! converted; everything else is copied.
//! Leaves to others: faces whose clients need it ask for it; the native face compares what it is given.

use super::{FieldType, Fields, parse_time};
use crate::value::{Raw, encode, object_id};

impl Fields {
    /// A filter in which texts that are compared with a date are dates, and texts of 24 hexadecimal digits that are compared
    /// with a lookup are ObjectIds.
    pub fn typed_filter(&self, filter: Raw<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(filter.as_bytes().len());
        self.copy(filter, None, &mut out);
        out
    }

    fn copy(&self, value: Raw<'_>, kind: Option<FieldType>, out: &mut Vec<u8>) {
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
                    Some("regex" | "options" | "type" | "exists" | "size") => None,
                    Some(_) => kind,
                    None => self.kind_at(name),
                };
                self.copy(member, of_member, out);
            }
            return;
        }
        let text = value.as_str();
        match (kind, text) {
            (Some(FieldType::Lookup), Some(text)) => match object_id::parse(text) {
                Some(id) => encode::write_object_id(&id, out),
                None => out.extend_from_slice(value.as_bytes()),
            },
            (Some(_), Some(text)) => match parse_time(text) {
                Some(ms) => encode::write_date(ms, out),
                None => out.extend_from_slice(value.as_bytes()),
            },
            _ => out.extend_from_slice(value.as_bytes()),
        }
    }

    /// The type of a path that matters here.
    fn kind_at(&self, path: &str) -> Option<FieldType> {
        let name = path.split('.').next().unwrap_or(path);
        let kind = self.get(name)?.kind;
        (kind.is_date() || kind == FieldType::Lookup).then_some(kind)
    }
}
