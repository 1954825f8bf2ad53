//! The document model: values of all types as bytes, their order, and their JSON forms.
//!
//! Guarantees: one value has one encoding (`encode`); `compare` is a total order and `key` its image in bytes; nothing
//! here panics on any input, and untrusted bytes are judged by `check` before they are believed.
//! Leaves to others: collections, indexes, filters and updates, which walk values through [`Raw`].

pub mod change;
pub mod check;
pub mod compare;
pub mod date;
pub mod decimal;
pub mod document;
pub mod ejson;
pub mod encode;
pub mod json;
pub mod key;
mod kind;
mod number;
pub mod object_id;
mod owned;
pub mod path;
mod raw;
pub mod token;

pub use decimal::Decimal128;
pub use kind::ValueKind;
pub use owned::{Object, Value};
pub use raw::{ArrayIter, ObjectIter, Raw};

#[cfg(test)]
pub(crate) mod tests;
