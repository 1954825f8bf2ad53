//! `$unwind`: a document for each element of an array.
//!
//! Guarantees: what is no array counts as one element, whose index is null. Null, missing and `[]` drop the document, or
//! keep it where asked (`[]` then goes away, null stays). Indexes are longs.
//! Leaves to others: nothing.

use bytes::Bytes;

use super::Documents;
use super::document::{get_nested, set_path};
use super::operand::{field_name, field_reference, flag, options, required};
use super::stream::{Env, generate};
use crate::error::Result;
use crate::value::{Raw, encode};

const STAGE: &str = "$unwind";

/// A compiled `$unwind`.
#[derive(Clone, Debug)]
pub(super) struct Unwind {
    path: String,
    index: Option<String>,
    preserve: bool,
}

/// The document being taken apart, and where its elements are.
struct Open {
    document: Bytes,
    /// The place of the elements not given yet.
    rest: usize,
    left: usize,
    index: i64,
}

impl Unwind {
    pub(super) fn parse(raw: Raw<'_>) -> Result<Self> {
        if raw.as_object().is_none() {
            let path = field_reference(STAGE, "path", raw)?.to_owned();
            return Ok(Self { path, index: None, preserve: false });
        }
        let names = ["path", "includeArrayIndex", "preserveNullAndEmptyArrays"];
        let [path, index, preserve] = options(STAGE, "", raw, names)?;
        Ok(Self {
            path: field_reference(STAGE, "path", required(STAGE, "path", path)?)?.to_owned(),
            index: index
                .map(|index| field_name(STAGE, "includeArrayIndex", index).map(str::to_owned))
                .transpose()?,
            preserve: flag(STAGE, "preserveNullAndEmptyArrays", preserve)?,
        })
    }

    pub(super) fn run<'a>(&'a self, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut open: Option<Open> = None;
        generate(env.budget, move || {
            loop {
                env.budget.check()?;
                if let Some(at) = &mut open {
                    if let Some(made) = self.next_of(at) {
                        return Ok(Some(made));
                    }
                    open = None;
                }
                let Some(document) = input.next().transpose()? else { return Ok(None) };
                let (made, array) = self.begin(document);
                open = array;
                if made.is_some() {
                    return Ok(made);
                }
            }
        })
    }

    /// A document that stays one, or the array to take apart.
    fn begin(&self, document: Bytes) -> (Option<Bytes>, Option<Open>) {
        let raw = Raw::trusted(&document);
        let value = get_nested(raw, &self.path);
        let len = match value {
            None => return (self.preserve.then(|| self.plain(raw, None)), None),
            Some(value) if value.is_null() => {
                return (self.preserve.then(|| self.plain(raw, Some(value))), None);
            }
            Some(value) if value.as_array().is_none() => {
                return (Some(self.plain(raw, Some(value))), None);
            }
            Some(value) if value.member_count() == 0 => {
                return (self.preserve.then(|| self.plain(raw, None)), None);
            }
            Some(value) => value.member_count(),
        };
        let rest = value.and_then(|value| elements_place(raw, value)).unwrap_or(document.len());
        (None, Some(Open { document, rest, left: len, index: 0 }))
    }

    /// The document with its value as it is (or without it), and null as the index.
    fn plain(&self, document: Raw<'_>, value: Option<Raw<'_>>) -> Bytes {
        let mut out = Vec::with_capacity(document.as_bytes().len() + 16);
        set_path(document, &self.path, value.map(Raw::as_bytes), &mut out);
        self.indexed(out, Raw::NULL.as_bytes())
    }

    fn next_of(&self, open: &mut Open) -> Option<Bytes> {
        open.left = open.left.checked_sub(1)?;
        let (element, after) = Raw::split_first(open.document.get(open.rest..)?)?;
        let mut out = Vec::with_capacity(open.document.len());
        let document = Raw::trusted(&open.document);
        set_path(document, &self.path, Some(element.as_bytes()), &mut out);
        let mut index = Vec::new();
        encode::write_int64(open.index, &mut index);
        open.index += 1;
        open.rest = open.document.len() - after.len();
        Some(self.indexed(out, &index))
    }

    fn indexed(&self, document: Vec<u8>, index: &[u8]) -> Bytes {
        let Some(path) = &self.index else { return Bytes::from(document) };
        let mut out = Vec::with_capacity(document.len() + path.len() + 12);
        set_path(Raw::trusted(&document), path, Some(index), &mut out);
        Bytes::from(out)
    }
}

/// Where the first element of `array`, which lies in `document`, begins.
fn elements_place(document: Raw<'_>, array: Raw<'_>) -> Option<usize> {
    let first = array.at(0)?;
    (first.as_bytes().as_ptr() as usize).checked_sub(document.as_bytes().as_ptr() as usize)
}
