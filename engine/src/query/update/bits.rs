//! `$bit`: and, or, xor on integers.
//!
//! Guarantees: two ints give an int, anything with a long a long.
//! Leaves to others: values that are not there, which count as int 0.

use crate::value::{Raw, ValueKind, encode};

/// The operations in the order written.
#[derive(Clone, Debug)]
pub(super) struct Bits(Vec<(Operation, i64, bool)>);

#[derive(Clone, Copy, Debug)]
enum Operation {
    And,
    Or,
    Xor,
}

impl Bits {
    /// Reads `{and: 1}` and the like.
    pub(super) fn parse(operand: Raw<'_>) -> Result<Self, &'static str> {
        let wrong = "needs {and|or|xor: integer} as its operand";
        let mut operations = Vec::new();
        for (name, number) in operand.as_object().ok_or(wrong)? {
            let operation = match name {
                "and" => Operation::And,
                "or" => Operation::Or,
                "xor" => Operation::Xor,
                _ => return Err(wrong),
            };
            let is_long = number.kind() == ValueKind::Int64;
            operations.push((operation, number.as_i64().ok_or(wrong)?, is_long));
        }
        if operations.is_empty() { Err(wrong) } else { Ok(Self(operations)) }
    }

    /// The new value, encoded; `None` where the old one is not an integer.
    pub(super) fn apply(&self, value: Raw<'_>) -> Option<Vec<u8>> {
        let mut number = value.as_i64()?;
        let mut is_long = value.kind() == ValueKind::Int64;
        for (operation, operand, long) in &self.0 {
            number = match operation {
                Operation::And => number & operand,
                Operation::Or => number | operand,
                Operation::Xor => number ^ operand,
            };
            is_long |= long;
        }
        let mut out = Vec::with_capacity(9);
        match i32::try_from(number) {
            Ok(small) if !is_long => encode::write_int32(small, &mut out),
            _ => encode::write_int64(number, &mut out),
        }
        Some(out)
    }
}
