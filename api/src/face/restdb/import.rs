//! Import: a body of CSV, or of a document a line.
//!
//! Guarantees: what an export of the same collection gave becomes equal documents, as far as fields are typed. A refusal names
//! the line, and for CSV the column, where there is one.
//! Leaves to others: converting to the types of fields, rules, ids that are taken (the engine).

mod csv_rows;

use headwater_engine::fields::Fields;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value, json};
use headwater_engine::{Detail, Error};

use crate::error::{ApiError, ApiResult};

/// What rows a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A header and a row a document.
    Csv,
    /// A document a line.
    Lines,
}

/// Documents with the lines on which they began.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The documents.
    pub(super) documents: Vec<Object>,
    lines: Vec<u64>,
}

impl Format {
    /// The format of a content type, in small letters.
    pub(super) fn of_content_type(kind: &str) -> Option<Self> {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind {
            "text/csv" | "application/csv" => Some(Self::Csv),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Lines)
            }
            _ => None,
        }
    }
}

/// Reads a body.
pub(super) fn read(
    format: Format,
    body: &[u8],
    fields: Option<&Fields>,
    limits: &Limits,
) -> ApiResult<Rows> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match format {
        Format::Csv => csv_rows::read(body, fields, limits),
        Format::Lines => lines(body, limits),
    }
}

fn lines(body: &[u8], limits: &Limits) -> ApiResult<Rows> {
    let mut rows = Rows::default();
    for (line, text) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = json::parse_document(text, limits).map_err(|error| on_line(&error, line))?;
        let Value::Object(document) = Raw::trusted(&parsed).to_value() else {
            return Err(at(line, "this is no object"));
        };
        rows.push(document, line, limits)?;
    }
    Ok(rows)
}

/// The refusal of what stands on one line: its message has the column, and knows no other line than its own.
fn on_line(error: &Error, line: u64) -> ApiError {
    let what = error.message().split(" at line ").next().unwrap_or_default();
    match error.detail("column") {
        Some(Detail::Number(column)) => {
            at(line, &format!("column {column}: {what}")).with("column", *column)
        }
        _ => at(line, what),
    }
}

impl Rows {
    fn push(&mut self, document: Object, line: u64, limits: &Limits) -> ApiResult<()> {
        let max = limits.batch_documents;
        if self.documents.len() as u64 >= u64::from(max) {
            let message = format!(
                "a request has at most {max} documents; `headwater import` takes larger files"
            );
            return Err(Error::limit("limits.batch_documents", u64::from(max), message).into());
        }
        self.documents.push(document);
        self.lines.push(line);
        Ok(())
    }

    /// A refusal of one of the documents, with the line of it.
    pub(super) fn named(lines: &[u64], error: ApiError) -> ApiError {
        let details = error.details();
        let number = |name: &str| details.get(name).and_then(serde_json::Value::as_u64);
        let place = match lines {
            [_] => Some(0),
            _ => number("operation").or_else(|| number("index")),
        };
        let place = place.and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| lines.get(place)) {
            Some(line) => {
                error.about(|message| format!("line {line}: {message}")).with("line", *line)
            }
            None => error,
        }
    }

    /// The lines of the documents, in their order.
    pub(super) fn lines(&self) -> Vec<u64> {
        self.lines.clone()
    }
}

/// A refusal of a line.
fn at(line: u64, what: &str) -> ApiError {
    ApiError::bad_request("invalid_row", format!("line {line}: {what}")).with("line", line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_known() {
        let rows = [
            ("text/csv; charset=utf-8", Some(Format::Csv)),
            ("application/x-ndjson", Some(Format::Lines)),
            ("application/json", None),
            ("", None),
        ];
        for (kind, wanted) in rows {
            assert_eq!(Format::of_content_type(kind), wanted, "{kind}");
        }
    }

    #[test]
    fn a_faulty_line_is_named() {
        let read = |text: &str| lines(text.as_bytes(), &Limits::default());
        assert_eq!(read("{\"a\":1}\r\n\n{}\n").unwrap().lines, [1, 3]);
        let error = read("{}\n{\"a\":}\n").unwrap_err();
        assert!(error.message().starts_with("line 2: column 6: "), "{}", error.message());
        assert!(read("{}\n[]\n").unwrap_err().message().starts_with("line 2: "));
        let limits = Limits { batch_documents: 1, ..Limits::default() };
        assert!(lines(b"{}\n{}", &limits).unwrap_err().message().contains("at most 1"));
    }
}
