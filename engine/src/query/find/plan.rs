//! The planner: which index, if any, a query goes through.
//!
//! Guarantees: only indexes that hold every document that can match are considered; whichever is chosen, the result is the
//! same. The choice is by counting: each candidate's bounds are looked at up to [`PROBE`] entries, and the one with fewest is
//! taken; an index that gives the order of the sort is preferred where the others would have to look at much.
//! Leaves to others: which conditions may go through which index where fields are hidden (`conditions`).

use std::sync::Arc;

use bytes::Bytes;

use super::bounds::{self, Bounds, Interval};
use super::conditions::Conditions;
use super::{Hint, Query};
use crate::error::{Error, Result};
use crate::index::{Index, IndexKind, keys};
use crate::query::{Budget, Filter, Sort};
use crate::value::key::Direction;
use crate::value::path::Path;
use crate::value::{Object, Value};
use crate::view::{CollectionId, Snapshot};

/// Entries looked at to tell how large a candidate is.
const PROBE: usize = 256;
/// Most ranges of one scan.
const RANGES_MAX: usize = 2000;

/// How a query was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The index; `_id` is the documents' own order; `None`: every document was looked at.
    pub index: Option<String>,
    /// The bounds at its paths, for reading: `{"total": ["[5, 10)"]}`.
    pub bounds: Object,
    /// Documents, or entries where they were enough, that were looked at.
    pub examined: u64,
    /// Documents given.
    pub returned: u64,
}

/// Keys of a tree from one on and before another.
pub(super) type Range = (Vec<u8>, Vec<u8>);

/// Id keys from one on and before another, if there is another.
pub(super) type IdRange = (Vec<u8>, Option<Vec<u8>>);

/// The way to the documents.
pub(super) enum Access {
    /// All, or some, documents in `_id` order or against it; ranges of id keys.
    Documents { ranges: Vec<IdRange>, order: Option<Direction>, bounds: Object },
    /// Through the entries of an index.
    Index(IndexAccess),
    /// As they were at a position.
    Past { position: u64, ordered: bool },
    /// Several, for the branches of an `$or`; documents come once.
    Union(Vec<Access>),
    /// These documents, in `_id` order: id keys.
    Ids(Vec<Bytes>),
}

/// Entries of one index.
pub(super) struct IndexAccess {
    pub(super) index: Arc<Index>,
    /// Keys of the tree of indexes, in order, apart from each other.
    pub(super) ranges: Vec<Range>,
    /// Whether the entries come in the order of the sort; then, whether from the back.
    pub(super) order: Option<Direction>,
    /// Whether every entry in the ranges is one document that matches.
    pub(super) covered: bool,
    /// What the entries begin with, up to where the sort's fields stand.
    pub(super) fixed: Vec<u8>,
    /// Whether ties of the sort come in `_id` order by themselves.
    pub(super) tied: bool,
    /// Whether the key of a place stands in the entries right behind `fixed`.
    pub(super) seekable: bool,
    pub(super) bounds: Object,
    /// Fields whose bounds are single keys.
    points: usize,
}

impl IndexAccess {
    fn without_order(self) -> Self {
        Self { order: None, tied: false, seekable: false, ..self }
    }
}

impl Access {
    /// Whether documents come in the order of the query.
    pub(super) fn is_ordered(&self) -> bool {
        match self {
            Self::Documents { order, .. } => order.is_some(),
            Self::Past { ordered, .. } => *ordered,
            Self::Index(access) => access.order.is_some(),
            Self::Union(_) => false,
            Self::Ids(_) => true,
        }
    }

    /// Whether documents come in the order of a sort that is not by `_id` ascending.
    pub(super) fn gives(&self, sort: &Sort) -> bool {
        match self {
            Self::Documents { order, .. } => order.is_some() && by_id(Some(sort)) == *order,
            Self::Index(access) => access.order.is_some(),
            _ => false,
        }
    }

    /// Whether it leads to every document.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self, Self::Documents { ranges, .. } if matches!(&ranges[..], [(from, None)] if from.is_empty()))
    }

    pub(super) fn describe(&self) -> Plan {
        match self {
            Self::Documents { ranges, bounds, .. } => {
                let whole = matches!(&ranges[..], [(from, None)] if from.is_empty());
                let index = (!whole).then(|| "_id".to_owned());
                Plan { index, bounds: bounds.clone(), ..Plan::default() }
            }
            Self::Index(access) => Plan {
                index: Some(access.index.name.to_string()),
                bounds: access.bounds.clone(),
                ..Plan::default()
            },
            Self::Past { .. } | Self::Ids(_) => Plan::default(),
            Self::Union(branches) => {
                let plans: Vec<_> = branches.iter().map(Self::describe).collect();
                let names: Vec<_> = plans.iter().filter_map(|plan| plan.index.clone()).collect();
                let bounds =
                    plans.into_iter().map(|plan| Value::Object(plan.bounds)).collect::<Vec<_>>();
                let mut object = Object::new();
                object.insert("$or", bounds);
                Plan { index: Some(names.join(",")), bounds: object, ..Plan::default() }
            }
        }
    }
}

/// Chooses the way to the documents of a query.
pub(super) fn choose(
    snapshot: &Snapshot,
    collection: CollectionId,
    query: &Query<'_>,
    sort: Option<&Sort>,
    budget: &Budget,
) -> Result<Access> {
    if let Some(position) = query.at {
        return Ok(Access::Past { position, ordered: sort.is_none() });
    }
    let scan = || everything(sort);
    let conditions = Conditions::of(query, sort);
    match query.hint {
        Some(Hint::Scan) => return Ok(scan()),
        Some(Hint::Index(name)) => {
            let index = snapshot.indexes().get(collection, name);
            let usable = index.filter(|index| snapshot.can_use(index));
            let access = usable.and_then(|index| through(index, &conditions));
            return access.map(Access::Index).ok_or_else(|| {
                let message = format!("the index `{name}` cannot answer this query");
                Error::invalid("unusable_hint", message).with("index", name)
            });
        }
        None => {}
    }
    let ids = by_ids(conditions.all(), sort);
    if let Some((access, true)) = ids {
        return Ok(access);
    }
    if let Some(access) = best(snapshot, collection, &conditions, budget)? {
        // A range of ids is worth more than an index that leads to many documents.
        let small = match &access {
            Access::Index(access) if ids.is_some() => probe(snapshot, access)? < PROBE,
            _ => true,
        };
        if small {
            return Ok(access);
        }
    }
    if let Some((access, _)) = ids {
        return Ok(access);
    }
    match union(snapshot, collection, &conditions, budget)? {
        Some(access) => Ok(access),
        None => Ok(scan()),
    }
}

/// Every document.
pub(super) fn everything(sort: Option<&Sort>) -> Access {
    let ranges = vec![(Vec::new(), None)];
    Access::Documents { ranges, order: by_id(sort), bounds: Object::new() }
}

/// The direction in which the documents' own order is the order of the sort.
fn by_id(sort: Option<&Sort>) -> Option<Direction> {
    let Some(sort) = sort else { return Some(Direction::Ascending) };
    let first = sort.fields().first()?;
    (first.path.as_str() == "_id").then_some(first.direction)
}

/// The documents' own tree, where the filter restricts `_id`; and whether it names single ids.
fn by_ids(filter: &Filter, sort: Option<&Sort>) -> Option<(Access, bool)> {
    let bounds = bounds::at_path(filter, &Path::new("_id"), false);
    if bounds.is_all() {
        return None;
    }
    let shown = shown(&[(&Path::new("_id"), &bounds)]);
    let points = bounds.is_points();
    let ranges =
        bounds.intervals.into_iter().map(|interval| (interval.from, interval.to)).collect();
    Some((Access::Documents { ranges, order: by_id(sort), bounds: shown }, points))
}

fn best(
    snapshot: &Snapshot,
    collection: CollectionId,
    conditions: &Conditions<'_>,
    budget: &Budget,
) -> Result<Option<Access>> {
    let usable = snapshot.indexes().of(collection).iter().filter(|index| snapshot.can_use(index));
    let candidates: Vec<_> = usable.filter_map(|index| through(index, conditions)).collect();
    if candidates.len() <= 1 {
        return Ok(candidates.into_iter().next().map(Access::Index));
    }
    let mut sized = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        budget.check()?;
        let size = probe(snapshot, &candidate)?;
        let cost = match candidate.order {
            // Many entries are no harm if the first of them are the answer.
            Some(_) if size >= PROBE && conditions.limit < PROBE => PROBE - 1,
            _ => size,
        };
        let unordered = usize::from(candidate.order.is_none());
        sized.push(((cost, unordered, std::cmp::Reverse(candidate.points)), candidate));
    }
    sized.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.index.name.cmp(&y.index.name)));
    Ok(sized.into_iter().next().map(|(_, candidate)| Access::Index(candidate)))
}

fn probe(snapshot: &Snapshot, access: &IndexAccess) -> Result<usize> {
    let mut size = 0;
    for (from, to) in &access.ranges {
        for entry in snapshot.entries(from.clone(), to.clone()).take(PROBE - size) {
            entry?;
            size += 1;
        }
        if size == PROBE {
            break;
        }
    }
    Ok(size)
}

/// The way through one index; `None` where it may lack documents that match, or would not help.
fn through(index: &Arc<Index>, conditions: &Conditions<'_>) -> Option<IndexAccess> {
    let definition = &index.definition;
    if let Some(partial) = &definition.partial
        && !conditions.for_partial(partial).is_some_and(|given| bounds::implies(given, partial))
    {
        return None;
    }
    let (filter, sort) = conditions.for_keys(&definition.kind)?;
    let access = match &definition.kind {
        IndexKind::Ordered(pattern) => through_ordered(index, pattern, filter, sort),
        IndexKind::Text(_) => through_words(index, filter),
        IndexKind::Point(path) => through_points(index, path, filter),
    };
    // Without the sort, the order of the entries is another one.
    let is_other = sort.is_none() && conditions.sort.is_some();
    access.map(|access| if is_other { access.without_order() } else { access })
}

fn through_ordered(
    index: &Arc<Index>,
    pattern: &Sort,
    filter: &Filter,
    sort: Option<&Sort>,
) -> Option<IndexAccess> {
    let multikey = index.state.is_multikey();
    let mut fields: Vec<(&Path, Bounds)> = Vec::new();
    for field in pattern.fields() {
        let root = |path: &Path| path.parts()[0].name().to_owned();
        let shared = multikey && fields.iter().any(|(path, _)| root(path) == root(&field.path));
        let bounds =
            if shared { Bounds::all() } else { bounds::at_path(filter, &field.path, multikey) };
        fields.push((&field.path, bounds));
    }
    if index.definition.sparse && !fields.iter().any(|(path, _)| bounds::demands(filter, path)) {
        return None;
    }
    // Fields with single keys, then one with ranges; what comes behind is left to the documents.
    let mut prefixes = vec![keys::prefix(index.number)];
    let mut points = 0;
    let mut used = 0;
    let mut ranges: Option<Vec<Range>> = None;
    for ((_, bounds), field) in fields.iter().zip(pattern.fields()) {
        let intervals: Vec<Interval> = directed(bounds, field.direction);
        if bounds.is_all() || prefixes.len().saturating_mul(intervals.len()) > RANGES_MAX {
            break;
        }
        used += 1;
        if bounds.is_points() {
            prefixes = product(&prefixes, &intervals);
            points += 1;
            continue;
        }
        ranges = Some(spans(&prefixes, &intervals));
        break;
    }
    let single = prefixes.len() == 1;
    let mut ranges = ranges.unwrap_or_else(|| {
        let whole = [Interval::all()];
        spans(&prefixes, &whole)
    });
    ranges.sort();
    let cut = index.state.is_cut();
    if cut && ranges.iter().any(|(from, to)| from.len().max(to.len()) > keys::ENTRY_BYTES_MAX / 2) {
        return None;
    }
    let all_points = single && points == pattern.fields().len();
    let order = match sort {
        // The entries of one key come in `_id` order.
        None if all_points => Some(Direction::Ascending),
        _ if multikey || cut || !single => None,
        _ => order(pattern, points, sort),
    };
    let fixed = prefixes.into_iter().next().unwrap_or_default();
    let seekable = sort.is_none_or(|sort| {
        !sort.fields().iter().any(|field| is_fixed(pattern, points, &field.path))
    });
    let tied = order == Some(Direction::Ascending)
        && seekable
        && pattern.fields().len() == points + sort.map_or(0, |sort| sort.fields().len());
    if used == 0 && order.is_none() {
        return None;
    }
    let names: Vec<&str> = fields.iter().take(used).map(|(path, _)| path.as_str()).collect();
    let exact = fields.iter().take(used).all(|(_, bounds)| bounds.exact);
    let covered = !multikey && !cut && exact && bounds::covers(filter, &names);
    let listed: Vec<_> =
        fields.iter().take(used.max(1)).map(|(path, bounds)| (*path, bounds)).collect();
    let (bounds, index) = (shown(&listed), Arc::clone(index));
    Some(IndexAccess { index, ranges, order, covered, fixed, tied, seekable, bounds, points })
}

fn directed(bounds: &Bounds, direction: Direction) -> Vec<Interval> {
    let mut intervals: Vec<_> =
        bounds.intervals.iter().map(|interval| interval.directed(direction)).collect();
    intervals.sort_by(|a, b| a.from.cmp(&b.from));
    intervals
}

fn product(prefixes: &[Vec<u8>], points: &[Interval]) -> Vec<Vec<u8>> {
    let pairs = prefixes.iter().flat_map(|prefix| points.iter().map(move |point| (prefix, point)));
    pairs.map(|(prefix, point)| [prefix.as_slice(), &point.from].concat()).collect()
}

fn spans(prefixes: &[Vec<u8>], intervals: &[Interval]) -> Vec<Range> {
    let mut spans = Vec::with_capacity(prefixes.len() * intervals.len());
    for prefix in prefixes {
        for interval in intervals {
            let from = [prefix.as_slice(), &interval.from].concat();
            let to = match &interval.to {
                Some(to) => [prefix.as_slice(), to].concat(),
                None => bounds::successor(prefix).unwrap_or_else(|| vec![0xff]),
            };
            spans.push((from, to));
        }
    }
    spans
}

/// The direction in which an index gives the order of a sort, behind `points` fields with one key each.
fn order(pattern: &Sort, points: usize, sort: Option<&Sort>) -> Option<Direction> {
    let sort = sort?;
    let fixed: Vec<_> = pattern.fields()[..points].iter().map(|field| &field.path).collect();
    let mut rest = pattern.fields()[points..].iter();
    let mut direction = None;
    for wanted in sort.fields() {
        if fixed.contains(&&wanted.path) {
            continue;
        }
        let given = rest.next().filter(|given| given.path == wanted.path)?;
        let this = if given.direction == wanted.direction {
            Direction::Ascending
        } else {
            Direction::Descending
        };
        if direction.is_some_and(|direction| direction != this) {
            return None;
        }
        direction = Some(this);
    }
    Some(direction.unwrap_or(Direction::Ascending))
}

fn is_fixed(pattern: &Sort, points: usize, path: &Path) -> bool {
    pattern.fields()[..points].iter().any(|field| field.path == *path)
}

fn unordered(index: Arc<Index>, ranges: Vec<Range>, bounds: Object, points: usize) -> IndexAccess {
    IndexAccess {
        index,
        ranges,
        order: None,
        covered: false,
        fixed: Vec::new(),
        tied: false,
        seekable: false,
        bounds,
        points,
    }
}

fn through_words(index: &Arc<Index>, filter: &Filter) -> Option<IndexAccess> {
    let words: Vec<&str> = filter.text()?.terms().collect();
    let mut ranges = Vec::new();
    for word in &words {
        let mut entry = crate::index::word_entry(word);
        keys::cut(&mut entry);
        let from = keys::entry(index.number, &entry, &[]);
        ranges.push((from.clone(), bounds::successor(&from)?));
    }
    ranges.sort();
    ranges.dedup();
    let mut bounds = Object::new();
    bounds.insert("$text", words.into_iter().map(Value::from).collect::<Vec<_>>());
    let index = Arc::clone(index);
    Some(unordered(index, ranges, bounds, 1))
}

fn through_points(index: &Arc<Index>, path: &Path, filter: &Filter) -> Option<IndexAccess> {
    let area = filter.area(path)?;
    let mut ranges = Vec::new();
    for (from, to) in crate::index::point_ranges(area) {
        ranges.push((keys::entry(index.number, &from, &[]), keys::entry(index.number, &to, &[])));
    }
    ranges.sort();
    let mut bounds = Object::new();
    bounds.insert(path.as_str(), Value::String(format!("{} cells", ranges.len())));
    let index = Arc::clone(index);
    Some(unordered(index, ranges, bounds, 0))
}

/// An access for each branch of an `$or` at the top, where every branch has one.
fn union(
    snapshot: &Snapshot,
    collection: CollectionId,
    conditions: &Conditions<'_>,
    budget: &Budget,
) -> Result<Option<Access>> {
    'alternatives: for branches in conditions.branches() {
        let mut accesses = Vec::with_capacity(branches.len());
        for branch in &branches {
            let access = match by_ids(branch.all(), None) {
                Some((access, _)) => Some(access),
                None => best(snapshot, collection, branch, budget)?,
            };
            let Some(access) = access else { continue 'alternatives };
            accesses.push(access);
        }
        return Ok(Some(Access::Union(accesses)));
    }
    Ok(None)
}

/// Bounds for people: `{"total": ["[5, 10)"]}`.
fn shown(fields: &[(&Path, &Bounds)]) -> Object {
    let mut object = Object::new();
    for (path, bounds) in fields {
        let intervals = bounds.intervals.iter().take(20);
        let texts = intervals.map(|one| Value::String(format!("{}, {}", one.shown.0, one.shown.1)));
        object.insert(path.as_str(), texts.collect::<Vec<_>>());
    }
    object
}
