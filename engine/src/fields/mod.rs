//! Typed fields: what a collection's definition says of the members of its documents.
//!
//! Guarantees: a definition that does not make sense is refused with the names of the field and the member. Converting
//! depends on the document and the definition alone and never fails: what cannot be converted stays as it was given, and
//! [`Fields::violations`] says so. What has no violations fits its types, and converting it again changes nothing.
//! Leaves to others: when to convert and check (the sequencer), what is not declared (it is stored as given), the unique
//! indexes themselves (`index`).

mod check;
mod convert;
mod definition;
mod kind;
mod query;
mod time;
mod unique;

#[cfg(test)]
mod tests;

pub(crate) use convert::Stage;
pub use kind::FieldType;
pub use time::parse_time;

use std::collections::HashMap;

use crate::query::regex::Pattern;

/// The name of the member of a collection's definition that holds its typed fields.
pub const FIELDS: &str = "fields";

/// Most typed fields of one collection.
const FIELDS_MAX: usize = 500;

/// The typed fields of a collection, compiled.
#[derive(Clone, Debug)]
pub struct Fields {
    list: Vec<Field>,
    /// Their places by name.
    by_name: HashMap<String, usize>,
}

/// One typed field.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name of the member of documents.
    pub name: String,
    /// What its values are.
    pub kind: FieldType,
    /// Whether a document must have a value.
    pub required: bool,
    /// Whether no two documents may have the same value.
    pub unique: bool,
    /// What a new document gets that has no such member: encoded, converted.
    default: Option<Vec<u8>>,
    /// What a text must match somewhere in it.
    pattern: Option<Pattern>,
    /// The collection that a `lookup` or a `child` refers to.
    pub collection: Option<String>,
}

impl Fields {
    /// The fields in the order of their definition.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.list.iter()
    }

    /// Those of them that are kept.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let list: Vec<Field> =
            self.list.iter().filter(|field| keep(&field.name)).cloned().collect();
        let by_name = list.iter().map(|field| field.name.clone()).zip(0..).collect();
        Self { list, by_name }
    }

    /// A field by its name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).and_then(|place| self.list.get(*place))
    }
}

impl Field {
    /// What a text must match somewhere in it, as it was written.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_ref().map(Pattern::source)
    }
}
