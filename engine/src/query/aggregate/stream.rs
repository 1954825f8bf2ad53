//! What every stage runs in, and the plumbing between stages.
//!
//! Guarantees: memory taken through [`Held`] is given back when it is dropped; a lazy stage does its work with the first
//! document asked for, and ends after an error.
//! Leaves to others: what the stages do.

use std::sync::Arc;

use bytes::Bytes;

use super::{Collections, Documents};
use crate::error::Result;
use crate::query::expression::Scope;
use crate::query::{Budget, Item};
use crate::value::Raw;

/// Variables by name, without `$$`.
pub(super) type Variables = [(String, Item<'static>)];

/// What a run has beside its documents.
#[derive(Clone, Copy)]
pub(super) struct Env<'a> {
    pub(super) collections: &'a Arc<dyn Collections>,
    pub(super) budget: &'a Budget,
    pub(super) variables: &'a Variables,
    pub(super) now_ms: i64,
}

impl<'a> Env<'a> {
    /// The scope of expressions over `root`.
    #[inline]
    pub(super) fn scope<'s>(&self, root: Raw<'s>) -> Scope<'s>
    where
        'a: 's,
    {
        Scope { root, current: root, now_ms: self.now_ms, variables: self.variables }
    }
}

/// Memory of the budget, given back when dropped.
pub(super) struct Held<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl<'a> Held<'a> {
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Takes more.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        self.budget.take_memory(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes more if there is more.
    pub(super) fn try_take(&mut self, bytes: usize) -> bool {
        self.take(bytes).is_ok()
    }

    /// Gives everything back.
    pub(super) fn give_all(&mut self) {
        self.budget.give_memory(self.bytes);
        self.bytes = 0;
    }

    /// How much is held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.give_all();
    }
}

/// What a kept document costs beside its bytes.
pub(super) const OVERHEAD: usize = 64;

/// Reads all documents into memory.
pub(super) fn collect(
    input: Documents<'_>,
    budget: &Budget,
    held: &mut Held<'_>,
) -> Result<Vec<Bytes>> {
    let mut kept = Vec::new();
    for document in input {
        budget.check()?;
        let document = document?;
        held.take(document.len() + OVERHEAD)?;
        kept.push(document);
    }
    Ok(kept)
}

/// Documents that `start` makes when the first is asked for.
pub(super) fn lazy<'a>(start: impl FnOnce() -> Result<Documents<'a>> + 'a) -> Documents<'a> {
    Box::new(Lazy::Waiting(Some(Box::new(start))))
}

type Start<'a> = Box<dyn FnOnce() -> Result<Documents<'a>> + 'a>;

enum Lazy<'a> {
    Waiting(Option<Start<'a>>),
    Running(Documents<'a>),
}

impl Iterator for Lazy<'_> {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        if let Self::Waiting(start) = self {
            match start.take()?() {
                Ok(documents) => *self = Self::Running(documents),
                Err(error) => return Some(Err(error)),
            }
        }
        match self {
            Self::Running(documents) => documents.next(),
            Self::Waiting(_) => None,
        }
    }
}

/// No documents.
pub(super) fn none<'a>() -> Documents<'a> {
    Box::new(std::iter::empty())
}

/// Documents made by `next`, which ends after the first error; `held` lives as long as they do.
pub(super) fn generate<'a>(
    budget: &'a Budget,
    mut next: impl FnMut() -> Result<Option<Bytes>> + 'a,
) -> Documents<'a> {
    let mut failed = false;
    Box::new(std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let made = budget.check().and_then(|()| next());
        failed = made.is_err();
        made.transpose()
    }))
}
