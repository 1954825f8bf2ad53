//! The registry of credentials: follows `_credentials` and finds the credential of a key.
//!
//! Guarantees: a key works as soon as the write that made it is visible, and not after the one that revoked it; finding
//! takes one hash and one look into a map.
//! Leaves to others: making and changing credentials (documents of `_credentials`, written by the session).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_engine::clock::SharedClock;
use headwater_engine::value::{Raw, json};
use headwater_engine::view::SystemFollower;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::credential::Credential;
use super::document::{self, Stored, StoredKey};
use super::grant::Grant;
use super::key::{self, KeyHash};
use super::principal::ROOT;

/// The system collection of credentials.
pub(crate) const COLLECTION: &str = "_credentials";

/// All credentials.
pub(crate) struct CredentialRegistry {
    clock: SharedClock,
    root: Option<Arc<Credential>>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    by_key: HashMap<KeyHash, Arc<Credential>>,
    by_id: HashMap<String, Held>,
    /// The position of the newest change heard of.
    newest: u64,
    /// Whether everything is being told again, after the views were made anew.
    told_again: bool,
}

/// What is known of one credential.
struct Held {
    keys: Vec<KeyHash>,
    /// The position that last wrote its document.
    position: u64,
    /// Not yet told again; void with the next change.
    stale: bool,
}

impl CredentialRegistry {
    /// A registry that knows the root key of the configuration, if there is one.
    pub(crate) fn new(root_key: Option<&str>, clock: SharedClock) -> Self {
        let root = root_key.map(|key| {
            Arc::new(Credential {
                id: Arc::from(ROOT),
                key: key::hash(key),
                grant: Arc::new(Grant::full()),
                expires_ms: None,
                retired: CancellationToken::new(),
            })
        });
        Self { clock, root, known: RwLock::default() }
    }

    /// The credential of a key, if it is valid now.
    pub(crate) fn find(&self, presented: &str) -> Option<Arc<Credential>> {
        self.find_hash(&key::hash(presented))
    }

    /// A credential as it stands now; `None` once its key is revoked or expired.
    pub(crate) fn current(&self, before: &Credential) -> Option<Arc<Credential>> {
        self.find_hash(&before.key)
    }

    fn find_hash(&self, hash: &KeyHash) -> Option<Arc<Credential>> {
        if let Some(root) = &self.root
            && key::same(&root.key, hash)
        {
            return Some(Arc::clone(root));
        }
        let found = self.known.read().by_key.get(hash).cloned()?;
        let ended = found.expires_ms.is_some() && found.expired(self.clock.now_ms());
        (key::same(&found.key, hash) && !ended).then_some(found)
    }

    /// Whether anybody could do anything: a root key or a credential is known.
    pub(crate) fn has_any(&self) -> bool {
        self.root.is_some() || !self.known.read().by_id.is_empty()
    }
}

impl Known {
    fn put(&mut self, id: String, stored: Stored, position: u64) {
        let (actor, grant): (Arc<str>, _) = (Arc::from(id.as_str()), Arc::new(stored.grant));
        let keys = stored.keys.iter().map(|key| key.hash).collect();
        self.by_id.insert(id, Held { keys, position, stale: false });
        for StoredKey { hash, until_ms } in stored.keys {
            let credential = Credential {
                id: Arc::clone(&actor),
                key: hash,
                grant: Arc::clone(&grant),
                expires_ms: [stored.expires_ms, until_ms].into_iter().flatten().min(),
                retired: CancellationToken::new(),
            };
            self.by_key.insert(hash, Arc::new(credential));
        }
    }

    fn remove(&mut self, id: &str) -> Vec<Arc<Credential>> {
        let keys = self.by_id.remove(id).map(|held| held.keys).unwrap_or_default();
        keys.iter().filter_map(|hash| self.by_key.remove(hash)).collect()
    }

    /// Whether `position` only tells again what is known of a credential.
    fn confirm(&mut self, id: &str, position: u64) -> bool {
        match self.by_id.get_mut(id) {
            Some(held) if self.told_again && held.position == position => {
                held.stale = false;
                true
            }
            _ => false,
        }
    }

    /// Notes a change; a new one ends the telling, and what was not told again is void.
    fn heard(&mut self, position: u64) -> Vec<Arc<Credential>> {
        if position <= self.newest {
            return Vec::new();
        }
        self.newest = position;
        self.drop_stale()
    }

    /// Ends a telling: what was not told again is void.
    fn drop_stale(&mut self) -> Vec<Arc<Credential>> {
        if !std::mem::take(&mut self.told_again) {
            return Vec::new();
        }
        let stale = self.by_id.iter().filter(|(_, held)| held.stale);
        let stale: Vec<String> = stale.map(|(id, _)| id.clone()).collect();
        stale.iter().flat_map(|id| self.remove(id)).collect()
    }
}

impl SystemFollower for CredentialRegistry {
    fn collections(&self) -> &[&'static str] {
        &[COLLECTION]
    }

    /// The views are made anew while requests go on: what is known stays in force until it is told again, or the telling
    /// ends without it.
    fn reset(&self) {
        let mut known = self.known.write();
        known.told_again = true;
        known.by_id.values_mut().for_each(|held| held.stale = true);
    }

    fn changed(&self, collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64) {
        if collection != COLLECTION {
            return;
        }
        let id = shown(id);
        if body.is_some() && self.known.write().confirm(&id, position) {
            return;
        }
        let stored = body.map(document::read).and_then(|read| {
            read.inspect_err(|error| {
                tracing::error!(credential = id, position, %error, "credential refused: not understood");
            })
            .ok()
        });
        let mut known = self.known.write();
        let mut retired = known.heard(position);
        retired.extend(known.remove(&id));
        if let Some(stored) = stored {
            known.put(id, stored, position);
        }
        drop(known);
        // Streams look again only once the new state can be found.
        retired.iter().for_each(|credential| credential.retired.cancel());
    }

    fn settled(&self) {
        let stale = self.known.write().drop_stale();
        stale.iter().for_each(|credential| credential.retired.cancel());
    }
}

/// An id as the faces show it.
pub(crate) fn shown(id: Raw<'_>) -> String {
    if let Some(text) = id.as_str() {
        return text.to_owned();
    }
    let mut text = Vec::new();
    json::write(id, &mut text);
    String::from_utf8_lossy(&text).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::document::Draft;
    use headwater_engine::clock::ManualClock;
    use headwater_engine::value::Value;

    fn stored(key: &str, expires_ms: Option<u64>) -> Vec<u8> {
        let draft = Draft {
            id: [7; 12],
            label: "test".to_owned(),
            grant: Value::Object([("admin".to_owned(), Value::Bool(true))].into_iter().collect()),
            expires_ms,
        };
        draft.document(&key::hash(key))
    }

    fn id() -> Vec<u8> {
        Value::ObjectId([7; 12]).to_bytes()
    }

    #[test]
    fn a_key_works_until_it_is_revoked() {
        let registry = CredentialRegistry::new(None, ManualClock::new(1000, 1));
        assert!(!registry.has_any());
        let body = stored("k", None);
        registry.changed(COLLECTION, Raw::trusted(&id()), Some(Raw::trusted(&body)), 1);
        let credential = registry.find("k").unwrap();
        assert_eq!(&*credential.id, "070707070707070707070707");
        assert!(registry.find("other").is_none());
        registry.changed(COLLECTION, Raw::trusted(&id()), None, 2);
        assert!(registry.find("k").is_none());
        assert!(credential.retired.is_cancelled());
    }

    #[test]
    fn keys_stay_in_force_while_everything_is_told_again() {
        let registry = CredentialRegistry::new(None, ManualClock::new(1000, 1));
        let (body, other) = (stored("k", None), Value::ObjectId([8; 12]).to_bytes());
        registry.changed(COLLECTION, Raw::trusted(&id()), Some(Raw::trusted(&body)), 1);
        let gone = stored("gone", None);
        registry.changed(COLLECTION, Raw::trusted(&other), Some(Raw::trusted(&gone)), 2);
        let credential = registry.find("k").unwrap();
        registry.reset();
        assert!(registry.find("k").is_some());
        registry.changed(COLLECTION, Raw::trusted(&id()), Some(Raw::trusted(&body)), 1);
        assert!(!credential.retired.is_cancelled(), "nothing changed");
        let third = Value::ObjectId([9; 12]).to_bytes();
        let new = stored("new", None);
        registry.changed(COLLECTION, Raw::trusted(&third), Some(Raw::trusted(&new)), 3);
        assert!(registry.find("k").is_some() && registry.find("new").is_some());
        assert!(registry.find("gone").is_none(), "it was not told again");
    }

    #[test]
    fn a_key_ends_at_its_time() {
        let clock = ManualClock::new(1000, 1);
        let registry = CredentialRegistry::new(None, clock.clone());
        let body = stored("k", Some(2000));
        registry.changed(COLLECTION, Raw::trusted(&id()), Some(Raw::trusted(&body)), 1);
        let credential = registry.find("k").unwrap();
        clock.advance_ms(1000);
        assert!(registry.find("k").is_none());
        assert!(registry.current(&credential).is_none());
    }

    #[test]
    fn the_root_key_of_the_configuration_has_full_access() {
        let registry = CredentialRegistry::new(Some("secret"), ManualClock::new(0, 1));
        assert!(registry.find("secret").unwrap().grant.is_full());
        assert!(registry.find("Secret").is_none());
    }
}
