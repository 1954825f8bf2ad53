//! Refresh tokens of the tokens that this server signs for a provider: documents of `_sessions`, beside those of logins.
//!
//! Layout: that of a session (its cookie is nobody's), with `"issued": {"provider", "algorithm", "seconds", "by", "claims":
//! {}}`. `user` is the user whose address the claims have, or twelve zero bytes.
//!
//! A refresh token is 64 hexadecimal digits: the document's id, 16 that all tokens of it share (its family) and 24 that are
//! its own. Only hashes are kept. One that was used before ends the document: somebody has a copy.
//! Guarantees: secrets are compared in constant time; a refresh token of a login is none of these, and the other way round.
//! Leaves to others: signing (`external`), whether its maker may still do it (`crate::session`).

use headwater_engine::clock::SharedClock;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value, json, object_id};
use headwater_engine::{Error, ErrorKind, Result};
use serde_json::{Map, Value as Json};

use super::session::{REUSED, unknown};
use super::store::with_members;
use crate::auth::key::{self, KeyHash};

const ID_DIGITS: usize = 24;
const FAMILY_DIGITS: usize = 16;
const DIGITS: usize = 64;

/// What is asked of a token, without its times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// The provider whose secret signs: its name, or a dotted path that ends with it.
    pub(crate) provider: String,
    /// The position that had written the provider when the first token was signed.
    pub(crate) provider_at: u64,
    /// The algorithm's name; `None`: the provider's first.
    pub(crate) algorithm: Option<String>,
    /// How long it lives, seconds.
    pub(crate) seconds: u64,
    /// The claims but for `iat`, `exp` and `jti`.
    pub(crate) claims: Map<String, Json>,
}

/// A refresh token about to be stored.
pub(crate) struct Draft<'a> {
    /// Its id.
    pub(crate) id: [u8; 12],
    /// The user whose address the claims have.
    pub(crate) user: Option<[u8; 12]>,
    /// Who asked.
    pub(crate) by: &'a str,
    /// The client's address.
    pub(crate) address: String,
    /// What its tokens are.
    pub(crate) wanted: &'a Wanted,
}

impl Draft<'_> {
    /// The document, and the refresh token that is shown this once.
    pub(crate) fn document(
        &self,
        clock: &SharedClock,
        now_ms: u64,
        expires_ms: u64,
    ) -> Result<(Vec<u8>, String)> {
        let family = digits(clock, FAMILY_DIGITS);
        let own = digits(clock, DIGITS - ID_DIGITS - FAMILY_DIGITS);
        let refresh = format!("{}{family}{own}", object_id::format(&self.id));
        let mut issued = Object::new();
        issued.insert("provider", self.wanted.provider.as_str());
        issued.insert("provider_at", i64::try_from(self.wanted.provider_at).unwrap_or(i64::MAX));
        if let Some(algorithm) = &self.wanted.algorithm {
            issued.insert("algorithm", algorithm.as_str());
        }
        issued.insert("seconds", i64::try_from(self.wanted.seconds).unwrap_or(i64::MAX));
        issued.insert("by", self.by);
        let claims = Json::Object(self.wanted.claims.clone()).to_string();
        let claims = json::parse_value(claims.as_bytes(), &Limits::for_stored_queries())?;
        issued.insert("claims", Raw::trusted(&claims).to_value());
        let mut object = Object::new();
        object.insert("_id", Value::ObjectId(self.id));
        object.insert("user", Value::ObjectId(self.user.unwrap_or_default()));
        object.insert("created_at", date(now_ms));
        object.insert("refreshed_at", date(now_ms));
        object.insert("expires_at", date(expires_ms));
        object.insert("family", binary(&key::hash(&family)));
        object.insert("refresh", binary(&key::hash(&refresh)));
        object.insert("cookie", binary(&key::hash(&key::random(clock))));
        object.insert("address", self.address.as_str());
        object.insert("issued", issued);
        Ok((object.to_bytes(), refresh))
    }
}

/// The id as shown that a refresh token names; `None` where it is none.
pub(crate) fn id_of(token: &str) -> Option<&str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (token.len() == DIGITS && token.bytes().all(is_digit)).then(|| &token[..ID_DIGITS])
}

/// Another refresh token of the same family; `None` where `token` is none.
pub(crate) fn next(token: &str, clock: &SharedClock) -> Option<String> {
    id_of(token)?;
    let shared = &token[..ID_DIGITS + FAMILY_DIGITS];
    Some(format!("{shared}{}", digits(clock, DIGITS - shared.len())))
}

/// What a document's tokens are, and who asked for them; `None` where it is a login's.
pub(crate) fn read(body: Raw<'_>) -> Option<(Wanted, String)> {
    let issued = body.get("issued")?;
    let text = |name: &str| issued.get(name).and_then(Raw::as_str).map(str::to_owned);
    let mut claims = Vec::new();
    json::write(issued.get("claims")?, &mut claims);
    let wanted = Wanted {
        provider: text("provider")?,
        provider_at: u64::try_from(issued.get("provider_at")?.as_i64()?).ok()?,
        algorithm: text("algorithm"),
        seconds: u64::try_from(issued.get("seconds")?.as_i64()?).ok()?,
        claims: serde_json::from_slice(&claims).ok()?,
    };
    Some((wanted, text("by")?))
}

/// The document with another refresh token in the place of `presented`, living on until `expires_ms`. Refused with
/// [`REUSED`] where it was used before.
pub(crate) fn refreshed(
    body: Raw<'_>,
    (presented, next): (&str, &str),
    user: Option<[u8; 12]>,
    (now_ms, expires_ms): (u64, u64),
) -> Result<Vec<u8>> {
    let family = presented.get(ID_DIGITS..ID_DIGITS + FAMILY_DIGITS).ok_or_else(unknown)?;
    let ends = body.get("expires_at").and_then(Raw::as_date).unwrap_or_default();
    let is_over = u64::try_from(ends).unwrap_or_default() <= now_ms;
    if is_over || body.get("issued").is_none() || !has(body, "family", family)? {
        return Err(unknown());
    }
    if !has(body, "refresh", presented)? {
        let message = "the refresh token was used before; no more tokens come of it";
        return Err(Error::new(ErrorKind::Forbidden, REUSED, message));
    }
    // Nobody was known at first, or the user is the same.
    let known = body.get("user").and_then(Raw::as_object_id).filter(|id| *id != [0; 12]);
    let user = known.or(user).unwrap_or_default();
    let members = vec![
        ("user", Some(Value::ObjectId(user))),
        ("refreshed_at", Some(date(now_ms))),
        ("expires_at", Some(date(expires_ms))),
        ("refresh", Some(binary(&key::hash(next)))),
    ];
    Ok(with_members(body, members))
}

fn has(body: Raw<'_>, member: &str, secret: &str) -> Result<bool> {
    let bytes = body.get(member).and_then(Raw::as_binary).map(|(_, bytes)| bytes);
    let kept: Option<KeyHash> = bytes.and_then(|bytes| bytes.try_into().ok());
    let kept = kept.ok_or_else(|| {
        Error::damaged("session_undecodable", format!("a session lacks a sound `{member}`"))
    })?;
    Ok(key::same(&kept, &key::hash(secret)))
}

fn digits(clock: &SharedClock, count: usize) -> String {
    let mut bytes = [0; DIGITS / 2];
    clock.fill_random(&mut bytes);
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(count);
    text
}

fn date(ms: u64) -> Value {
    Value::Date(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn binary(hash: &KeyHash) -> Value {
    Value::Binary { subtype: 0, bytes: hash.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::super::session;
    use super::*;
    use headwater_engine::clock::ManualClock;

    fn made(clock: &SharedClock) -> (Vec<u8>, String, Wanted) {
        let claims = serde_json::json!({"email": "a@b.example", "n": [1, {"x": null}]});
        let Json::Object(claims) = claims else { unreachable!() };
        let algorithm = Some("HS256".to_owned());
        let wanted =
            Wanted { provider: "own".to_owned(), provider_at: 7, algorithm, seconds: 60, claims };
        let draft =
            Draft { id: [7; 12], user: None, by: "k", address: "::1".to_owned(), wanted: &wanted };
        let (body, refresh) = draft.document(clock, 1000, 50_000).unwrap();
        (body, refresh, wanted)
    }

    #[test]
    fn what_is_stored_is_read_back_and_no_secret_is() {
        let clock: SharedClock = ManualClock::new(0, 1);
        let (body, refresh, wanted) = made(&clock);
        assert_eq!(id_of(&refresh), Some("070707070707070707070707"));
        assert_eq!(read(Raw::trusted(&body)), Some((wanted, "k".to_owned())));
        assert!(!String::from_utf8_lossy(&body).contains(&refresh[24..40]));
        for none in ["", &refresh[1..], &refresh.to_uppercase().replace('0', "A")] {
            assert_eq!(id_of(none), None, "{none}");
        }
        // As a session it is nobody's, and its tokens are no login's.
        let stored = session::StoredSession::read(Raw::trusted(&body)).unwrap();
        assert_eq!(stored.user, [0; 12]);
        assert!(session::of_refresh(&refresh).is_none());
    }

    #[test]
    fn each_works_once_and_a_guess_changes_nothing() {
        let clock: SharedClock = ManualClock::new(0, 1);
        let (body, first, _) = made(&clock);
        let second = next(&first, &clock).unwrap();
        assert_ne!(first, second);
        let body = refreshed(Raw::trusted(&body), (&first, &second), None, (2000, 90_000)).unwrap();
        let again = refreshed(Raw::trusted(&body), (&first, &second), None, (3000, 90_000));
        assert_eq!(again.unwrap_err().code(), REUSED);
        let mut guess = second.clone();
        guess.replace_range(24..40, "0123456789abcdef");
        let guessed = refreshed(Raw::trusted(&body), (&guess, &second), None, (3000, 90_000));
        assert_eq!(guessed.unwrap_err().code(), "session_over");
        let late = refreshed(Raw::trusted(&body), (&second, &first), None, (90_000, 99_000));
        assert_eq!(late.unwrap_err().code(), "session_over");
        assert!(refreshed(Raw::trusted(&body), (&second, &first), None, (89_999, 99_000)).is_ok());
    }
}
