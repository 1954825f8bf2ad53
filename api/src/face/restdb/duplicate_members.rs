//! JSON in which a name comes more than once in an object: the last one counts, as in the documents' own examples.
//!
//! Leaves to others: finding that out; the engine refuses such text, and only then it is looked at again here.

use headwater_engine::{Error, Result};

/// The text with the last of each name alone, where the error says that there are several; the error otherwise.
pub(super) fn dropped(text: &[u8], error: Error) -> Result<Vec<u8>> {
    if error.code() != "duplicate_member" {
        return Err(error);
    }
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(value) => Ok(value.to_string().into_bytes()),
        Err(_) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts() {
        let refusal = Error::invalid("duplicate_member", "twice");
        let text = dropped(br#"{"b":1,"a":{"x":1,"x":2},"b":3}"#, refusal).unwrap();
        assert_eq!(text, br#"{"b":3,"a":{"x":2}}"#);
        let other = Error::invalid("malformed_json", "x");
        assert_eq!(dropped(b"{}", other).unwrap_err().code(), "malformed_json");
    }
}
