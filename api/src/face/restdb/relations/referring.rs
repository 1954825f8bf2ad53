//! `referencedby`: the documents of all collections that refer to one by a lookup.
//!
//! Guarantees: only what the caller could find by queries of its own; collections in the order of their names, documents in
//! that of their ids, no more than were asked for.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::fields::FieldType;
use headwater_engine::value::{Object, Raw, Value};

use super::embed::Room;
use super::expansion::listed;
use super::patience::Patience;
use super::{Expansion, relations};
use crate::error::ApiResult;
use crate::face::restdb::query::object;
use crate::session::Session;

/// The documents that refer to the one with an id, at most `max`, as they are answered.
pub(in crate::face::restdb) async fn referring(
    session: &Session,
    (collection, id): (&str, Raw<'_>),
    expansion: &Expansion,
    max: usize,
) -> ApiResult<Vec<Bytes>> {
    let id = id.to_value();
    let snapshot = session.engine().snapshot();
    let others: Vec<_> = snapshot.collections().iter().map(Arc::clone).collect();
    drop(snapshot);
    let mut found = Vec::new();
    let (patience, mut room) = (Patience::of(session), Room::beside(session, &[])?);
    for other in others {
        let lookups = relations(other.fields.as_deref(), FieldType::Lookup);
        let conditions: Vec<Value> = lookups
            .into_iter()
            .filter(|lookup| lookup.collection == collection)
            .map(|lookup| object(&lookup.field, id.clone()))
            .collect();
        let may = session.may_embed(&other.name) && session.covers_reading(&[&other.name]);
        if conditions.is_empty() || !may || found.len() >= max {
            continue;
        }
        let filter: Object = [("$or".to_owned(), Value::Array(conditions))].into_iter().collect();
        patience.check(session)?;
        let listed = listed(session, &other.name, &filter, max - found.len()).await?;
        let place = (&*other.name, other.fields.as_ref());
        let expanded = expansion.apply(session, place, listed).await?;
        expanded.iter().try_for_each(|document| room.take(document.len()))?;
        found.extend(expanded);
    }
    Ok(found)
}
