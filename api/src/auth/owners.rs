//! The owners of webhooks: what the one who registered a webhook may have delivered.
//!
//! Guarantees: a webhook gets what the credential or user that registered it may read now: nothing once that is revoked,
//! expired, disabled or not understood; custom events only of channels that may be followed; system events only with full
//! access. The id of the configuration's root key sees everything, always. While views are made anew, what was known holds.
//! Leaves to others: which events a webhook asks for (its registration).

use std::fmt;
use std::sync::Arc;

use headwater_engine::restrict::Visibility;
use headwater_engine::value::Raw;
use headwater_engine::webhook::Sight;
use headwater_engine::{Event, EventKind};

use super::action::Action;
use super::directory::Directory;
use super::grant::{Grant, GrantSource};
use super::identity::{Dependency, Identity};
use super::known::Keepable;
use super::people::{self, StoredUser};
use super::principal::{Kind, ROOT};
use super::resolve::of_credential;
use crate::error::ApiError;

/// The standing of whoever sees nothing.
const NOBODY: u64 = 0;
/// The standing of the root key of the configuration.
const ALL: u64 = u64::MAX;

/// Somebody who may own webhooks, compiled; found by the actor that a registration names.
#[derive(Clone)]
pub(super) struct Owner {
    /// `None` for whoever is not known, or may not come in.
    grant: Option<Arc<Grant>>,
    expires_ms: Option<u64>,
    serial: u64,
}

impl Keepable for Owner {
    fn expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| now_ms >= end)
    }

    /// Nobody holds one for longer than a question.
    fn retire(&self) {}
}

/// What owners see.
pub(super) struct Owners(pub(super) Arc<Directory>);

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owners")
    }
}

impl Sight for Owners {
    fn visibility(&self, owner: &str, event: &Event<'_>) -> Visibility {
        if owner == ROOT {
            return Visibility::Everything;
        }
        let owner = self.0.owner(owner);
        match &owner.grant {
            Some(grant) if !owner.expired(self.0.clock.now_ms()) => seen(grant, event),
            _ => Visibility::Nothing,
        }
    }

    fn standing(&self, owner: &str) -> Option<u64> {
        if owner == ROOT {
            return Some(ALL);
        }
        let owner = self.0.owner(owner);
        let sees = owner.grant.is_some() && !owner.expired(self.0.clock.now_ms());
        Some(if sees { owner.serial } else { NOBODY })
    }
}

impl Directory {
    /// What somebody may do who is let in now, by the actor that a registration names.
    pub(super) fn grant_of_owner(&self, actor: &str) -> Option<Arc<Grant>> {
        let owner = self.owner(actor);
        if owner.expired(self.clock.now_ms()) { None } else { owner.grant.clone() }
    }

    /// An owner as it stands now.
    fn owner(&self, actor: &str) -> Arc<Owner> {
        let actor: Arc<str> = Arc::from(actor);
        if let Some(known) = self.watch.owners.get(&actor) {
            return known;
        }
        let mark = self.watch.owners.mark();
        let newest = self.watch.newest();
        let serial = self.next_serial();
        let resolved = self.resolve_owner(&actor).unwrap_or_else(|error| {
            tracing::error!(owner = &*actor, ?error, "who owns a webhook could not be read");
            // Asked again the next time.
            Resolved { seen: Some(0), ..Resolved::default() }
        });
        let Resolved { identity, mut rests_on, seen } = resolved;
        let expires_ms = identity.as_ref().and_then(|identity| identity.expires_ms);
        let grant = identity.and_then(|identity| self.compile(&identity).ok());
        let grant = grant.map(|(grant, _)| grant);
        let owner = Owner { grant, expires_ms, serial };
        // A state that does not show every change heard of yet is right until the change is visible, and no longer.
        if seen.is_some_and(|position| position < newest) {
            return Arc::new(owner);
        }
        rests_on.push(Dependency::Credential(Arc::clone(&actor)));
        rests_on.push(Dependency::User(Arc::clone(&actor)));
        let kept =
            self.watch.owners.keep(actor, owner.clone(), rests_on, mark, self.clock.now_ms());
        kept.unwrap_or_else(|| Arc::new(owner))
    }

    /// What an actor may do: a credential whatever its key, or a user whatever the session.
    fn resolve_owner(&self, actor: &Arc<str>) -> Result<Resolved, ApiError> {
        let Some(credential) = self.watch.registry.by_id(actor) else {
            let (user, seen) = self.read_user(actor)?;
            return Ok(Resolved { identity: user.map(of_user), rests_on: Vec::new(), seen });
        };
        let ends = credential.expires_ms;
        let Some(id) = &credential.user else {
            let identity = Some(of_credential(&credential, None, ends));
            return Ok(Resolved { identity, ..Resolved::default() });
        };
        let (user, seen) = self.read_user(id)?;
        let identity = user.map(|user| of_credential(&credential, Some(user), ends));
        Ok(Resolved { identity, rests_on: vec![Dependency::User(Arc::clone(id))], seen })
    }

    /// A user who may come in, and the position that was seen.
    fn read_user(&self, id: &str) -> Result<(Option<StoredUser>, Option<u64>), ApiError> {
        let snapshot = self.engine()?.snapshot();
        let user = people::user(&snapshot, id, &self.options)?;
        Ok((user.filter(|user| !user.disabled), Some(snapshot.position())))
    }
}

/// Who an actor is.
#[derive(Default)]
struct Resolved {
    /// `None` for whoever is not known, or may not come in.
    identity: Option<Identity>,
    /// What that rests on, besides what the actor is called.
    rests_on: Vec<Dependency>,
    /// The position of the snapshot, if one was looked at.
    seen: Option<u64>,
}

fn of_user(user: StoredUser) -> Identity {
    Identity {
        actor: Arc::clone(&user.id),
        kind: Kind::Session,
        session: None,
        user: Some(Arc::clone(&user.id)),
        facts: Some(user.facts),
        source: GrantSource::by_roles(user.roles),
        expires_ms: None,
        rests_on: vec![Dependency::User(user.id)],
        position: 0,
    }
}

/// What a grant shows of what happens where an event happened.
fn seen(grant: &Grant, event: &Event<'_>) -> Visibility {
    if grant.is_full() {
        return Visibility::Everything;
    }
    let allowed = match event.kind {
        _ if event.is_system() => false,
        EventKind::EventPublished => {
            let channel = event.body().and_then(|body| body.get("channel")).and_then(Raw::as_str);
            grant.allows_channel(channel, Action::Subscribe)
        }
        _ => grant.allows(event.collection, Action::Read),
    };
    if !allowed {
        return Visibility::Nothing;
    }
    if event.kind == EventKind::EventPublished {
        return Visibility::Everything;
    }
    match grant.restriction(event.collection, Action::Read) {
        Some(restriction) => Visibility::Restricted(restriction),
        None => Visibility::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::document::Draft;
    use crate::auth::options::AccessOptions;
    use headwater_engine::clock::{ManualClock, SharedClock};
    use headwater_engine::fs::SystemFileSystem;
    use headwater_engine::value::{Object, Value};
    use headwater_engine::vault::Vault;
    use headwater_engine::view::SystemFollower;

    const OWNER: &str = "070707070707070707070707";

    fn owners(clock: SharedClock) -> Owners {
        let fs = SystemFileSystem::shared();
        let vault = Vault::open(std::path::Path::new("."), None, fs, clock.clone()).unwrap();
        Owners(Arc::new(Directory::new(None, clock, vault, AccessOptions::default())))
    }

    fn tell(owners: &Owners, expires_ms: Option<u64>, position: u64) {
        let draft = Draft { expires_ms, ..Draft::key([7; 12], Value::Object(Object::new())) };
        let (id, body) = (Value::ObjectId([7; 12]).to_bytes(), draft.document(&[1; 32]));
        let body = Some(Raw::trusted(&body));
        owners.0.watch.changed("_credentials", Raw::trusted(&id), body, position);
    }

    fn event(kind: EventKind, collection: &str) -> Event<'_> {
        Event {
            position: 1,
            time_ms: 1,
            kind,
            collection,
            version: 1,
            previous: 0,
            actor: "a",
            batch: 1,
            batch_end: true,
            body_bytes: 0,
            body_bytes_before: 0,
            origin: None,
            request: None,
            digest: [0; 32],
            content: None,
        }
    }

    /// What is seen of: orders, custom events, disabled webhooks.
    fn all(visibility: impl Fn(&Event<'_>) -> Visibility) -> [bool; 3] {
        [
            event(EventKind::DocumentCreated, "orders"),
            event(EventKind::EventPublished, ""),
            event(EventKind::WebhookDisabled, "_webhooks"),
        ]
        .map(|event| matches!(visibility(&event), Visibility::Everything))
    }

    #[test]
    fn the_root_key_of_the_configuration_sees_everything() {
        let owners = owners(ManualClock::new(1000, 1));
        assert_eq!(all(|event| owners.visibility(ROOT, event)), [true; 3]);
        assert_eq!(owners.standing(ROOT), Some(ALL));
        assert_eq!(all(|event| seen(&Grant::full(), event)), [true; 3]);
        assert_eq!(all(|event| seen(&Grant::default(), event)), [false; 3]);
    }

    #[test]
    fn a_standing_changes_with_the_credential() {
        let owners = owners(ManualClock::new(1000, 1));
        tell(&owners, None, 1);
        let first = owners.standing(OWNER).unwrap();
        assert!(first != NOBODY && first != ALL);
        assert_eq!(owners.standing(OWNER), Some(first), "it is kept");
        tell(&owners, None, 2);
        let second = owners.standing(OWNER).unwrap();
        assert_ne!(first, second);
        let id = Value::ObjectId([7; 12]).to_bytes();
        owners.0.watch.changed("_credentials", Raw::trusted(&id), None, 3);
        assert_eq!(owners.standing(OWNER), Some(NOBODY));
        assert_eq!(all(|event| owners.visibility(OWNER, event)), [false; 3]);
    }

    #[test]
    fn an_expired_owner_sees_nothing() {
        let clock = ManualClock::new(1000, 1);
        let owners = owners(clock.clone());
        tell(&owners, Some(2000), 1);
        assert_ne!(owners.standing(OWNER), Some(NOBODY));
        clock.advance_ms(1000);
        assert_eq!(owners.standing(OWNER), Some(NOBODY));
        let known = &owners.0.watch.owners;
        let owner =
            Owner { grant: Some(Arc::new(Grant::full())), expires_ms: Some(2001), serial: 9 };
        known.keep(Arc::from("other"), owner, Vec::new(), known.mark(), 2000);
        assert_eq!(all(|event| owners.visibility("other", event)), [true; 3]);
        clock.advance_ms(1);
        assert_eq!(all(|event| owners.visibility("other", event)), [false; 3]);
    }

    #[test]
    fn roles_and_a_rebuild_make_owners_anew() {
        let owners = owners(ManualClock::new(1000, 1));
        tell(&owners, None, 1);
        let first = owners.standing(OWNER);
        let role = Value::String("clerk".to_owned()).to_bytes();
        owners.0.watch.changed("_roles", Raw::trusted(&role), None, 2);
        let second = owners.standing(OWNER);
        assert_ne!(first, second);
        owners.0.watch.reset();
        assert_eq!(owners.standing(OWNER), second, "what is known stays in force");
        tell(&owners, None, 1);
        owners.0.watch.settled();
        let third = owners.standing(OWNER);
        assert!(third != second && third != Some(NOBODY));
    }
}
