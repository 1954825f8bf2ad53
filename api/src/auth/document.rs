//! The documents of `_credentials`: how a credential is stored.
//!
//! Layout: `{"_id": ObjectId, "label", "description"?, "kind": "key", "web" or "basic", "user"?: id as shown, "grant"?: {..},
//! "expires_at": date or null, "username"?, "hash": binary, "previous"?: [{"hash": binary, "until": date}]}`. `grant` is
//! absent only for a key of a user. No key and no password is ever in it, only their SHA-256.

use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::write::{DocumentId, Operation};
use headwater_engine::{Error, Result};

use super::credential::{Credential, Secret};
use super::grant::GrantSource;
use super::key::{self, KeyHash};
use super::principal::Kind;
use super::registry::COLLECTION;

/// A credential about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Its id.
    pub(crate) id: [u8; 12],
    /// What its maker calls it.
    pub(crate) label: String,
    /// What its maker says of it.
    pub(crate) description: Option<String>,
    /// Key, web or basic.
    pub(crate) kind: Kind,
    /// The user whose key it is.
    pub(crate) user: Option<String>,
    /// The grant as it was given; `None` for a key of a user that may do what the user may.
    pub(crate) grant: Option<Value>,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// The name that goes with the password.
    pub(crate) username: Option<String>,
}

impl Draft {
    /// A key without anything special about it.
    pub(crate) fn key(id: [u8; 12], grant: Value) -> Self {
        Self {
            id,
            label: String::new(),
            description: None,
            kind: Kind::Key,
            user: None,
            grant: Some(grant),
            expires_ms: None,
            username: None,
        }
    }

    /// What stores it, with the hash of its key or password.
    pub(crate) fn creation(self, secret: &str) -> Operation {
        let raw = Value::ObjectId(self.id).to_bytes();
        let id_key = headwater_engine::value::key::encode(Raw::trusted(&raw));
        let id = DocumentId { raw: raw.into(), key: id_key.into() };
        let body = self.document(&key::hash(secret)).into();
        Operation::Create { collection: Arc::from(COLLECTION), id, body }
    }

    /// The document, encoded.
    pub(crate) fn document(self, hash: &KeyHash) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("_id", Value::ObjectId(self.id));
        object.insert("label", Value::String(self.label));
        let text = |text: Option<String>| text.map(Value::String);
        let kind = kind_name(self.kind).to_owned();
        let optional = [
            ("description", text(self.description)),
            ("kind", Some(Value::String(kind))),
            ("user", text(self.user)),
            ("grant", self.grant),
            ("expires_at", Some(date(self.expires_ms))),
            ("username", text(self.username)),
            ("hash", Some(binary(hash))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                object.insert(name, value);
            }
        }
        object.to_bytes()
    }
}

/// Reads a document of `_credentials`.
pub(crate) fn read(id: Arc<str>, body: Raw<'_>) -> Result<Credential> {
    let present = body.get("hash").and_then(hash_of).ok_or_else(|| broken("hash"))?;
    let mut secrets = vec![Secret { hash: present, until_ms: None }];
    for earlier in body.get("previous").into_iter().flat_map(Raw::array_iter) {
        let hash = earlier.get("hash").and_then(hash_of).ok_or_else(|| broken("previous"))?;
        let until_ms = earlier.get("until").and_then(ms_of).ok_or_else(|| broken("previous"))?;
        secrets.push(Secret { hash, until_ms: Some(until_ms) });
    }
    let text = |name: &str| body.get(name).and_then(Raw::as_str);
    let kind = kind_of(text("kind").unwrap_or("key")).ok_or_else(|| broken("kind"))?;
    let user = text("user").map(Arc::from);
    let username = text("username").map(str::to_owned);
    if (kind == Kind::Basic) != username.is_some() {
        return Err(broken("username"));
    }
    let grant = body.get("grant").filter(|grant| !grant.is_null());
    if grant.is_none() && user.is_none() {
        return Err(broken("grant"));
    }
    let limits = Limits::for_stored_queries();
    let source = grant.map(|grant| GrantSource::parse(grant, &limits)).transpose()?;
    let expires_ms = body.get("expires_at").and_then(ms_of);
    Ok(Credential { id, kind, source, user, username, expires_ms, secrets })
}

/// The kind that a word means.
pub(crate) fn kind_of(word: &str) -> Option<Kind> {
    match word {
        "key" => Some(Kind::Key),
        "web" => Some(Kind::Web),
        "basic" => Some(Kind::Basic),
        _ => None,
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Web => "web",
        Kind::Basic => "basic",
        _ => "key",
    }
}

/// The document after a rotation: a new secret, and the old one until `until_ms`, if that is ahead of `now_ms`.
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

/// Refuses a grant that a credential of such a kind cannot have.
pub(crate) fn check_grant(kind: Kind, has_user: bool, grant: Raw<'_>) -> Result<()> {
    if grant.as_object().is_none() {
        return Err(refused("grant", "a grant must be an object"));
    }
    let origins = grant.get("origins").is_some_and(|origins| origins.array_iter().next().is_some());
    if kind == Kind::Web && !origins {
        let message = "the grant of a web key must name its `origins`: anybody can read such a key";
        return Err(refused("origins", message));
    }
    if has_user && grant.get("admin").and_then(Raw::as_bool) == Some(true) {
        let message =
            "the grant of a user's key only narrows what the user may do: no `admin` in it";
        return Err(refused("admin", message));
    }
    Ok(())
}

/// The same for a grant that a stored credential is about to get.
pub(crate) fn check_new_grant(body: Raw<'_>, grant: Raw<'_>) -> Result<()> {
    let kind = body.get("kind").and_then(Raw::as_str).and_then(kind_of);
    let has_user = body.get("user").is_some_and(|user| !user.is_null());
    check_grant(kind.unwrap_or(Kind::Key), has_user, grant)
}

/// A date, or null.
pub(crate) fn date(ms: Option<u64>) -> Value {
    ms.map_or(Value::Null, |ms| Value::Date(i64::try_from(ms).unwrap_or(i64::MAX)))
}

fn refused(member: &'static str, message: &'static str) -> Error {
    Error::invalid("invalid_grant", message).with("member", member)
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

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::value::json;

    fn object(text: &str) -> Vec<u8> {
        json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let draft = Draft {
            label: "till".to_owned(),
            description: Some("counter 3".to_owned()),
            kind: Kind::Basic,
            username: Some("abcdefghi".to_owned()),
            expires_ms: Some(5),
            ..Draft::key([7; 12], Value::Object(Object::new()))
        };
        let bytes = draft.document(&[1; 32]);
        let read = read(Arc::from("x"), Raw::trusted(&bytes)).unwrap();
        assert_eq!((read.kind, read.expires_ms), (Kind::Basic, Some(5)));
        assert_eq!(read.username.as_deref(), Some("abcdefghi"));
        assert_eq!(read.secrets[0].hash, [1; 32]);
        assert!(read.source.is_some() && read.user.is_none());
    }

    #[test]
    fn credentials_of_earlier_versions_are_read() {
        let mut old = Object::new();
        old.insert("_id", Value::ObjectId([7; 12]));
        old.insert("label", Value::String("x".to_owned()));
        old.insert("kind", Value::String("key".to_owned()));
        old.insert("grant", Value::Object(Object::new()));
        old.insert("expires_at", Value::Null);
        old.insert("hash", binary(&[1; 32]));
        let bytes = old.to_bytes();
        let rotated = rotated(Raw::trusted(&bytes), &[2; 32], 10, 20).unwrap();
        let read = read(Arc::from("x"), Raw::trusted(&rotated)).unwrap();
        assert_eq!((read.kind, read.secrets.len()), (Kind::Key, 2));
        assert_eq!((read.secrets[0].hash, read.secrets[1].until_ms), ([2; 32], Some(20)));
    }

    #[test]
    fn a_credential_that_is_not_understood_is_not_let_in() {
        let sound = Draft::key([7; 12], Value::Object(Object::new())).document(&[1; 32]);
        for (member, value) in [
            ("hash", Value::Null),
            ("kind", Value::String("magic".to_owned())),
            ("kind", Value::String("basic".to_owned())),
            ("grant", Value::Null),
        ] {
            let bytes = changed(Raw::trusted(&sound), [(member, value)]).unwrap();
            assert!(read(Arc::from("x"), Raw::trusted(&bytes)).is_err(), "{member}");
        }
    }

    #[test]
    fn grants_fit_their_kinds() {
        let check = |kind, user, text: &str| check_grant(kind, user, Raw::trusted(&object(text)));
        assert!(check(Kind::Web, false, r#"{"origins":["https://a.example"]}"#).is_ok());
        for bare in [r#"{}"#, r#"{"origins":[]}"#, r#"{"origins":"https://a.example"}"#] {
            assert!(check(Kind::Web, false, bare).is_err(), "{bare}");
        }
        assert!(check(Kind::Key, false, r#"{"admin":true}"#).is_ok());
        assert!(check(Kind::Key, true, r#"{"admin":true}"#).is_err());
        assert!(check(Kind::Key, true, r#"{"admin":false}"#).is_ok());
        assert!(check(Kind::Key, false, "[]").is_err());
    }
}
