//! Collections: list, read, define, drop.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::fields::Fields;
use headwater_engine::value::{Raw, json};
use headwater_engine::view::{Collection, CollectionSchema, Snapshot};
use headwater_engine::write::{Committed, Operation};
use serde_json::{Value, json};

use super::indexes::describe as describe_index;
use super::{RequestKey, Session, blocking, cursor};
use crate::auth::Action;
use crate::collection_name;
use crate::error::ApiError;

impl Session {
    /// A page of the collections that the caller may read: entries, the next cursor, the position that was seen.
    pub(crate) fn collections(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Value>, Option<String>, u64), ApiError> {
        let after = cursor.map(cursor::name_of).transpose()?;
        let snapshot = self.engine.snapshot();
        let grant = &self.grant;
        let mut entries = Vec::new();
        let mut last = None;
        for collection in snapshot.collections().iter() {
            let passed = after.as_deref().is_some_and(|after| &*collection.name <= after);
            if passed || !grant.allows(&collection.name, Action::Read) {
                continue;
            }
            if entries.len() == limit {
                return Ok((entries, last, snapshot.position()));
            }
            let (count, bytes) = self.size(&snapshot, collection)?;
            entries.push(json!({"name": *collection.name, "count": count, "bytes": bytes}));
            last = Some(cursor::of_name(&collection.name));
        }
        Ok((entries, None, snapshot.position()))
    }

    /// A collection as callers see it, and the position that was seen.
    pub(crate) fn describe(&self, name: &str) -> Result<(Value, u64), ApiError> {
        self.check(name, Action::Read)?;
        self.described(name)
    }

    fn described(&self, name: &str) -> Result<(Value, u64), ApiError> {
        let snapshot = self.engine.snapshot();
        let missing = || collection_name::not_found(name);
        let collection = snapshot.collection(name).ok_or_else(missing)?;
        Ok((self.description(&snapshot, &collection)?, snapshot.position()))
    }

    /// Defines a collection; `definition` is an encoded object.
    pub(crate) async fn define(
        &self,
        name: &str,
        definition: Vec<u8>,
        key: Option<RequestKey>,
    ) -> Result<(Committed, Value), ApiError> {
        self.check(name, Action::Settings)?;
        if self.grant.shown_fields(name).is_some() {
            let message = "defining a collection needs the right to see every field of it";
            return Err(ApiError::forbidden(message).with("collection", name));
        }
        let definition = Bytes::from(definition);
        // Compiled here first, so that the writer's thread sees only definitions that compile.
        let held = definition.clone();
        let compile = move || {
            let definition = Raw::trusted(&held);
            CollectionSchema::of(definition)?;
            Fields::of(definition)
        };
        let fields = blocking(&self.engine, compile).await?;
        let made = self.prepare_unique(name, fields.as_ref()).await?;
        let before = self.engine.position();
        let operation = Operation::Define { collection: Arc::from(name), definition };
        let committed = match self.commit(vec![operation], key).await {
            Ok(committed) if !committed.repeated => committed,
            other => {
                self.forget_unique(name, &made).await;
                let committed = other?;
                return Ok((committed, self.described(name)?.0));
            }
        };
        self.build_unique(name, before).await?;
        Ok((committed, self.described(name)?.0))
    }

    /// Drops a collection.
    pub(crate) async fn drop_collection(
        &self,
        name: &str,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check(name, Action::Settings)?;
        let operation = Operation::Drop { collection: Arc::from(name) };
        Ok(self.commit(vec![operation], key).await?)
    }
}

impl Session {
    /// How many documents a collection has and their bytes; null for who does not see all of them.
    fn size(&self, snapshot: &Snapshot, collection: &Collection) -> Result<(Value, Value)> {
        if self.restriction(&collection.name, Action::Read).is_some() {
            return Ok((Value::Null, Value::Null));
        }
        let counters = snapshot.counters(collection.number)?;
        Ok((json!(counters.count), json!(counters.bytes)))
    }

    /// A collection as the caller may see it: what names fields only where none is hidden.
    fn description(&self, snapshot: &Snapshot, collection: &Collection) -> Result<Value> {
        let (count, bytes) = self.size(snapshot, collection)?;
        let restriction = self.restriction(&collection.name, Action::Read);
        let hides_fields = restriction.is_some_and(|restriction| restriction.fields.is_some());
        let definition = Raw::trusted(&collection.definition);
        let indexes = snapshot.indexes().of(collection.number).iter();
        let indexes: serde_json::Map<String, Value> = indexes
            .filter(|index| self.sees_index(&collection.name, index))
            .map(|index| (index.name.to_string(), describe_index(index)))
            .collect();
        let member = |name: &str, otherwise: Value| match definition.get(name) {
            Some(value) if !hides_fields && !value.is_null() => to_json(value),
            _ => otherwise,
        };
        Ok(json!({
            "name": *collection.name,
            "count": count,
            "bytes": bytes,
            "schema": member("schema", Value::Null),
            "fields": member("fields", json!({})),
            "options": member("options", json!({})),
            "indexes": indexes,
        }))
    }
}

/// A value as plain JSON.
pub(crate) fn to_json(raw: Raw<'_>) -> Value {
    let mut text = Vec::new();
    json::write(raw, &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}
