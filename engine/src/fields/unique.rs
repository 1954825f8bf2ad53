//! The indexes that unique fields bring about.
//!
//! Guarantees: one index for each unique field, with a name that no other field has. Documents without a value (missing,
//! null, an empty text) are not in it, so any number of them may be there.
//! Leaves to others: writing and building them (the sequencer, `index`).

use super::{Field, FieldType, Fields};
use crate::value::{Object, Value};

/// Longest name of an index, bytes.
pub(super) const NAME_MAX: usize = 120;

/// The name of the index of a unique field: `field_` and the field's name; bytes that names of indexes cannot have become
/// a dot and two hexadecimal digits.
pub(crate) fn index_name(field: &str) -> String {
    let mut name = String::from("field_");
    for byte in field.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!(".{byte:02x}"));
        }
    }
    name
}

impl Fields {
    /// Names and definitions of the indexes of all unique fields; a definition also says whose it is, in `field`.
    pub fn unique_indexes(&self) -> Vec<(String, Vec<u8>)> {
        let unique = self.iter().filter(|field| field.unique);
        unique.map(|field| (index_name(&field.name), field.index_definition())).collect()
    }
}

impl Field {
    fn index_definition(&self) -> Vec<u8> {
        let object = |name: &str, value: Value| {
            let mut object = Object::new();
            object.insert(name, value);
            Value::Object(object)
        };
        let has_value = match self.kind {
            FieldType::Number => object("$type", "number".into()),
            FieldType::Date | FieldType::DateTime => object("$type", "date".into()),
            _ => object("$gt", "".into()),
        };
        let mut definition = Object::new();
        definition.insert("keys", object(&self.name, Value::Int32(1)));
        definition.insert("unique", true);
        definition.insert("sparse", false);
        definition.insert("partial_filter", object(&self.name, has_value));
        definition.insert("expire_after_seconds", Value::Null);
        definition.insert(crate::index::FIELD, self.name.as_str());
        definition.to_bytes()
    }
}
