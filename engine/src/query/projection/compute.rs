//! Putting computed fields into a document.
//!
//! Guarantees: a field that is there keeps its place, a new one comes last, in the order given; one whose expression gives no
//! value is left out. A path goes on into objects and through arrays; what is neither becomes an object. Writing stops when
//! the document gets larger than a document may be.
//! Leaves to others: dropping fields before (`shape`).

use smallvec::{SmallVec, smallvec};

use super::fields::{Field, Fields};
use crate::error::Result;
use crate::limits::Limits;
use crate::query::expression::{Expression, Scope};
use crate::query::update::check::check_size;
use crate::value::{Raw, encode};

/// Computing the fields of one document.
pub(super) struct Compute<'c, 'a> {
    /// What the expressions see.
    pub(super) scope: &'c Scope<'a>,
    /// The limits on documents.
    pub(super) limits: &'c Limits,
    /// Where the document begins in the output.
    pub(super) start: usize,
}

impl<'a> Compute<'_, 'a> {
    /// Writes an object with its computed fields.
    pub(super) fn object(
        &self,
        fields: &'a Fields,
        object: Raw<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = encode::open(out);
        let mut count = 0;
        let mut seen: SmallVec<[bool; 16]> = smallvec![false; fields.len()];
        for (name, value) in object.object_iter() {
            let mark = out.len();
            encode::write_str(name, out);
            let written = match fields.find(name.as_bytes()) {
                Some((place, field)) => {
                    if let Some(seen) = seen.get_mut(place) {
                        *seen = true;
                    }
                    self.field(field, value, out)?
                }
                None => {
                    out.extend_from_slice(value.as_bytes());
                    true
                }
            };
            if written {
                count += 1;
            } else {
                out.truncate(mark);
            }
        }
        for ((name, field), _) in fields.list().iter().zip(seen).filter(|(_, seen)| !seen) {
            let mark = out.len();
            encode::write_str(name, out);
            let written = match field {
                Field::Computed(expression) => self.expression(expression, out)?,
                Field::Nested(nested) if nested.computed => {
                    self.object(nested, Raw::NULL, out)?;
                    true
                }
                _ => false,
            };
            if written {
                count += 1;
            } else {
                out.truncate(mark);
            }
        }
        encode::close_object(start, count, out);
        self.check(out)
    }

    fn field(&self, field: &'a Field, value: Raw<'_>, out: &mut Vec<u8>) -> Result<bool> {
        match field {
            Field::Computed(expression) => return self.expression(expression, out),
            Field::Nested(fields) if fields.computed => self.value(fields, value, out)?,
            _ => out.extend_from_slice(value.as_bytes()),
        }
        Ok(true)
    }

    fn value(&self, fields: &'a Fields, value: Raw<'_>, out: &mut Vec<u8>) -> Result<()> {
        if value.as_array().is_none() {
            return self.object(fields, value, out);
        }
        encode::write_array_header(value.member_count(), out);
        for element in value.array_iter() {
            self.value(fields, element, out)?;
        }
        Ok(())
    }

    fn expression(&self, expression: &'a Expression, out: &mut Vec<u8>) -> Result<bool> {
        let item = expression.evaluate(self.scope)?;
        let Some(value) = item.raw() else { return Ok(false) };
        out.extend_from_slice(value.as_bytes());
        self.check(out)?;
        Ok(true)
    }

    fn check(&self, out: &[u8]) -> Result<()> {
        check_size(out.len().saturating_sub(self.start), self.limits)
    }
}
