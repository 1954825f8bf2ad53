//! The indexes of unique fields, built around the definition that asks for them.
//!
//! Guarantees: a definition is refused, and changes nothing, where documents that are there already have the same value of a
//! field that it makes unique, if that is found within the wait for an index. Found later, the index stays as `failed` and
//! enforces nothing; defining the collection once more tries again.
//! Leaves to others: which indexes there are (the sequencer), the building itself (`indexes`, the engine).

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::fields::Fields;
use headwater_engine::index::Index;
use headwater_engine::write::{Effect, Operation};
use headwater_engine::{Error, ErrorKind, Result};

use super::Session;
use super::indexes::find;
use crate::auth::Action;
use crate::error::ApiError;

impl Session {
    /// Builds the indexes that a definition of a collection that is there will need; the names of those that are new.
    pub(super) async fn prepare_unique(
        &self,
        collection: &str,
        fields: Option<&Fields>,
    ) -> Result<Vec<String>, ApiError> {
        let wanted = fields.map(Fields::unique_indexes).unwrap_or_default();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if self.restriction(collection, Action::Read).is_some() {
            let message = "`unique` needs the right to see every document whole";
            return Err(ApiError::forbidden(message).with("member", "unique"));
        }
        let snapshot = self.engine.snapshot();
        let Some(known) = snapshot.collection(collection) else { return Ok(Vec::new()) };
        drop(snapshot);
        let is_unique = |field: &str| {
            let before = known.fields.as_ref().and_then(|fields| fields.get(field));
            before.is_some_and(|field| field.unique)
        };
        let mut made = Vec::new();
        for (name, definition) in wanted {
            let before = find(&self.engine, collection, &name);
            if before.as_ref().is_some_and(|index| index.state.failure().is_none()) {
                continue;
            }
            let failed = before.is_some();
            if let Err(error) = self.make_unique(collection, &name, definition, failed).await {
                self.forget_unique(collection, &made).await;
                return Err(error);
            }
            let index = find(&self.engine, collection, &name);
            let Some(index) = index else { continue };
            let Some(reason) = index.state.failure() else {
                made.push(name);
                continue;
            };
            self.forget_unique(collection, &made).await;
            // One that the present definition asks for stays, so that it is seen that nothing enforces it.
            let field = index.field.as_deref().unwrap_or_default();
            if is_unique(field) {
                return Err(doubled(&index, reason).into());
            }
            return Err(self.take_back(collection, &name, index.number, reason).await);
        }
        Ok(made)
    }

    /// Defines an index of a field and waits a while for it.
    async fn make_unique(
        &self,
        collection: &str,
        name: &str,
        definition: Vec<u8>,
        failed: bool,
    ) -> Result<(), ApiError> {
        let (collection, name): (Arc<str>, Arc<str>) = (Arc::from(collection), Arc::from(name));
        let mut operations = Vec::with_capacity(2);
        if failed {
            let (collection, name) = (Arc::clone(&collection), Arc::clone(&name));
            operations.push(Operation::DropIndex { collection, name });
        }
        operations.push(Operation::DefineIndex {
            collection: Arc::clone(&collection),
            name,
            definition: Bytes::from(definition),
        });
        let committed = self.commit(operations, None).await?;
        let created = committed.outcomes.last().filter(|outcome| outcome.effect == Effect::Created);
        if let Some(outcome) = created {
            self.build(&collection, outcome.position).await?;
        }
        Ok(())
    }

    /// Drops indexes that were made for a definition that did not come about.
    pub(super) async fn forget_unique(&self, collection: &str, names: &[String]) {
        for name in names {
            let operation = Operation::DropIndex {
                collection: Arc::from(collection),
                name: Arc::from(name.as_str()),
            };
            // One that another definition asked for meanwhile stays.
            if let Err(error) = self.commit(vec![operation], None).await
                && !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict)
            {
                tracing::warn!(collection, index = name, %error, "an index of a field stays");
            }
        }
    }

    /// Builds what a definition made itself: the indexes of a collection that was not there before.
    pub(super) async fn build_unique(
        &self,
        collection: &str,
        position: u64,
    ) -> Result<(), ApiError> {
        let snapshot = self.engine.snapshot();
        let Some(number) = snapshot.collections().number(collection) else { return Ok(()) };
        let is_new = |index: &&Arc<Index>| {
            index.field.is_some() && index.number > position && !index.state.is_ready()
        };
        let indexes: Vec<_> =
            snapshot.indexes().of(number).iter().filter(is_new).cloned().collect();
        drop(snapshot);
        for index in indexes {
            if let Some(reason) = self.build(collection, index.number).await? {
                return Err(doubled(&index, reason).into());
            }
        }
        Ok(())
    }
}

fn doubled(index: &Index, reason: String) -> Error {
    let message =
        format!("the index `{}` of `{}` cannot be built: {reason}", index.name, index.collection);
    let error = Error::new(ErrorKind::Conflict, "unique_violation", message);
    let error = error.with("index", &*index.name).with("value", reason);
    match index.field.as_deref() {
        Some(field) => error.with("field", field),
        None => error,
    }
}
