//! `$sort`: stable, in memory, as a top-k, or over spill files.
//!
//! Guarantees: documents with equal keys keep the order they came in. Where only the first k can come through, only k are
//! kept. Beyond the memory of the budget, sorted runs go to a spill file and are merged.
//! Leaves to others: the keys (`Sort`).

mod runs;
mod top;

use bytes::Bytes;

use self::runs::{Runs, Spilled};
use self::top::Top;
use super::Documents;
use super::operand::invalid;
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, lazy};
use crate::error::Result;
use crate::query::Sort;
use crate::value::Raw;

/// The most documents that a top-k is kept for.
const TOP_MOST: u64 = 100_000;

/// A compiled `$sort`.
#[derive(Clone, Debug)]
pub(super) struct SortStage {
    sort: Sort,
    most: Option<u64>,
}

/// A document with its key.
pub(super) struct Entry {
    pub(super) key: Box<[u8]>,
    pub(super) document: Bytes,
}

impl Entry {
    pub(super) fn size(&self) -> usize {
        self.key.len() + self.document.len() + size_of::<Self>() + OVERHEAD
    }
}

impl SortStage {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let sort = Sort::parse(raw, parser.context)?;
        if sort.is_empty() {
            return Err(invalid("$sort", "", "needs at least one path"));
        }
        Ok(Self { sort, most: None })
    }

    pub(super) fn sort(&self) -> &Sort {
        &self.sort
    }

    /// Says how many documents can come through what follows.
    pub(super) fn set_most(&mut self, most: Option<u64>) {
        self.most = most;
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        lazy(move || self.sorted(input, env))
    }

    fn sorted<'a>(&'a self, mut input: Documents<'a>, env: Env<'a>) -> Result<Documents<'a>> {
        let mut held = Held::new(env.budget);
        let most = self.most.filter(|most| *most <= TOP_MOST);
        let mut entries = match most {
            None => Vec::new(),
            Some(most) => {
                let mut top = Top::new(most as usize);
                top.take(&self.sort, &mut input, env, &mut held)?;
                top.into_entries()
            }
        };
        let mut runs: Option<Runs> = None;
        let mut key = Vec::new();
        for document in input {
            env.budget.check()?;
            let document = document?;
            key.clear();
            self.sort.write_key(Raw::trusted(&document), &mut key)?;
            let entry = Entry { key: key.as_slice().into(), document };
            if !held.try_take(entry.size()) {
                if runs.is_none() {
                    runs = Runs::open(env.collections)?;
                }
                if runs.as_ref().is_some_and(Runs::is_full) {
                    held.take(usize::MAX)?;
                }
                if let Some(runs) = &mut runs {
                    arrange(&mut entries);
                    runs.write(entries.drain(..), env)?;
                    held.give_all();
                }
                held.take(entry.size())?;
            }
            entries.push(entry);
        }
        arrange(&mut entries);
        let mut entries = entries.into_iter();
        match runs {
            None => Ok(super::stream::generate(env.budget, move || {
                let _held = &held;
                Ok(entries.next().map(|entry| entry.document))
            })),
            Some(mut runs) => {
                runs.write(entries, env)?;
                drop(held);
                let mut spilled = Spilled::new(runs)?;
                Ok(super::stream::generate(env.budget, move || spilled.next_document()))
            }
        }
    }
}

fn arrange(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.key.cmp(&b.key));
}
