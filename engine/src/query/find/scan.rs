//! Reading the documents that an access leads to, each once: those that the caller may see, as it may see them.

use std::collections::{HashSet, VecDeque};
use std::ops::Bound;

use bytes::Bytes;

use super::plan::{Access, IdRange, IndexAccess, Range};
use super::{FoundRow, Place};
use crate::error::Result;
use crate::index::keys;
use crate::query::{Budget, Sort};
use crate::restrict::Restriction;
use crate::value::Raw;
use crate::value::key::Direction;
use crate::view::{CollectionId, Row, Snapshot, Window};

/// Most ids that are put into order; with more, looking at every document is no worse.
const IDS_MAX: usize = 200_000;
/// And this many are always worth it.
const IDS_MIN: usize = 256;
/// Reading documents one by one costs so many times as much as reading all in a row (measured).
const SHARE: u64 = 8;
/// Documents of the past read at a time.
const PAGE: usize = 500;

type Rows<'a> = Box<dyn Iterator<Item = Result<(Bytes, Row)>> + 'a>;

/// Documents on their way; places have the key of the sort where the access gives its order.
pub(super) struct Source<'a> {
    rows: Rows<'a>,
    sort: Option<&'a Sort>,
    /// Ties must be put into `_id` order, group by group.
    regroup: bool,
    group: VecDeque<FoundRow>,
    ahead: Option<FoundRow>,
    /// Ids that came already, where one may come again.
    seen: Option<HashSet<Bytes>>,
    /// What the caller may see; nothing else comes.
    restriction: Option<Restriction>,
    examined: u64,
    budget: &'a Budget,
}

/// Opens an access.
pub(super) fn open<'a>(
    snapshot: &'a Snapshot,
    collection: CollectionId,
    access: &Access,
    after: Option<&Place>,
    sort: Option<&'a Sort>,
    (restriction, budget): (Option<&Restriction>, &'a Budget),
) -> Result<Source<'a>> {
    let ordered = access.is_ordered();
    let after = after.filter(|_| ordered);
    let (mut regroup, mut repeats) = (false, false);
    let rows = match access {
        Access::Documents { ranges, order, .. } => {
            documents(snapshot, collection, ranges.clone(), *order, after)
        }
        Access::Index(access) => {
            regroup = ordered && !access.tied;
            repeats = access.index.state.is_multikey();
            indexed(snapshot, collection, access, after)
        }
        Access::Past { position, .. } => past(snapshot, collection, *position, after),
        Access::Ids(ids) => {
            let passed = after.map_or(0, |after| ids.partition_point(|id| **id <= *after.id_key));
            let ids = ids.clone().into_iter().skip(passed);
            Box::new(ids.filter_map(move |id_key| {
                let row = snapshot.get(collection, &id_key).transpose()?;
                Some(row.map(|row| (id_key, row)))
            }))
        }
        Access::Union(branches) => {
            repeats = true;
            let mut all: Rows<'a> = Box::new(std::iter::empty());
            for branch in branches {
                let rows = match branch {
                    Access::Documents { ranges, .. } => {
                        documents(snapshot, collection, ranges.clone(), None, None)
                    }
                    Access::Index(access) => indexed(snapshot, collection, access, None),
                    Access::Past { .. } | Access::Union(_) | Access::Ids(_) => continue,
                };
                all = Box::new(all.chain(rows));
            }
            all
        }
    };
    Ok(Source {
        rows,
        sort: sort.filter(|_| ordered),
        regroup,
        group: VecDeque::new(),
        ahead: None,
        seen: repeats.then(HashSet::new),
        restriction: restriction.cloned(),
        examined: 0,
        budget,
    })
}

impl Source<'_> {
    /// The next document.
    pub(super) fn next(&mut self) -> Result<Option<FoundRow>> {
        if !self.regroup {
            return self.read();
        }
        if let Some(found) = self.group.pop_front() {
            return Ok(Some(found));
        }
        let Some(first) = self.ahead.take().map_or_else(|| self.read(), |found| Ok(Some(found)))?
        else {
            return Ok(None);
        };
        let mut group = vec![first];
        let mut taken = 0;
        while let Some(found) = self.read()? {
            if found.place.key != group[0].place.key {
                self.ahead = Some(found);
                break;
            }
            if let Err(error) = self.budget.take_memory(found.size()) {
                self.budget.give_memory(taken);
                return Err(error);
            }
            taken += found.size();
            group.push(found);
        }
        self.budget.give_memory(taken);
        group.sort_by(|a, b| a.place.id_key.cmp(&b.place.id_key));
        self.group = group.into();
        Ok(self.group.pop_front())
    }

    fn read(&mut self) -> Result<Option<FoundRow>> {
        loop {
            let Some((id_key, row)) = self.rows.next().transpose()? else { return Ok(None) };
            self.budget.check_work(row.size())?;
            self.examined += u64::from(self.restriction.is_none());
            if let Some(seen) = &mut self.seen {
                if seen.contains(&id_key) {
                    continue;
                }
                self.budget.take_memory(id_key.len() + 48)?;
                seen.insert(id_key.clone());
            }
            let mut shown = None;
            if let Some(restriction) = &self.restriction {
                if !restriction.admits(row.subject()) {
                    continue;
                }
                // Nobody is to tell from it how many were passed over.
                self.examined += 1;
                shown = restriction.fields.as_ref().map(|rule| rule.cut(row.body()).into());
                if let Some(metadata) = &restriction.metadata {
                    let seen = shown.as_deref().map_or_else(|| row.body(), Raw::trusted);
                    shown = Some(metadata.added(&row, seen).into());
                }
            }
            let place = Place { key: Vec::new(), id_key: id_key.to_vec() };
            let mut found = FoundRow { row, place, shown };
            if let Some(sort) = self.sort {
                let mut key = Vec::new();
                sort.write_key(found.body(), &mut key)?;
                found.place.key = key;
            }
            return Ok(Some(found));
        }
    }

    /// How many documents were looked at; of a restricted collection those that the caller may see.
    pub(super) fn examined(&self) -> u64 {
        self.examined
    }
}

fn documents<'a>(
    snapshot: &'a Snapshot,
    collection: CollectionId,
    mut ranges: Vec<IdRange>,
    order: Option<Direction>,
    after: Option<&Place>,
) -> Rows<'a> {
    let after = after.map(|after| after.id_key.clone());
    let backward = order == Some(Direction::Descending);
    if backward {
        ranges.reverse();
    }
    Box::new(ranges.into_iter().flat_map(move |(from, to)| -> Rows<'a> {
        let (mut from, mut to) = (from, to);
        let mut first = Bound::Included(());
        match &after {
            Some(after) if backward && to.as_ref().is_none_or(|to| after < to) => {
                to = Some(after.clone())
            }
            Some(after) if !backward && *after >= from => {
                from.clone_from(after);
                first = Bound::Excluded(());
            }
            _ => {}
        }
        if to.as_ref().is_some_and(|to| from >= *to) {
            return Box::new(std::iter::empty());
        }
        let from = if from.is_empty() { Bound::Unbounded } else { first.map(|()| from.as_slice()) };
        let to = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = snapshot.rows(collection, from, to);
        if backward { Box::new(rows.rev()) } else { Box::new(rows) }
    }))
}

fn indexed<'a>(
    snapshot: &'a Snapshot,
    collection: CollectionId,
    access: &IndexAccess,
    after: Option<&Place>,
) -> Rows<'a> {
    let backward = access.order == Some(Direction::Descending);
    let ranges = behind(access, after, backward);
    let entries =
        ranges.into_iter().flat_map(move |(from, to)| -> Box<dyn Iterator<Item = _> + 'a> {
            let entries = snapshot.entries(from, to);
            if backward { Box::new(entries.rev()) } else { Box::new(entries) }
        });
    Box::new(entries.filter_map(move |entry| {
        let found = entry.and_then(|(key, value)| {
            let Some((_, id_key)) = keys::split(&key, &value) else { return Ok(None) };
            let row = snapshot.get(collection, id_key)?;
            let id_key = key.slice(key.len() - id_key.len()..);
            Ok(row.map(|row| (id_key, row)))
        });
        found.transpose()
    }))
}

/// The ranges from the place of a cursor on; documents with the same key as it are among them still.
fn behind(access: &IndexAccess, after: Option<&Place>, backward: bool) -> Vec<Range> {
    let mut ranges = access.ranges.clone();
    if let Some(after) = after.filter(|_| access.seekable) {
        let mut place = access.fixed.clone();
        if backward {
            place.extend(after.key.iter().map(|byte| !byte));
        } else {
            place.extend_from_slice(&after.key);
            if access.tied {
                place.extend_from_slice(&after.id_key);
            }
        }
        for (from, to) in &mut ranges {
            if !backward {
                *from = std::mem::take(from).max(place.clone());
            } else if let Some(end) = super::bounds::successor(&place) {
                *to = std::mem::take(to).min(end);
            }
        }
        ranges.retain(|(from, to)| from < to);
    }
    if backward {
        ranges.reverse();
    }
    ranges
}

fn past<'a>(
    snapshot: &'a Snapshot,
    collection: CollectionId,
    position: u64,
    after: Option<&Place>,
) -> Rows<'a> {
    let mut after: Option<Bytes> = after.map(|after| Bytes::copy_from_slice(&after.id_key));
    let mut page: VecDeque<(Bytes, Row)> = VecDeque::new();
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if page.is_empty() && !ended {
            let window = Window { after: after.as_deref(), skip: 0, limit: PAGE };
            match snapshot.page_at(collection, position, window) {
                Ok(read) => {
                    page.extend(read.rows.into_iter().filter_map(|row| {
                        let id = crate::value::key::encode(row.body().get("_id")?);
                        Some((Bytes::from(id), row))
                    }));
                    ended = read.next.is_none();
                    after = read.next;
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
        page.pop_front().map(Ok)
    }))
}

/// The same documents in `_id` order: their ids first, then one by one. So a result without a sort is the same whatever
/// index is used, and a limit ends it early. Where there are too many, every document is looked at instead.
pub(super) fn in_id_order(
    snapshot: &Snapshot,
    collection: CollectionId,
    access: Access,
    budget: &Budget,
) -> Result<Access> {
    let mut ids = Vec::new();
    let count = snapshot.counters(collection)?.count;
    let most = usize::try_from(count / SHARE).unwrap_or(IDS_MAX).clamp(IDS_MIN, IDS_MAX);
    let branches = match access {
        Access::Index(access) => vec![Access::Index(access)],
        Access::Union(branches) => branches,
        other => return Ok(other),
    };
    for branch in &branches {
        let found: Box<dyn Iterator<Item = Result<Bytes>>> = match branch {
            Access::Index(access) => Box::new(entry_ids(snapshot, access)),
            Access::Documents { ranges, .. } => {
                let rows = documents(snapshot, collection, ranges.clone(), None, None);
                Box::new(rows.map(|row| Ok(row?.0)))
            }
            _ => continue,
        };
        for id in found {
            budget.check()?;
            // A copy, so that the entry's block is not kept.
            let id = Bytes::copy_from_slice(&id?);
            budget.take_memory(id.len() + 64)?;
            ids.push(id);
            if ids.len() > most {
                return Ok(super::plan::everything(None));
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Access::Ids(ids))
}

fn entry_ids(snapshot: &Snapshot, access: &IndexAccess) -> impl Iterator<Item = Result<Bytes>> {
    let ranges = access.ranges.clone().into_iter();
    let entries = ranges.flat_map(|(from, to)| snapshot.entries(from, to));
    entries.filter_map(|entry| match entry {
        Ok((key, value)) => {
            let (_, id_key) = keys::split(&key, &value)?;
            Some(Ok(key.slice(key.len() - id_key.len()..)))
        }
        Err(error) => Some(Err(error)),
    })
}

/// The number of matching documents, where the entries alone tell.
pub(super) fn count_covered(
    snapshot: &Snapshot,
    access: &Access,
    budget: &Budget,
) -> Result<Option<u64>> {
    let Access::Index(access) = access else { return Ok(None) };
    if !access.covered {
        return Ok(None);
    }
    let mut count = 0;
    for (from, to) in &access.ranges {
        for entry in snapshot.entries(from.clone(), to.clone()) {
            entry?;
            budget.check()?;
            count += 1;
        }
    }
    Ok(Some(count))
}
