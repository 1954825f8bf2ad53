//! What was worked out and is kept until something that it rests on changes.
//!
//! Guarantees: what is kept was worked out from nothing older than the changes noted before it was begun; whoever was given
//! something hears when it is void, also when there is no more room for it. A look costs a read lock and a look into a map.
//! Leaves to others: when something has ended by its time (the caller), and what depends on what (identities).

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::RwLock;

use super::identity::Dependency;

/// Changes that are remembered, so that work begun before them can be told whether it matters.
const CHANGES_MAX: usize = 1024;

/// Something that is worth keeping.
pub(super) trait Keepable {
    /// Whether it has ended by its time.
    fn expired(&self, now_ms: u64) -> bool;
    /// Tells whoever holds it that it is void.
    fn retire(&self);
}

/// What is kept, by key.
pub(super) struct Known<K, V> {
    kept: RwLock<Kept<K, V>>,
    max: usize,
}

struct Kept<K, V> {
    entries: HashMap<K, Entry<V>>,
    resting: HashMap<Dependency, HashSet<K>>,
    /// The last changes, the newest last; the newest is number `count`.
    changes: VecDeque<Change>,
    count: u64,
}

struct Entry<V> {
    value: Arc<V>,
    rests_on: Vec<Dependency>,
}

/// A change of what others rest on.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Of one thing.
    Of(Dependency),
    /// Of something that everything rests on.
    OfAll,
}

/// Says which changes were known when work began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl<K: Clone + Eq + Hash, V: Keepable> Known<K, V> {
    /// Room for so many.
    pub(super) fn new(max: usize) -> Self {
        let kept = Kept {
            entries: HashMap::new(),
            resting: HashMap::new(),
            changes: VecDeque::new(),
            count: 0,
        };
        Self { kept: RwLock::new(kept), max }
    }

    /// What is kept under a key, ended or not.
    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.kept.read().entries.get(key).map(|entry| Arc::clone(&entry.value))
    }

    /// To be asked before anything is looked at that the work rests on.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.kept.read().count)
    }

    /// Keeps what was worked out since `mark`, or gives what somebody else kept meanwhile. `None` where something that it
    /// rests on has changed since: it has to be worked out again.
    pub(super) fn keep(
        &self,
        key: K,
        value: V,
        rests_on: Vec<Dependency>,
        mark: Mark,
        now_ms: u64,
    ) -> Option<Arc<V>> {
        let mut void = Vec::new();
        let mut kept = self.kept.write();
        if kept.touched_since(mark, &rests_on) {
            return None;
        }
        if let Some(entry) = kept.entries.get(&key) {
            if !entry.value.expired(now_ms) {
                return Some(Arc::clone(&entry.value));
            }
            void.extend(kept.remove(&key));
        }
        if kept.entries.len() >= self.max {
            kept.make_room(self.max, now_ms, &mut void);
        }
        for dependency in &rests_on {
            kept.resting.entry(dependency.clone()).or_default().insert(key.clone());
        }
        let value = Arc::new(value);
        kept.entries.insert(key, Entry { value: Arc::clone(&value), rests_on });
        drop(kept);
        void.iter().for_each(|value| value.retire());
        Some(value)
    }

    /// Voids what rests on something that changed. To be called once the new state can be found.
    pub(super) fn touch(&self, change: Change) {
        let mut kept = self.kept.write();
        let void: Vec<Arc<V>> = match &change {
            Change::Of(dependency) => {
                let keys = kept.resting.get(dependency).cloned().unwrap_or_default();
                keys.iter().filter_map(|key| kept.remove(key)).collect()
            }
            Change::OfAll => {
                kept.resting.clear();
                kept.entries.drain().map(|(_, entry)| entry.value).collect()
            }
        };
        kept.count += 1;
        kept.changes.push_back(change);
        if kept.changes.len() > CHANGES_MAX {
            kept.changes.pop_front();
        }
        drop(kept);
        void.iter().for_each(|value| value.retire());
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.kept.read().entries.len()
    }
}

impl<K: Clone + Eq + Hash, V: Keepable> Kept<K, V> {
    fn touched_since(&self, mark: Mark, rests_on: &[Dependency]) -> bool {
        let missed = self.count.saturating_sub(mark.0);
        if missed > self.changes.len() as u64 {
            return true;
        }
        self.changes.iter().rev().take(missed as usize).any(|change| match change {
            Change::OfAll => true,
            Change::Of(dependency) => rests_on.contains(dependency),
        })
    }

    fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        let entry = self.entries.remove(key)?;
        for dependency in &entry.rests_on {
            if let Some(keys) = self.resting.get_mut(dependency) {
                keys.remove(key);
                if keys.is_empty() {
                    self.resting.remove(dependency);
                }
            }
        }
        Some(entry.value)
    }

    /// Frees a tenth of the room at least: what has ended goes first, then what nobody holds, then anything.
    fn make_room(&mut self, max: usize, now_ms: u64, void: &mut Vec<Arc<V>>) {
        let wanted = max - max.div_ceil(10);
        let goes: [fn(&Entry<V>, u64) -> bool; 3] = [
            |entry, now_ms| entry.value.expired(now_ms),
            |entry, _| Arc::strong_count(&entry.value) == 1,
            |_, _| true,
        ];
        for (round, goes) in goes.into_iter().enumerate() {
            // All that has ended goes, whatever room there is then.
            let spare = match round {
                0 => usize::MAX,
                _ => self.entries.len().saturating_sub(wanted),
            };
            let entries = self.entries.iter().filter(|(_, entry)| goes(entry, now_ms));
            let keys: Vec<K> = entries.take(spare).map(|(key, _)| key.clone()).collect();
            void.extend(keys.iter().filter_map(|key| self.remove(key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Thing {
        ends_ms: u64,
        retired: AtomicBool,
    }

    impl Thing {
        fn new(ends_ms: u64) -> Self {
            Self { ends_ms, retired: AtomicBool::new(false) }
        }

        fn is_retired(&self) -> bool {
            self.retired.load(Ordering::Relaxed)
        }
    }

    impl Keepable for Thing {
        fn expired(&self, now_ms: u64) -> bool {
            now_ms >= self.ends_ms
        }

        fn retire(&self) {
            self.retired.store(true, Ordering::Relaxed);
        }
    }

    fn user(id: &str) -> Dependency {
        Dependency::User(Arc::from(id))
    }

    fn keep(known: &Known<u32, Thing>, key: u32, rests_on: &[&str]) -> Arc<Thing> {
        let rests_on = rests_on.iter().map(|id| user(id)).collect();
        known.keep(key, Thing::new(100), rests_on, known.mark(), 0).unwrap()
    }

    #[test]
    fn what_rests_on_a_change_is_void_and_nothing_else() {
        let known = Known::new(10);
        let (a, b) = (keep(&known, 1, &["x", "y"]), keep(&known, 2, &["y"]));
        let c = keep(&known, 3, &[]);
        known.touch(Change::Of(user("x")));
        assert!(a.is_retired() && !b.is_retired() && !c.is_retired());
        assert!(known.get(&1).is_none() && known.get(&2).is_some());
        known.touch(Change::OfAll);
        assert!(b.is_retired() && c.is_retired());
        assert_eq!(known.len(), 0);
        assert!(known.kept.read().resting.is_empty());
    }

    #[test]
    fn what_changed_while_it_was_worked_out_is_not_kept() {
        let known = Known::new(10);
        let begun = known.mark();
        known.touch(Change::Of(user("other")));
        let keep = |rests_on| known.keep(1, Thing::new(9), vec![user(rests_on)], begun, 0);
        assert!(keep("x").is_some());
        known.touch(Change::Of(user("x")));
        assert!(keep("x").is_none());
        assert!(keep("y").is_some());
        known.touch(Change::OfAll);
        assert!(keep("y").is_none());
        let begun = known.mark();
        for _ in 0..=CHANGES_MAX {
            known.touch(Change::Of(user("other")));
        }
        let late = known.keep(1, Thing::new(9), vec![user("x")], begun, 0);
        assert!(late.is_none(), "nobody knows any more what changed");
    }

    #[test]
    fn the_first_that_was_kept_stands_until_it_ends() {
        let known = Known::new(10);
        let first = keep(&known, 1, &["x"]);
        assert!(Arc::ptr_eq(&first, &keep(&known, 1, &["x"])));
        let mark = known.mark();
        let next = known.keep(1, Thing::new(200), vec![user("x")], mark, 100).unwrap();
        assert!(!Arc::ptr_eq(&first, &next) && first.is_retired());
        known.touch(Change::Of(user("x")));
        assert!(next.is_retired());
    }

    #[test]
    fn where_there_is_no_room_what_ended_or_is_not_held_goes_first() {
        let known = Known::new(20);
        let held: Vec<_> = (0..10).map(|key| keep(&known, key, &["x"])).collect();
        for key in 10..20 {
            keep(&known, key, &["x"]);
        }
        let more = keep(&known, 20, &["x"]);
        assert_eq!(known.len(), 19);
        assert!(held.iter().all(|one| !one.is_retired()) && !more.is_retired());
        let mark = known.mark();
        drop(known.keep(21, Thing::new(500), Vec::new(), mark, 200).unwrap());
        drop(known.keep(22, Thing::new(500), Vec::new(), mark, 200).unwrap());
        assert!(known.get(&21).is_some() && held.iter().all(|one| one.is_retired()));
    }

    #[test]
    fn whoever_has_to_make_room_hears_of_it() {
        let known = Known::new(10);
        let held: Vec<_> = (0..11).map(|key| keep(&known, key, &["x"])).collect();
        let retired = held.iter().filter(|one| one.is_retired()).count();
        assert_eq!((known.len(), retired), (10, 1));
        assert!(!held[10].is_retired());
    }
}
