//! A document that is being changed: encoded where nothing was touched, opened where something is.
//!
//! Guarantees: what was not opened is written back as the same bytes; a node that was opened and not changed encodes to the
//! bytes that it came from. Writing stops when the document gets too large.
//! Leaves to others: what is changed.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::{Raw, encode};

/// A value inside a document that is being changed.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    /// Taken away; its place in an object stays so that the others keep theirs.
    Gone,
    /// As it is in the document or in the update.
    Raw(Raw<'a>),
    /// A value that was made.
    Made(Vec<u8>),
    /// An array that was opened.
    Array(Vec<Node<'a>>),
    /// An object that was opened.
    Object(Members<'a>),
}

/// The members of an opened object.
pub(super) type Members<'a> = Vec<(&'a str, Node<'a>)>;

/// How much an update may still put into a document: no more new bytes than a document may have, so that memory is bounded
/// before the document is written.
pub(super) struct Room<'a> {
    /// The limits on documents.
    pub(super) limits: &'a Limits,
    left: Cell<u64>,
}

impl<'a> Room<'a> {
    /// Room for a whole document.
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, left: Cell::new(limits.document_bytes) }
    }

    /// Takes room for new bytes.
    pub(super) fn take(&self, bytes: usize) -> Result<()> {
        let left = self.left.get().checked_sub(bytes as u64);
        self.left.set(left.ok_or_else(|| too_large(self.limits))?);
        Ok(())
    }
}

/// What an opened node is.
pub(super) enum Opened<'n, 'a> {
    /// An array.
    Array(&'n mut Vec<Node<'a>>),
    /// An object.
    Object(&'n mut Members<'a>),
    /// Neither.
    Scalar,
}

impl<'a> Node<'a> {
    /// Null.
    pub(super) const NULL: Node<'static> = Node::Raw(Raw::NULL);

    /// Whether it was taken away.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Opens an array or object.
    pub(super) fn open(&mut self) -> Opened<'_, 'a> {
        if let Self::Raw(raw) = *self {
            if let Some(elements) = raw.as_array() {
                *self = Self::Array(elements.map(Node::Raw).collect());
            } else if let Some(members) = raw.as_object() {
                *self =
                    Self::Object(members.map(|(name, value)| (name, Node::Raw(value))).collect());
            }
        }
        match self {
            Self::Array(elements) => Opened::Array(elements),
            Self::Object(members) => Opened::Object(members),
            _ => Opened::Scalar,
        }
    }

    /// The elements, if it is an array.
    pub(super) fn open_array(&mut self) -> Option<&mut Vec<Node<'a>>> {
        match self.open() {
            Opened::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value as encoded bytes; one that was opened is closed for it.
    pub(super) fn raw(&mut self, limits: &Limits) -> Result<Raw<'_>> {
        if matches!(self, Self::Array(_) | Self::Object(_)) {
            let mut bytes = Vec::new();
            self.write(limits, &mut bytes)?;
            *self = Self::Made(bytes);
        }
        Ok(match self {
            Self::Raw(raw) => *raw,
            Self::Made(bytes) => Raw::trusted(bytes),
            _ => Raw::NULL,
        })
    }

    /// Writes the value.
    pub(super) fn write(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Gone => encode::write_null(out),
            Self::Raw(raw) => out.extend_from_slice(raw.as_bytes()),
            Self::Made(bytes) => out.extend_from_slice(bytes),
            Self::Array(elements) => {
                encode::write_array_header(elements.len(), out);
                for element in elements {
                    element.write(limits, out)?;
                }
            }
            Self::Object(members) => write_members(members, limits, out)?,
        }
        check_size(out.len(), limits)
    }
}

/// Writes an object of those members that are still there.
pub(super) fn write_members(
    members: &Members<'_>,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<()> {
    let left = members.iter().filter(|(_, node)| !node.is_gone());
    encode::write_object_header(left.clone().count(), out);
    for (name, node) in left {
        encode::write_str(name, out);
        node.write(limits, out)?;
    }
    Ok(())
}

/// Refuses a document of so many bytes if it is too large.
pub(in crate::query) fn check_size(bytes: usize, limits: &Limits) -> Result<()> {
    if bytes as u64 <= limits.document_bytes {
        return Ok(());
    }
    Err(too_large(limits))
}

fn too_large(limits: &Limits) -> Error {
    let message = format!(
        "the document would be larger than {} bytes (limits.document_bytes)",
        limits.document_bytes
    );
    Error::limit("limits.document_bytes", limits.document_bytes, message)
}
