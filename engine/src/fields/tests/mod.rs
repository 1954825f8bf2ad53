//! Definitions, conversions and checks of typed fields, one row for each.

mod definitions;
mod model;
mod values;

use super::{Fields, Stage};
use crate::limits::Limits;
use crate::query::json_schema::Violation;
use crate::value::{Raw, json};

pub(super) fn encoded(text: &str) -> Vec<u8> {
    json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
}

pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    json::write(Raw::trusted(bytes), &mut text);
    String::from_utf8(text).unwrap()
}

/// The fields of a definition's member `fields`.
pub(super) fn fields(text: &str) -> Fields {
    let definition = encoded(&format!(r#"{{"fields":{text}}}"#));
    Fields::of(Raw::trusted(&definition)).unwrap().unwrap()
}

pub(super) fn converted(fields: &Fields, document: &[u8], stage: Stage) -> Vec<u8> {
    fields.convert(Raw::trusted(document), stage).unwrap_or_else(|| document.to_vec())
}

pub(super) fn violations(fields: &Fields, document: &[u8]) -> Vec<Violation> {
    let mut list = Vec::new();
    fields.violations(Raw::trusted(document), &mut list);
    list
}
