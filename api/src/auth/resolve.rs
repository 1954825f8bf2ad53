//! What a presented credential is: the root key, a key, a name with a password, a token of ours, a cookie, a token of
//! another issuer.
//!
//! Guarantees: secrets are compared as hashes in constant time; a key of a user never allows more than the user's roles,
//! and ends with the user.
//! Leaves to others: compiling and keeping (the directory), users and sessions (`people`), other issuers (`external`).

use std::sync::Arc;

use headwater_engine::view::Snapshot;
use headwater_engine::{Engine, Error};

use super::credential::Credential;
use super::directory::Directory;
use super::grant::GrantSource;
use super::identity::{Dependency, Identity};
use super::jws::TOKEN_BYTES_MAX;
use super::key;
use super::options::AccessOptions;
use super::people::{self, StoredUser};
use super::presented::Presented;
use super::principal::{Kind, ROOT};
use super::refusal;
use super::token::Use;
use crate::error::ApiError;

impl Directory {
    /// What is presented, as it stands now.
    pub(super) async fn identify(&self, presented: &Presented) -> Result<Identity, ApiError> {
        let now_ms = self.clock.now_ms();
        match presented {
            Presented::Token(text) => self.by_text(text, now_ms).await,
            Presented::Basic { username, password } => {
                // Hashed whether the name is known or not, so that both take as long.
                let hash = key::hash(password);
                let known = self.watch.registry.by_name(username);
                let credential = known.ok_or_else(refusal::unknown)?;
                let ends = credential.admits_hash(now_ms, &hash).map_err(refusal::of)?;
                self.of_credential(&credential, ends).await
            }
            Presented::Cookie(cookie) => {
                let cookie = cookie.clone();
                self.read(move |snapshot, options| {
                    people::by_cookie(snapshot, &cookie, now_ms, options)
                })
                .await
            }
        }
    }

    async fn by_text(&self, text: &str, now_ms: u64) -> Result<Identity, ApiError> {
        let hash = key::hash(text);
        if self.is_root(&hash) {
            return Ok(root(None));
        }
        match self.watch.registry.by_key(&hash, now_ms) {
            Ok((credential, ends)) => self.of_credential(&credential, ends).await,
            Err(_) if is_token(text) => self.by_token(text, now_ms).await,
            Err(unfit) => Err(refusal::of(unfit)),
        }
    }

    async fn by_token(&self, text: &str, now_ms: u64) -> Result<Identity, ApiError> {
        let Some((purpose, ends_ms)) = self.signer.check(text, now_ms)? else {
            // Reads users, as of every change heard of.
            drop(self.snapshot().await?);
            let identity = self.external.identify(self.engine()?, text, &self.options).await?;
            return identity.ok_or_else(refusal::unknown);
        };
        match purpose {
            Use::Grant { credential, key } => {
                self.by_grant_token(&credential, &key, now_ms, ends_ms).await
            }
            Use::Access { session, user } => {
                self.read(move |snapshot, options| {
                    people::by_access_token(snapshot, &session, &user, ends_ms, options)
                })
                .await
            }
            Use::Reset { .. } => {
                Err(ApiError::unauthorized("a token for a new password is no credential"))
            }
        }
    }

    /// Whom a token made from a key stands for: the credential as it stands, while that key is one of it.
    async fn by_grant_token(
        &self,
        credential: &str,
        mark: &str,
        now_ms: u64,
        ends_ms: u64,
    ) -> Result<Identity, ApiError> {
        if credential == ROOT {
            let present = self.root.as_ref().is_some_and(|root| key::mark(root) == mark);
            return if present { Ok(root(Some(ends_ms))) } else { Err(refusal::revoked()) };
        }
        let credential = self.watch.registry.by_id(credential).ok_or_else(refusal::revoked)?;
        let ends = credential.admits(now_ms, |hash| key::mark(hash) == mark);
        let ends = ends.map_err(|unfit| match unfit {
            super::credential::Unfit::Unknown => refusal::revoked(),
            known => refusal::of(known),
        })?;
        let ends_ms = ends.map_or(ends_ms, |ends| ends.min(ends_ms));
        self.of_credential(&credential, Some(ends_ms)).await
    }

    async fn of_credential(
        &self,
        credential: &Credential,
        expires_ms: Option<u64>,
    ) -> Result<Identity, ApiError> {
        let user = match &credential.user {
            Some(user) => {
                let id = Arc::clone(user);
                let read = move |snapshot: &Snapshot, options: &AccessOptions| {
                    people::user(snapshot, &id, options)
                };
                let user = self.read(read).await?.ok_or_else(refusal::revoked)?;
                if user.disabled {
                    return Err(refusal::disabled());
                }
                Some(user)
            }
            None => None,
        };
        Ok(of_credential(credential, user, expires_ms))
    }

    /// Reads users or sessions off the async threads, as of every change heard of.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot, &AccessOptions) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let snapshot = self.snapshot().await?;
        let engine: &Engine = self.engine()?;
        let options = Arc::clone(&self.options);
        let done = engine.tasks().blocking(move || read(&snapshot, &options)).await;
        done.ok_or_else(|| Error::internal("reading a user panicked"))?
    }

    /// A user, as of every change heard of.
    pub(super) async fn user(&self, id: &str) -> Result<Option<StoredUser>, ApiError> {
        let id = id.to_owned();
        self.read(move |snapshot, options| people::user(snapshot, &id, options)).await
    }
}

/// The holder of the root key of the configuration.
pub(super) fn root(expires_ms: Option<u64>) -> Identity {
    Identity {
        actor: Arc::from(ROOT),
        kind: Kind::Root,
        session: None,
        user: None,
        facts: None,
        source: GrantSource::full(),
        expires_ms,
        rests_on: Vec::new(),
        position: 0,
    }
}

/// The holder of a stored credential; `user` is the one whose key it is.
pub(super) fn of_credential(
    credential: &Credential,
    user: Option<StoredUser>,
    expires_ms: Option<u64>,
) -> Identity {
    let mut rests_on = vec![Dependency::Credential(Arc::clone(&credential.id))];
    let source = match &user {
        Some(user) => {
            rests_on.push(Dependency::User(Arc::clone(&user.id)));
            narrowed(credential.source.as_ref(), &user.roles)
        }
        None => credential.source.clone().unwrap_or_default(),
    };
    let source = if credential.kind == Kind::Web { source.public() } else { source };
    Identity {
        actor: Arc::clone(&credential.id),
        kind: credential.kind,
        session: None,
        user: user.as_ref().map(|user| Arc::clone(&user.id)),
        facts: user.map(|user| user.facts),
        source,
        expires_ms,
        rests_on,
        position: 0,
    }
}

/// What a key of a user may do: what the user's roles say, within the key's own grant.
fn narrowed(own: Option<&GrantSource>, roles: &[String]) -> GrantSource {
    let Some(own) = own else { return GrantSource::by_roles(roles.to_vec()) };
    if roles.is_empty() {
        // Without roles there is nothing to be narrowed: the grant alone must not count.
        return GrantSource::by_roles(Vec::new());
    }
    own.of_user(roles.to_vec())
}

/// Whether a text may be a JWT.
fn is_token(text: &str) -> bool {
    text.len() <= TOKEN_BYTES_MAX && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::grant::UserFacts;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_users_key_never_allows_more_than_the_user_may() {
        let own = GrantSource::full();
        let source = narrowed(Some(&own), &names(&["clerk", "guest"]));
        assert_eq!((source.admin, source.roles), (false, names(&["clerk", "guest"])));
        let mut own = own;
        own.roles = names(&["boss", "guest"]);
        let source = narrowed(Some(&own), &names(&["clerk", "guest"]));
        assert_eq!((source.admin, source.roles), (false, names(&["clerk", "guest"])));
        let source = narrowed(Some(&own), &[]);
        assert!(!source.admin && source.roles.is_empty());
        assert_eq!(narrowed(None, &names(&["clerk"])).roles, names(&["clerk"]));
    }

    #[test]
    fn a_users_key_rests_on_the_user_and_acts_as_itself() {
        let credential = Credential {
            id: Arc::from("c"),
            kind: Kind::Key,
            source: None,
            user: Some(Arc::from("u")),
            username: None,
            expires_ms: None,
            secrets: Vec::new(),
        };
        let user = StoredUser {
            id: Arc::from("u"),
            facts: UserFacts::default(),
            roles: names(&["clerk"]),
            disabled: false,
        };
        let identity = of_credential(&credential, Some(user), Some(7));
        assert_eq!((&*identity.actor, identity.user.as_deref()), ("c", Some("u")));
        assert!(identity.rests_on.contains(&Dependency::Credential(Arc::from("c"))));
        assert!(identity.rests_on.contains(&Dependency::User(Arc::from("u"))));
        assert!(identity.facts.is_some());
        assert_eq!(identity.expires_ms, Some(7));
    }

    #[test]
    fn tokens_are_told_by_their_dots() {
        assert!(is_token("a.b.c"));
        assert!(!is_token("hw_abc") && !is_token("a.b") && !is_token("a.b.c.d"));
        assert!(!is_token(&format!("a.b.{}", "c".repeat(TOKEN_BYTES_MAX))));
    }
}
