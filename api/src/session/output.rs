//! What `$out` and `$merge` write, as ordinary commands.
//!
//! Guarantees: full access alone; everything or nothing, within `limits.batch_documents`; documents are found again by
//! `_id`. What another writer does to a document in between is refused, not overwritten, where the stage distinguishes.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::aggregate::{Output, OutputMode, WhenMatched, WhenNotMatched};
use headwater_engine::value::Raw;
use headwater_engine::value::change::merge;
use headwater_engine::value::document::{self, IdRule};
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::write::{Absent, Change, DocumentId, Operation};
use headwater_engine::{Engine, Error, ErrorKind, Result};

use super::aggregate::Aggregated;
use super::by_filter::check_count;
use super::patch::check_document;
use super::{RequestKey, Session, blocking};
use crate::auth::Action;
use crate::error::ApiError;

impl Session {
    /// Checks that the caller may write what a pipeline puts out.
    pub(super) fn check_output(&self, output: &Output) -> Result<(), ApiError> {
        self.full_access()?;
        for action in [Action::Create, Action::Update, Action::Delete] {
            self.check(&output.collection, action)?;
        }
        match &output.mode {
            OutputMode::Merge { on, .. } if on.iter().any(|field| field != document::ID) => {
                Err(ApiError::unsupported("$merge.on"))
            }
            OutputMode::Merge { .. } | OutputMode::Replace => Ok(()),
        }
    }

    /// Writes what a pipeline puts out.
    pub(super) async fn write_output(
        &self,
        output: Output,
        documents: Vec<Bytes>,
        key: Option<RequestKey>,
    ) -> Result<Aggregated, ApiError> {
        let engine = self.engine.clone();
        let operations =
            blocking(&self.engine, move || operations(&engine, &output, documents)).await?;
        let committed = self.commit(operations, key).await?;
        let (position, repeated) = (committed.position, committed.repeated);
        Ok(Aggregated { values: Vec::new(), position, repeated })
    }
}

fn operations(engine: &Engine, output: &Output, documents: Vec<Bytes>) -> Result<Vec<Operation>> {
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number(&output.collection);
    let target = Target { engine, collection: Arc::from(output.collection.as_str()) };
    let mut documents = documents.into_iter().map(|document| target.prepare(document));
    match output.mode {
        OutputMode::Replace => {
            let documents = documents.collect::<Result<Vec<_>>>()?;
            target.replace_all(&snapshot, number, documents)
        }
        OutputMode::Merge { when_matched, when_not_matched, .. } => {
            let mut operations = Vec::new();
            documents.try_for_each(|document| {
                let (id, body) = document?;
                let found = number.map(|number| snapshot.get(number, &id.key)).transpose()?;
                let is_there = found.flatten().is_some();
                let merged = if is_there {
                    target.matched(id, body, when_matched)?
                } else {
                    target.not_matched(id, body, when_not_matched)?
                };
                operations.extend(merged);
                Ok::<_, Error>(())
            })?;
            Ok(operations)
        }
    }
}

/// Where the documents go.
struct Target<'a> {
    engine: &'a Engine,
    collection: Arc<str>,
}

impl Target<'_> {
    fn prepare(&self, document: Bytes) -> Result<(DocumentId, Bytes)> {
        let new_id = || self.engine.new_id();
        let limits = self.engine.limits();
        check_document(&document, limits)?;
        let prepared = document::prepare(document.to_vec(), IdRule::Typed, limits, new_id)?;
        let id = DocumentId { raw: prepared.id.into(), key: prepared.id_key.into() };
        Ok((id, prepared.bytes.into()))
    }

    fn replace_all(
        &self,
        snapshot: &Snapshot,
        number: Option<CollectionId>,
        documents: Vec<(DocumentId, Bytes)>,
    ) -> Result<Vec<Operation>> {
        let mut kept = HashSet::with_capacity(documents.len());
        for (id, _) in &documents {
            if !kept.insert(id.key.clone()) {
                let message = "two documents of the pipeline have the same _id";
                return Err(Error::new(ErrorKind::Conflict, "duplicate_id", message));
            }
        }
        let mut operations = Vec::new();
        if let Some(number) = number {
            for found in snapshot.scan(number, None) {
                let (key, row) = found?;
                let Some(id) = row.body().get(document::ID).filter(|_| !kept.contains(&key)) else {
                    continue;
                };
                check_count(self.engine, operations.len())?;
                operations.push(Operation::Delete {
                    collection: Arc::clone(&self.collection),
                    id: DocumentId { raw: Bytes::copy_from_slice(id.as_bytes()), key },
                    if_version: None,
                    only_if: None,
                });
            }
        }
        for (id, body) in documents {
            check_count(self.engine, operations.len())?;
            operations.push(self.replace(id, body, Absent::Create));
        }
        Ok(operations)
    }

    fn matched(&self, id: DocumentId, body: Bytes, when: WhenMatched) -> Result<Option<Operation>> {
        match when {
            WhenMatched::KeepExisting => Ok(None),
            WhenMatched::Replace => Ok(Some(self.replace(id, body, Absent::Create))),
            WhenMatched::Fail => Ok(Some(self.create(id, body))),
            WhenMatched::Merge => Ok(Some(Operation::Change {
                collection: Arc::clone(&self.collection),
                id,
                change: Arc::new(Merging { body, bytes_max: self.engine.limits().document_bytes }),
                if_version: None,
                absent: Absent::Refuse,
            })),
        }
    }

    fn not_matched(
        &self,
        id: DocumentId,
        body: Bytes,
        when: WhenNotMatched,
    ) -> Result<Option<Operation>> {
        match when {
            WhenNotMatched::Insert => Ok(Some(self.create(id, body))),
            WhenNotMatched::Discard => Ok(None),
            WhenNotMatched::Fail => {
                let message = format!("`$merge` found no document in `{}`", self.collection);
                Err(Error::new(ErrorKind::Conflict, "merge_not_matched", message))
            }
        }
    }

    fn create(&self, id: DocumentId, body: Bytes) -> Operation {
        Operation::Create { collection: Arc::clone(&self.collection), id, body }
    }

    fn replace(&self, id: DocumentId, body: Bytes, absent: Absent) -> Operation {
        let collection = Arc::clone(&self.collection);
        Operation::Replace { collection, id, body, if_version: None, absent }
    }
}

/// Sets a document's fields in the one that is there.
struct Merging {
    body: Bytes,
    bytes_max: u64,
}

impl Change for Merging {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        let merged = merge(current, Raw::trusted(&self.body), IdRule::Typed)?;
        if merged.len() as u64 > self.bytes_max {
            let message = format!("the document takes {} bytes", merged.len());
            return Err(Error::limit("limits.document_bytes", self.bytes_max, message));
        }
        Ok(Some(merged))
    }
}
