//! Which groups may want an event: by its collection, and by values of its document.
//!
//! Guarantees: every group that wants an event is found; one is found once.

use std::collections::HashMap;

use super::interests::{Equality, Interests};
use crate::event::{Event, EventKind};
use crate::query::find::each_value;
use crate::value::path::Path;
use crate::value::{Raw, key};

/// Groups by where their events lie.
#[derive(Default)]
pub(super) struct Index {
    everywhere: Vec<usize>,
    collections: HashMap<String, OfCollection>,
}

#[derive(Default)]
struct OfCollection {
    /// Groups that want anything of it, as far as the index can tell.
    all: Vec<usize>,
    by_path: Vec<ByPath>,
}

struct ByPath {
    path: Path,
    values: HashMap<Vec<u8>, Vec<usize>>,
}

impl Index {
    pub(super) fn add(&mut self, slot: usize, interests: &Interests) {
        let Interests::In(interests) = interests else { return self.everywhere.push(slot) };
        for interest in interests {
            let of = self.collections.entry(interest.collection.clone()).or_default();
            match &interest.equality {
                Some(equality) => of.add(slot, equality),
                None => of.all.push(slot),
            }
        }
    }

    pub(super) fn remove(&mut self, slot: usize, interests: &Interests) {
        let without = |slots: &mut Vec<usize>| slots.retain(|one| *one != slot);
        let Interests::In(interests) = interests else { return without(&mut self.everywhere) };
        for interest in interests {
            let Some(of) = self.collections.get_mut(&interest.collection) else { continue };
            match &interest.equality {
                Some(equality) => of.remove(slot, equality),
                None => without(&mut of.all),
            }
            if of.all.is_empty() && of.by_path.is_empty() {
                self.collections.remove(&interest.collection);
            }
        }
    }

    /// Appends the groups that may want an event.
    pub(super) fn find(&self, event: &Event<'_>, found: &mut Vec<usize>) {
        found.extend(&self.everywhere);
        let Some(of) = self.collections.get(event.collection) else { return };
        found.extend(&of.all);
        if of.by_path.is_empty() {
            return;
        }
        if let Some(body) = event.body() {
            of.by_path.iter().for_each(|by_path| by_path.find(body, found));
        }
        if event.kind == EventKind::DocumentUpdated
            && let Some(before) = of.before(event)
        {
            of.by_path.iter().for_each(|by_path| by_path.find(Raw::trusted(&before), found));
        }
        found.sort_unstable();
        found.dedup();
    }
}

impl OfCollection {
    fn add(&mut self, slot: usize, equality: &Equality) {
        let at = self.by_path.iter().position(|by_path| by_path.path == equality.path);
        let at = at.unwrap_or_else(|| {
            let path = equality.path.clone();
            self.by_path.push(ByPath { path, values: HashMap::new() });
            self.by_path.len() - 1
        });
        for key in &equality.keys {
            self.by_path[at].values.entry(key.clone()).or_default().push(slot);
        }
    }

    fn remove(&mut self, slot: usize, equality: &Equality) {
        for by_path in self.by_path.iter_mut().filter(|one| one.path == equality.path) {
            for key in &equality.keys {
                let Some(slots) = by_path.values.get_mut(key) else { continue };
                slots.retain(|one| *one != slot);
                if slots.is_empty() {
                    by_path.values.remove(key);
                }
            }
        }
        self.by_path.retain(|by_path| !by_path.values.is_empty());
    }

    /// The state before an update, if it may stand elsewhere in the index than the one after.
    fn before<'a>(&self, event: &Event<'a>) -> Option<std::borrow::Cow<'a, [u8]>> {
        let content = event.content.as_ref()?;
        let mut touched = content.changed.iter().chain(&content.removed).map(|one| one.path);
        let is_indexed = |path: &str| {
            let first = path.split('.').next().unwrap_or_default();
            self.by_path.iter().any(|by_path| by_path.path.parts()[0].name() == first)
        };
        (!content.before.is_empty() || touched.any(is_indexed)).then(|| event.body_before())?
    }
}

impl ByPath {
    fn find(&self, body: Raw<'_>, found: &mut Vec<usize>) {
        let mut look = |value: Raw<'_>| {
            if let Some(slots) = self.values.get(&key::encode(value)) {
                found.extend(slots);
            }
            Ok(())
        };
        // The closure does not fail.
        drop(each_value(body, self.path.parts(), &mut look));
    }
}
