//! One value on its way through an expression: missing, borrowed from a document, or made.
//!
//! Guarantees: whatever it is, it reads as encoded bytes through [`Item::raw`]; scalars that were made need no allocation.
//! Leaves to others: what the operators do with it.

use smallvec::SmallVec;

use crate::value::{Decimal128, Raw, Value, encode};

/// The encoding of a value that was made.
pub type Encoded = SmallVec<[u8; 24]>;

/// A value or its absence.
#[derive(Clone, Debug, Default)]
pub enum Item<'a> {
    /// No value: a field that is not there. Not the same as null.
    #[default]
    Missing,
    /// A part of a document.
    Raw(Raw<'a>),
    /// A value that was made.
    Made(Encoded),
}

impl<'a> Item<'a> {
    /// Null.
    pub const NULL: Item<'static> = Item::Raw(Raw::NULL);

    /// The value, if there is one.
    pub fn raw(&self) -> Option<Raw<'_>> {
        match self {
            Self::Missing => None,
            Self::Raw(raw) => Some(*raw),
            Self::Made(bytes) => Some(Raw::trusted(bytes)),
        }
    }

    /// The value, or null where it is missing.
    pub fn raw_or_null(&self) -> Raw<'_> {
        self.raw().unwrap_or(Raw::NULL)
    }

    /// Whether it is missing or null.
    pub fn is_nullish(&self) -> bool {
        self.raw().is_none_or(Raw::is_null)
    }

    /// What `write` encodes.
    pub fn made(write: impl FnOnce(&mut Vec<u8>)) -> Item<'static> {
        let mut bytes = Vec::with_capacity(24);
        write(&mut bytes);
        Item::Made(SmallVec::from_vec(bytes))
    }

    /// A boolean.
    pub fn boolean(value: bool) -> Item<'static> {
        Item::Made(SmallVec::from_slice(&[if value { 0xc3 } else { 0xc2 }]))
    }

    /// An int32.
    pub fn int32(value: i32) -> Item<'static> {
        Self::scalar(|out| encode::write_int32(value, out))
    }

    /// An int64.
    pub fn int64(value: i64) -> Item<'static> {
        Self::scalar(|out| encode::write_int64(value, out))
    }

    /// A double.
    pub fn double(value: f64) -> Item<'static> {
        Self::scalar(|out| encode::write_double(value, out))
    }

    /// A decimal.
    pub fn decimal(value: Decimal128) -> Item<'static> {
        Self::made(|out| encode::write_decimal(value, out))
    }

    /// A text.
    pub fn text(value: &str) -> Item<'static> {
        Self::made(|out| encode::write_str(value, out))
    }

    /// A date in milliseconds.
    pub fn date(ms: i64) -> Item<'static> {
        Self::made(|out| encode::write_date(ms, out))
    }

    /// A tree.
    pub fn value(value: &Value) -> Item<'static> {
        Self::made(|out| encode::encode(value, out))
    }

    /// The value apart from the document that it came from.
    pub fn into_owned(self) -> Item<'static> {
        match self {
            Self::Missing => Item::Missing,
            Self::Raw(raw) => Item::Made(SmallVec::from_slice(raw.as_bytes())),
            Self::Made(bytes) => Item::Made(bytes),
        }
    }

    fn scalar(write: impl FnOnce(&mut Vec<u8>)) -> Item<'static> {
        Self::made(write)
    }
}

impl<'a> From<Raw<'a>> for Item<'a> {
    fn from(raw: Raw<'a>) -> Self {
        Self::Raw(raw)
    }
}

impl<'a> From<Option<Raw<'a>>> for Item<'a> {
    fn from(raw: Option<Raw<'a>>) -> Self {
        raw.map_or(Self::Missing, Self::Raw)
    }
}
