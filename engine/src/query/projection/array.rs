//! What a projection shows of an array: a slice, the first element that matches, or one element by its place.
//!
//! Guarantees: elements are copied as they are encoded.
//! Leaves to others: where the array is.

use crate::error::{Error, Result};
use crate::query::update::{integer, wrap};
use crate::query::{Context, Filter};
use crate::value::{Raw, encode};

/// A `$slice` of a find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// Where it begins; from the end where negative.
    skip: i64,
    /// How many it has at most.
    limit: i64,
}

impl Slice {
    /// Reads `n`, `-n` or `[skip, limit]`.
    pub(super) fn parse(operand: Raw<'_>) -> Result<Self, &'static str> {
        if operand.as_array().is_some() {
            let (Some(skip), Some(limit), 2) = (
                operand.at(0).and_then(integer),
                operand.at(1).and_then(integer),
                operand.member_count(),
            ) else {
                return Err("needs an integer or two integers as $slice");
            };
            if limit <= 0 {
                return Err("needs a positive limit in $slice");
            }
            return Ok(Self { skip, limit });
        }
        match integer(operand) {
            Some(count) if count >= 0 => Ok(Self { skip: 0, limit: count }),
            Some(count) => Ok(Self { skip: count, limit: i64::MAX }),
            None => Err("needs an integer or two integers as $slice"),
        }
    }

    /// Writes the slice of an array; anything else as it is.
    pub(super) fn write(self, value: Raw<'_>, out: &mut Vec<u8>) {
        if value.as_array().is_none() {
            return out.extend_from_slice(value.as_bytes());
        }
        let size = usize::try_from(self.skip.unsigned_abs()).unwrap_or(usize::MAX);
        let skip = if self.skip >= 0 { size } else { value.member_count().saturating_sub(size) };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let start = encode::open(out);
        let mut count = 0;
        for element in value.array_iter().skip(skip).take(limit) {
            out.extend_from_slice(element.as_bytes());
            count += 1;
        }
        encode::close_array(start, count, out);
    }
}

/// An `$elemMatch` of a find.
#[derive(Clone, Debug)]
pub(super) struct FirstMatch(Box<Filter>);

/// The name under which an array is put to the condition.
const ARRAY: &str = "array";

impl FirstMatch {
    /// Reads `{$elemMatch: condition}`.
    pub(super) fn parse(operand: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let filter = Filter::parse(Raw::trusted(&wrap(ARRAY, operand)), context)?;
        Ok(Self(Box::new(filter)))
    }

    /// Writes the first element that matches, as an array; whether there is one.
    pub(super) fn write(&self, value: Raw<'_>, out: &mut Vec<u8>) -> Result<bool> {
        if value.as_array().is_none() {
            return Ok(false);
        }
        let position = self.0.find_position(Raw::trusted(&wrap(ARRAY, value)))?;
        let element = position.and_then(|position| position.element);
        let Some(element) = element.and_then(|index| value.at(index)) else { return Ok(false) };
        write_one(element, out);
        Ok(true)
    }
}

/// The element that the positional `$` stands for.
pub(super) fn positional(array: Raw<'_>, index: usize) -> Result<Raw<'_>> {
    array.at(index).ok_or_else(|| {
        Error::invalid(
            "positional_without_array",
            format!("the positional `$` stands for element {index}, which the array does not have"),
        )
        .with("operator", "$")
    })
}

/// Writes an array of one element.
pub(super) fn write_one(element: Raw<'_>, out: &mut Vec<u8>) {
    encode::write_array_header(1, out);
    out.extend_from_slice(element.as_bytes());
}
