//! Actors as documents show them where nobody's request is at hand: users by their e-mail address, all others by one word.
//!
//! Guarantees: an address is that of a state of the user that was visible after every change heard of. A user is read once
//! between two changes of access, so that telling of many events reads little.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Access;
use super::people::address;

/// Actors whose names are kept.
const KEPT_MAX: usize = 1000;

/// Says who actors are.
pub(crate) struct Actors {
    access: Access,
    other: &'static str,
    kept: Mutex<Kept>,
}

/// What was found after a change.
#[derive(Default)]
struct Kept {
    newest: u64,
    shown: HashMap<String, String>,
}

impl Actors {
    /// Shows everybody but users as `other`.
    pub(crate) fn new(access: &Access, other: &'static str) -> Self {
        Self { access: access.clone(), other, kept: Mutex::default() }
    }

    /// An actor as it is shown.
    pub(crate) fn show(&self, actor: &str) -> String {
        let newest = self.access.newest();
        let mut kept = self.kept.lock();
        if kept.newest != newest || kept.shown.len() >= KEPT_MAX {
            *kept = Kept { newest, shown: HashMap::new() };
        }
        if let Some(shown) = kept.shown.get(actor) {
            return shown.clone();
        }
        drop(kept);
        let Ok(engine) = self.access.engine() else { return self.other.to_owned() };
        let snapshot = engine.snapshot();
        let shown = address(&snapshot, actor).unwrap_or_else(|| self.other.to_owned());
        // What is on its way must not be missed.
        if snapshot.position() >= newest {
            let mut kept = self.kept.lock();
            if kept.newest == newest {
                kept.shown.insert(actor.to_owned(), shown.clone());
            }
        }
        shown
    }
}
