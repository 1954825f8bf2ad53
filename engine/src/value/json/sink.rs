//! Where read JSON goes: the encoding so far, and what reading has to remember about open objects.

use crate::limits::Limits;
use crate::value::encode;
use crate::{Error, Result};

/// Up to this many members, names are compared with each other; past it they are sorted once.
const LINEAR_NAMES_MAX: usize = 24;

/// Where the encoding goes, and what reading has to remember.
pub(super) struct Sink<'l> {
    pub(super) limits: &'l Limits,
    pub(super) out: Vec<u8>,
    depth: u32,
    /// Where the names of the open objects lie in `out`. What comes after an open object's header never moves while
    /// the object is open, so the places hold until it closes.
    names: Vec<(usize, usize)>,
    /// Our own error, which the parser cannot carry.
    pub(super) refused: Option<Error>,
}

impl<'l> Sink<'l> {
    pub(super) fn new(limits: &'l Limits, capacity: usize) -> Self {
        let out = Vec::with_capacity(capacity + 16);
        Self { limits, out, depth: 0, names: Vec::new(), refused: None }
    }

    /// Keeps our error and gives the parser one to stop at.
    pub(super) fn refuse<E: serde::de::Error>(&mut self, error: Error) -> E {
        self.refused = Some(error);
        E::custom("refused")
    }

    pub(super) fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth >= self.limits.nesting {
            return Err(self.refuse(too_deep(self.limits)));
        }
        self.depth += 1;
        Ok(())
    }

    /// Writes a member's name; `base` is where the object's names begin.
    pub(super) fn name<E: serde::de::Error>(&mut self, name: &str, base: usize) -> Result<(), E> {
        if name.len() as u64 > u64::from(self.limits.member_name_bytes) {
            let limit = u64::from(self.limits.member_name_bytes);
            let message = format!("a member name has {} bytes", name.len());
            return Err(self.refuse(Error::limit("limits.member_name_bytes", limit, message)));
        }
        encode::write_str(name, &mut self.out);
        let end = self.out.len();
        let place = (end - name.len(), end);
        let siblings = &self.names[base..];
        if siblings.len() < LINEAR_NAMES_MAX {
            let same = |&(start, end): &(usize, usize)| self.out[start..end] == *name.as_bytes();
            if siblings.iter().any(same) {
                return Err(self.refuse(duplicate(name)));
            }
        }
        self.names.push(place);
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Where the names of an object that opens now begin.
    pub(super) fn open_names(&self) -> usize {
        self.names.len()
    }

    /// Forgets the names of an object that closes and gives their number, after looking at those that were too many to
    /// compare one by one.
    pub(super) fn close_names<E: serde::de::Error>(&mut self, base: usize) -> Result<usize, E> {
        if self.names.len() - base > LINEAR_NAMES_MAX {
            let out = &self.out;
            let bytes = |&(start, end): &(usize, usize)| &out[start..end];
            self.names[base..].sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
            let pair =
                self.names[base..].windows(2).find(|pair| bytes(&pair[0]) == bytes(&pair[1]));
            if let Some(pair) = pair {
                let name = String::from_utf8_lossy(bytes(&pair[0])).into_owned();
                return Err(self.refuse(duplicate(&name)));
            }
        }
        let count = self.names.len() - base;
        self.names.truncate(base);
        Ok(count)
    }
}

fn duplicate(name: &str) -> Error {
    Error::invalid("duplicate_member", format!("member \"{name}\" is there twice"))
        .with("member", name)
}

pub(super) fn too_deep(limits: &Limits) -> Error {
    let message = format!("JSON is nested more than {} deep", limits.nesting);
    Error::limit("limits.nesting", u64::from(limits.nesting), message)
}
