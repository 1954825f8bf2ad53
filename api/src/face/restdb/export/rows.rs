//! Rows of CSV, as RFC 4180 has them: lines end with CR LF, a cell is quoted where it has to be.
//!
//! Guarantees: a text is its own cell, as it is; null and what is not there are empty cells; whatever is nested is JSON text.
//! Leaves to others: what spreadsheets make of a text that begins with `=` (it is stored data, and stays so).

use std::collections::HashMap;

use headwater_engine::value::{Raw, ValueKind, json};
use headwater_engine::{Error, Result};

use super::super::answer::Shown;
use super::super::system;
use crate::session::Readable;

/// Most columns.
pub(in crate::face::restdb) const COLUMNS_MAX: usize = 10_000;
const ID: &str = "_id";

/// The columns of an export: the id, the typed fields in their order, then the others as they were found.
pub(super) struct Columns {
    names: Vec<String>,
    /// Their places; right once they are settled.
    places: HashMap<String, usize>,
    /// The names of typed fields.
    typed: Vec<String>,
    shown: Shown,
}

impl Columns {
    /// Those that are there before a document was looked at: typed fields where whole documents are wanted.
    pub(super) fn new(collection: &Readable, is_whole: bool, shown: Shown) -> Self {
        let stored = collection.fields.iter().filter(|(_, definition)| {
            // Children are documents of their own.
            definition["type"] != "child"
        });
        let typed: Vec<String> = stored.map(|(name, _)| name.clone()).collect();
        let mut columns = Self { names: Vec::new(), places: HashMap::new(), typed, shown };
        columns.insert(ID);
        if is_whole {
            for name in columns.typed.clone() {
                columns.insert(&name);
            }
        }
        columns
    }

    /// Adds those of a document.
    pub(super) fn add(&mut self, document: Raw<'_>) -> Result<()> {
        for (name, _) in document.object_iter() {
            if self.places.contains_key(name) || !self.shown.shows(name) {
                continue;
            }
            // The id is one more.
            if self.names.len() > COLUMNS_MAX {
                let message = format!(
                    "the documents have more than {COLUMNS_MAX} different fields; name some with $fields"
                );
                return Err(Error::limit("columns", COLUMNS_MAX as u64, message));
            }
            self.insert(name);
        }
        Ok(())
    }

    fn insert(&mut self, name: &str) {
        if self.places.insert(name.to_owned(), self.names.len()).is_none() {
            self.names.push(name.to_owned());
        }
    }

    /// Puts them in their order: the id, typed fields, others, system fields.
    pub(super) fn settle(&mut self) {
        let typed = std::mem::take(&mut self.typed);
        let rank = |name: &String| match typed.iter().position(|typed| typed == name) {
            _ if name == ID => (0, 0),
            Some(place) => (1, place),
            None if system::is_fact(name) => (3, 0),
            None => (2, 0),
        };
        self.names.sort_by_key(rank);
        self.places = self.names.iter().cloned().zip(0..).collect();
    }

    /// The header.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(self.names.iter().map(|name| Some(name.clone().into_bytes())), &mut out);
        out
    }

    /// The row of a document.
    pub(super) fn write_row(&self, document: Raw<'_>, out: &mut Vec<u8>) {
        let mut cells = vec![None; self.names.len()];
        for (name, value) in document.object_iter() {
            if let Some(place) = self.places.get(name) {
                cells[*place] = Some(cell(value));
            }
        }
        write(cells.into_iter(), out);
    }
}

fn cell(value: Raw<'_>) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.as_bytes().to_vec();
    }
    if value.is_null() {
        return Vec::new();
    }
    let mut out = Vec::new();
    json::write(value, &mut out);
    if matches!(value.kind(), ValueKind::Object | ValueKind::Array) {
        return out;
    }
    // Dates and ids are texts in JSON.
    match serde_json::from_slice(&out) {
        Ok(serde_json::Value::String(text)) => text.into_bytes(),
        _ => out,
    }
}

fn write(cells: impl Iterator<Item = Option<Vec<u8>>>, out: &mut Vec<u8>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let cell = cell.unwrap_or_default();
        let is_plain = !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
        // Blanks at the ends are kept by every reader only in quotes.
        let has_blank = cell.first() == Some(&b' ') || cell.last() == Some(&b' ');
        if is_plain && !has_blank {
            out.extend_from_slice(&cell);
            continue;
        }
        out.push(b'"');
        for byte in cell {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use serde_json::json;

    fn columns(fields: serde_json::Value, documents: &[&str]) -> String {
        let serde_json::Value::Object(fields) = fields else { panic!("{fields}") };
        let readable = Readable { name: "c".into(), fields };
        let mut columns = Columns::new(&readable, true, Shown::default());
        let encoded: Vec<_> = documents
            .iter()
            .map(|text| json::parse_document(text.as_bytes(), &Limits::default()).unwrap())
            .collect();
        encoded.iter().try_for_each(|one| columns.add(Raw::trusted(one))).unwrap();
        columns.settle();
        let mut out = columns.header();
        encoded.iter().for_each(|one| columns.write_row(Raw::trusted(one), &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn typed_fields_come_first_and_system_fields_last() {
        let fields =
            json!({"n": {"type": "number"}, "kids": {"type": "child"}, "t": {"type": "text"}});
        let found =
            columns(fields, &[r#"{"x":1,"_created":"c","t":"a,b","_id":"i"}"#, r#"{"n":2}"#]);
        // System fields that were not asked for are no columns.
        assert_eq!(found, "_id,n,t,x\r\ni,,\"a,b\",1\r\n,2,,\r\n");
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let found = columns(
            json!({}),
            &[r#"{"a":"say \"hi\"\r\n","b":[1,{"c":"d"}],"e":" x","f":"=1+1","g":null,"h":true}"#],
        );
        let row = "\"say \"\"hi\"\"\r\n\",\"[1,{\"\"c\"\":\"\"d\"\"}]\",\" x\",=1+1,,true";
        assert_eq!(found, format!("_id,a,b,e,f,g,h\r\n,{row}\r\n"));
    }
}
