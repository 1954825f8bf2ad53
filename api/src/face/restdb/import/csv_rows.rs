//! Documents of CSV: the header names the fields, each row is a document, an empty cell is no field.
//!
//! Guarantees: a cell of a typed field goes as it is to that type's conversion, which for lists and JSON means that JSON text
//! is read. Without a type, numbers that JSON says exactly, `true`, `false` and JSON objects and arrays are read as such, as
//! `headwater import` does; everything else is a text. System fields are texts.

use std::collections::HashSet;

use headwater_engine::fields::{FieldType, Fields};
use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value, json};

use super::super::export::COLUMNS_MAX;
use super::{Rows, at};
use crate::error::ApiResult;

pub(super) fn read(body: &[u8], fields: Option<&Fields>, limits: &Limits) -> ApiResult<Rows> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(body);
    let mut record = csv::ByteRecord::new();
    let mut names = Vec::new();
    let mut rows = Rows::default();
    loop {
        let begin = reader.position().clone();
        let more = reader.read_byte_record(&mut record);
        // Reading from memory does not fail, and rows of any length are let in.
        if !more.unwrap_or(false) {
            break;
        }
        let first = record.position().unwrap_or(&begin);
        let from = usize::try_from(first.byte()).unwrap_or(body.len());
        // What is left of the line's end before it, and empty lines, are not counted yet.
        let ends = body.get(from..).unwrap_or_default().iter();
        let ends = ends.take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let line = first.line() + ends.filter(|byte| **byte == b'\n').count() as u64;
        let to = usize::try_from(reader.position().byte()).unwrap_or(body.len());
        check_quotes(body.get(from..to).unwrap_or_default(), line, record.len())?;
        let cells = texts(&record, line)?;
        if names.is_empty() {
            names = header(&cells, line)?;
            continue;
        }
        if cells.len() != names.len() {
            let what = format!("{} cells, and the header has {}", cells.len(), names.len());
            return Err(at(line, &what).with("column", cells.len().min(names.len()) as u64 + 1));
        }
        rows.push(document(&names, &cells, fields, limits), line, limits)?;
    }
    if names.is_empty() {
        return Err(at(1, "there is no header with the names of the fields"));
    }
    Ok(rows)
}

/// Every quotation mark has its pair, or a cell goes on into the rows behind it.
fn check_quotes(row: &[u8], line: u64, cells: usize) -> ApiResult<()> {
    let quotes = row.iter().filter(|byte| **byte == b'"').count();
    if quotes % 2 == 0 {
        return Ok(());
    }
    let what = format!("column {cells}: a quotation mark has no second one");
    Err(at(line, &what).with("column", cells as u64))
}

fn texts(record: &csv::ByteRecord, line: u64) -> ApiResult<Vec<&str>> {
    let text = |(place, cell)| {
        std::str::from_utf8(cell).map_err(|_| {
            let column: usize = place + 1;
            at(line, &format!("column {column}: this is no UTF-8")).with("column", column as u64)
        })
    };
    record.iter().enumerate().map(text).collect()
}

fn header(cells: &[&str], line: u64) -> ApiResult<Vec<String>> {
    if cells.len() > COLUMNS_MAX {
        return Err(at(line, &format!("there are more than {COLUMNS_MAX} columns")));
    }
    let mut known = HashSet::new();
    for (place, name) in cells.iter().enumerate() {
        let column = place + 1;
        let flaw = match *name {
            "" => "has no name".to_owned(),
            name if !known.insert(name) => format!("has the name `{name}`, as one before it"),
            _ => continue,
        };
        return Err(at(line, &format!("column {column} {flaw}")).with("column", column as u64));
    }
    Ok(cells.iter().map(|name| (*name).to_owned()).collect())
}

fn document(names: &[String], cells: &[&str], fields: Option<&Fields>, limits: &Limits) -> Object {
    let cells = names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    // Names come once each.
    let member = |(name, cell): (&String, &&str)| {
        let kind = fields.and_then(|fields| fields.get(name)).map(|field| field.kind);
        let value = match kind {
            _ if name.starts_with('_') => None,
            Some(kind) if kind == FieldType::Json || kind.is_list() => nested(cell, limits),
            // A text stays one; everything else is converted from it.
            Some(_) => None,
            None if is_plain(cell) => parsed(cell, limits),
            None => nested(cell, limits),
        };
        (name.clone(), value.unwrap_or_else(|| Value::from(*cell)))
    };
    cells.map(member).collect()
}

/// A JSON object or array.
fn nested(cell: &str, limits: &Limits) -> Option<Value> {
    cell.starts_with(['{', '[']).then(|| parsed(cell, limits)).flatten()
}

fn parsed(cell: &str, limits: &Limits) -> Option<Value> {
    let encoded = json::parse_value(cell.as_bytes(), limits).ok()?;
    Some(Raw::trusted(&encoded).to_value())
}

/// Whether a cell is `true`, `false` or a number, as `headwater import` reads it, too.
fn is_plain(cell: &str) -> bool {
    matches!(cell, "true" | "false") || json::is_exact_number(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str, fields: Option<&Fields>) -> Vec<String> {
        let rows = read(text.as_bytes(), fields, &Limits::default()).unwrap();
        let shown = |one: Object| {
            let mut out = Vec::new();
            json::write(Raw::trusted(&one.to_bytes()), &mut out);
            String::from_utf8(out).unwrap()
        };
        rows.documents.into_iter().map(shown).collect()
    }

    #[test]
    fn cells_without_a_type_are_what_they_look_like() {
        let text = "_parent_id,a,b\r\n007,007,1.50\r\n1,\"{\"\"x\"\":[1]}\",true\r\n,[x],\r\n";
        let wanted = [
            r#"{"_parent_id":"007","a":"007","b":1.5}"#,
            r#"{"_parent_id":"1","a":{"x":[1]},"b":true}"#,
            r#"{"a":"[x]"}"#,
        ];
        assert_eq!(documents(text, None), wanted);
    }

    #[test]
    fn cells_of_typed_fields_are_left_to_their_type() {
        let definition = r#"{"fields":{"t":{"type":"text"},"n":{"type":"number"},"j":{"type":"json"},
            "l":{"type":"lookup","collection":"x"}}}"#;
        let definition = json::parse_document(definition.as_bytes(), &Limits::default()).unwrap();
        let fields = Fields::of(Raw::trusted(&definition)).unwrap();
        let found = documents("t,n,j,l\n5,5,[5],\"[\"\"a\"\"]\"\n[1],x,{,a\n", fields.as_ref());
        let wanted =
            [r#"{"t":"5","n":"5","j":[5],"l":["a"]}"#, r#"{"t":"[1]","n":"x","j":"{","l":"a"}"#];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_malformed_is_named_by_line_and_column() {
        let rows: [(&[u8], &str, u64); 7] = [
            (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells", 3),
            (b"a,b\n1\n", "line 2: 1 cells", 2),
            (b"a,b\n\"x\ny\",2\n1,\"2\n", "line 4: column 2: a quotation", 2),
            (b"a,b\n1,\xff\n", "line 2: column 2: this is no UTF-8", 2),
            (b"a,\n", "line 1: column 2 has no name", 2),
            (b"a,b,a\n", "line 1: column 3 has the name `a`", 3),
            (b"", "line 1: there is no header", 0),
        ];
        for (text, message, column) in rows {
            let error = read(text, None, &Limits::default()).unwrap_err();
            assert!(error.message().starts_with(message), "{}", error.message());
            let named = error.details().get("column").and_then(serde_json::Value::as_u64);
            assert_eq!(named.unwrap_or(0), column, "{message}");
        }
    }
}
