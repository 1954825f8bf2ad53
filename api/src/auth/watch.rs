//! The watch: hears of every change that somebody's rights rest on, and voids what rests on it.
//!
//! Guarantees: a change is in the registries, and voids what was made of the state before, before it becomes visible.
//! While the views are made anew, what is known stays in force; when everything has been told, all principals are made
//! again. Users and sessions are not remembered, so a start reads none of them.
//! Leaves to others: reading users and sessions once a change of them is visible (the directory waits for that).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_engine::value::Raw;
use headwater_engine::view::SystemFollower;

use super::identity::Dependency;
use super::key::{self, KeyHash};
use super::known::{Change, Known};
use super::owners::Owner;
use super::presented::Presented;
use super::principal::Principal;
use super::registry::{COLLECTION as CREDENTIALS, CredentialRegistry, shown};
use super::rolebook::{ROLES, Rolebook, SETTINGS};

pub(super) const USERS: &str = "_users";
const SESSIONS: &str = "_sessions";
pub(super) const PROVIDERS: &str = "_providers";

/// Most principals that are kept.
const PRINCIPALS_MAX: usize = 100_000;
/// Most owners of webhooks that are kept.
const OWNERS_MAX: usize = 10_000;

/// What is presented, hashed; what is of one sort is never taken for what is of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PresentedHash(u8, KeyHash);

impl PresentedHash {
    /// The hash of what is presented.
    pub(super) fn of(presented: &Presented) -> Self {
        match presented {
            Presented::Token(text) => Self(0, key::hash(text)),
            Presented::Basic { username, password } => {
                Self(1, key::hash(&[username, "\0", password].concat()))
            }
            Presented::Cookie(text) => Self(2, key::hash(text)),
        }
    }
}

/// What is known, and hears of changes.
pub(super) struct Watch {
    pub(super) registry: CredentialRegistry,
    pub(super) rolebook: Rolebook,
    pub(super) principals: Known<PresentedHash, Principal>,
    pub(super) owners: Known<Arc<str>, Owner>,
    /// The position of the newest change heard of; it may not be visible yet.
    newest: AtomicU64,
    /// Whether everything is being told again.
    told_again: AtomicBool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            registry: CredentialRegistry::default(),
            rolebook: Rolebook::default(),
            principals: Known::new(PRINCIPALS_MAX),
            owners: Known::new(OWNERS_MAX),
            newest: AtomicU64::new(0),
            told_again: AtomicBool::new(false),
        }
    }

    /// The position that a snapshot must have reached to show every change heard of.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Voids what rests on tokens of other issuers: a key that one was signed with may be gone.
    pub(super) fn keys_lost(&self) {
        self.touch(Change::Of(Dependency::Providers));
    }

    fn touch(&self, change: Change) {
        self.owners.touch(change.clone());
        self.principals.touch(change);
    }

    /// Puts a change into the registries; what rests on it.
    fn note(
        &self,
        collection: &str,
        id: Raw<'_>,
        body: Option<Raw<'_>>,
        position: u64,
    ) -> Option<Change> {
        let id: Arc<str> = Arc::from(shown(id));
        match collection {
            CREDENTIALS => {
                self.registry.changed(&id, body, position);
                Some(Change::Of(Dependency::Credential(id)))
            }
            USERS => Some(Change::Of(Dependency::User(id))),
            SESSIONS => Some(Change::Of(Dependency::Session(id))),
            PROVIDERS => Some(Change::Of(Dependency::Providers)),
            ROLES => {
                self.rolebook.role_changed(&id, body);
                Some(Change::OfAll)
            }
            SETTINGS => self.rolebook.setting_changed(&id, body).then_some(Change::OfAll),
            _ => None,
        }
    }
}

impl SystemFollower for Watch {
    fn collections(&self) -> &[&'static str] {
        &[CREDENTIALS, USERS, SESSIONS, ROLES, PROVIDERS, SETTINGS]
    }

    fn remembers(&self, collection: &str) -> bool {
        [CREDENTIALS, ROLES, SETTINGS].contains(&collection)
    }

    fn reset(&self) {
        self.told_again.store(true, Ordering::SeqCst);
        self.registry.reset();
        self.rolebook.reset();
    }

    fn changed(&self, collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64) {
        // Before anything is voided: whoever finds nothing kept must know what to wait for.
        let before = self.newest.fetch_max(position, Ordering::SeqCst);
        let told_again = self.told_again.load(Ordering::SeqCst);
        let change = self.note(collection, id, body, position);
        if told_again && position <= before {
            return;
        }
        if let Some(change) = change {
            self.touch(change);
        }
    }

    fn settled(&self) {
        self.registry.settled();
        self.rolebook.settled();
        self.told_again.store(false, Ordering::SeqCst);
        self.touch(Change::OfAll);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::document::Draft;
    use crate::auth::grant::Grant;
    use crate::auth::known::Mark;
    use crate::auth::principal::Kind;
    use headwater_engine::value::{Object, Value};
    use tokio_util::sync::CancellationToken;

    fn id(byte: u8) -> Vec<u8> {
        Value::ObjectId([byte; 12]).to_bytes()
    }

    fn shown_id(byte: u8) -> Arc<str> {
        Arc::from(format!("{byte:02x}").repeat(12))
    }

    fn tell(watch: &Watch, collection: &str, byte: u8, body: Option<&[u8]>, position: u64) {
        watch.changed(collection, Raw::trusted(&id(byte)), body.map(Raw::trusted), position);
    }

    fn name(watch: &Watch, collection: &str, name: &str, position: u64) {
        let id = Value::String(name.to_owned()).to_bytes();
        let mut body = Object::new();
        let member = if collection == "_roles" { "admin" } else { "value" };
        body.insert(member, Value::Bool(true));
        let body = body.to_bytes();
        watch.changed(collection, Raw::trusted(&id), Some(Raw::trusted(&body)), position);
    }

    fn credential(key: &str) -> Vec<u8> {
        Draft::key([1; 12], Value::Object(Object::new())).document(&key::hash(key))
    }

    fn principal(presented: &Presented) -> Principal {
        Principal {
            id: shown_id(1),
            kind: Kind::Key,
            presented: presented.clone(),
            session: None,
            user: None,
            grant: Arc::new(Grant::default()),
            parts: Arc::default(),
            rests_on: Vec::new(),
            expires_ms: None,
            retired: CancellationToken::new(),
        }
    }

    /// Keeps a principal for a token that rests on something.
    fn keep_since(
        watch: &Watch,
        token: &str,
        rests_on: Dependency,
        mark: Mark,
    ) -> Option<Arc<Principal>> {
        let presented = Presented::Token(token.to_owned());
        let hash = PresentedHash::of(&presented);
        watch.principals.keep(hash, principal(&presented), vec![rests_on], mark, 0)
    }

    fn keep(watch: &Watch, token: &str, rests_on: Dependency) -> Arc<Principal> {
        keep_since(watch, token, rests_on, watch.principals.mark()).unwrap()
    }

    #[test]
    fn every_sort_of_change_voids_what_rests_on_it() {
        let watch = Watch::new();
        let sorts = [
            ("_credentials", Dependency::Credential(shown_id(1))),
            ("_users", Dependency::User(shown_id(1))),
            ("_sessions", Dependency::Session(shown_id(1))),
            ("_providers", Dependency::Providers),
        ];
        for (position, (collection, dependency)) in sorts.into_iter().enumerate() {
            let hit = keep(&watch, "hit", dependency);
            let missed = keep(&watch, "missed", Dependency::User(shown_id(2)));
            tell(&watch, collection, 1, None, position as u64 + 1);
            assert!(hit.retired.is_cancelled(), "{collection}");
            assert!(!missed.retired.is_cancelled(), "{collection}");
            assert_eq!(watch.newest(), position as u64 + 1);
        }
        for (position, (collection, of)) in
            [("_roles", "clerk"), ("_settings", "value:x")].into_iter().enumerate()
        {
            let hit = keep(&watch, "all", Dependency::User(shown_id(3)));
            name(&watch, collection, of, position as u64 + 10);
            assert!(hit.retired.is_cancelled(), "{collection}");
        }
        let kept = keep(&watch, "all", Dependency::User(shown_id(3)));
        name(&watch, "_settings", "smtp", 20);
        assert!(!kept.retired.is_cancelled(), "no rule looks at it");
    }

    #[test]
    fn a_change_in_the_middle_of_the_work_is_noticed() {
        let watch = Watch::new();
        let dependency = Dependency::Credential(shown_id(1));
        let mark = watch.principals.mark();
        tell(&watch, "_credentials", 1, Some(&credential("k")), 5);
        assert!(keep_since(&watch, "k", dependency.clone(), mark).is_none());
        assert!(keep_since(&watch, "k", dependency, watch.principals.mark()).is_some());
    }

    #[test]
    fn the_new_state_is_found_by_whoever_hears_of_the_change() {
        let watch = Watch::new();
        tell(&watch, "_credentials", 1, Some(&credential("k")), 5);
        let held = keep(&watch, "k", Dependency::Credential(shown_id(1)));
        tell(&watch, "_credentials", 1, None, 6);
        assert!(held.retired.is_cancelled());
        assert!(watch.principals.get(&PresentedHash::of(&held.presented)).is_none());
        assert!(watch.registry.by_key(&key::hash("k"), 0).is_err());
        assert_eq!(watch.newest(), 6);
    }

    #[test]
    fn what_is_known_stays_in_force_until_everything_was_told_again() {
        let watch = Watch::new();
        tell(&watch, "_credentials", 1, Some(&credential("k")), 5);
        name(&watch, "_roles", "clerk", 6);
        let key_held = keep(&watch, "k", Dependency::Credential(shown_id(1)));
        let user_held = keep(&watch, "u", Dependency::User(shown_id(2)));
        watch.reset();
        assert!(watch.registry.by_key(&key::hash("k"), 0).is_ok());
        tell(&watch, "_credentials", 1, Some(&credential("k")), 5);
        assert!(watch.rolebook.has_role("clerk"));
        name(&watch, "_roles", "clerk", 6);
        assert!(!key_held.retired.is_cancelled() && !user_held.retired.is_cancelled());
        watch.settled();
        assert!(key_held.retired.is_cancelled() && user_held.retired.is_cancelled());
        assert!(watch.registry.by_key(&key::hash("k"), 0).is_ok());
        assert!(watch.rolebook.has_role("clerk"));
    }

    #[test]
    fn a_new_change_counts_even_where_a_telling_never_ended() {
        let watch = Watch::new();
        tell(&watch, "_credentials", 1, Some(&credential("k")), 5);
        let held = keep(&watch, "u", Dependency::User(shown_id(2)));
        watch.reset();
        tell(&watch, "_users", 2, None, 7);
        assert!(held.retired.is_cancelled());
    }

    #[test]
    fn users_and_sessions_are_not_read_at_a_start() {
        let watch = Watch::new();
        let told: Vec<_> =
            watch.collections().iter().filter(|name| watch.remembers(name)).copied().collect();
        assert_eq!(told, ["_credentials", "_roles", "_settings"]);
    }

    #[test]
    fn sorts_of_credentials_are_told_apart() {
        let token = Presented::Token("a\0b".to_owned());
        let basic = Presented::Basic { username: "a".to_owned(), password: "b".to_owned() };
        let cookie = Presented::Cookie("a\0b".to_owned());
        let hashes = [&token, &basic, &cookie].map(PresentedHash::of);
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    }
}
