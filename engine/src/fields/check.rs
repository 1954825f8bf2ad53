//! Checking a document whose fields were converted.
//!
//! Guarantees: every field that does not fit is named once for each rule that it breaks; a null fits every type, and an
//! empty text every text type, unless a value is required.
//! Leaves to others: unique values (the sequencer's indexes).

use super::{Field, FieldType, Fields};
use crate::query::json_schema::{Format, Violation};
use crate::value::{Raw, ValueKind};

/// Longest telephone number, characters.
const PHONE_MAX: usize = 40;
/// Fewest digits of one.
const PHONE_DIGITS: usize = 3;

impl Fields {
    /// Adds every way in which a converted document does not fit its fields.
    pub(crate) fn violations(&self, document: Raw<'_>, violations: &mut Vec<Violation>) {
        for field in &self.list {
            let value = document.get(&field.name);
            let flaw = match value.filter(|value| !is_empty(field.kind, *value)) {
                Some(value) => field.flaw(value),
                None if field.required => {
                    Some(("required", format!("`{}` is required", field.name)))
                }
                None => None,
            };
            if let Some((keyword, message)) = flaw {
                violations.push(Violation { path: field.name.clone(), keyword, message });
            }
        }
    }
}

impl Field {
    /// What is wrong with a value that is not empty: the rule that it breaks, and a message.
    pub(super) fn flaw(&self, value: Raw<'_>) -> Option<(&'static str, String)> {
        if !fits(self.kind, value) {
            return Some(("type", format!("`{}` must be {}", self.name, self.kind.wanted())));
        }
        let (Some(pattern), Some(text)) = (&self.pattern, value.as_str()) else { return None };
        match pattern.is_match(text) {
            Ok(true) => None,
            Ok(false) => {
                let message = format!("`{}` does not match `{}`", self.name, pattern.source());
                Some(("pattern", message))
            }
            // What could not be checked is refused.
            Err(error) => Some(("pattern", format!("`{}`: {error}", self.name))),
        }
    }
}

/// Whether a value of a type is none: null, an empty text, an empty list of ids.
fn is_empty(kind: FieldType, value: Raw<'_>) -> bool {
    value.is_null()
        || kind.is_text() && value.as_str() == Some("")
        || kind.is_list() && value.as_array().is_some() && value.member_count() == 0
}

fn fits(kind: FieldType, value: Raw<'_>) -> bool {
    match kind {
        FieldType::Text => value.as_str().is_some(),
        FieldType::Number => value.kind().is_number(),
        FieldType::Date | FieldType::DateTime => value.as_date().is_some(),
        FieldType::Boolean => value.as_bool().is_some(),
        FieldType::Json => matches!(value.kind(), ValueKind::Object | ValueKind::Array),
        FieldType::Email => value.as_str().is_some_and(|text| Format::Email.test(text)),
        FieldType::Url => value.as_str().is_some_and(is_url),
        FieldType::Phone => value.as_str().is_some_and(is_phone),
        FieldType::Lookup => value.as_array().is_some_and(|mut ids| ids.all(is_document_id)),
        FieldType::Image | FieldType::File => value
            .as_array()
            .is_some_and(|mut ids| ids.all(|id| id.as_str().is_some_and(|id| !id.is_empty()))),
        FieldType::Child => false,
    }
}

/// What an `_id` may be, but for objects, which are documents that lack an `_id`.
fn is_document_id(value: Raw<'_>) -> bool {
    match value.kind() {
        ValueKind::String => value.as_str() != Some(""),
        ValueKind::ObjectId | ValueKind::Binary | ValueKind::Date | ValueKind::Bool => true,
        kind => kind.is_number(),
    }
}

/// A scheme and something behind it, without blanks; letters of all languages are let in, as browsers do.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let rest_fits =
        rest.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>\"".contains(c));
    let target = rest.strip_prefix("//").unwrap_or(rest);
    scheme_fits && rest_fits && !target.is_empty() && !target.starts_with('/')
}

/// Digits with what people put between them, and an extension.
fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let known = |c: char| c.is_ascii_digit() || "+-().,/ #*xXextEXT\u{a0}".contains(c);
    digits >= PHONE_DIGITS && text.chars().count() <= PHONE_MAX && text.chars().all(known)
}
