//! Credentials: issue, list, change, rotate, revoke. Full access alone.

use std::sync::Arc;

use headwater_engine::query::find::Place;
use headwater_engine::value::{Object, Raw, Value, date};
use headwater_engine::view::{Row, Window};
use headwater_engine::write::{Absent, Change, Command, Committed, DocumentId, Operation};
use headwater_engine::{Engine, Error, Result};
use serde_json::json;

use super::collections::to_json;
use super::{RequestKey, Session, cursor, target};
use crate::auth::document::{self, Draft};
use crate::auth::{COLLECTION, GrantSource, key, shown};
use crate::error::ApiError;

/// What is asked for a credential; absent members stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// What its maker calls it.
    pub(crate) label: Option<String>,
    /// The grant.
    pub(crate) grant: Option<Value>,
    /// When it ends, UTC ms; `Some(None)` is never.
    pub(crate) expires_ms: Option<Option<u64>>,
}

/// A credential with its key, which is shown this once.
pub(crate) struct Issued {
    /// The credential as callers see it.
    pub(crate) shown: serde_json::Value,
    /// Its key; `None` when the answer to an earlier request is repeated: only its hash is left.
    pub(crate) key: Option<String>,
    /// What was committed.
    pub(crate) committed: Committed,
}

impl Session {
    /// Issues a key.
    pub(crate) async fn issue(
        &self,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        self.full_access()?;
        let grant = asked.grant.unwrap_or_else(|| Value::Object(Object::new()));
        GrantSource::parse(Raw::trusted(&grant.to_bytes()), self.engine.limits())?;
        let new_key = key::generate(self.engine.clock());
        let draft = Draft {
            id: self.engine.new_id(),
            label: asked.label.unwrap_or_default(),
            grant,
            expires_ms: asked.expires_ms.flatten(),
        };
        let operation = creation(draft, &new_key);
        let committed = self.commit(vec![operation], request).await?;
        issued(committed, new_key)
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
        let number = credentials_number(&snapshot)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        let (_, row) =
            target::find(&snapshot, number, candidates)?.ok_or_else(|| no_credential(id))?;
        Ok((entry(&row), snapshot.position()))
    }

    /// Changes label, grant or end of a credential.
    pub(crate) async fn change_credential(
        &self,
        id: &str,
        asked: Changes,
        request: Option<RequestKey>,
    ) -> Result<(serde_json::Value, Committed), ApiError> {
        self.full_access()?;
        if let Some(grant) = &asked.grant {
            GrantSource::parse(Raw::trusted(&grant.to_bytes()), self.engine.limits())?;
        }
        let members: Vec<(&'static str, Value)> = [
            asked.label.map(|label| ("label", Value::String(label))),
            asked.grant.map(|grant| ("grant", grant)),
            asked.expires_ms.map(|end| ("expires_at", document::date(end))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let change = By(move |body: Raw<'_>| document::changed(body, members.clone()));
        let committed = self.commit(vec![self.changing(id, change)?], request).await?;
        Ok((of_outcome(&committed)?, committed))
    }

    /// Gives a credential a new key; the old one works for `grace_ms` more.
    pub(crate) async fn rotate_credential(
        &self,
        id: &str,
        grace_ms: u64,
        request: Option<RequestKey>,
    ) -> Result<Issued, ApiError> {
        self.full_access()?;
        let new_key = key::generate(self.engine.clock());
        let hash = key::hash(&new_key);
        let now_ms = self.engine.clock().now_ms();
        let until_ms = now_ms.saturating_add(grace_ms);
        let change = By(move |body: Raw<'_>| document::rotated(body, &hash, now_ms, until_ms));
        let committed = self.commit(vec![self.changing(id, change)?], request).await?;
        issued(committed, new_key)
    }

    /// Revokes a credential.
    pub(crate) async fn revoke(
        &self,
        id: &str,
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.full_access()?;
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

/// Makes the first full-access key.
pub(crate) async fn create_root_key(engine: &Engine) -> Result<String> {
    let new_key = key::generate(engine.clock());
    let grant: Object = [("admin".to_owned(), Value::Bool(true))].into_iter().collect();
    let draft = Draft {
        id: engine.new_id(),
        label: "root".to_owned(),
        grant: Value::Object(grant),
        expires_ms: None,
    };
    let operations = vec![creation(draft, &new_key)];
    engine
        .write(Command { operations, actor: Arc::from("system"), request: None, guard: None })
        .await?;
    Ok(new_key)
}

fn creation(draft: Draft, new_key: &str) -> Operation {
    let raw = Value::ObjectId(draft.id).to_bytes();
    let id_key = headwater_engine::value::key::encode(Raw::trusted(&raw));
    let id = DocumentId { raw: raw.into(), key: id_key.into() };
    let body = draft.document(&key::hash(new_key)).into();
    Operation::Create { collection: Arc::from(COLLECTION), id, body }
}

fn issued(committed: Committed, new_key: String) -> Result<Issued, ApiError> {
    let shown = of_outcome(&committed)?;
    let key = (!committed.repeated).then_some(new_key);
    Ok(Issued { shown, key, committed })
}

fn of_outcome(committed: &Committed) -> Result<serde_json::Value> {
    let body = committed.outcomes.first().and_then(|outcome| outcome.body.as_ref());
    let body = body.ok_or_else(|| Error::internal("a credential was written without a body"))?;
    Ok(described(Raw::trusted(body)))
}

fn credentials_number(
    snapshot: &headwater_engine::view::Snapshot,
) -> Result<headwater_engine::view::CollectionId> {
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
    json!({
        "id": body.get("_id").map(shown),
        "label": member("label"),
        "kind": member("kind"),
        "grant": member("grant"),
        "expires_at": member("expires_at"),
    })
}

fn no_credential(id: &str) -> Error {
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
