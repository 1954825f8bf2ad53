//! Requests made of documents: JSON arrays of bounded count and size, in the input's order.
//!
//! Guarantees: the same input gives the same batches, so that a batch's content and offset identify it; the channel is
//! bounded, so that reading never runs ahead of sending.

use std::fmt;
use std::io;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;

/// Most documents in a request.
const DOCUMENTS_MAX: usize = 500;
/// Size over which a request takes no more documents, bytes.
const BYTES_MAX: usize = 4 << 20;

/// One request's documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// A JSON array.
    pub(crate) body: Vec<u8>,
    /// How many documents it holds.
    pub(crate) documents: u64,
    /// The first document's place in the input, from 1.
    pub(crate) first: u64,
    /// The first document's line, where the format has lines.
    pub(crate) first_line: Option<u64>,
}

/// Why reading ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody takes batches any more.
    Unwanted,
    /// The input is wrong; the text says where and how.
    Faulty(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Faulty(error.to_string())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwanted => f.write_str("stopped"),
            Self::Faulty(message) => f.write_str(message),
        }
    }
}

/// Takes documents and sends them on in batches.
pub(crate) struct Batches {
    sender: Sender<Batch>,
    id_field: Option<String>,
    current: Batch,
    documents: u64,
}

impl Batches {
    /// Batches for `sender`; with `id_field`, that member's value becomes each document's `_id`.
    pub(crate) fn new(sender: Sender<Batch>, id_field: Option<String>) -> Self {
        let id_field = id_field.filter(|field| field != "_id");
        Self { sender, id_field, current: Batch::default(), documents: 0 }
    }

    /// The place of the document that comes next, from 1.
    pub(crate) fn next_index(&self) -> u64 {
        self.documents + 1
    }

    /// Adds one document's JSON text, valid JSON already.
    pub(crate) fn push(&mut self, text: &str, line: Option<u64>) -> Result<(), Stop> {
        let named = |what: &str| Stop::Faulty(format!("{} {what}", self.name_of_next(line)));
        if !text.trim_start().starts_with('{') {
            return Err(named("is not an object"));
        }
        let renamed = match &self.id_field {
            Some(field) => Some(with_id(text, field).map_err(|fault| named(&fault))?),
            None => None,
        };
        self.append(renamed.as_deref().unwrap_or(text), line)
    }

    /// Sends what is gathered.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        if self.current.documents == 0 {
            return Ok(());
        }
        self.current.body.push(b']');
        let batch = std::mem::take(&mut self.current);
        self.sender.blocking_send(batch).map_err(|_| Stop::Unwanted)
    }

    /// How messages name the document that comes next.
    pub(crate) fn name_of_next(&self, line: Option<u64>) -> String {
        match line {
            Some(line) => format!("line {line} (document {})", self.next_index()),
            None => format!("document {}", self.next_index()),
        }
    }

    fn append(&mut self, text: &str, line: Option<u64>) -> Result<(), Stop> {
        let size = self.current.body.len() + text.len() + 2;
        if self.current.documents >= DOCUMENTS_MAX as u64
            || (self.current.documents > 0 && size > BYTES_MAX)
        {
            self.flush()?;
        }
        if self.current.documents == 0 {
            self.current.body.reserve(1 << 16);
            self.current.first = self.next_index();
            self.current.first_line = line;
        }
        self.current.body.push(if self.current.documents == 0 { b'[' } else { b',' });
        self.current.body.extend_from_slice(text.as_bytes());
        self.current.documents += 1;
        self.documents += 1;
        Ok(())
    }
}

/// The document with the value of `field` as its `_id`, first; `field` stays.
fn with_id(text: &str, field: &str) -> Result<String, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(Members).map_err(|error| error.to_string())?;
    let id = members
        .iter()
        .find(|(name, _)| name == field)
        .ok_or_else(|| format!("has no member `{field}`, which --id-field names"))?;
    let mut document = String::with_capacity(text.len() + 64);
    document.push_str("{\"_id\":");
    document.push_str(id.1.get());
    for (name, value) in members.iter().filter(|(name, _)| name != "_id") {
        document.push(',');
        // A string can always be written as JSON.
        document.push_str(&serde_json::to_string(name).map_err(|error| error.to_string())?);
        document.push(':');
        document.push_str(value.get());
    }
    document.push('}');
    Ok(document)
}

/// Every member of an object, values untouched.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_field_becomes_the_id_and_stays() {
        let document = with_id(r#"{"a": [1, 2], "code":"DE","_id":"old"}"#, "code").unwrap();
        assert_eq!(document, r#"{"_id":"DE","a":[1, 2],"code":"DE"}"#);
        assert!(with_id("{}", "code").unwrap_err().contains("`code`"));
    }

    #[test]
    fn batches_are_bounded_in_count_and_size() {
        let (sender, mut batches) = tokio::sync::mpsc::channel(16);
        let mut gather = Batches::new(sender, None);
        for _ in 0..1001 {
            gather.push("{}", None).unwrap();
        }
        gather.flush().unwrap();
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
        gather.push(&large, Some(7)).unwrap();
        gather.push(&large, Some(8)).unwrap();
        gather.flush().unwrap();
        let mut taken = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            serde_json::from_slice::<serde_json::Value>(&batch.body).unwrap();
            taken.push((batch.documents, batch.first, batch.first_line));
        }
        let expected = [
            (500, 1, None),
            (500, 501, None),
            (1, 1001, None),
            (1, 1002, Some(7)),
            (1, 1003, Some(8)),
        ];
        assert_eq!(taken, expected);
    }
}
