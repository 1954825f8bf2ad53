//! Writing documents and custom events.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::limits::Limits;
use headwater_engine::value::document::{self, IdRule};
use headwater_engine::value::{Raw, encode};
use headwater_engine::write::{Absent, Change, Checks, Committed, DocumentId, Operation};
use headwater_engine::{Engine, Error, Result};

use super::patch::{Patch, check_document};
use super::{Session, target};
use crate::auth::{Acl, Action};
use crate::error::ApiError;
use crate::extract::Condition;

/// An idempotency key of the caller with the digest of its request.
pub(crate) type RequestKey = (String, [u8; 32]);

/// Whether a replace may create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upsert {
    /// It may not.
    No,
    /// It may.
    Yes,
}

impl Session {
    /// Commits prepared documents of one collection, all or none.
    pub(crate) async fn create(
        &self,
        collection: &str,
        documents: Vec<(DocumentId, Bytes)>,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.create_with(collection, documents, key, Checks::All).await
    }

    /// The same, with documents that are checked or not.
    pub(crate) async fn create_with(
        &self,
        collection: &str,
        documents: Vec<(DocumentId, Bytes)>,
        key: Option<RequestKey>,
        checks: Checks,
    ) -> Result<Committed, ApiError> {
        self.check(collection, Action::Create)?;
        self.check_acl(if documents.len() == 1 { Acl::Index } else { Acl::Bulk })?;
        let collection: Arc<str> = Arc::from(collection);
        let create =
            |(id, body)| Operation::Create { collection: Arc::clone(&collection), id, body };
        let operations = documents.into_iter().map(create).collect();
        Ok(self.commit_with(operations, key, checks).await?)
    }

    /// Replaces a document that a path segment names.
    pub(crate) async fn replace(
        &self,
        (collection, id): (&str, &str),
        (document, rule): (Vec<u8>, IdRule),
        (condition, upsert): (Condition, Upsert),
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check_replace(collection, upsert)?;
        let id = self.replaced_id(collection, id, Raw::trusted(&document), rule)?;
        let upsert = if condition == Condition::Exists { Upsert::No } else { upsert };
        let collection = Arc::from(collection);
        let operation = self.replacement(collection, id, &document, upsert, condition.version())?;
        Ok(self.commit(vec![operation], key).await?)
    }

    /// Checks what a replace needs.
    pub(crate) fn check_replace(&self, collection: &str, upsert: Upsert) -> Result<(), ApiError> {
        self.check(collection, Action::Update)?;
        match upsert {
            Upsert::Yes => self.check(collection, Action::Create),
            Upsert::No => Ok(()),
        }
    }

    /// A replace of a document whose id is known.
    pub(crate) fn replacement(
        &self,
        collection: Arc<str>,
        id: DocumentId,
        document: &[u8],
        upsert: Upsert,
        if_version: Option<u64>,
    ) -> Result<Operation> {
        let body = with_id(&id, Raw::trusted(document), self.engine.limits())?;
        let absent = match upsert {
            Upsert::Yes => Absent::Create,
            Upsert::No => Absent::Refuse,
        };
        Ok(Operation::Replace { collection, id, body, if_version, absent })
    }

    /// The id that a replace is for: the one in the body must be one that the path can mean.
    fn replaced_id(
        &self,
        collection: &str,
        segment: &str,
        document: Raw<'_>,
        rule: IdRule,
    ) -> Result<DocumentId> {
        let limits = self.engine.limits();
        let candidates = target::candidates(segment, limits)?;
        let Some(given) = document.get(document::ID) else {
            return target::choose(&self.engine.snapshot(), collection, candidates);
        };
        let given = target::from_raw(given, rule, limits)?;
        candidates.into_iter().find(|id| id.key == given.key).ok_or_else(|| {
            Error::invalid("id_mismatch", "the _id in the document is not the one in the path")
        })
    }

    /// Patches a document that a path segment names.
    pub(crate) async fn patch(
        &self,
        (collection, id): (&str, &str),
        (patch, rule): (Patch, IdRule),
        condition: Condition,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check(collection, Action::Update)?;
        let change = self.patching(patch, rule)?;
        let id = self.path_target(collection, id)?;
        let if_version = condition.version();
        let collection = Arc::from(collection);
        let operation =
            Operation::Change { collection, id, change, if_version, absent: Absent::Refuse };
        Ok(self.commit(vec![operation], key).await?)
    }

    /// The change that a patch makes.
    pub(crate) fn patching(&self, patch: Patch, rule: IdRule) -> Result<Arc<dyn Change>> {
        patch.change(&self.engine, rule)
    }

    /// Removes a document that a path segment names.
    pub(crate) async fn delete(
        &self,
        collection: &str,
        id: &str,
        condition: Condition,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check(collection, Action::Delete)?;
        let id = self.path_target(collection, id)?;
        let if_version = condition.version();
        let operation =
            Operation::Delete { collection: Arc::from(collection), id, if_version, only_if: None };
        Ok(self.commit(vec![operation], key).await?)
    }

    /// Commits operations, all or none; each of them was checked when it was read.
    pub(crate) async fn transaction(
        &self,
        operations: Vec<Operation>,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        Ok(self.commit(operations, key).await?)
    }

    /// Publishes a custom event; `body` is `{"event", "data", "channel"}`, encoded.
    pub(crate) async fn publish(
        &self,
        body: Vec<u8>,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        let channel = Raw::trusted(&body).get("channel").and_then(Raw::as_str);
        self.check_channel(channel, Action::Publish)?;
        Ok(self.commit(vec![Operation::Publish { body: body.into() }], key).await?)
    }

    /// The id, encoded, that a path segment means: of a document that is there, if there is one.
    pub(crate) fn stored_id(&self, collection: &str, segment: &str) -> Result<Vec<u8>> {
        Ok(self.path_target(collection, segment)?.raw.to_vec())
    }

    fn path_target(&self, collection: &str, segment: &str) -> Result<DocumentId> {
        let candidates = target::candidates(segment, self.engine.limits())?;
        target::choose(&self.engine.snapshot(), collection, candidates)
    }
}

/// Gives each document its `_id`.
pub(crate) fn prepare_all(
    engine: &Engine,
    documents: Vec<Vec<u8>>,
    rule: IdRule,
) -> Result<Vec<(DocumentId, Bytes)>> {
    let several = documents.len() > 1;
    let prepare = |(index, encoded)| {
        let prepared = document::prepare(encoded, rule, engine.limits(), || engine.new_id());
        let prepared = prepared
            .map_err(|error| if several { error.with("index", index as u64) } else { error })?;
        let id = DocumentId { raw: prepared.id.into(), key: prepared.id_key.into() };
        Ok((id, Bytes::from(prepared.bytes)))
    };
    documents.into_iter().enumerate().map(prepare).collect()
}

/// A document with an id in the first place, whatever it had there.
fn with_id(id: &DocumentId, document: Raw<'_>, limits: &Limits) -> Result<Bytes> {
    let had_id = document.get(document::ID).is_some();
    let members = document.member_count() + usize::from(!had_id);
    let mut out = Vec::with_capacity(document.as_bytes().len() + id.raw.len() + 8);
    encode::write_object_header(members, &mut out);
    encode::write_str(document::ID, &mut out);
    out.extend_from_slice(&id.raw);
    for (name, value) in document.object_iter().filter(|(name, _)| *name != document::ID) {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    check_document(&out, limits)?;
    Ok(out.into())
}
