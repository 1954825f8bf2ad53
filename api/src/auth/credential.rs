//! A credential as it is stored: whose it is, what it may do, its secrets, and until when they work.

use std::sync::Arc;

use super::grant::GrantSource;
use super::key::{self, KeyHash};
use super::principal::Kind;

/// A stored credential, understood.
#[derive(Debug)]
pub(crate) struct Credential {
    /// The id as shown: the actor of what it does.
    pub(crate) id: Arc<str>,
    /// Key, web or basic.
    pub(crate) kind: Kind,
    /// What it may do; `None` for a key of a user that may do what the user may.
    pub(crate) source: Option<GrantSource>,
    /// The user whose key it is, by the id as shown.
    pub(crate) user: Option<Arc<str>>,
    /// The name that goes with the password.
    pub(crate) username: Option<String>,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// Its keys or passwords, the present one first.
    pub(crate) secrets: Vec<Secret>,
}

/// A key or password of a credential.
#[derive(Debug)]
pub(crate) struct Secret {
    /// Its hash.
    pub(crate) hash: KeyHash,
    /// When it ends, UTC ms, if a rotation replaced it.
    pub(crate) until_ms: Option<u64>,
}

/// Why a secret is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Nothing is known of it.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked, or replaced.
    Revoked,
}

impl Credential {
    /// When a secret of it ends; `Ok(None)` is never. Looks at every secret, in constant time each.
    pub(crate) fn admits(
        &self,
        now_ms: u64,
        is_meant: impl Fn(&KeyHash) -> bool,
    ) -> Result<Option<u64>, Unfit> {
        let mut found = None;
        for secret in &self.secrets {
            if is_meant(&secret.hash) {
                found = Some(secret);
            }
        }
        let secret = found.ok_or(Unfit::Unknown)?;
        let over = |end: Option<u64>| end.is_some_and(|end| now_ms >= end);
        if over(self.expires_ms) {
            return Err(Unfit::Expired);
        }
        if over(secret.until_ms) {
            return Err(Unfit::Revoked);
        }
        Ok([self.expires_ms, secret.until_ms].into_iter().flatten().min())
    }

    /// The same by the secret's hash.
    pub(crate) fn admits_hash(&self, now_ms: u64, hash: &KeyHash) -> Result<Option<u64>, Unfit> {
        self.admits(now_ms, |known| key::same(known, hash))
    }
}
