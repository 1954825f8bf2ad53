//! The documents of `_credentials`: how a credential is stored.
//!
//! Layout: `{"_id": ObjectId, "label", "kind": "key", "grant": {..}, "expires_at": date or null, "hash": binary,
//! "previous": [{"hash": binary, "until": date}]}`. No key is ever in it.

use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Error, Result};

use super::grant::{Facts, Grant, GrantSource};
use super::key::KeyHash;
use headwater_engine::limits::Limits;

/// A credential about to be stored.
pub(crate) struct Draft {
    /// Its id.
    pub(crate) id: [u8; 12],
    /// What its maker calls it.
    pub(crate) label: String,
    /// The grant as it was given.
    pub(crate) grant: Value,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
}

/// A key of a stored credential.
pub(crate) struct StoredKey {
    /// Its hash.
    pub(crate) hash: KeyHash,
    /// When it ends, UTC ms, if a rotation replaced it.
    pub(crate) until_ms: Option<u64>,
}

/// A stored credential.
pub(crate) struct Stored {
    /// What it may do.
    pub(crate) grant: Grant,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// Its keys, the present one first.
    pub(crate) keys: Vec<StoredKey>,
}

impl Draft {
    /// The document, encoded.
    pub(crate) fn document(self, hash: &KeyHash) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("_id", Value::ObjectId(self.id));
        object.insert("label", Value::String(self.label));
        object.insert("kind", Value::String("key".to_owned()));
        object.insert("grant", self.grant);
        object.insert("expires_at", date(self.expires_ms));
        object.insert("hash", binary(hash));
        object.to_bytes()
    }
}

/// Reads a document of `_credentials`.
pub(crate) fn read(body: Raw<'_>) -> Result<Stored> {
    let grant = body.get("grant").ok_or_else(|| broken("grant"))?;
    let present = body.get("hash").and_then(hash_of).ok_or_else(|| broken("hash"))?;
    let mut keys = vec![StoredKey { hash: present, until_ms: None }];
    for earlier in body.get("previous").into_iter().flat_map(Raw::array_iter) {
        let hash = earlier.get("hash").and_then(hash_of).ok_or_else(|| broken("previous"))?;
        let until_ms = earlier.get("until").and_then(ms_of).ok_or_else(|| broken("previous"))?;
        keys.push(StoredKey { hash, until_ms: Some(until_ms) });
    }
    let expires_ms = body.get("expires_at").and_then(ms_of);
    let limits = Limits::for_stored_queries();
    let source = GrantSource::parse(grant, &limits)?;
    let grant = Grant::compile(&source, &[], &Facts::default(), &limits)?;
    Ok(Stored { grant, expires_ms, keys })
}

/// The document after a rotation: a new key, and the old one until `until_ms`, if that is ahead of `now_ms`.
pub(crate) fn rotated(
    body: Raw<'_>,
    hash: &KeyHash,
    now_ms: u64,
    until_ms: u64,
) -> Result<Vec<u8>> {
    let mut previous: Vec<Value> = body
        .get("previous")
        .into_iter()
        .flat_map(Raw::array_iter)
        .filter(|key| key.get("until").and_then(ms_of).is_some_and(|until| until > now_ms))
        .map(Raw::to_value)
        .collect();
    if until_ms > now_ms {
        let old = body.get("hash").and_then(hash_of).ok_or_else(|| broken("hash"))?;
        let mut entry = Object::new();
        entry.insert("hash", binary(&old));
        entry.insert("until", date(Some(until_ms)));
        previous.push(Value::Object(entry));
    } else {
        previous.clear();
    }
    changed(body, [("hash", binary(hash)), ("previous", Value::Array(previous))])
}

/// The document with some members changed.
pub(crate) fn changed(
    body: Raw<'_>,
    members: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<Vec<u8>> {
    let Value::Object(mut object) = body.to_value() else { return Err(broken("_id")) };
    for (name, value) in members {
        object.insert(name, value);
    }
    Ok(object.to_bytes())
}

/// A date, or null.
pub(crate) fn date(ms: Option<u64>) -> Value {
    ms.map_or(Value::Null, |ms| Value::Date(i64::try_from(ms).unwrap_or(i64::MAX)))
}

fn binary(hash: &KeyHash) -> Value {
    Value::Binary { subtype: 0, bytes: hash.to_vec() }
}

fn hash_of(raw: Raw<'_>) -> Option<KeyHash> {
    raw.as_binary().and_then(|(_, bytes)| bytes.try_into().ok())
}

fn ms_of(raw: Raw<'_>) -> Option<u64> {
    raw.as_date().map(|ms| u64::try_from(ms).unwrap_or_default())
}

fn broken(member: &str) -> Error {
    Error::damaged("credential_undecodable", format!("a credential lacks a sound `{member}`"))
}
