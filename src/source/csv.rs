//! Documents of CSV: the header names the members, each row is a document.
//!
//! Guarantees: integers, decimals and booleans become JSON's own; a number that JSON would change (leading zeros, more
//! digits than a double holds) stays text, a cell that is a JSON object or array becomes that; an empty cell is no member.

use std::io::Read;

use super::{Batches, Stop};

/// Digits that a double always holds.
const DECIMAL_DIGITS_MAX: usize = 15;

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
    if matches!(cell, "true" | "false") || is_number(cell) || is_nested(cell) {
        document.push_str(cell);
    } else {
        document.push_str(&json_text(cell));
    }
}

/// Whether `cell` is a number that a JSON number says exactly.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !all_digits(whole) || leading_zero || cell == "-0" {
        return false;
    }
    match fraction {
        None => cell.parse::<i64>().is_ok(),
        Some(fraction) => {
            all_digits(fraction) && whole.len() + fraction.len() <= DECIMAL_DIGITS_MAX
        }
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
            assert!(is_number(number), "{number}");
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
            assert!(!is_number(text), "{text}");
        }
    }
}
