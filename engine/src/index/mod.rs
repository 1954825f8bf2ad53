//! Indexes: what is defined, which entries a document has, where they stand in the views.
//!
//! Guarantees: an index that is ready holds exactly the entries of the live documents of its collection; while it is built,
//! every write keeps it up already. Entries depend on a document and the definition alone.
//! Leaves to others: choosing an index for a query (`query::find`), unique checks (the sequencer), building (`build`).

mod build;
mod definition;
mod entries;
mod expiry;
pub mod keys;
mod points;
mod registry;

pub use build::Built;
pub use definition::{Definition, IndexKind, check_name};

pub use entries::{ENTRIES_MAX, Entries, Entry};
pub use registry::{Index, IndexState, Indexes};

pub(crate) use points::{Area, point_ranges};

use crate::value::{Raw, json};

/// The name of the member of an index's document that names the unique field that it is for.
pub const FIELD: &str = "field";

/// The values of a document at the paths of an index, for messages: `email = "a@b.c"`.
pub(crate) fn shown_values(index: &Index, document: Raw<'_>) -> String {
    let IndexKind::Ordered(sort) = &index.definition.kind else { return String::new() };
    let shown = sort.fields().iter().map(|field| {
        let mut text = Vec::new();
        json::write(field.path.get(document).unwrap_or(Raw::NULL), &mut text);
        let text: String = String::from_utf8_lossy(&text).chars().take(200).collect();
        format!("{} = {text}", field.path.as_str())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The entry of a word.
pub(crate) fn word_entry(word: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(word.len() + 3);
    crate::value::encode::write_str(word, &mut text);
    crate::value::key::encode(Raw::trusted(&text))
}
