//! Credentials: issue, list, change, rotate, revoke. Full access alone; users make keys of their own in [`super::user_keys`].

use std::sync::Arc;

use headwater_engine::query::find::Place;
use headwater_engine::value::{Object, Raw, Value, date};
use headwater_engine::view::{CollectionId, Row, Snapshot, Window};
use headwater_engine::write::{Absent, Change, Committed, DocumentId, Operation};
use headwater_engine::{Engine, Error, Result};
use serde_json::json;

use super::collections::to_json;
use super::{RequestKey, Session, cursor, target};
use crate::auth::document::{self, Draft};
use crate::auth::{Access, COLLECTION, GrantSource, Kind, key, shown};
use crate::error::ApiError;

/// What is asked for a credential; absent members stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// What its maker calls it.
    pub(crate) label: Option<String>,
    /// What its maker says of it.
    pub(crate) description: Option<String>,
    /// The grant.
    pub(crate) grant: Option<Value>,
    /// When it ends, UTC ms; `Some(None)` is never.
    pub(crate) expires_ms: Option<Option<u64>>,
}

/// What sort of credential is asked for.
#[derive(Debug)]
pub(crate) struct Sort {
    /// Key, web or basic.
    pub(crate) kind: Kind,
    /// The user whose key it is to be, by the id as shown.
    pub(crate) user: Option<String>,
}

/// A credential with its key or password, which is shown this once.
pub(crate) struct Issued {
    /// The credential as callers see it.
    pub(crate) shown: serde_json::Value,
    /// Its key or password; `None` when the answer to an earlier request is repeated: only its hash is left.
    pub(crate) secret: Option<Secret>,
    /// What was committed.
    pub(crate) committed: Committed,
}

/// A key or a password in clear.
pub(crate) struct Secret {
    /// The member that shows it.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) text: String,
}

impl Secret {
    fn generate(engine: &Engine, kind: Kind) -> Self {
        match kind {
            Kind::Basic => Self { name: "password", text: key::password(engine.clock()) },
            _ => Self { name: "key", text: key::generate(engine.clock()) },
        }
    }
}

impl Session {
    /// Issues a credential.
    pub(crate) async fn issue(
        &self,
        access: &Access,
        sort: Sort,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        self.full_access()?;
        if let Some(user) = &sort.user {
            if sort.kind != Kind::Key {
                let message = "only a credential of kind `key` can belong to a user";
                let error = ApiError::bad_request("invalid_parameter", message);
                return Err(error.with("parameter", "user"));
            }
            return self.issue_to_user(access, user, asked, request).await;
        }
        let grant = asked.grant.unwrap_or_else(|| Value::Object(Object::new()));
        self.check_grant(access, sort.kind, false, &grant)?;
        let draft = Draft {
            label: asked.label.unwrap_or_default(),
            description: asked.description,
            kind: sort.kind,
            expires_ms: asked.expires_ms.flatten(),
            username: (sort.kind == Kind::Basic).then(|| access.new_username()),
            ..Draft::key(self.engine.new_id(), grant)
        };
        self.create_credential(draft, request).await
    }

    /// Stores a new credential with a new secret.
    pub(super) async fn create_credential(
        &self,
        draft: Draft,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        let secret = Secret::generate(&self.engine, draft.kind);
        let committed = self.commit(vec![draft.creation(&secret.text)], request).await?;
        issued(committed, secret)
    }

    /// Refuses a grant that is malformed, does not fit the kind, or names a role that is not there.
    pub(super) fn check_grant(
        &self,
        access: &Access,
        kind: Kind,
        has_user: bool,
        grant: &Value,
    ) -> Result<GrantSource, ApiError> {
        let encoded = grant.to_bytes();
        document::check_grant(kind, has_user, Raw::trusted(&encoded))?;
        let source = GrantSource::parse(Raw::trusted(&encoded), self.engine.limits())?;
        match access.missing_role(&source.roles) {
            None => Ok(source),
            Some(role) => {
                let message = format!("there is no role `{role}`");
                Err(ApiError::bad_request("unknown_role", message).with("role", role))
            }
        }
    }

    /// A page of credentials: entries, the next cursor, the position that was seen.
    pub(crate) fn credentials(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<serde_json::Value>, Option<String>, u64), ApiError> {
        self.full_access()?;
        let cursor = cursor.map(cursor::Cursor::decode).transpose()?;
        let snapshot = self.engine.snapshot();
        let number = credentials_number(&snapshot)?;
        if cursor.as_ref().is_some_and(|cursor| cursor.collection != number) {
            return Err(cursor::invalid().into());
        }
        let after = cursor.as_ref().map(|cursor| cursor.after.id_key.as_slice());
        let page = snapshot.page(number, Window { after, skip: 0, limit })?;
        let next = page.next.map(|after| {
            let after = Place { key: Vec::new(), id_key: after.to_vec() };
            cursor::Cursor { collection: number, at: None, digest: 0, after }.encode()
        });
        Ok((page.rows.iter().map(entry).collect(), next, snapshot.position()))
    }

    /// A credential, and the position that was seen.
    pub(crate) fn credential_by_id(&self, id: &str) -> Result<(serde_json::Value, u64), ApiError> {
        self.full_access()?;
        let snapshot = self.engine.snapshot();
        let shown = self.shown_credential(&snapshot, id)?.ok_or_else(|| no_credential(id))?;
        Ok((shown, snapshot.position()))
    }

    /// A credential as callers see it, if it is there.
    pub(super) fn shown_credential(
        &self,
        snapshot: &Snapshot,
        id: &str,
    ) -> Result<Option<serde_json::Value>> {
        let number = credentials_number(snapshot)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        Ok(target::find(snapshot, number, candidates)?.map(|(_, row)| entry(&row)))
    }

    /// Changes label, description, grant or end of a credential.
    pub(crate) async fn change_credential(
        &self,
        access: &Access,
        id: &str,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<(serde_json::Value, Committed), ApiError> {
        self.full_access()?;
        let grant = asked.grant;
        if let Some(grant) = &grant {
            self.check_grant(access, Kind::Key, false, grant)?;
        }
        let encoded = grant.as_ref().map(Value::to_bytes);
        let text = |text: Option<String>| text.map(Value::String);
        let members: Vec<(&'static str, Value)> = [
            ("label", text(asked.label)),
            ("description", text(asked.description)),
            ("grant", grant),
            ("expires_at", asked.expires_ms.map(document::date)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let change = By(move |body: Raw<'_>| {
            if let Some(grant) = &encoded {
                document::check_new_grant(body, Raw::trusted(grant))?;
            }
            document::changed(body, members.clone())
        });
        let committed = self.commit(vec![self.changing(id, change)?], request).await?;
        Ok((of_outcome(&committed)?, committed))
    }

    /// Gives a credential a new key or password; the old one works for `grace_ms` more.
    pub(crate) async fn rotate_credential(
        &self,
        id: &str,
        grace_ms: u64,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        self.full_access()?;
        let secret = Secret::generate(&self.engine, self.kind_of_credential(id)?);
        let hash = key::hash(&secret.text);
        let now_ms = self.engine.clock().now_ms();
        let until_ms = now_ms.saturating_add(grace_ms);
        let change = By(move |body: Raw<'_>| document::rotated(body, &hash, now_ms, until_ms));
        let committed = self.commit(vec![self.changing(id, change)?], request).await?;
        issued(committed, secret)
    }

    /// The kind, which never changes; that of a key where there is no such credential, which the writer will say.
    fn kind_of_credential(&self, id: &str) -> Result<Kind> {
        let snapshot = self.engine.snapshot();
        let number = credentials_number(&snapshot)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        let found = target::find(&snapshot, number, candidates)?;
        let kind = found.and_then(|(_, row)| {
            row.body().get("kind").and_then(Raw::as_str).and_then(document::kind_of)
        });
        Ok(kind.unwrap_or(Kind::Key))
    }

    /// Revokes a credential.
    pub(crate) async fn revoke(
        &self,
        id: &str,
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.full_access()?;
        self.remove_credential(id, request).await
    }

    /// Removes a credential that the caller may remove.
    pub(super) async fn remove_credential(
        &self,
        id: &str,
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        let id = self.credential_target(id)?;
        let collection = Arc::from(COLLECTION);
        let operation = Operation::Delete { collection, id, if_version: None, only_if: None };
        Ok(self.commit(vec![operation], request).await?)
    }

    fn changing(&self, id: &str, change: impl Change + 'static) -> Result<Operation> {
        let id = self.credential_target(id)?;
        let (collection, change) = (Arc::from(COLLECTION), Arc::new(change));
        Ok(Operation::Change { collection, id, change, if_version: None, absent: Absent::Refuse })
    }

    fn credential_target(&self, id: &str) -> Result<DocumentId> {
        let candidates = target::candidates(id, self.engine.limits())?;
        target::choose(&self.engine.snapshot(), COLLECTION, candidates)
    }
}

fn issued(committed: Committed, secret: Secret) -> Result<Issued, ApiError> {
    let shown = of_outcome(&committed)?;
    let secret = (!committed.repeated).then_some(secret);
    Ok(Issued { shown, secret, committed })
}

fn of_outcome(committed: &Committed) -> Result<serde_json::Value> {
    let body = committed.outcomes.first().and_then(|outcome| outcome.body.as_ref());
    let body = body.ok_or_else(|| Error::internal("a credential was written without a body"))?;
    Ok(described(Raw::trusted(body)))
}

fn credentials_number(snapshot: &Snapshot) -> Result<CollectionId> {
    let number = snapshot.collections().number(COLLECTION);
    number.ok_or_else(|| Error::internal("there is no collection of credentials"))
}

fn entry(row: &Row) -> serde_json::Value {
    let mut shown = described(row.body());
    let created = i64::try_from(row.created_ms()).unwrap_or(i64::MAX);
    shown["created_at"] = json!(date::format_ms(created));
    shown["created_by"] = json!(row.created_by());
    shown
}

/// A credential without its hashes.
fn described(body: Raw<'_>) -> serde_json::Value {
    let member = |name: &str| body.get(name).map_or(serde_json::Value::Null, to_json);
    let mut described = json!({
        "id": body.get("_id").map(shown),
        "label": member("label"),
        "kind": member("kind"),
        "grant": member("grant"),
        "expires_at": member("expires_at"),
    });
    for name in ["description", "user", "username"] {
        if let Some(value) = body.get(name) {
            described[name] = to_json(value);
        }
    }
    described
}

pub(super) fn no_credential(id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::not_found("credential_not_found", format!("there is no credential {shown}"))
}

/// A change by a function.
struct By<F>(F);

impl<F: Fn(Raw<'_>) -> Result<Vec<u8>> + Send + Sync> Change for By<F> {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        (self.0)(current).map(Some)
    }
}
