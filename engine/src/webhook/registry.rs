//! The registered webhooks in memory: follows `_webhooks` as the log goes on.
//!
//! Guarantees: a change is seen here before its write is answered; each change has a number of its own, so that a reader
//! of events knows whether it had heard of a webhook.
//! Leaves to others: what follows from a change (the dispatcher).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::format::Formats;
use super::registration::{COLLECTION, Registration};
use crate::error::{Error, Result};
use crate::value::{Raw, object_id};
use crate::vault::{self, Vault};
use crate::view::SystemFollower;

/// A webhook as the registry knows it.
#[derive(Clone, Debug)]
pub struct Registered {
    /// What it says.
    pub registration: Arc<Registration>,
    /// The number of the change that it came with.
    pub change: u64,
    /// The position that last wrote it.
    pub position: u64,
}

/// Every webhook by its id.
pub type Webhooks = BTreeMap<Arc<str>, Registered>;

/// The registry.
#[derive(Debug)]
pub struct Registry {
    vault: Arc<Vault>,
    formats: Formats,
    state: RwLock<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    webhooks: Arc<Webhooks>,
    change: u64,
    /// The first registration whose secret could not be opened.
    locked: Option<Error>,
}

impl Registry {
    /// An empty registry, to be given to the engine as a follower before it opens.
    pub fn shared(vault: Arc<Vault>, formats: Formats) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        Arc::new(Self { vault, formats, state: RwLock::default(), changes })
    }

    /// What the secrets of webhooks are sealed with.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The forms that deliveries can have.
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    /// The registration that a document of `_webhooks` holds.
    pub fn decode(&self, id: Raw<'_>, body: Raw<'_>) -> Result<Registration> {
        Registration::decode(id, body, &self.vault, &self.formats)
    }

    /// Why a webhook cannot be known: its secret is sealed under another key.
    pub(super) fn locked(&self) -> Option<Error> {
        self.state.read().locked.clone()
    }

    /// A webhook by its id.
    pub fn get(&self, id: &str) -> Option<Arc<Registration>> {
        self.state.read().webhooks.get(id).map(|found| Arc::clone(&found.registration))
    }

    /// Every webhook, and the number of the last change.
    pub fn all(&self) -> (Arc<Webhooks>, u64) {
        let state = self.state.read();
        (Arc::clone(&state.webhooks), state.change)
    }

    /// The number of the last change.
    pub fn change_number(&self) -> u64 {
        self.state.read().change
    }

    /// To wait for changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn change(&self, apply: impl FnOnce(&mut Webhooks, u64)) {
        let change = {
            let mut state = self.state.write();
            state.change += 1;
            let change = state.change;
            apply(Arc::make_mut(&mut state.webhooks), change);
            change
        };
        self.changes.send_replace(change);
    }
}

impl SystemFollower for Registry {
    fn collections(&self) -> &[&'static str] {
        &[COLLECTION]
    }

    fn reset(&self) {
        self.change(|webhooks, _| webhooks.clear());
    }

    fn changed(&self, _collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64) {
        let Some(body) = body else {
            let text = match id.as_object_id() {
                Some(id) => object_id::format(&id),
                None => id.as_str().unwrap_or_default().to_owned(),
            };
            self.change(|webhooks, _| drop(webhooks.remove(&*text)));
            return;
        };
        match self.decode(id, body) {
            Ok(registration) => self.change(|webhooks, change| {
                let registration = Arc::new(registration);
                let key = Arc::clone(&registration.id);
                webhooks.insert(key, Registered { registration, change, position });
            }),
            Err(error) => {
                if vault::is_locked(&error) {
                    self.state.write().locked.get_or_insert_with(|| error.clone());
                }
                tracing::error!(?id, %error, "a document of `_webhooks` is not a webhook; it is left out");
            }
        }
    }
}
