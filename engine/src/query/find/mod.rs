//! Finding documents: a filter, an order, a window, over one snapshot, by whatever index serves best.
//!
//! Guarantees: the result is the same whatever index is used: documents that match, in the order of the sort, ties and
//! unsorted results in `_id` order, from the first after the cursor on. A cursor holds the place of the last document, not a
//! count, so pages neither repeat nor skip a document that stayed as it was while others came and went. For a caller with
//! a restriction there is nothing but what it shows: documents are left out, and hidden fields cut out, where they are read
//! (`scan`), before a filter, a sort, a distance or a count looks at them.
//! Leaves to others: permission, projections, the wire form of cursors.

mod analysis;
mod bounds;
mod candidates;
mod conditions;
mod plan;
mod scan;
mod top;

pub(crate) use candidates::each_value;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use bytes::Bytes;

use super::{Budget, Filter, Sort};
use crate::error::{Detail, Error, Result};
use crate::index::IndexKind;
use crate::restrict::Restriction;
use crate::value::path::Path;
use crate::value::{Object, Raw};
use crate::view::{CollectionId, Row, Snapshot};

pub use plan::Plan;

/// What to look for.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// Which documents.
    pub filter: &'a Filter,
    /// In which order; `None` or an empty one: by `_id`.
    pub sort: Option<&'a Sort>,
    /// Matching documents to pass over.
    pub skip: usize,
    /// Most documents to give.
    pub limit: usize,
    /// Go on after this place.
    pub after: Option<&'a Place>,
    /// Look at the documents as they were at this position.
    pub at: Option<u64>,
    /// Use this index or none at all, instead of choosing; for tests and hints.
    pub hint: Option<Hint<'a>>,
    /// Whether the documents are the result, so that its limit counts them.
    pub is_result: bool,
    /// Give no more once the documents have so many bytes, but at least one.
    pub part_bytes: usize,
    /// What of the collection the caller may see: filter and sort look at nothing else.
    pub restriction: Option<&'a Restriction>,
}

impl<'a> Query<'a> {
    /// Every document that matches, in `_id` order.
    pub fn all(filter: &'a Filter) -> Self {
        Self {
            filter,
            sort: None,
            skip: 0,
            limit: usize::MAX,
            after: None,
            at: None,
            hint: None,
            is_result: true,
            part_bytes: usize::MAX,
            restriction: None,
        }
    }

    fn charge(&self, found: &FoundRow, budget: &Budget) -> Result<()> {
        if self.is_result { budget.take_result(found.body().as_bytes().len()) } else { Ok(()) }
    }

    /// An access for people. What bounds a restriction sets is not for the caller, nor which index was chosen: that follows
    /// the number of entries, those of hidden documents among them.
    fn describe(&self, access: &plan::Access) -> Plan {
        let plan = access.describe();
        if self.is_chosen() {
            return Plan { bounds: Object::new(), index: None, ..plan };
        }
        plan
    }

    /// Whether some documents may not be seen.
    fn is_chosen(&self) -> bool {
        self.restriction.is_some_and(Restriction::chooses)
    }

    /// What documents must be like to be seen; `None`: anything.
    fn own(&self) -> Option<&'a Filter> {
        self.restriction.and_then(|restriction| restriction.filter.as_deref())
    }
}

/// An index that must be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint<'a> {
    /// None: look at every document.
    Scan,
    /// The one of this name.
    Index(&'a str),
}

/// The place of a document in the order of a result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its key under the sort; empty where there is none.
    pub key: Vec<u8>,
    /// The key of its `_id`.
    pub id_key: Vec<u8>,
}

/// A document with its place.
#[derive(Clone, Debug)]
pub struct FoundRow {
    /// The document as it is stored.
    pub row: Row,
    /// Where it stands.
    pub place: Place,
    /// The part of it that may be seen, where that is not all of it.
    pub shown: Option<Bytes>,
}

impl FoundRow {
    /// The document as it may be seen.
    pub fn body(&self) -> Raw<'_> {
        self.shown.as_deref().map_or_else(|| self.row.body(), Raw::trusted)
    }

    /// The same, shared.
    pub fn body_bytes(&self) -> Bytes {
        self.shown.clone().unwrap_or_else(|| self.row.body_bytes())
    }

    /// The memory of the document.
    fn size(&self) -> usize {
        self.row.size() + self.shown.as_ref().map_or(0, Bytes::len)
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The documents.
    pub rows: Vec<FoundRow>,
    /// Whether more follow.
    pub more: bool,
    /// How it was found.
    pub plan: Plan,
}

/// Tells a filter with `$text` the fields of the collection's text index; refuses it where there is none.
pub fn bind(
    filter: Filter,
    snapshot: &Snapshot,
    collection: Option<CollectionId>,
) -> Result<Filter> {
    if filter.text().is_none() {
        return Ok(filter);
    }
    let indexes = collection.map_or(&[][..], |collection| snapshot.indexes().of(collection));
    let fields = indexes.iter().find_map(|index| match &index.definition.kind {
        IndexKind::Text(paths) => Some(paths),
        _ => None,
    });
    let fields = fields.ok_or_else(|| {
        let message = "`$text` needs a text index on the collection; create one first";
        Error::invalid("text_index_needed", message).with("operator", "$text")
    })?;
    let mut filter = filter;
    filter.bind_text(fields);
    Ok(filter)
}

/// Finds documents of a collection.
pub fn find(
    snapshot: &Snapshot,
    collection: CollectionId,
    query: &Query<'_>,
    budget: &Budget,
) -> Result<Found> {
    let by_id = query.sort.and_then(Sort::by_id_alone);
    let sort = by_id.as_ref().or(query.sort);
    let near = query.filter.near();
    // By `_id` is how documents come, but not where they come by distance.
    let sort = sort.filter(|sort| !sort.is_empty() && (near.is_some() || !sort.is_by_id()));
    let access = plan::choose(snapshot, collection, query, sort, budget)?;
    let mut plan = query.describe(&access);
    let access = if access.is_ordered() && near.is_none() {
        access
    } else {
        let by_ids = scan::in_id_order(snapshot, collection, access, budget)?;
        if by_ids.is_everything() {
            plan = query.describe(&by_ids);
        }
        by_ids
    };
    let found = match (sort, near) {
        (None, None) => in_order(snapshot, collection, &access, query, None, budget),
        (Some(sort), None) if access.gives(sort) => {
            match in_order(snapshot, collection, &access, query, Some(sort), budget) {
                // Too many documents with equal keys to put them into `_id` order: a window over all needs less.
                Err(error) if is_memory(&error) => {
                    let access = plan::everything(None);
                    plan = query.describe(&access);
                    window(snapshot, collection, &access, query, Some(sort), budget)
                }
                found => found,
            }
        }
        _ => window(snapshot, collection, &access, query, sort, budget),
    };
    let mut found = found?;
    plan.examined = found.plan.examined;
    plan.returned = found.rows.len() as u64;
    found.plan = plan;
    Ok(found)
}

fn is_memory(error: &Error) -> bool {
    matches!(error.detail("limit"), Some(Detail::Text(limit)) if limit == "limits.query_memory_bytes")
}

/// Documents come in the order of the result already.
fn in_order(
    snapshot: &Snapshot,
    collection: CollectionId,
    access: &plan::Access,
    query: &Query<'_>,
    sort: Option<&Sort>,
    budget: &Budget,
) -> Result<Found> {
    let sight = (query.restriction, budget);
    let mut source = scan::open(snapshot, collection, access, query.after, sort, sight)?;
    let mut found = Found::default();
    let (mut skip, mut bytes) = (query.skip, 0);
    while let Some(next) = source.next()? {
        let passed = query.after.is_some_and(|after| next.place <= *after);
        if passed || !query.filter.matches(next.body())? {
            continue;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if found.rows.len() == query.limit {
            found.more = true;
            break;
        }
        bytes += next.body().as_bytes().len();
        if bytes > query.part_bytes && !found.rows.is_empty() {
            found.more = true;
            break;
        }
        query.charge(&next, budget)?;
        found.rows.push(next);
    }
    found.plan.examined = source.examined();
    Ok(found)
}

/// Documents come in another order: the window is kept while all of them pass.
fn window(
    snapshot: &Snapshot,
    collection: CollectionId,
    access: &plan::Access,
    query: &Query<'_>,
    sort: Option<&Sort>,
    budget: &Budget,
) -> Result<Found> {
    let near = query.filter.near();
    let sight = (query.restriction, budget);
    let mut source = scan::open(snapshot, collection, access, None, None, sight)?;
    let mut top = top::Top::new(query.skip.saturating_add(query.limit), budget);
    while let Some(mut next) = source.next()? {
        if !query.filter.matches(next.body())? {
            continue;
        }
        let mut key = std::mem::take(&mut next.place.key);
        key.clear();
        match (sort, near) {
            (Some(sort), _) => sort.write_key(next.body(), &mut key)?,
            (None, Some(near)) => key.extend(near_key(near.distance(next.body()))),
            (None, None) => {}
        }
        next.place.key = key;
        if query.after.is_none_or(|after| next.place > *after) {
            top.push(next)?;
        }
    }
    let mut found = Found { more: top.has_more(), ..Found::default() };
    found.plan.examined = source.examined();
    let mut bytes = 0;
    for next in top.into_sorted().into_iter().skip(query.skip) {
        bytes += next.body().as_bytes().len();
        if bytes > query.part_bytes && !found.rows.is_empty() {
            found.more = true;
            break;
        }
        query.charge(&next, budget)?;
        found.rows.push(next);
    }
    Ok(found)
}

/// How many documents match; `skip` and `limit` of the query do not count.
pub fn count(
    snapshot: &Snapshot,
    collection: CollectionId,
    query: &Query<'_>,
    budget: &Budget,
) -> Result<(u64, Plan)> {
    let query = Query { sort: None, after: None, ..*query };
    let everything = query.filter.is_empty();
    if query.at.is_none() && query.hint.is_none() && everything && !query.is_chosen() {
        let count = snapshot.counters(collection)?.count;
        return Ok((count, Plan::default()));
    }
    let access = plan::choose(snapshot, collection, &query, None, budget)?;
    let mut plan = query.describe(&access);
    let covered = query.restriction.is_none();
    if covered && let Some(count) = scan::count_covered(snapshot, &access, budget)? {
        (plan.examined, plan.returned) = (count, count);
        return Ok((count, plan));
    }
    // Where no condition looks at the fields, none have to be cut out.
    let whole = query.restriction.filter(|_| everything);
    let whole = whole.map(|restriction| Restriction {
        fields: None,
        metadata: None,
        ..restriction.clone()
    });
    let sight = (whole.as_ref().or(query.restriction), budget);
    let mut source = scan::open(snapshot, collection, &access, None, None, sight)?;
    let mut count = 0;
    while let Some(found) = source.next()? {
        count += u64::from(query.filter.matches(found.body())?);
    }
    plan.examined = source.examined();
    plan.returned = count;
    Ok((count, plan))
}

/// Every matching document, one after another, in `_id` order; for writes by filter and pipelines.
pub fn stream<'a>(
    snapshot: &'a Snapshot,
    collection: CollectionId,
    filter: Arc<Filter>,
    restriction: Option<Arc<Restriction>>,
    at: Option<u64>,
    budget: &'a Budget,
) -> Result<impl Iterator<Item = Result<FoundRow>> + use<'a>> {
    let query = Query { at, restriction: restriction.as_deref(), ..Query::all(&filter) };
    let access = plan::choose(snapshot, collection, &query, None, budget)?;
    let access = scan::in_id_order(snapshot, collection, access, budget)?;
    let sight = (restriction.as_deref(), budget);
    let mut source = scan::open(snapshot, collection, &access, None, None, sight)?;
    Ok(std::iter::from_fn(move || {
        loop {
            match source.next().transpose()? {
                Ok(found) => match filter.matches(found.body()) {
                    Ok(true) => return Some(Ok(found)),
                    Ok(false) => {}
                    Err(error) => return Some(Err(error)),
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }))
}

/// The different values of a field over the matching documents, in their order; elements of arrays one by one.
pub fn distinct(
    snapshot: &Snapshot,
    collection: CollectionId,
    field: &Path,
    (filter, restriction): (Arc<Filter>, Option<Arc<Restriction>>),
    at: Option<u64>,
    budget: &Budget,
) -> Result<Vec<Bytes>> {
    let mut values = BTreeMap::new();
    for found in stream(snapshot, collection, filter, restriction, at, budget)? {
        let found = found?;
        let mut add = |value: Raw<'_>| -> Result<()> {
            let key = crate::value::key::encode(value);
            if let Entry::Vacant(place) = values.entry(key) {
                budget.take_result(value.as_bytes().len())?;
                budget.take_memory(2 * place.key().len() + value.as_bytes().len())?;
                place.insert(Bytes::copy_from_slice(value.as_bytes()));
            }
            Ok(())
        };
        candidates::each_value(found.body(), field.parts(), &mut add)?;
    }
    Ok(values.into_values().collect())
}

fn near_key(distance: Option<f64>) -> [u8; 8] {
    // Distances are not negative, so their bits order as they do.
    distance.unwrap_or(f64::INFINITY).max(0.0).to_bits().to_be_bytes()
}
