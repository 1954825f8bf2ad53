//! What a request asks to have done to the documents of an answer: lookups are always embedded, children, links and the flat
//! form where they are asked for.
//!
//! Guarantees: one read for each lookup and one query for each field of children, whatever number of documents a page has,
//! but for pages of more than half of `limits.query_in_values`. Nothing is done where there is nothing to do.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::fields::{FieldType, Fields};
use headwater_engine::value::{Object, Raw, Value, key};

use super::embed::{self, Children, Room};
use super::links::Base;
use super::patience::Patience;
use super::{Relation, flat, parent_scope, relations};
use crate::error::ApiResult;
use crate::extract::{Format, Parameters};
use crate::face::restdb::answer::sized;
use crate::face::restdb::query;
use crate::session::{Asked, ByKey, ListQuery, Session, path_segment};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(in crate::face::restdb) struct Expansion {
    children: bool,
    links: Option<Base>,
    flat: bool,
    shows_facts: bool,
    /// What of looked-up documents is shown, by the name of their field.
    shown: Vec<(String, Object)>,
    /// Which fields a page shows; empty: all.
    fields: Object,
}

impl Expansion {
    /// Reads a query string.
    pub(in crate::face::restdb) fn read(parameters: &Parameters, base: Base) -> ApiResult<Self> {
        Ok(Self {
            children: query::flag(parameters, "fetchchildren")?,
            links: query::flag(parameters, "idtolink")?.then_some(base),
            flat: query::flag(parameters, "flatten")?,
            ..Self::default()
        })
    }

    /// With all system fields of children, or none.
    pub(in crate::face::restdb) fn showing_facts(self, shows_facts: bool) -> Self {
        Self { shows_facts, ..self }
    }

    /// For pages that show some fields, and of looked-up documents some.
    pub(in crate::face::restdb) fn of_fields(
        self,
        fields: Object,
        shown: Vec<(String, Object)>,
    ) -> Self {
        Self { fields, shown, ..self }
    }

    /// The documents of a collection as they are answered.
    pub(in crate::face::restdb) async fn apply(
        &self,
        session: &Session,
        (collection, fields): (&str, Option<&Arc<Fields>>),
        documents: Vec<Bytes>,
    ) -> ApiResult<Vec<Bytes>> {
        if documents.is_empty() {
            return Ok(documents);
        }
        let Some(fields) = fields else {
            return self.flattened(session, documents).await;
        };
        let documents = self.looked_up(session, fields, documents).await?;
        let documents = self.with_children(session, (collection, fields), documents).await?;
        let documents = self.linked(session, fields, documents).await?;
        self.flattened(session, documents).await
    }

    async fn looked_up(
        &self,
        session: &Session,
        fields: &Fields,
        documents: Vec<Bytes>,
    ) -> ApiResult<Vec<Bytes>> {
        let mut found: Vec<(String, ByKey)> = Vec::new();
        // Each of them is in the answer at least once.
        let mut gathered = Room::beside(session, &documents)?;
        for lookup in relations(Some(fields), FieldType::Lookup) {
            let (ids, is_there) = ids_of(&documents, &lookup);
            if !is_there {
                continue;
            }
            let shown = self.shown.iter().find(|(name, _)| *name == lookup.field);
            let projection = shown.and_then(|(_, shown)| embed::projection(shown));
            let read = session.referred(&lookup.collection, ids, projection).await?;
            let read = embed::bare(read);
            read.values().try_for_each(|document| gathered.take(document.len()))?;
            found.push((lookup.field, read));
        }
        if found.is_empty() {
            return Ok(documents);
        }
        let mut room = Room::beside(session, &documents)?;
        let embed = move |document: Raw<'_>| {
            embed::replaced(document, |name, value| {
                let lookup = found.iter().find(|(field, _)| field == name);
                lookup.map_or(Ok(None), |(_, found)| embed::embedded(value, found, &mut room))
            })
        };
        rewritten(session, documents, embed).await
    }

    async fn with_children(
        &self,
        session: &Session,
        (collection, fields): (&str, &Fields),
        documents: Vec<Bytes>,
    ) -> ApiResult<Vec<Bytes>> {
        if !self.children {
            return Ok(documents);
        }
        let shown = |field: &Relation| {
            self.shows(&field.field) && session.shows_field(collection, &field.field)
        };
        let wanted: Vec<_> =
            relations(Some(fields), FieldType::Child).into_iter().filter(shown).collect();
        if wanted.is_empty() {
            return Ok(documents);
        }
        let mut all = Vec::with_capacity(wanted.len());
        let mut bounds = (Patience::of(session), Room::beside(session, &documents)?);
        for relation in wanted {
            let place = (collection, &relation);
            let children = self.children(session, place, &documents, &mut bounds).await?;
            all.push((relation.field, children));
        }
        let mut room = Room::beside(session, &documents)?;
        let add = move |document: Raw<'_>| {
            let forms = document.get("_id").map(parent_scope::forms).unwrap_or_default();
            let list = |(field, children): &(String, Children)| {
                Ok((field.clone(), children.of(&forms, &mut room)?))
            };
            let lists = all.iter().map(list).collect::<Result<Vec<_>>>()?;
            Ok(Some(embed::with_lists(document, &lists)))
        };
        rewritten(session, documents, add).await
    }

    /// Whether a page shows a field.
    fn shows(&self, field: &str) -> bool {
        let is_list = self.fields.iter().next().is_some_and(|(_, one)| one.as_i64() == Some(1));
        match self.fields.get(field) {
            Some(shown) => shown.as_i64() == Some(1),
            None => !is_list,
        }
    }

    /// The children of all documents of a page under one field, as far as the caller may read them.
    async fn children(
        &self,
        session: &Session,
        (collection, relation): (&str, &Relation),
        documents: &[Bytes],
        (patience, gathered): &mut (Patience, Room),
    ) -> ApiResult<Children> {
        let mut found = Children::default();
        let target = relation.collection.as_str();
        let Ok(fields) = session.existing(target) else { return Ok(found) };
        if !session.may_embed(target) {
            return Ok(found);
        }
        let covers_all = session.covers_reading(&[target]);
        let is_covered = |id: &Raw<'_>| {
            covers_all
                || path_segment(*id)
                    .is_some_and(|id| session.covers_reading(&[collection, &id, &relation.field]))
        };
        let ids = documents.iter().filter_map(|document| Raw::trusted(document).get("_id"));
        let parents: Vec<Value> = ids.filter(is_covered).flat_map(parent_scope::forms).collect();
        let at_once = (session.engine().limits().query_in_values as usize).max(1);
        for parents in parents.chunks(at_once) {
            let filter = parent_scope::filter(collection, &relation.field, parents.to_vec());
            patience.check(session)?;
            let listed = listed(session, target, &filter, usize::MAX).await?;
            let plain = Self { shows_facts: self.shows_facts, ..Self::default() };
            // One level: lookups of children are embedded, children of children are not.
            let children =
                Box::pin(plain.apply(session, (target, fields.as_ref()), listed)).await?;
            for child in children {
                let Some(parent) = Raw::trusted(&child).get(parent_scope::PARENT_ID) else {
                    continue;
                };
                let parent = parent.as_bytes().to_vec();
                gathered.take(child.len())?;
                found.add(Raw::trusted(&parent), child, self.shows_facts);
            }
        }
        Ok(found)
    }

    async fn linked(
        &self,
        session: &Session,
        fields: &Arc<Fields>,
        documents: Vec<Bytes>,
    ) -> ApiResult<Vec<Bytes>> {
        let Some(base) = self.links.clone() else { return Ok(documents) };
        let fields = Arc::clone(fields);
        let is_media = move |name: &str| {
            let kind = fields.get(name).map(|field| field.kind);
            matches!(kind, Some(FieldType::Image | FieldType::File))
        };
        let mut room = Room::beside(session, &documents)?;
        let link = move |document: Raw<'_>| {
            embed::replaced(document, |name, value| match is_media(name) {
                true => base.linked(value, &mut room),
                false => Ok(None),
            })
        };
        rewritten(session, documents, link).await
    }

    async fn flattened(&self, session: &Session, documents: Vec<Bytes>) -> ApiResult<Vec<Bytes>> {
        if !self.flat {
            return Ok(documents);
        }
        let mut room = Room::beside(session, &documents)?;
        let flatten = move |document: Raw<'_>| Ok(Some(flat::flat(document, &mut room)?.into()));
        rewritten(session, documents, flatten).await
    }
}

/// The different ids that a page's documents hold in a lookup, and whether any document has it.
fn ids_of(documents: &[Bytes], lookup: &Relation) -> (Vec<Vec<u8>>, bool) {
    let mut known = HashSet::new();
    let mut ids = Vec::new();
    let mut is_there = false;
    for document in documents {
        let Some(value) = Raw::trusted(document).get(&lookup.field) else { continue };
        is_there = true;
        let fresh = embed::ids(value).filter(|id| known.insert(key::encode(Raw::trusted(id))));
        ids.extend(fresh);
    }
    (ids, is_there)
}

/// What a filter finds, as the caller sees it, in the order of ids.
pub(super) async fn listed(
    session: &Session,
    collection: &str,
    filter: &Object,
    limit: usize,
) -> ApiResult<Vec<Bytes>> {
    let filter = filter.to_bytes();
    let asked = Asked::new(Some(Raw::trusted(&filter)), None, None, Format::Extended);
    let query = ListQuery { limit, ..ListQuery::new(asked) };
    Ok(session.list(collection, query).await?.documents)
}

/// Rewrites documents; `None` leaves one as it is.
async fn rewritten(
    session: &Session,
    documents: Vec<Bytes>,
    mut change: impl FnMut(Raw<'_>) -> Result<Option<Bytes>> + Send + 'static,
) -> ApiResult<Vec<Bytes>> {
    let bytes: usize = documents.iter().map(Bytes::len).sum();
    let work = move || {
        let each = |document: Bytes| Ok(change(Raw::trusted(&document))?.unwrap_or(document));
        documents.into_iter().map(each).collect::<Result<Vec<_>>>()
    };
    Ok(sized(session, bytes, work).await?)
}
