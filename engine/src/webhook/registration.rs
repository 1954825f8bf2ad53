//! A webhook's registration: what a document of `_webhooks` says.
//!
//! Guarantees: what a user gives is refused by the name of the wrong member, or accepted as a whole; the start is
//! resolved to a position and stored, so that it never moves. Secrets, signing keys and headers are only in
//! [`Registration::to_bytes`], sealed; [`Registration::describe`] has none but headers that are no credentials.
//! Leaves to others: who may register (the access layer), writing the document (the session), addresses that the url
//! leads to (the transport, when it is registered and at every attempt).

mod headers;
mod member;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::format::{Format, Formats};
use super::signature::{Secret, Versions};
use super::signing_key::SigningKey;
use crate::engine::Engine;
use crate::error::Result;
use crate::event::{Event, EventKind};
use crate::subscribe::{BodyFilter, BodyProjection};
use crate::value::{self, Object, Raw, Value, object_id};
use crate::vault::Vault;
use crate::write::DocumentId;

pub use self::headers::{Headers, MASK};

/// The system collection of registrations.
pub const COLLECTION: &str = "_webhooks";

/// Most secrets that still sign beside the present one; with one more the oldest stops at once.
const RETIRING_MAX: usize = 4;

/// How long old secrets and keys sign after a rotation, milliseconds.
pub const ROTATION_MS: u64 = 24 * 3600 * 1000;

/// Which collections a webhook follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All but system collections.
    All,
    /// These.
    Named(BTreeSet<String>),
}

/// In which order deliveries are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One document's deliveries one after the other, in the order of their events.
    PerDocument,
    /// In no order; a failing delivery holds up nothing.
    None,
}

/// What still signs beside the new secret and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiringSecret {
    /// The secret.
    pub secret: Secret,
    /// The signing key of then.
    pub key: Option<SigningKey>,
    /// When they stop signing, UTC ms.
    pub until_ms: u64,
}

impl RetiringSecret {
    fn to_object(&self, vault: &Vault, webhook: &str) -> Object {
        let mut object = Object::new();
        object.insert("secret", self.secret.seal(vault, webhook));
        if let Some(key) = &self.key {
            object.insert("signing_key", key.seal(vault, webhook));
        }
        object.insert("until", Value::Int64(signed(self.until_ms)));
        object
    }
}

/// A registered webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The document's `_id` as text.
    pub id: Arc<str>,
    /// Where deliveries go.
    pub url: Arc<str>,
    /// Which collections it follows.
    pub scope: Scope,
    /// Which kinds; none named: every kind of document event.
    pub kinds: BTreeSet<EventKind>,
    /// What a document, before or after, must be like.
    pub filter: Option<BodyFilter>,
    /// What deliveries show of documents; `None`: all that the owner sees.
    pub projection: Option<BodyProjection>,
    /// The form of deliveries' bodies.
    pub format: Format,
    /// Whether deliveries are made.
    pub active: bool,
    /// Which signatures deliveries have.
    pub signatures: Versions,
    /// What signs `v1`; kept where it does not.
    pub secret: Secret,
    /// What signs `v1a`; made when that is first asked for, kept where it does not.
    pub key: Option<SigningKey>,
    /// What else signs for a while, the latest first.
    pub retiring: Vec<RetiringSecret>,
    /// Further headers of every delivery.
    pub headers: Headers,
    /// Events after this position are delivered.
    pub start: u64,
    /// The order of deliveries.
    pub order: Order,
    /// Time for an attempt; `None`: the default.
    pub timeout_ms: Option<u64>,
    /// Most attempts at a time; `None`: the default.
    pub concurrency: Option<u32>,
    /// Most attempts in a second; `None`: no such limit.
    pub rate_per_second: Option<u32>,
    /// What was undelivered up to this position when it was activated again is left out.
    pub skip_to: Option<u64>,
    /// Why it was disabled, if it was not its owner's doing.
    pub disabled: Option<String>,
    /// Who registered it; the access layer's.
    pub owner: String,
}

impl Registration {
    /// A new registration from what a user gives, an encoded object. An id is made, and a secret unless one is given.
    pub fn create(engine: &Engine, given: Raw<'_>, owner: &str, formats: &Formats) -> Result<Self> {
        let id: Arc<str> = object_id::format(&engine.new_id()).into();
        let secret = Secret::generate(&**engine.clock());
        let mut registration = Self::blank(id, secret);
        registration.owner = owner.to_owned();
        read::create(&mut registration, given, engine, formats)?;
        Ok(registration)
    }

    /// The registration with a user's changes: any member that [`Registration::create`] takes, but `from`; and `backlog`
    /// (`keep` or `skip`), which says what becomes of the undelivered when `active` becomes true.
    pub fn patched(&self, engine: &Engine, given: Raw<'_>, formats: &Formats) -> Result<Self> {
        let mut changed = self.clone();
        read::patch(&mut changed, given, engine, formats)?;
        Ok(changed)
    }

    /// The registration that a document of `_webhooks` holds.
    pub fn decode(id: Raw<'_>, body: Raw<'_>, vault: &Vault, formats: &Formats) -> Result<Self> {
        read::stored(id, body, vault, formats)
    }

    /// The registration disabled, for a reason in a few words.
    pub fn disabled(&self, reason: &str) -> Self {
        Self { active: false, disabled: Some(reason.to_owned()), ..self.clone() }
    }

    /// The registration with a new secret and, where it has one, a new key; the old ones go on signing for 24 h.
    pub fn rotated(&self, secret: Secret, key: SigningKey, now_ms: u64) -> Self {
        let key = self.key.is_some().then_some(key);
        Self { secret, key, retiring: self.retired(now_ms), ..self.clone() }
    }

    /// What still signs once its present secret is another.
    fn retired(&self, now_ms: u64) -> Vec<RetiringSecret> {
        let mut all = vec![RetiringSecret {
            secret: self.secret.clone(),
            key: self.key.clone(),
            until_ms: now_ms + ROTATION_MS,
        }];
        all.extend(self.retiring(now_ms).cloned());
        all.truncate(RETIRING_MAX);
        all
    }

    fn blank(id: Arc<str>, secret: Secret) -> Self {
        Self {
            id,
            url: Arc::from(""),
            scope: Scope::All,
            kinds: BTreeSet::new(),
            filter: None,
            projection: None,
            format: Format::default(),
            active: true,
            signatures: Versions::default(),
            secret,
            key: None,
            retiring: Vec::new(),
            headers: Headers::default(),
            start: 0,
            order: Order::PerDocument,
            timeout_ms: None,
            concurrency: None,
            rate_per_second: None,
            skip_to: None,
            disabled: None,
            owner: String::new(),
        }
    }

    /// A registration for tests.
    #[cfg(test)]
    pub(crate) fn sample(id: &str, secret: Secret) -> Self {
        Self { url: "http://receiver.test/hook".into(), ..Self::blank(id.into(), secret) }
    }

    /// The secrets that sign at a time.
    pub fn secrets(&self, now_ms: u64) -> impl Iterator<Item = &Secret> {
        let retiring = self.retiring(now_ms).map(|old| &old.secret);
        let all = std::iter::once(&self.secret).chain(retiring);
        each_once(all.filter(|_| self.signatures.symmetric))
    }

    /// The keys that sign at a time.
    pub fn keys(&self, now_ms: u64) -> impl Iterator<Item = &SigningKey> {
        let retiring = self.retiring(now_ms).filter_map(|old| old.key.as_ref());
        each_once(self.key.iter().chain(retiring).filter(|_| self.signatures.asymmetric))
    }

    fn retiring(&self, now_ms: u64) -> impl Iterator<Item = &RetiringSecret> {
        self.retiring.iter().filter(move |old| now_ms < old.until_ms)
    }

    /// Whether an event is to be delivered as far as its collection and its kind go; `filter` looks at the document.
    pub fn wants_place(&self, event: &Event<'_>) -> bool {
        match event.kind {
            EventKind::EventPublished | EventKind::WebhookDisabled => {
                return self.kinds.contains(&event.kind);
            }
            EventKind::RequestRecorded => return false,
            _ => {}
        }
        if event.collection.starts_with('_') {
            return false;
        }
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.follows(event.collection)
    }

    /// Whether it follows a collection.
    pub(super) fn follows(&self, collection: &str) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Named(names) => names.contains(collection),
        }
    }

    /// The id of its document.
    pub fn document_id(&self) -> DocumentId {
        document_id(&self.id)
    }

    /// The whole document of `_webhooks`, its secrets, keys and headers sealed.
    pub fn to_bytes(&self, vault: &Vault) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("_id", id_value(&self.id));
        self.describe_into(&mut object);
        object.insert("secret", self.secret.seal(vault, &self.id));
        if let Some(key) = &self.key {
            object.insert("signing_key", key.seal(vault, &self.id));
        }
        if let Some(sealed) = self.headers.seal(vault, &self.id) {
            object.insert("sealed_headers", sealed);
        }
        if !self.retiring.is_empty() {
            let all = self.retiring.iter().map(|old| Value::Object(old.to_object(vault, &self.id)));
            object.insert("retiring", all.collect::<Vec<Value>>());
        }
        if let Some(position) = self.skip_to {
            object.insert("skip_to", Value::Int64(signed(position)));
        }
        object.insert("owner", &*self.owner);
        object.to_bytes()
    }

    /// Its members as its owner may see them, without secrets; the public key, where there is one.
    pub fn describe(&self) -> Object {
        let mut object = Object::new();
        object.insert("id", &*self.id);
        self.describe_into(&mut object);
        object.insert("headers", self.headers.shown());
        object.insert("owner", &*self.owner);
        let until = self.retiring.iter().map(|old| signed(old.until_ms)).max();
        object.insert("retiring_until", until.map_or(Value::Null, Value::Date));
        if let Some(key) = &self.key {
            object.insert("public_key", key.public_key());
        }
        object
    }

    fn describe_into(&self, object: &mut Object) {
        object.insert("url", &*self.url);
        let collections = match &self.scope {
            Scope::All => vec![Value::from("*")],
            Scope::Named(names) => names.iter().map(|name| Value::from(&**name)).collect(),
        };
        object.insert("collections", collections);
        let kinds: Vec<_> = self.kinds.iter().map(|kind| Value::from(kind.as_str())).collect();
        object.insert("kinds", kinds);
        let filter = self.filter.as_ref().map(BodyFilter::to_value);
        object.insert("filter", filter.unwrap_or_else(|| Object::new().into()));
        let projection = self.projection.as_ref().map(BodyProjection::to_value);
        object.insert("projection", projection.unwrap_or_else(|| Object::new().into()));
        object.insert("active", self.active);
        let signatures: Vec<_> = self.signatures.names().map(Value::from).collect();
        object.insert("signatures", signatures);
        object.insert("from", Value::Int64(signed(self.start)));
        object.insert("format", self.format.name());
        object.insert("order", member::order_name(self.order));
        let numbers = [
            ("timeout_ms", self.timeout_ms),
            ("concurrency", self.concurrency.map(u64::from)),
            ("rate_per_second", self.rate_per_second.map(u64::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                object.insert(name, Value::integer(signed(number)));
            }
        }
        if let Some(reason) = &self.disabled {
            object.insert("disabled", &**reason);
        }
    }
}

/// Things in their order, none twice.
fn each_once<'a, T: PartialEq + 'a>(
    all: impl Iterator<Item = &'a T>,
) -> impl Iterator<Item = &'a T> {
    let mut once: Vec<&T> = Vec::with_capacity(1);
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once.into_iter()
}

/// The id of a webhook's document.
pub(super) fn document_id(id: &str) -> DocumentId {
    let raw = id_value(id).to_bytes();
    let key = value::key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: key.into() }
}

fn id_value(id: &str) -> Value {
    match object_id::parse(id) {
        Some(id) => Value::ObjectId(id),
        None => Value::from(id),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
