//! JSON text to encoded bytes. The hot path of every write: one pass, one output buffer, names checked in place.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};

use super::sink::{Sink, too_deep};
use crate::limits::Limits;
use crate::value::encode;
use crate::value::raw::Raw;
use crate::value::token::Token;
use crate::{Error, Result};

/// What [`parse_documents`] read, each document encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An object.
    One(Vec<u8>),
    /// An array of objects.
    Many(Vec<Vec<u8>>),
}

/// Reads any JSON value.
pub fn parse_value(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    let mut sink = Sink::new(limits, bytes.len());
    drive(bytes, &mut sink, |sink, json| ValueSeed(sink).deserialize(json))?;
    Ok(sink.out)
}

/// Reads one object, at most `limits.document_bytes` long.
pub fn parse_document(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    let document = parse_value(bytes, limits)?;
    check_document(&document, limits)?;
    Ok(document)
}

/// Reads an object or an array of objects, each at most `limits.document_bytes` long, at most
/// `limits.batch_documents` of them.
pub fn parse_documents(bytes: &[u8], limits: &Limits) -> Result<Parsed> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        return parse_document(bytes, limits).map(Parsed::One);
    }
    let mut sink = Sink::new(limits, bytes.len().min(1024));
    let documents =
        drive(bytes, &mut sink, |sink, json| json.deserialize_seq(DocumentsVisitor(sink)))?;
    Ok(Parsed::Many(documents))
}

/// Checks that a value is an object of at most `limits.document_bytes`.
pub(in crate::value) fn check_document(encoded: &[u8], limits: &Limits) -> Result<()> {
    let kind = match Raw::trusted(encoded).token() {
        Token::Object(_) => None,
        token => Some(token.kind().alias()),
    };
    if let Some(kind) = kind {
        let message = format!("a document must be an object, not of type {kind}");
        return Err(Error::invalid("not_an_object", message));
    }
    if encoded.len() as u64 > limits.document_bytes {
        let message = format!("document takes {} bytes", encoded.len());
        return Err(Error::limit("limits.document_bytes", limits.document_bytes, message));
    }
    Ok(())
}

/// An error in the text itself.
fn malformed(what: &str, line: usize, column: usize) -> Error {
    let message = format!("malformed JSON: {what} at line {line} column {column}");
    Error::invalid("malformed_json", message)
        .with("line", line as u64)
        .with("column", column as u64)
}

type Json<'a, 'de> = &'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>;

/// Runs `read` over the whole text and finds the error that was meant.
fn drive<T>(
    bytes: &[u8],
    sink: &mut Sink<'_>,
    read: impl FnOnce(&mut Sink<'_>, Json<'_, '_>) -> Result<T, serde_json::Error>,
) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line_start =
            valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        malformed("invalid UTF-8", line, valid.len() - line_start + 1)
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let outcome = read(sink, &mut json).and_then(|value| json.end().map(|()| value));
    outcome.map_err(|error| sink.refused.take().unwrap_or_else(|| translate(&error, sink.limits)))
}

fn translate(error: &serde_json::Error, limits: &Limits) -> Error {
    let text = error.to_string();
    // The parser's own guard of its stack, for configurations that allow more than it does.
    if text.starts_with("recursion limit exceeded") {
        return too_deep(limits);
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    malformed(text.strip_suffix(&place).unwrap_or(&text), error.line(), error.column())
}

struct ValueSeed<'s, 'l>(&'s mut Sink<'l>);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        encode::write_null(&mut self.0.out);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        encode::write_bool(value, &mut self.0.out);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        encode::write_integer(value, &mut self.0.out);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => encode::write_integer(value, &mut self.0.out),
            Err(_) => encode::write_double(value as f64, &mut self.0.out),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        encode::write_double(value, &mut self.0.out);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        encode::write_str(text, &mut self.0.out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let sink = self.0;
        sink.enter()?;
        let start = encode::open(&mut sink.out);
        let mut count = 0;
        while elements.next_element_seed(ValueSeed(sink))?.is_some() {
            count += 1;
        }
        encode::close_array(start, count, &mut sink.out);
        sink.leave();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let sink = self.0;
        sink.enter()?;
        let start = encode::open(&mut sink.out);
        let base = sink.open_names();
        while members.next_key_seed(NameSeed(sink, base))?.is_some() {
            members.next_value_seed(ValueSeed(sink))?;
        }
        let count = sink.close_names(base)?;
        encode::close_object(start, count, &mut sink.out);
        sink.leave();
        Ok(())
    }
}

struct NameSeed<'s, 'l>(&'s mut Sink<'l>, usize);

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<(), E> {
        self.0.name(name, self.1)
    }
}

struct DocumentsVisitor<'s, 'l>(&'s mut Sink<'l>);

impl<'de> Visitor<'de> for DocumentsVisitor<'_, '_> {
    type Value = Vec<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let sink = self.0;
        let mut documents = Vec::new();
        while elements.next_element_seed(ValueSeed(sink))?.is_some() {
            if documents.len() as u64 >= u64::from(sink.limits.batch_documents) {
                let limit = u64::from(sink.limits.batch_documents);
                let message = format!("more than {limit} documents in one request");
                return Err(sink.refuse(Error::limit("limits.batch_documents", limit, message)));
            }
            if let Err(error) = check_document(&sink.out, sink.limits) {
                return Err(sink.refuse(error.with("index", documents.len() as u64)));
            }
            let capacity = sink.out.len() + 16;
            documents.push(std::mem::replace(&mut sink.out, Vec::with_capacity(capacity)));
        }
        Ok(documents)
    }
}
