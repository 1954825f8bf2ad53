//! Reading encoded bytes token by token: the one place that knows the bytes of a value when reading.
//!
//! Guarantees: [`Cursor::next_token`] and [`Cursor::skip`] never panic and never read past the bytes, whatever the bytes
//! are; damage and the end are `None`. No recursion, no allocation.
//! Leaves to others: whether strings are UTF-8 and headers minimal (`check`), and the nesting.

use super::decimal::Decimal128;
use super::encode::{
    EXT_BINARY, EXT_DATE, EXT_DECIMAL, EXT_MAX_KEY, EXT_MIN_KEY, EXT_OBJECT_ID, EXT_REGEX,
    EXT_TIMESTAMP,
};
use super::kind::ValueKind;

/// A scalar, or the header of an array or object whose contents come next.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An int32.
    Int32(i32),
    /// An int64.
    Int64(i64),
    /// A double.
    Double(f64),
    /// A decimal.
    Decimal(Decimal128),
    /// A string's bytes.
    String(&'a [u8]),
    /// A date in milliseconds.
    Date(i64),
    /// An ObjectId.
    ObjectId(&'a [u8; 12]),
    /// A binary: subtype and bytes.
    Binary(u8, &'a [u8]),
    /// An array's length; the elements come next.
    Array(usize),
    /// An object's length; names and values come next, in turn.
    Object(usize),
    /// A regular expression: pattern and options.
    Regex(&'a [u8], &'a [u8]),
    /// A timestamp: seconds and counter.
    Timestamp(u32, u32),
    /// The min key.
    MinKey,
    /// The max key.
    MaxKey,
}

impl Token<'_> {
    /// The type of the value that this token is or begins.
    pub fn kind(&self) -> ValueKind {
        match self {
            Self::Null => ValueKind::Null,
            Self::Bool(_) => ValueKind::Bool,
            Self::Int32(_) => ValueKind::Int32,
            Self::Int64(_) => ValueKind::Int64,
            Self::Double(_) => ValueKind::Double,
            Self::Decimal(_) => ValueKind::Decimal,
            Self::String(_) => ValueKind::String,
            Self::Date(_) => ValueKind::Date,
            Self::ObjectId(_) => ValueKind::ObjectId,
            Self::Binary(..) => ValueKind::Binary,
            Self::Array(_) => ValueKind::Array,
            Self::Object(_) => ValueKind::Object,
            Self::Regex(..) => ValueKind::Regex,
            Self::Timestamp(..) => ValueKind::Timestamp,
            Self::MinKey => ValueKind::MinKey,
            Self::MaxKey => ValueKind::MaxKey,
        }
    }
}

/// A place in encoded bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next token without moving.
    pub fn peek(&self) -> Option<Token<'a>> {
        Cursor::new(self.rest).next_token()
    }

    /// The next token.
    #[inline]
    pub fn next_token(&mut self) -> Option<Token<'a>> {
        let (&tag, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match tag {
            0x00..=0x7f => Token::Int32(i32::from(tag)),
            0x80..=0x8f => Token::Object(usize::from(tag & 0x0f)),
            0x90..=0x9f => Token::Array(usize::from(tag & 0x0f)),
            0xa0..=0xbf => Token::String(self.take(usize::from(tag & 0x1f))?),
            0xc0 => Token::Null,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xcb => Token::Double(f64::from_be_bytes(*self.chunk()?)),
            0xd0 => Token::Int32(i32::from(i8::from_be_bytes(*self.chunk()?))),
            0xd1 => Token::Int32(i32::from(i16::from_be_bytes(*self.chunk()?))),
            0xd2 => Token::Int32(i32::from_be_bytes(*self.chunk()?)),
            0xd3 => Token::Int64(i64::from_be_bytes(*self.chunk()?)),
            0xd9..=0xdb => {
                let len = self.len(tag - 0xd9)?;
                Token::String(self.take(len)?)
            }
            0xdc | 0xdd => Token::Array(self.len(tag - 0xdc + 1)?),
            0xde | 0xdf => Token::Object(self.len(tag - 0xde + 1)?),
            0xc7..=0xc9 => {
                let len = self.len(tag - 0xc7)?;
                self.extension(len)?
            }
            0xd4..=0xd8 => self.extension(1 << (tag - 0xd4))?,
            0xe0..=0xff => Token::Int32(i32::from(tag.cast_signed())),
            _ => return None,
        })
    }

    /// Moves past one whole value and gives its bytes. Looks at lengths only.
    #[inline]
    pub fn skip(&mut self) -> Option<&'a [u8]> {
        let before = self.rest;
        let mut left = 1_usize;
        while left > 0 {
            left = (left - 1).checked_add(self.skip_token()?)?;
        }
        before.get(..before.len() - self.rest.len())
    }

    /// Moves past one token and gives how many values belong to it.
    #[inline]
    fn skip_token(&mut self) -> Option<usize> {
        let (&tag, rest) = self.rest.split_first()?;
        self.rest = rest;
        let payload = match tag {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => return Some(0),
            0x80..=0x8f => return Some(2 * usize::from(tag & 0x0f)),
            0x90..=0x9f => return Some(usize::from(tag & 0x0f)),
            0xdc | 0xdd => return self.len(tag - 0xdc + 1),
            0xde | 0xdf => return self.len(tag - 0xde + 1)?.checked_mul(2),
            0xa0..=0xbf => usize::from(tag & 0x1f),
            0xcb | 0xd3 => 8,
            0xd0..=0xd2 => 1 << (tag - 0xd0),
            0xd9..=0xdb => self.len(tag - 0xd9)?,
            // An extension's type comes before its payload.
            0xd4..=0xd8 => 1 + (1 << (tag - 0xd4)),
            0xc7..=0xc9 => self.len(tag - 0xc7)?.checked_add(1)?,
            _ => return None,
        };
        self.take(payload).map(|_| 0)
    }

    /// The bytes of a member's name.
    pub fn name(&mut self) -> Option<&'a [u8]> {
        match self.next_token()? {
            Token::String(name) => Some(name),
            _ => None,
        }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(taken)
    }

    /// A length of 1, 2 or 4 bytes, for a width of 0, 1 or 2.
    fn len(&mut self, width: u8) -> Option<usize> {
        match width {
            0 => self.chunk::<1>().map(|[len]| usize::from(*len)),
            1 => self.chunk().map(|len| usize::from(u16::from_be_bytes(*len))),
            _ => usize::try_from(u32::from_be_bytes(*self.chunk()?)).ok(),
        }
    }

    fn extension(&mut self, len: usize) -> Option<Token<'a>> {
        let [ext] = *self.chunk()?;
        let payload = self.take(len)?;
        match ext {
            EXT_DATE => payload.try_into().ok().map(|ms| Token::Date(i64::from_be_bytes(ms))),
            EXT_OBJECT_ID => payload.try_into().ok().map(Token::ObjectId),
            EXT_BINARY => {
                payload.split_first().map(|(subtype, bytes)| Token::Binary(*subtype, bytes))
            }
            EXT_DECIMAL => {
                payload.try_into().ok().map(|bytes| Token::Decimal(Decimal128::from_bytes(bytes)))
            }
            EXT_REGEX => {
                let nul = payload.iter().rposition(|byte| *byte == 0)?;
                Some(Token::Regex(&payload[..nul], &payload[nul + 1..]))
            }
            EXT_TIMESTAMP => {
                let (t, i) = payload.split_first_chunk::<4>()?;
                Some(Token::Timestamp(
                    u32::from_be_bytes(*t),
                    u32::from_be_bytes(i.try_into().ok()?),
                ))
            }
            EXT_MIN_KEY if payload.is_empty() => Some(Token::MinKey),
            EXT_MAX_KEY if payload.is_empty() => Some(Token::MaxKey),
            _ => None,
        }
    }
}
