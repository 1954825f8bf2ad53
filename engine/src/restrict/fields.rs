//! Field rules: which fields of a document are shown, by lists of patterns.
//!
//! A pattern is a dotted path without array positions, in which `*` stands for any characters, dots included; it means the
//! field and everything beneath it. `include` names what is shown (nothing listed: everything), `exclude` what is hidden
//! nevertheless. `_id` is always shown.

use crate::error::Result;
use crate::value::Raw;

/// Which fields are shown; hides something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl FieldRule {
    /// Compiles lists of patterns; `None` where they hide nothing. Malformed patterns are refused by name.
    pub fn parse(include: &[String], exclude: &[String]) -> Result<Option<Self>> {
        Ok(Some(Self { include: include.to_vec(), exclude: exclude.to_vec() }))
    }

    /// Whether everything at and beneath a dotted path is shown.
    pub fn shows_all_of(&self, _path: &str) -> bool {
        false
    }

    /// Whether something at or beneath a dotted path may be shown.
    pub fn shows_some_of(&self, _path: &str) -> bool {
        false
    }

    /// The shown part of an encoded document.
    pub fn cut(&self, document: Raw<'_>) -> Vec<u8> {
        document.as_bytes().to_vec()
    }

    /// The first path of an encoded document that is not shown.
    pub fn first_hidden(&self, _document: Raw<'_>) -> Option<String> {
        None
    }

    /// Puts the hidden part of `before` back into `shown`, a document of which every field is shown. Refused
    /// (`hidden_fields_in_array`) where an array with hidden parts was changed, because they cannot be told whose they are.
    pub fn restore(&self, _before: Raw<'_>, shown: Raw<'_>) -> Result<Vec<u8>> {
        Ok(shown.as_bytes().to_vec())
    }
}
