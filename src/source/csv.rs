//! Documents of CSV: the header names the members, each row is a document.
//!
//! Guarantees: integers, decimals and booleans become JSON's own; a number that JSON would change (leading zeros, more
//! digits than a double holds) stays text, a cell that is a JSON object or array becomes that; an empty cell is no member.

use std::io::Read;

use headwater_engine::value::json;

use super::{Batches, Stop};

/// Reads every row.
pub(super) fn read(input: impl Read, batches: &mut Batches) -> Result<(), Stop> {
    let mut rows = csv::ReaderBuilder::new().from_reader(input);
    let names = header(&mut rows)?;
    let mut row = csv::StringRecord::new();
    let mut document = String::new();
    loop {
        match rows.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                return Err(Stop::Faulty(format!("document {}: {error}", batches.next_index())));
            }
        }
        document.clear();
        for (name, cell) in names.iter().zip(&row).filter(|(_, cell)| !cell.is_empty()) {
            document.push(if document.is_empty() { '{' } else { ',' });
            document.push_str(name);
            document.push(':');
            push_value(&mut document, cell);
        }
        document.push_str(if document.is_empty() { "{}" } else { "}" });
        batches.push(&document, row.position().map(csv::Position::line))?;
    }
}

/// The header's names, as JSON strings.
fn header<R: Read>(rows: &mut csv::Reader<R>) -> Result<Vec<String>, Stop> {
    let fault = |what: String| Stop::Faulty(format!("header: {what}"));
    let header = rows.headers().map_err(|error| fault(error.to_string()))?;
    let mut names: Vec<String> = Vec::new();
    for (index, name) in header.iter().enumerate() {
        if name.is_empty() {
            return Err(fault(format!("column {} has no name", index + 1)));
        }
        let name = json_text(name);
        if names.contains(&name) {
            return Err(fault(format!("two columns are named {name}")));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(fault("there is none".to_owned()));
    }
    Ok(names)
}

fn push_value(document: &mut String, cell: &str) {
    if matches!(cell, "true" | "false") || json::is_exact_number(cell) || is_nested(cell) {
        document.push_str(cell);
    } else {
        document.push_str(&json_text(cell));
    }
}

/// Whether `cell` is a JSON object or array, as exports write what is nested.
fn is_nested(cell: &str) -> bool {
    cell.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(cell).is_ok()
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exports_write_as_json_is_json() {
        for (cell, wanted) in [("[1,\"a\"]", true), ("{}", true), ("[x]", false), ("\"a\"", false)]
        {
            assert_eq!(is_nested(cell), wanted, "{cell}");
        }
    }

    #[test]
    fn only_numbers_that_json_says_exactly_are_numbers() {
        for number in ["0", "-1", "42", "9223372036854775807", "1.50", "-0.25", "0.1"] {
            assert!(json::is_exact_number(number), "{number}");
        }
        let texts = [
            "",
            "-",
            "007",
            "-01",
            "1.",
            ".5",
            "1e5",
            "+1",
            "-0",
            "9223372036854775808",
            "1,5",
            "0.12345678901234567",
            "NaN",
            "0x10",
            "1 ",
        ];
        for text in texts {
            assert!(!json::is_exact_number(text), "{text}");
        }
    }
}
