//! Keys of users: made by a user who is logged in, or for any user with full access.
//!
//! Guarantees: a user makes, sees and revokes no keys but its own; such a key never allows more than the user may, and ends
//! with the user (the directory sees to both).

use std::sync::Arc;

use headwater_engine::write::Committed;
use http::StatusCode;

use super::credentials::{Changes, Issued, no_credential};
use super::{RequestKey, Session, cursor};
use crate::auth::document::Draft;
use crate::auth::{Access, Kind, logged_in};
use crate::error::ApiError;

/// Most keys of one user.
const KEYS_MAX: usize = 100;
/// Who stands for the user that asks.
const ME: &str = "me";

impl Session {
    /// Makes a key for a user.
    pub(crate) async fn issue_user_key(
        &self,
        access: &Access,
        user: &str,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        let user = self.owner_of_keys(user)?;
        self.issue_to_user(access, &user, asked, request).await
    }

    /// Makes a key for a user that the caller may make keys for.
    pub(super) async fn issue_to_user(
        &self,
        access: &Access,
        user: &str,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        let known = access.user(user).await?.ok_or_else(|| no_user(user))?;
        if let Some(grant) = &asked.grant {
            let source = self.check_grant(access, Kind::Key, true, grant)?;
            if let Some(role) = source.roles.iter().find(|role| !known.roles.contains(role)) {
                let message = format!("the user does not have the role `{role}`");
                return Err(
                    ApiError::bad_request("unknown_role", message).with("role", role.as_str())
                );
            }
        }
        if access.keys_of_user(&known.id).len() >= KEYS_MAX {
            let message = format!("a user has at most {KEYS_MAX} keys; revoke one first");
            let error = ApiError::new(StatusCode::CONFLICT, "limit_exceeded", message);
            return Err(error.with("limit", "keys of a user").with("value", KEYS_MAX as u64));
        }
        let draft = Draft {
            id: self.engine.new_id(),
            label: asked.label.unwrap_or_default(),
            description: asked.description,
            kind: Kind::Key,
            user: Some(known.id.to_string()),
            grant: asked.grant,
            expires_ms: asked.expires_ms.flatten(),
            username: None,
        };
        self.create_credential(draft, request).await
    }

    /// A page of a user's keys: entries, the next cursor, the position that was seen.
    pub(crate) fn user_keys(
        &self,
        access: &Access,
        user: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<serde_json::Value>, Option<String>, u64), ApiError> {
        let user = self.owner_of_keys(user)?;
        let after = after.map(cursor::name_of).transpose()?;
        let snapshot = self.engine.snapshot();
        let mut entries = Vec::new();
        let mut last: Option<Arc<str>> = None;
        for id in access.keys_of_user(&user) {
            if after.as_deref().is_some_and(|after| &*id <= after) {
                continue;
            }
            if entries.len() == limit {
                let next = last.as_deref().map(cursor::of_name);
                return Ok((entries, next, snapshot.position()));
            }
            entries.extend(self.shown_credential(&snapshot, &id)?);
            last = Some(id);
        }
        Ok((entries, None, snapshot.position()))
    }

    /// Revokes a key of a user.
    pub(crate) async fn revoke_user_key(
        &self,
        access: &Access,
        (user, id): (&str, &str),
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        let user = self.owner_of_keys(user)?;
        if access.keys_of_user(&user).iter().any(|key| **key == *id) {
            return self.remove_credential(id, request).await;
        }
        // A repeated request finds it gone; its key tells what the answer was.
        let answered = self.answered_before(request.as_ref()).await?;
        answered.ok_or_else(|| no_credential(id).into())
    }

    /// The user whose keys are meant, if the caller may deal with them.
    fn owner_of_keys(&self, user: &str) -> Result<Arc<str>, ApiError> {
        let own = logged_in(&self.principal);
        if let Some(own) = own
            && (user == ME || **own == *user)
        {
            return Ok(Arc::clone(own));
        }
        if user == ME {
            let message = "this needs a session of a user";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "login_needed", message));
        }
        self.full_access()?;
        Ok(Arc::from(user))
    }
}

fn no_user(id: &str) -> ApiError {
    let shown: String = id.chars().take(100).collect();
    ApiError::not_found("user_not_found", format!("there is no user {shown}")).with("user", shown)
}
