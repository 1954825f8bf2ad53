//! Extended JSON v2: JSON text that carries every type, to encoded bytes and back.
//!
//! Guarantees: reads the canonical and the relaxed form, mixed as they come; writes the canonical one. A wrapper with
//! members too many or an operand of the wrong kind is refused by name. Limits and repeated names are those of `json`.
//! Leaves to others: the legacy forms of version 1 (`{"$date": 5}`), which are refused, and wrappers of types that the
//! model lacks (`$code`, `$symbol`, `$dbPointer`, `$undefined`), which stay objects.

mod read;
mod wrapper;
mod write;

pub use read::{Mode, parse_document, parse_documents, parse_value};
pub use write::write;

#[cfg(test)]
mod tests;
