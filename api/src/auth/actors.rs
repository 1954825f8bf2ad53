//! Actors as documents show them: users by their e-mail address, all others by one word.
//!
//! Guarantees: an address is that of a state of the user that was visible after every change heard of. A user is read once
//! between two changes of access, whoever asks, so that telling of many events reads little.
//! Leaves to others: the word for all others (the faces).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::directory::Directory;
use super::people::address;

/// Actors whose addresses are kept.
const KEPT_MAX: usize = 10_000;

/// Says who actors are.
pub(crate) struct Actors {
    directory: Arc<Directory>,
    kept: Mutex<Kept>,
}

/// What was found after a change; `None`: the actor is no user.
#[derive(Default)]
struct Kept {
    newest: u64,
    addresses: HashMap<String, Option<String>>,
}

impl Actors {
    pub(super) fn new(directory: &Arc<Directory>) -> Self {
        Self { directory: Arc::clone(directory), kept: Mutex::default() }
    }

    /// An actor as it is shown: everybody but users as `other`.
    pub(crate) fn show(&self, actor: &str, other: &str) -> String {
        self.address(actor).unwrap_or_else(|| other.to_owned())
    }

    fn address(&self, actor: &str) -> Option<String> {
        let newest = self.directory.watch.newest();
        let mut kept = self.kept.lock();
        if kept.newest != newest {
            *kept = Kept { newest, addresses: HashMap::new() };
        }
        if let Some(found) = kept.addresses.get(actor) {
            return found.clone();
        }
        drop(kept);
        let snapshot = self.directory.engine().ok()?.snapshot();
        let found = address(&snapshot, actor);
        // What is on its way must not be missed.
        if snapshot.position() >= newest {
            let mut kept = self.kept.lock();
            if kept.newest == newest {
                if kept.addresses.len() >= KEPT_MAX {
                    kept.addresses.clear();
                }
                kept.addresses.insert(actor.to_owned(), found.clone());
            }
        }
        found
    }
}
