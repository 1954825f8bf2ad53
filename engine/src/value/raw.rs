//! A view of one encoded value: type, contents and members without building a tree.
//!
//! Guarantees: no accessor panics, and what passed `check::validate` reads back exactly. Copying a [`Raw`] is free.
//! Leaves to others: judging untrusted bytes. A [`Raw`] made by [`Raw::trusted`] over damaged bytes reads as null, an
//! empty text, or a shorter array or object.

use std::fmt;

use super::check;
use super::decimal::Decimal128;
use super::kind::ValueKind;
use super::owned::{Object, Value};
use super::token::{Cursor, Token};
use crate::Result;

/// Exactly one encoded value.
#[derive(Clone, Copy)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// Null.
    pub const NULL: Raw<'static> = Raw(&[0xc0]);

    /// A value that this program encoded, or that was validated before.
    pub fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// A value from bytes that nobody vouches for.
    pub fn validated(bytes: &'a [u8]) -> Result<Self> {
        check::validate(bytes)?;
        Ok(Self(bytes))
    }

    /// The first value of `bytes`, and the bytes after it; for values written one after another.
    pub fn split_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut cursor = Cursor::new(bytes);
        let value = cursor.skip()?;
        Some((Self(value), cursor.rest()))
    }

    /// The encoding.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value, or the header of an array or object.
    #[inline]
    pub fn token(self) -> Token<'a> {
        Cursor::new(self.0).next_token().unwrap_or(Token::Null)
    }

    /// The type.
    pub fn kind(self) -> ValueKind {
        self.token().kind()
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        matches!(self.token(), Token::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.token() {
            Token::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is an int32 or int64.
    pub fn as_i64(self) -> Option<i64> {
        match self.token() {
            Token::Int32(value) => Some(i64::from(value)),
            Token::Int64(value) => Some(value),
            _ => None,
        }
    }

    /// The double, if it is one.
    pub fn as_double(self) -> Option<f64> {
        match self.token() {
            Token::Double(value) => Some(value),
            _ => None,
        }
    }

    /// The decimal, if it is one.
    pub fn as_decimal(self) -> Option<Decimal128> {
        match self.token() {
            Token::Decimal(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_str(self) -> Option<&'a str> {
        match self.token() {
            Token::String(bytes) => Some(text(bytes)),
            _ => None,
        }
    }

    /// The milliseconds, if it is a date.
    pub fn as_date(self) -> Option<i64> {
        match self.token() {
            Token::Date(ms) => Some(ms),
            _ => None,
        }
    }

    /// The id, if it is an ObjectId.
    pub fn as_object_id(self) -> Option<[u8; 12]> {
        match self.token() {
            Token::ObjectId(id) => Some(*id),
            _ => None,
        }
    }

    /// Subtype and bytes, if it is a binary.
    pub fn as_binary(self) -> Option<(u8, &'a [u8])> {
        match self.token() {
            Token::Binary(subtype, bytes) => Some((subtype, bytes)),
            _ => None,
        }
    }

    /// Pattern and options, if it is a regular expression.
    pub fn as_regex(self) -> Option<(&'a str, &'a str)> {
        match self.token() {
            Token::Regex(pattern, options) => Some((text(pattern), text(options))),
            _ => None,
        }
    }

    /// Seconds and counter, if it is a timestamp.
    pub fn as_timestamp(self) -> Option<(u32, u32)> {
        match self.token() {
            Token::Timestamp(t, i) => Some((t, i)),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(self) -> Option<ArrayIter<'a>> {
        let mut cursor = Cursor::new(self.0);
        match cursor.next_token() {
            Some(Token::Array(left)) => Some(ArrayIter { cursor, left }),
            _ => None,
        }
    }

    /// The members, if it is an object.
    pub fn as_object(self) -> Option<ObjectIter<'a>> {
        let mut cursor = Cursor::new(self.0);
        match cursor.next_token() {
            Some(Token::Object(left)) => Some(ObjectIter { cursor, left }),
            _ => None,
        }
    }

    /// The elements of an array; none for anything else.
    pub fn array_iter(self) -> ArrayIter<'a> {
        self.as_array().unwrap_or(ArrayIter { cursor: Cursor::new(&[]), left: 0 })
    }

    /// The members of an object; none for anything else.
    pub fn object_iter(self) -> ObjectIter<'a> {
        self.as_object().unwrap_or(ObjectIter { cursor: Cursor::new(&[]), left: 0 })
    }

    /// How many elements or members an array or object has; 0 for anything else.
    pub fn member_count(self) -> usize {
        match self.token() {
            Token::Array(len) | Token::Object(len) => len,
            _ => 0,
        }
    }

    /// A member of an object.
    pub fn get(self, name: &str) -> Option<Raw<'a>> {
        let mut cursor = Cursor::new(self.0);
        let Some(Token::Object(len)) = cursor.next_token() else { return None };
        for _ in 0..len {
            let found = cursor.name()? == name.as_bytes();
            let value = cursor.skip()?;
            if found {
                return Some(Raw(value));
            }
        }
        None
    }

    /// An element of an array.
    pub fn at(self, index: usize) -> Option<Raw<'a>> {
        self.array_iter().nth(index)
    }

    /// The value as a tree.
    pub fn to_value(self) -> Value {
        read_value(&mut Cursor::new(self.0)).unwrap_or_default()
    }
}

/// Shows the value as plain JSON.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = Vec::new();
        super::json::write(*self, &mut json);
        f.write_str(&String::from_utf8_lossy(&json))
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct ArrayIter<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.cursor.skip().map(Raw)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// The members of an object, in order.
#[derive(Clone, Debug)]
pub struct ObjectIter<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> ObjectIter<'a> {
    /// The next member with the bytes of its name, which saves the check for UTF-8.
    pub fn next_bytes(&mut self) -> Option<(&'a [u8], Raw<'a>)> {
        self.left = self.left.checked_sub(1)?;
        Some((self.cursor.name()?, Raw(self.cursor.skip()?)))
    }
}

impl<'a> Iterator for ObjectIter<'a> {
    type Item = (&'a str, Raw<'a>);

    fn next(&mut self) -> Option<(&'a str, Raw<'a>)> {
        self.next_bytes().map(|(name, value)| (text(name), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// The text of bytes that are UTF-8 unless they are damaged.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn read_value(cursor: &mut Cursor<'_>) -> Option<Value> {
    Some(match cursor.next_token()? {
        Token::Null => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Int32(value) => Value::Int32(value),
        Token::Int64(value) => Value::Int64(value),
        Token::Double(value) => Value::Double(value),
        Token::Decimal(value) => Value::Decimal(value),
        Token::String(bytes) => Value::String(text(bytes).to_owned()),
        Token::Date(ms) => Value::Date(ms),
        Token::ObjectId(id) => Value::ObjectId(*id),
        Token::Binary(subtype, bytes) => Value::Binary { subtype, bytes: bytes.to_vec() },
        Token::Array(len) => {
            let elements = (0..len).map_while(|_| read_value(cursor));
            Value::Array(elements.collect())
        }
        Token::Object(len) => {
            let members = (0..len).map_while(|_| {
                let name = text(cursor.name()?).to_owned();
                Some((name, read_value(cursor)?))
            });
            Value::Object(members.collect::<Object>())
        }
        Token::Regex(pattern, options) => {
            Value::Regex { pattern: text(pattern).to_owned(), options: text(options).to_owned() }
        }
        Token::Timestamp(t, i) => Value::Timestamp { t, i },
        Token::MinKey => Value::MinKey,
        Token::MaxKey => Value::MaxKey,
    })
}
