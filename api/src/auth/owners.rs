//! The owners of webhooks: what a credential's grant lets its webhooks deliver.
//!
//! Guarantees: a webhook gets what the credential that registered it may read now: nothing once that is revoked, expired
//! or not understood; custom events only with `subscribe` outside collections; system events only with full access. The
//! id of the configuration's root key sees everything, always. While views are made anew, what was known holds.
//! Leaves to others: which events a webhook asks for (its registration).

use std::collections::{HashMap, HashSet};
use std::fmt;

use headwater_engine::clock::SharedClock;
use headwater_engine::restrict::Visibility;
use headwater_engine::value::Raw;
use headwater_engine::view::SystemFollower;
use headwater_engine::webhook::Sight;
use headwater_engine::{Event, EventKind};
use parking_lot::RwLock;

use super::action::Action;
use super::document;
use super::grant::Grant;
use super::principal::ROOT;
use super::registry::{COLLECTION, shown};

/// The standing of whoever sees nothing.
const NOBODY: u64 = 0;
/// The standing of the root key of the configuration.
const ALL: u64 = u64::MAX;

/// What the credentials that may own webhooks see.
pub(super) struct Owners {
    clock: SharedClock,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    owners: HashMap<String, Owner>,
    /// The position of the newest change heard of.
    newest: u64,
    /// Those who were not told again since the views were made anew; gone when the telling ends.
    stale: HashSet<String>,
}

struct Owner {
    grant: Grant,
    expires_ms: Option<u64>,
    /// The position that last wrote its document.
    position: u64,
}

impl Owners {
    /// Nobody yet.
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, known: RwLock::default() }
    }

    /// Asks about an owner who has not expired.
    fn ask<T>(&self, owner: &str, ask: impl FnOnce(&Owner) -> T) -> Option<T> {
        let known = self.known.read();
        let owner = known.owners.get(owner)?;
        let ended = owner.expires_ms.is_some_and(|end| self.clock.now_ms() >= end);
        (!ended).then(|| ask(owner))
    }
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owners")
    }
}

impl Sight for Owners {
    fn visibility(&self, owner: &str, event: &Event<'_>) -> Visibility {
        let all =
            owner == ROOT || self.ask(owner, |owner| sees(&owner.grant, event)).unwrap_or(false);
        if all { Visibility::Everything } else { Visibility::Nothing }
    }

    fn standing(&self, owner: &str) -> Option<u64> {
        match owner {
            ROOT => Some(ALL),
            _ => Some(self.ask(owner, |owner| owner.position).unwrap_or(NOBODY)),
        }
    }
}

fn sees(grant: &Grant, event: &Event<'_>) -> bool {
    if grant.is_full() {
        return true;
    }
    if event.is_system() {
        return false;
    }
    match event.kind {
        EventKind::EventPublished => grant.allows_outside(Action::Subscribe),
        _ => grant.allows(event.collection, Action::Read),
    }
}

impl SystemFollower for Owners {
    fn collections(&self) -> &[&'static str] {
        &[COLLECTION]
    }

    fn reset(&self) {
        let mut known = self.known.write();
        known.stale = known.owners.keys().cloned().collect();
    }

    fn changed(&self, collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64) {
        if collection != COLLECTION {
            return;
        }
        let id = shown(id);
        let stored = body.and_then(|body| document::read(body).ok());
        let mut known = self.known.write();
        known.stale.remove(&id);
        if position > known.newest {
            known.newest = position;
            for gone in std::mem::take(&mut known.stale) {
                known.owners.remove(&gone);
            }
        }
        match stored {
            Some(stored) => {
                let (grant, expires_ms) = (stored.grant, stored.expires_ms);
                known.owners.insert(id, Owner { grant, expires_ms, position });
            }
            None => drop(known.owners.remove(&id)),
        }
    }

    fn settled(&self) {
        let mut known = self.known.write();
        for gone in std::mem::take(&mut known.stale) {
            known.owners.remove(&gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::document::Draft;
    use headwater_engine::clock::ManualClock;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::{Value, json};

    const OWNER: &str = "070707070707070707070707";

    fn stored(grant: &str, expires_ms: Option<u64>) -> Vec<u8> {
        let grant = json::parse_value(grant.as_bytes(), &Limits::default()).unwrap();
        let grant = Raw::trusted(&grant).to_value();
        Draft { id: [7; 12], label: String::new(), grant, expires_ms }.document(&[1; 32])
    }

    fn tell(owners: &Owners, body: Option<&[u8]>, position: u64) {
        let id = Value::ObjectId([7; 12]).to_bytes();
        owners.changed(COLLECTION, Raw::trusted(&id), body.map(Raw::trusted), position);
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

    /// What the owner sees of: orders, people, custom events, disabled webhooks.
    fn seen(owners: &Owners, owner: &str) -> [bool; 4] {
        [
            event(EventKind::DocumentCreated, "orders"),
            event(EventKind::DocumentDeleted, "people"),
            event(EventKind::EventPublished, ""),
            event(EventKind::WebhookDisabled, COLLECTION),
        ]
        .map(|event| matches!(owners.visibility(owner, &event), Visibility::Everything))
    }

    #[test]
    fn an_owner_sees_what_its_grant_lets_it_read() {
        let owners = Owners::new(ManualClock::new(1000, 1));
        assert_eq!(seen(&owners, OWNER), [false; 4]);
        assert_eq!(seen(&owners, ROOT), [true; 4]);
        let cases = [
            (r#"{"admin":true}"#, [true; 4]),
            (r#"{"collections":{"orders":["read"]}}"#, [true, false, false, false]),
            (r#"{"collections":{"orders":["subscribe"]}}"#, [false; 4]),
            (r#"{"collections":{"*":["read"],"orders":[]}}"#, [false, true, false, false]),
            (r#"{"collections":{"*":["subscribe"]}}"#, [false, false, true, false]),
        ];
        for (position, (grant, expected)) in cases.into_iter().enumerate() {
            let before = owners.standing(OWNER);
            tell(&owners, Some(&stored(grant, None)), position as u64 + 1);
            assert_eq!(seen(&owners, OWNER), expected, "{grant}");
            assert_ne!(owners.standing(OWNER), before);
        }
        tell(&owners, None, 9);
        assert_eq!(seen(&owners, OWNER), [false; 4]);
    }

    #[test]
    fn an_expired_owner_sees_nothing() {
        let clock = ManualClock::new(1000, 1);
        let owners = Owners::new(clock.clone());
        tell(&owners, Some(&stored(r#"{"admin":true}"#, Some(2000))), 1);
        assert_eq!(seen(&owners, OWNER), [true; 4]);
        clock.advance_ms(1000);
        assert_eq!(seen(&owners, OWNER), [false; 4]);
        assert_eq!(owners.standing(OWNER), Some(NOBODY));
    }

    #[test]
    fn what_is_known_holds_while_the_views_are_made_anew() {
        let owners = Owners::new(ManualClock::new(1000, 1));
        let body = stored(r#"{"admin":true}"#, None);
        tell(&owners, Some(&body), 1);
        owners.reset();
        assert_eq!(seen(&owners, OWNER), [true; 4]);
        tell(&owners, Some(&body), 1);
        let other = Value::ObjectId([8; 12]).to_bytes();
        owners.changed(COLLECTION, Raw::trusted(&other), Some(Raw::trusted(&body)), 2);
        assert_eq!(seen(&owners, OWNER), [true; 4]);
        owners.reset();
        owners.changed(COLLECTION, Raw::trusted(&other), Some(Raw::trusted(&body)), 2);
        assert_eq!(seen(&owners, OWNER), [true; 4]);
        owners.settled();
        assert_eq!(seen(&owners, OWNER), [false; 4], "it was not told again");
    }
}
