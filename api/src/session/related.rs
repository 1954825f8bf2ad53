//! Documents that others refer to, shown inside of their answers.
//!
//! Guarantees: nothing is shown here that the same credential could not read by a request of its own: the grant has to allow
//! it, its documents and fields are restricted as ever, and its paths and methods have to cover that request.
//! Leaves to others: which documents are meant and where they are put (faces).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::{Budget, Projection, Trust};
use headwater_engine::restrict::Restriction;
use headwater_engine::value::{Raw, key, object_id};
use headwater_engine::view::{CollectionId, Row, Snapshot};
use headwater_engine::{Engine, Result};

use super::run::{Size, run};
use super::{Session, asked};
use crate::auth::{Acl, Action};
use crate::error::ApiError;

/// Documents by the keys of their ids.
pub(crate) type ByKey = HashMap<Vec<u8>, Bytes>;

impl Session {
    /// Whether documents of a collection may be shown inside of others, as far as the collection alone decides it.
    pub(crate) fn may_embed(&self, collection: &str) -> bool {
        self.check(collection, Action::Read).is_ok()
            && (self.grant.opens(Acl::Get) || self.grant.opens(Acl::Search))
    }

    /// Whether the credential's paths and methods cover reading what segments behind the face's prefix name.
    pub(crate) fn covers_reading(&self, segments: &[&str]) -> bool {
        self.visitor.covers_reading(&self.principal, &self.grant, segments)
    }

    /// Whether a field of a collection is shown whole.
    pub(crate) fn shows_field(&self, collection: &str, field: &str) -> bool {
        self.grant.shown_fields(collection).is_none_or(|fields| fields.shows_all_of(field))
    }

    /// The documents with these ids, encoded, as far as they are there and may be shown, each as an encoded projection
    /// leaves it (`None`: as it is).
    pub(crate) async fn referred(
        &self,
        collection: &str,
        mut ids: Vec<Vec<u8>>,
        projection: Option<Vec<u8>>,
    ) -> Result<ByKey, ApiError> {
        if !self.may_embed(collection) {
            return Ok(ByKey::new());
        }
        if !self.covers_reading(&[collection]) {
            let is_covered = |id: &Vec<u8>| {
                let id = path_segment(Raw::trusted(id));
                id.is_some_and(|id| self.covers_reading(&[collection, &id]))
            };
            ids.retain(is_covered);
        }
        let snapshot = self.engine.snapshot();
        let Some(number) = snapshot.collections().number(collection) else {
            return Ok(ByKey::new());
        };
        let reading = Reading {
            engine: self.engine.clone(),
            snapshot,
            number,
            restriction: self.restriction(collection, Action::Read),
            projection,
        };
        let work = move |budget: &Arc<Budget>| reading.read(&ids, budget);
        Ok(run(&self.engine, Size::Unknown, work).await?)
    }
}

/// Reading documents by their ids.
struct Reading {
    engine: Engine,
    snapshot: Snapshot,
    number: CollectionId,
    restriction: Option<Arc<Restriction>>,
    projection: Option<Vec<u8>>,
}

impl Reading {
    fn read(&self, ids: &[Vec<u8>], budget: &Budget) -> Result<ByKey> {
        let context = asked::context(&self.engine, Trust::Ordinary);
        let projection = self.projection.as_deref().map(Raw::trusted);
        let projection = projection.map(|one| Projection::parse(one, &context)).transpose()?;
        let mut found = ByKey::with_capacity(ids.len());
        for id in ids {
            let id_key = key::encode(Raw::trusted(id));
            let Some(row) = self.snapshot.get(self.number, &id_key)? else { continue };
            budget.check_work(row.body_bytes().len())?;
            let Some(shown) = self.shown(&row) else { continue };
            let shown = match &projection {
                None => shown,
                Some(projection) => {
                    let mut out = Vec::new();
                    projection.apply(Raw::trusted(&shown), None, &mut out)?;
                    out.into()
                }
            };
            budget.take_result(shown.len())?;
            found.insert(id_key, shown);
        }
        Ok(found)
    }

    fn shown(&self, row: &Row) -> Option<Bytes> {
        let body = row.body_bytes();
        let Some(restriction) = &self.restriction else { return Some(body) };
        restriction.view(row.subject()).map(|view| Bytes::copy_from_slice(&view))
    }
}

/// An id as a path has it, where it can have it.
pub(crate) fn path_segment(id: Raw<'_>) -> Option<String> {
    if let Some(id) = id.as_object_id() {
        return Some(object_id::format(&id));
    }
    id.as_str().map(str::to_owned).or_else(|| id.as_i64().map(|number| number.to_string()))
}
