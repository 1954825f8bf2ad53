//! The documents of `_sessions`, and the secrets that stand for one.
//!
//! Layout: `{"_id": ObjectId, "user": ObjectId, "created_at", "refreshed_at", "expires_at": dates, "family": binary,
//! "refresh": binary, "previous": [{"hash": binary, "until": date}], "cookie": binary, "address", "agent", "anonymous",
//! "era": ObjectId}`.
//!
//! A refresh token is `hwr_`, the session's id, 30 characters that all refresh tokens of the session share (its family) and
//! 30 that are its own; a cookie is `hws_`, the id and 30 characters. Only their SHA-256 is kept. Who presents a token of
//! the family that is not the present one had a real token once: it was used before, so somebody has a copy, and the
//! session ends. A client that lost the answer may use the last token again within [`GRACE_MS`].
//! Guarantees: secrets are compared in constant time.

use headwater_engine::clock::SharedClock;
use headwater_engine::value::{Object, Raw, Value, object_id};
use headwater_engine::{Error, ErrorKind, Result};

use super::store::with_members;
use crate::auth::key::{self, KeyHash};

const REFRESH_PREFIX: &str = "hwr_";
const COOKIE_PREFIX: &str = "hws_";
const ID_DIGITS: usize = 24;
const RANDOM: usize = 30;
/// How long a refresh token that was just used may be used once more, milliseconds.
const GRACE_MS: u64 = 10_000;
/// Most tokens within that time that are remembered.
const PREVIOUS_MAX: usize = 16;
/// Most bytes of a client's description that are kept.
const AGENT_BYTES_MAX: usize = 256;

/// The code where a refresh token was used before.
pub(crate) const REUSED: &str = "refresh_token_reused";

/// A session about to begin.
pub(crate) struct Draft {
    /// Its id.
    pub(crate) id: [u8; 12],
    /// Whose it is.
    pub(crate) user: [u8; 12],
    /// Whether that user has no name.
    pub(crate) anonymous: bool,
    /// The era of that user.
    pub(crate) era: Option<[u8; 12]>,
    /// The client's address.
    pub(crate) address: Option<String>,
    /// What the client calls itself.
    pub(crate) agent: Option<String>,
}

/// The secrets of a new session.
pub(crate) struct Secrets {
    /// The refresh token.
    pub(crate) refresh: String,
    /// The cookie.
    pub(crate) cookie: String,
}

/// A session as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredSession {
    /// Whose it is.
    pub(crate) user: [u8; 12],
    /// When it ends, UTC ms.
    pub(crate) expires_ms: u64,
    /// The era of the user that it belongs to.
    pub(crate) era: Option<[u8; 12]>,
    cookie: KeyHash,
}

impl Draft {
    /// The document, with the secrets that are shown this once.
    pub(crate) fn document(
        self,
        clock: &SharedClock,
        now_ms: u64,
        expires_ms: u64,
    ) -> (Vec<u8>, Secrets) {
        let id = object_id::format(&self.id);
        let family = key::random(clock);
        let refresh = format!("{REFRESH_PREFIX}{id}{family}{}", key::random(clock));
        let cookie = format!("{COOKIE_PREFIX}{id}{}", key::random(clock));
        let mut object = Object::new();
        object.insert("_id", Value::ObjectId(self.id));
        object.insert("user", Value::ObjectId(self.user));
        object.insert("created_at", date(now_ms));
        object.insert("refreshed_at", date(now_ms));
        object.insert("expires_at", date(expires_ms));
        object.insert("family", binary(&key::hash(&family)));
        object.insert("refresh", binary(&key::hash(&refresh)));
        object.insert("cookie", binary(&key::hash(&cookie)));
        if let Some(address) = self.address {
            object.insert("address", address);
        }
        if let Some(agent) = self.agent {
            object.insert("agent", agent.chars().take(AGENT_BYTES_MAX).collect::<String>());
        }
        if self.anonymous {
            object.insert("anonymous", true);
        }
        if let Some(era) = self.era {
            object.insert("era", Value::ObjectId(era));
        }
        (object.to_bytes(), Secrets { refresh, cookie })
    }
}

impl StoredSession {
    /// Reads a document.
    pub(crate) fn read(body: Raw<'_>) -> Result<Self> {
        let id =
            |name: &str| body.get(name).and_then(Raw::as_object_id).ok_or_else(|| broken(name));
        Ok(Self {
            user: id("user")?,
            expires_ms: body
                .get("expires_at")
                .and_then(ms_of)
                .ok_or_else(|| broken("expires_at"))?,
            era: body.get("era").and_then(Raw::as_object_id),
            cookie: hash_in(body, "cookie")?,
        })
    }

    /// Whether a cookie is the one of this session.
    pub(crate) fn has_cookie(&self, cookie: &str) -> bool {
        key::same(&self.cookie, &key::hash(cookie))
    }
}

/// The session's id as shown that a refresh token names.
pub(crate) fn of_refresh(token: &str) -> Option<&str> {
    id_in(token, REFRESH_PREFIX, 2 * RANDOM)
}

/// The session's id as shown that a cookie names.
pub(crate) fn of_cookie(cookie: &str) -> Option<&str> {
    id_in(cookie, COOKIE_PREFIX, RANDOM)
}

/// The session with another refresh token in the place of `presented`, living on until `expires_ms`. Refused with
/// [`REUSED`] where it was used before.
pub(crate) fn refreshed(
    body: Raw<'_>,
    presented: &str,
    next: &str,
    now_ms: u64,
    expires_ms: u64,
) -> Result<Vec<u8>> {
    let ends = body.get("expires_at").and_then(ms_of).unwrap_or_default();
    let family = family_of(presented).ok_or_else(unknown)?;
    if now_ms >= ends || !key::same(&hash_in(body, "family")?, &key::hash(family)) {
        return Err(unknown());
    }
    let (present, given) = (hash_in(body, "refresh")?, key::hash(presented));
    let mut previous: Vec<(KeyHash, u64)> = Vec::new();
    for entry in body.get("previous").into_iter().flat_map(Raw::array_iter) {
        let until_ms = entry.get("until").and_then(ms_of).unwrap_or_default();
        if until_ms > now_ms {
            previous.push((hash_in(entry, "hash")?, until_ms));
        }
    }
    let in_grace = previous.iter().any(|(hash, _)| key::same(hash, &given));
    if !key::same(&present, &given) && !in_grace {
        return Err(Error::new(
            ErrorKind::Forbidden,
            REUSED,
            "the refresh token was used before; the session is over",
        ));
    }
    previous.push((present, now_ms + GRACE_MS));
    let excess = previous.len().saturating_sub(PREVIOUS_MAX);
    let previous = previous.into_iter().skip(excess).map(|(hash, until_ms)| {
        let mut entry = Object::new();
        entry.insert("hash", binary(&hash));
        entry.insert("until", date(until_ms));
        Value::Object(entry)
    });
    Ok(with_members(
        body,
        vec![
            ("refreshed_at", Some(date(now_ms))),
            ("expires_at", Some(date(expires_ms))),
            ("refresh", Some(binary(&key::hash(next)))),
            ("previous", Some(Value::Array(previous.collect()))),
        ],
    ))
}

/// Another refresh token of the same family; `None` where `token` is none.
pub(crate) fn next_refresh(token: &str, clock: &SharedClock) -> Option<String> {
    of_refresh(token)?;
    let shared = token.get(..token.len() - RANDOM)?;
    Some(format!("{shared}{}", key::random(clock)))
}

/// The refusal of a token or cookie that is none, or of a session that is over.
pub(crate) fn unknown() -> Error {
    Error::new(ErrorKind::Forbidden, "session_over", "the session is over")
}

fn family_of(token: &str) -> Option<&str> {
    of_refresh(token)?;
    let start = REFRESH_PREFIX.len() + ID_DIGITS;
    token.get(start..start + RANDOM)
}

fn id_in<'a>(secret: &'a str, prefix: &str, random: usize) -> Option<&'a str> {
    let rest = secret.strip_prefix(prefix)?;
    let (id, random_part) = rest.split_at_checked(ID_DIGITS)?;
    let sound =
        random_part.len() == random && random_part.bytes().all(|b| b.is_ascii_alphanumeric());
    (sound && object_id::parse(id).is_some()).then_some(id)
}

fn date(ms: u64) -> Value {
    Value::Date(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn ms_of(raw: Raw<'_>) -> Option<u64> {
    raw.as_date().map(|ms| u64::try_from(ms).unwrap_or_default())
}

fn binary(hash: &KeyHash) -> Value {
    Value::Binary { subtype: 0, bytes: hash.to_vec() }
}

fn hash_in(body: Raw<'_>, member: &str) -> Result<KeyHash> {
    let bytes = body.get(member).and_then(Raw::as_binary).map(|(_, bytes)| bytes);
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| broken(member))
}

fn broken(member: &str) -> Error {
    Error::damaged("session_undecodable", format!("a session lacks a sound `{member}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::clock::ManualClock;

    fn begin() -> (SharedClock, Vec<u8>, Secrets) {
        let clock: SharedClock = ManualClock::new(0, 1);
        let draft = Draft {
            id: [1; 12],
            user: [2; 12],
            anonymous: false,
            era: None,
            address: None,
            agent: Some("é".repeat(300)),
        };
        let (body, secrets) = draft.document(&clock, 1000, 500_000);
        (clock, body, secrets)
    }

    fn refresh(
        body: &mut Vec<u8>,
        token: &str,
        clock: &SharedClock,
        now_ms: u64,
    ) -> Result<String> {
        let next = next_refresh(token, clock).ok_or_else(unknown)?;
        *body = refreshed(Raw::trusted(body), token, &next, now_ms, now_ms + 500_000)?;
        Ok(next)
    }

    #[test]
    fn secrets_name_their_session_and_are_not_kept() {
        let (_, body, secrets) = begin();
        let id = "010101010101010101010101";
        assert_eq!(of_refresh(&secrets.refresh), Some(id));
        assert_eq!(of_cookie(&secrets.cookie), Some(id));
        assert_eq!(of_cookie(&secrets.refresh), None);
        assert_eq!(of_refresh(&secrets.refresh[..80]), None);
        assert_eq!(of_refresh(&format!("hwr_{}é", "0".repeat(82))), None);
        let stored = StoredSession::read(Raw::trusted(&body)).unwrap();
        assert!(stored.has_cookie(&secrets.cookie));
        assert!(!stored.has_cookie(&secrets.cookie.replace("hws_", "hws-")));
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(!text.contains(&secrets.refresh[60..]) && !text.contains(&secrets.cookie[30..]));
    }

    #[test]
    fn a_refresh_token_works_once() {
        let (clock, mut body, secrets) = begin();
        let second = refresh(&mut body, &secrets.refresh, &clock, 2000).unwrap();
        let third = refresh(&mut body, &second, &clock, 3000).unwrap();
        assert_ne!(second, third);
        // The first was replaced at 2000, so it is good until 12000.
        let error = refresh(&mut body.clone(), &secrets.refresh, &clock, 12_000).unwrap_err();
        assert_eq!(error.code(), REUSED);
        let late = refresh(&mut body, &second, &clock, 12_999).unwrap();
        assert_eq!(refresh(&mut body.clone(), &second, &clock, 13_000).unwrap_err().code(), REUSED);
        // What the lost answer held, and what came after it, go on for as long.
        refresh(&mut body.clone(), &third, &clock, 20_000).unwrap();
        refresh(&mut body, &late, &clock, 20_000).unwrap();
    }

    #[test]
    fn a_very_old_token_gives_the_copy_away_but_a_guess_does_not() {
        let (clock, mut body, secrets) = begin();
        let mut token = secrets.refresh.clone();
        for round in 0..40 {
            token = refresh(&mut body, &token, &clock, 100_000 + round * 20_000).unwrap();
        }
        let error = refresh(&mut body.clone(), &secrets.refresh, &clock, 950_000).unwrap_err();
        assert_eq!(error.code(), REUSED);
        let mut guess = secrets.refresh.clone();
        guess.replace_range(28..58, &"A".repeat(30));
        assert_eq!(refresh(&mut body, &guess, &clock, 950_000).unwrap_err().code(), "session_over");
    }

    #[test]
    fn a_session_ends_at_its_time() {
        let (clock, mut body, secrets) = begin();
        let error = refresh(&mut body, &secrets.refresh, &clock, 500_000).unwrap_err();
        assert_eq!(error.code(), "session_over");
    }
}
