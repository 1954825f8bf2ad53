//! The registry of credentials: knows every document of `_credentials` and finds the credential of a key or a name.
//!
//! Guarantees: a key works as soon as the write that made it is visible, and not after the one that revoked it; finding
//! takes one look into a map. What was revoked since the start is told from what is unknown, within bounds.
//! Leaves to others: making and changing credentials (the session), hearing of changes (the watch), compiling (the
//! directory).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use headwater_engine::value::{Raw, json};
use parking_lot::RwLock;

use super::credential::{Credential, Unfit};
use super::document;
use super::key::KeyHash;

/// The system collection of credentials.
pub(crate) const COLLECTION: &str = "_credentials";

/// Revoked secrets that are remembered, for the sake of the message.
const REVOKED_MAX: usize = 10_000;

/// All credentials.
#[derive(Default)]
pub(crate) struct CredentialRegistry {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    by_key: HashMap<KeyHash, Arc<Credential>>,
    by_name: HashMap<String, Arc<Credential>>,
    by_id: HashMap<Arc<str>, Held>,
    by_user: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    revoked: Revoked,
    /// The position of the newest change heard of.
    newest: u64,
    /// Whether everything is being told again, after the views were made anew.
    told_again: bool,
}

/// What is known of one credential.
struct Held {
    credential: Arc<Credential>,
    /// The position that last wrote its document.
    position: u64,
    /// Not yet told again; void with the next change.
    stale: bool,
}

/// Hashes of secrets that were revoked, the newest last.
#[derive(Default)]
struct Revoked {
    known: HashSet<KeyHash>,
    order: VecDeque<KeyHash>,
}

impl Revoked {
    fn add(&mut self, hash: KeyHash) {
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > REVOKED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl CredentialRegistry {
    /// The credential of a key, and when the key ends.
    pub(crate) fn by_key(
        &self,
        hash: &KeyHash,
        now_ms: u64,
    ) -> Result<(Arc<Credential>, Option<u64>), Unfit> {
        let known = self.known.read();
        let Some(found) = known.by_key.get(hash) else {
            let revoked = known.revoked.known.contains(hash);
            return Err(if revoked { Unfit::Revoked } else { Unfit::Unknown });
        };
        let ends = found.admits_hash(now_ms, hash)?;
        Ok((Arc::clone(found), ends))
    }

    /// The credential that has a name, whatever its password.
    pub(crate) fn by_name(&self, username: &str) -> Option<Arc<Credential>> {
        self.known.read().by_name.get(username).cloned()
    }

    /// A credential by its id as shown.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Credential>> {
        self.known.read().by_id.get(id).map(|held| Arc::clone(&held.credential))
    }

    /// The ids of a user's keys, in order.
    pub(crate) fn of_user(&self, user: &str) -> Vec<Arc<str>> {
        let known = self.known.read();
        known.by_user.get(user).into_iter().flatten().map(Arc::clone).collect()
    }

    /// Whether a credential is known.
    pub(crate) fn has_any(&self) -> bool {
        !self.known.read().by_id.is_empty()
    }

    /// Everything will be told again; what is known stays in force until it is, or the telling ends without it.
    pub(super) fn reset(&self) {
        let mut known = self.known.write();
        known.told_again = true;
        known.by_id.values_mut().for_each(|held| held.stale = true);
    }

    /// A credential is now `body`, or gone.
    pub(super) fn changed(&self, id: &Arc<str>, body: Option<Raw<'_>>, position: u64) {
        if body.is_some() && self.known.write().confirm(id, position) {
            return;
        }
        let read = body.map(|body| document::read(Arc::clone(id), body)).and_then(|read| {
            read.inspect_err(|error| {
                tracing::error!(credential = &**id, position, %error, "credential refused: not understood");
            })
            .ok()
        });
        let mut known = self.known.write();
        known.heard(position);
        known.remove(id);
        if let Some(credential) = read {
            known.put(Arc::new(credential), position);
        }
    }

    /// Everything was told.
    pub(super) fn settled(&self) {
        self.known.write().drop_stale();
    }
}

impl Known {
    fn put(&mut self, credential: Arc<Credential>, position: u64) {
        for secret in &credential.secrets {
            // The same key works again where its document came back.
            self.revoked.known.remove(&secret.hash);
            if credential.username.is_none() {
                self.by_key.insert(secret.hash, Arc::clone(&credential));
            }
        }
        if let Some(username) = &credential.username {
            self.by_name.insert(username.clone(), Arc::clone(&credential));
        }
        if let Some(user) = &credential.user {
            self.by_user.entry(Arc::clone(user)).or_default().insert(Arc::clone(&credential.id));
        }
        let id = Arc::clone(&credential.id);
        self.by_id.insert(id, Held { credential, position, stale: false });
    }

    fn remove(&mut self, id: &str) {
        let Some(Held { credential, .. }) = self.by_id.remove(id) else { return };
        for secret in &credential.secrets {
            if self.by_key.get(&secret.hash).is_some_and(|found| *found.id == *id) {
                self.by_key.remove(&secret.hash);
                self.revoked.add(secret.hash);
            }
        }
        if let Some(username) = &credential.username
            && self.by_name.get(username).is_some_and(|found| *found.id == *id)
        {
            self.by_name.remove(username);
        }
        if let Some(user) = &credential.user
            && let Some(keys) = self.by_user.get_mut(user)
        {
            keys.remove(id);
            if keys.is_empty() {
                self.by_user.remove(user);
            }
        }
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
    fn heard(&mut self, position: u64) {
        if position > self.newest {
            self.newest = position;
            self.drop_stale();
        }
    }

    /// Ends a telling: what was not told again is void.
    fn drop_stale(&mut self) {
        if !std::mem::take(&mut self.told_again) {
            return;
        }
        let stale = self.by_id.iter().filter(|(_, held)| held.stale);
        let stale: Vec<Arc<str>> = stale.map(|(id, _)| Arc::clone(id)).collect();
        for id in stale {
            self.remove(&id);
        }
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
    use crate::auth::key;
    use crate::auth::principal::Kind;
    use headwater_engine::value::{Object, Value};

    fn draft() -> Draft {
        Draft::key([7; 12], Value::Object(Object::new()))
    }

    fn tell(registry: &CredentialRegistry, id: &str, draft: Option<(Draft, &str)>, position: u64) {
        let body = draft.map(|(draft, secret)| draft.document(&key::hash(secret)));
        registry.changed(&Arc::from(id), body.as_deref().map(Raw::trusted), position);
    }

    fn found(registry: &CredentialRegistry, key: &str) -> Result<String, Unfit> {
        registry.by_key(&key::hash(key), 1000).map(|(credential, _)| credential.id.to_string())
    }

    #[test]
    fn a_key_works_until_it_is_revoked() {
        let registry = CredentialRegistry::default();
        assert!(!registry.has_any());
        tell(&registry, "a", Some((draft(), "k")), 1);
        assert!(registry.has_any());
        assert_eq!(found(&registry, "k"), Ok("a".to_owned()));
        assert_eq!(found(&registry, "other"), Err(Unfit::Unknown));
        tell(&registry, "a", None, 2);
        assert_eq!(found(&registry, "k"), Err(Unfit::Revoked));
        assert!(!registry.has_any());
    }

    #[test]
    fn a_rotated_key_works_while_the_grace_lasts() {
        let registry = CredentialRegistry::default();
        tell(&registry, "a", Some((draft(), "k")), 1);
        let body = draft().document(&key::hash("k"));
        let rotated = |new: &str, until| {
            document::rotated(Raw::trusted(&body), &key::hash(new), 1000, until).unwrap()
        };
        registry.changed(&Arc::from("a"), Some(Raw::trusted(&rotated("new", 2000))), 2);
        let (_, ends) = registry.by_key(&key::hash("k"), 1999).unwrap();
        assert_eq!(ends, Some(2000));
        assert_eq!(registry.by_key(&key::hash("k"), 2000).unwrap_err(), Unfit::Revoked);
        assert_eq!(found(&registry, "new"), Ok("a".to_owned()));
        registry.changed(&Arc::from("a"), Some(Raw::trusted(&rotated("newer", 0))), 3);
        assert_eq!(found(&registry, "k"), Err(Unfit::Revoked));
        assert_eq!(found(&registry, "new"), Err(Unfit::Revoked));
        assert_eq!(found(&registry, "newer"), Ok("a".to_owned()));
    }

    #[test]
    fn a_key_ends_at_its_time_and_says_so() {
        let registry = CredentialRegistry::default();
        tell(&registry, "a", Some((Draft { expires_ms: Some(1001), ..draft() }, "k")), 1);
        assert_eq!(found(&registry, "k"), Ok("a".to_owned()));
        assert_eq!(registry.by_key(&key::hash("k"), 1001).unwrap_err(), Unfit::Expired);
    }

    #[test]
    fn names_and_users_find_theirs() {
        let registry = CredentialRegistry::default();
        let username = Some("name".to_owned());
        let basic = Draft { kind: Kind::Basic, username, ..draft() };
        tell(&registry, "b", Some((basic, "password")), 1);
        assert_eq!(found(&registry, "password"), Err(Unfit::Unknown), "a password is no key");
        let credential = registry.by_name("name").unwrap();
        assert!(credential.admits_hash(0, &key::hash("password")).is_ok());
        assert_eq!(credential.admits_hash(0, &key::hash("x")), Err(Unfit::Unknown));
        let of_user = || Draft { user: Some("u".to_owned()), ..draft() };
        tell(&registry, "d", Some((of_user(), "1")), 2);
        tell(&registry, "c", Some((of_user(), "2")), 3);
        let ids = registry.of_user("u");
        assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["c", "d"]);
        tell(&registry, "d", None, 4);
        assert_eq!(registry.of_user("u").len(), 1);
        tell(&registry, "b", None, 5);
        assert!(registry.by_name("name").is_none());
    }

    #[test]
    fn keys_stay_in_force_while_everything_is_told_again() {
        let registry = CredentialRegistry::default();
        tell(&registry, "a", Some((draft(), "k")), 1);
        tell(&registry, "b", Some((draft(), "gone")), 2);
        registry.reset();
        assert!(found(&registry, "k").is_ok());
        tell(&registry, "a", Some((draft(), "k")), 1);
        tell(&registry, "c", Some((draft(), "new")), 3);
        assert!(found(&registry, "k").is_ok() && found(&registry, "new").is_ok());
        assert!(found(&registry, "gone").is_err(), "it was not told again");
        registry.reset();
        tell(&registry, "a", Some((draft(), "k")), 1);
        assert!(found(&registry, "new").is_ok());
        registry.settled();
        assert!(found(&registry, "new").is_err() && found(&registry, "k").is_ok());
    }

    #[test]
    fn ten_thousand_are_found_and_the_revoked_are_remembered_within_bounds() {
        let registry = CredentialRegistry::default();
        let name = |index: usize| format!("c{index}");
        for index in 0..REVOKED_MAX + 1 {
            tell(&registry, &name(index), Some((draft(), &name(index))), index as u64 + 1);
        }
        for index in 0..REVOKED_MAX + 1 {
            assert_eq!(found(&registry, &name(index)), Ok(name(index)));
        }
        for index in 0..REVOKED_MAX + 1 {
            tell(&registry, &name(index), None, 20_000 + index as u64);
        }
        assert_eq!(found(&registry, &name(0)), Err(Unfit::Unknown), "forgotten, never let in");
        assert_eq!(found(&registry, &name(1)), Err(Unfit::Revoked));
        assert!(!registry.has_any());
        assert_eq!(registry.known.read().revoked.known.len(), REVOKED_MAX);
    }
}
