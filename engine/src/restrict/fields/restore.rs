//! Putting hidden fields back into a document that came from somebody who does not see them.
//!
//! Guarantees: nothing hidden is lost, moved to another element of an array, or overwritten; where that cannot be kept the
//! document is refused, with the path. What `cut` took out of a document comes back to the byte.

use std::collections::{HashMap, HashSet};

use super::cut::{Place, Sight, Trail};
use super::{FieldRule, ID};
use crate::error::{Error, ErrorKind, Result};
use crate::value::token::Token;
use crate::value::{Raw, encode};

impl FieldRule {
    pub(super) fn restore_document(&self, before: Raw<'_>, shown: Raw<'_>) -> Result<Vec<u8>> {
        let size = before.as_bytes().len() + shown.as_bytes().len();
        let mut out = Vec::with_capacity(size);
        self.merge(before, Some(shown), self.top(), true, &mut Trail::new(true), &mut out)?;
        Ok(out)
    }

    /// Writes the object that has the hidden members of `before` and those of `shown`; how many those are.
    fn merge(
        &self,
        before: Raw<'_>,
        shown: Option<Raw<'_>>,
        place: Place<'_>,
        top: bool,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> Result<usize> {
        let shown = shown.unwrap_or(Raw::NULL);
        let given: HashMap<&str, Raw<'_>> = shown.object_iter().collect();
        let mut old = HashSet::new();
        let header = encode::open(out);
        let mut count = 0;
        for (name, value) in before.object_iter() {
            old.insert(name);
            let start = out.len();
            encode::write_str(name, out);
            let new = given.get(name).copied();
            let up = trail.enter(name.as_bytes());
            let sight = if top && name.as_bytes() == ID {
                Sight::Shown
            } else {
                self.step(place, name.as_bytes(), trail)
            };
            let stays = match sight {
                Sight::Hidden => put(Some(value), out),
                Sight::Shown => put(new, out),
                Sight::Partly(beneath) => self.put_back(value, new, beneath, trail, out)?,
            };
            trail.back(up);
            if stays {
                count += 1;
            } else {
                out.truncate(start);
            }
        }
        for (name, value) in shown.object_iter().filter(|(name, _)| !old.contains(name)) {
            encode::write_str(name, out);
            put(Some(value), out);
            count += 1;
        }
        encode::close_object(header, count, out);
        Ok(count)
    }

    /// Writes what becomes of a value that is shown in part, `new` being what is there now; whether anything is.
    fn put_back(
        &self,
        before: Raw<'_>,
        new: Option<Raw<'_>>,
        place: Place<'_>,
        trail: &mut Trail,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut shown = Vec::new();
        let is_seen = self.cut_value(before, place, trail, &mut shown);
        let is_whole =
            !is_seen && new.is_none() || new.is_some_and(|new| is_seen && new.as_bytes() == shown);
        if is_whole {
            return Ok(put(Some(before), out));
        }
        let is_object = |value: Raw<'_>| matches!(value.token(), Token::Object(_));
        if is_object(before) && new.is_none_or(is_object) {
            let start = out.len();
            let left = self.merge(before, new, place, false, trail, out)?;
            let stays = left > 0 || new.is_some();
            if !stays {
                out.truncate(start);
            }
            return Ok(stays);
        }
        if !self.hides_part_of(before, place, trail) {
            return Ok(put(new, out));
        }
        Err(refused(before, trail))
    }

    /// Whether a value that is shown in part has something in it that is hidden; empty arrays and objects are nothing.
    fn hides_part_of(&self, value: Raw<'_>, place: Place<'_>, trail: &mut Trail) -> bool {
        match value.token() {
            Token::Array(_) => {
                value.array_iter().any(|element| self.hides_part_of(element, place, trail))
            }
            Token::Object(_) => value.object_iter().any(|(name, value)| {
                let up = trail.enter(name.as_bytes());
                let hides = match self.step(place, name.as_bytes(), trail) {
                    Sight::Hidden => true,
                    Sight::Shown => false,
                    Sight::Partly(beneath) => self.hides_part_of(value, beneath, trail),
                };
                trail.back(up);
                hides
            }),
            _ => !place.is_included(),
        }
    }
}

/// Writes a value if there is one.
fn put(value: Option<Raw<'_>>, out: &mut Vec<u8>) -> bool {
    if let Some(value) = value {
        out.extend_from_slice(value.as_bytes());
    }
    value.is_some()
}

fn refused(before: Raw<'_>, trail: &Trail) -> Error {
    let path = trail.text();
    let (code, message) = match before.token() {
        Token::Array(_) => (
            "hidden_fields_in_array",
            format!(
                "the array at `{path}` has fields that you may not see: it can only stay as it is"
            ),
        ),
        _ => (
            "hidden_fields_under_value",
            format!(
                "there are fields at `{path}` that you may not see: no other value can take their place"
            ),
        ),
    };
    Error::new(ErrorKind::Forbidden, code, message).with("path", path)
}
