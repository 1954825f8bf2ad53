//! Plain JSON text to encoded bytes and back, without a tree in between.
//!
//! Guarantees: what [`parse_value`] accepts is canonical, within the limits, and has no repeated member name.
//! Leaves to others: types that JSON lacks (`ejson`, schemas), the `_id` (`document`).

mod cell;
mod read;
mod sink;
mod write;

pub use cell::is_exact_number;
pub(super) use read::check_document;
pub use read::{Parsed, parse_document, parse_documents, parse_value};
pub use write::write;
pub(super) use write::{
    write_array, write_base64, write_double, write_object, write_text, write_whole,
};

#[cfg(test)]
mod tests;
