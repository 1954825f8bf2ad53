//! Bounds: which entries of an index a filter can match.
//!
//! Guarantees: every document that matches has an entry within the bounds (so that looking at those alone is enough); where
//! the bounds are *exact* and no array was opened, every entry within them belongs to a document that satisfies the condition.
//! Leaves to others: choosing among indexes, and matching the documents (but for exact counts).

use super::super::filter::{ElementTest, Filter, Node, Test};
use crate::value::key::{self, Direction};
use crate::value::path::Path;
use crate::value::{Raw, ValueKind, json};

/// Keys from one on and before another; `None`: to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
    /// Whether it holds one key only, and what begins with it.
    pub(super) point: bool,
    /// Its ends for people: `[5`, `10)`.
    pub(super) shown: (String, String),
}

/// The keys that a condition allows at one path.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// In order, apart from each other.
    pub(super) intervals: Vec<Interval>,
    pub(super) exact: bool,
}

/// The key of an empty array; see `query::sort`.
const EMPTY_ARRAY: u8 = 0x18;

impl Interval {
    fn point(key: Vec<u8>, shown: &str) -> Self {
        let shown = (format!("[{shown}"), format!("{shown}]"));
        Self { to: successor(&key), from: key, point: true, shown }
    }

    fn range(from: Vec<u8>, to: Option<Vec<u8>>, low: &str, high: &str) -> Self {
        Self { from, to, point: false, shown: (low.to_owned(), high.to_owned()) }
    }

    /// All keys.
    pub(super) fn all() -> Self {
        Self::range(Vec::new(), None, "[", "]")
    }

    fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| self.from >= *to)
    }

    fn intersect(&self, other: &Self) -> Self {
        let ours = match (&self.to, &other.to) {
            (Some(a), Some(b)) => a <= b,
            (a, _) => a.is_some(),
        };
        let upper = if ours { self } else { other };
        let lower = if self.from >= other.from { self } else { other };
        Self {
            from: lower.from.clone(),
            to: upper.to.clone(),
            point: self.point || other.point,
            shown: (lower.shown.0.clone(), upper.shown.1.clone()),
        }
    }

    /// The same keys under a direction.
    pub(super) fn directed(&self, direction: Direction) -> Self {
        if direction == Direction::Ascending {
            return self.clone();
        }
        let invert = |bytes: &[u8]| bytes.iter().map(|byte| !byte).collect::<Vec<u8>>();
        let shown = self.shown.clone();
        if self.point {
            let from = invert(&self.from);
            return Self { to: successor(&from), from, point: true, shown };
        }
        let from = self.to.as_ref().and_then(|to| successor(&invert(to))).unwrap_or_default();
        let to = if self.from.is_empty() { None } else { successor(&invert(&self.from)) };
        Self { from, to, point: false, shown }
    }
}

impl Bounds {
    /// Everything.
    pub(super) fn all() -> Self {
        Self { intervals: vec![Interval::all()], exact: true }
    }

    fn of(intervals: Vec<Interval>, exact: bool) -> Self {
        let mut intervals: Vec<_> =
            intervals.into_iter().filter(|interval| !interval.is_empty()).collect();
        intervals.sort_by(|a, b| a.from.cmp(&b.from));
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for interval in intervals {
            match merged.last_mut() {
                Some(last) if last.to.as_ref().is_none_or(|to| interval.from < *to) => {
                    let further = match (&last.to, &interval.to) {
                        (Some(a), Some(b)) => a < b,
                        (Some(_), None) => true,
                        (None, _) => false,
                    };
                    if further {
                        last.to = interval.to;
                        last.shown.1 = interval.shown.1;
                        last.point = false;
                    }
                }
                _ => merged.push(interval),
            }
        }
        Self { intervals: merged, exact }
    }

    /// Whether it allows everything.
    pub(super) fn is_all(&self) -> bool {
        matches!(&self.intervals[..], [only] if only.from.is_empty() && only.to.is_none())
    }

    /// Whether it is a list of single keys.
    pub(super) fn is_points(&self) -> bool {
        self.intervals.iter().all(|interval| interval.point)
    }

    fn intersect(&self, other: &Self) -> Self {
        let mut intervals = Vec::new();
        for a in &self.intervals {
            for b in &other.intervals {
                intervals.push(a.intersect(b));
            }
        }
        Self::of(intervals, self.exact && other.exact)
    }

    fn union(self, other: Self) -> Self {
        let mut intervals = self.intervals;
        intervals.extend(other.intervals);
        Self::of(intervals, self.exact && other.exact)
    }

    /// A cheap measure of how much it allows: fewer is better.
    fn looseness(&self) -> (u8, usize) {
        if self.is_all() {
            return (2, 0);
        }
        (u8::from(!self.is_points()), self.intervals.len())
    }
}

/// The first key after all that begin with these bytes.
pub(super) fn successor(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut next = bytes.to_vec();
    while let Some(last) = next.pop() {
        if last < 0xff {
            next.push(last + 1);
            return Some(next);
        }
    }
    None
}

/// What the conditions that must hold say of one path.
#[derive(Debug, Default)]
struct Conditions {
    /// Each of them restricts the entries of one element.
    list: Vec<Bounds>,
    /// Conditions on the path that no bounds stand for.
    others: usize,
}

/// The bounds at a path. `multikey`: different elements may satisfy different conditions, so only one of them counts.
pub(super) fn at_path(filter: &Filter, path: &Path, multikey: bool) -> Bounds {
    let mut conditions = Conditions::default();
    if path.parts().iter().all(|part| part.index().is_none()) {
        collect(filter.root(), path.as_str(), &mut conditions);
    }
    let exact = conditions.others == 0;
    let mut bounds = if multikey {
        conditions.list.into_iter().min_by_key(Bounds::looseness).unwrap_or_else(Bounds::all)
    } else {
        conditions.list.iter().fold(Bounds::all(), |all, one| all.intersect(one))
    };
    bounds.exact &= exact && !multikey;
    bounds
}

/// Whether a filter has no other conditions than those on these paths, each with bounds of its own.
pub(super) fn covers(filter: &Filter, paths: &[&str]) -> bool {
    fn only(node: &Node, paths: &[&str]) -> bool {
        match node {
            Node::And(list) => list.iter().all(|node| only(node, paths)),
            Node::Field { path, .. } => paths.contains(&path.as_str()),
            _ => false,
        }
    }
    only(filter.root(), paths)
}

fn collect(node: &Node, path: &str, conditions: &mut Conditions) {
    match node {
        Node::And(list) => list.iter().for_each(|node| collect(node, path, conditions)),
        Node::Field { path: at, test } if at.as_str() == path => add(test, conditions),
        Node::Field { path: at, test: Test::Element(ElementTest::Document(inner)) } => {
            // `{a: {$elemMatch: {b: 1}}}` restricts `a.b`.
            if let Some(rest) =
                path.strip_prefix(at.as_str()).and_then(|rest| rest.strip_prefix('.'))
            {
                let mut nested = Conditions::default();
                collect(inner, rest, &mut nested);
                conditions.others += 1;
                // The elements' own arrays may satisfy each condition with another value, so only one of them counts; a null
                // also stands for elements without a value of that name.
                let known = nested.list.into_iter().filter(|bounds| !bounds.has_null());
                if let Some(tightest) = known.min_by_key(Bounds::looseness) {
                    conditions.list.push(Bounds { exact: false, ..tightest });
                }
            }
        }
        _ => {}
    }
}

fn add(test: &Test, conditions: &mut Conditions) {
    match test {
        Test::All(tests) => tests.iter().for_each(|test| add(test, conditions)),
        _ => match of_test(test) {
            Some(bounds) => conditions.list.push(bounds),
            None => conditions.others += 1,
        },
    }
}

/// The keys of values that satisfy a test; `None` where that cannot be said.
fn of_test(test: &Test) -> Option<Bounds> {
    match test {
        Test::Equal(value) => Some(equal(Raw::trusted(value))),
        Test::In { values } => {
            let points = values.iter().map(|value| equal(Raw::trusted(value)));
            Some(points.fold(Bounds::of(Vec::new(), true), Bounds::union))
        }
        Test::Less(value) => below(Raw::trusted(value), false),
        Test::LessOrEqual(value) => below(Raw::trusted(value), true),
        Test::Greater(value) => above(Raw::trusted(value), false),
        Test::GreaterOrEqual(value) => above(Raw::trusted(value), true),
        Test::Any(tests) => {
            let all = tests.iter().map(of_test).collect::<Option<Vec<_>>>()?;
            Some(all.into_iter().fold(Bounds::of(Vec::new(), true), Bounds::union))
        }
        Test::Regex(pattern) => matching(pattern),
        Test::Element(ElementTest::Value(tests)) => {
            let known: Vec<_> = tests.iter().filter_map(of_test).collect();
            let all = known.iter().fold(Bounds::all(), |all, one| all.intersect(one));
            (!known.is_empty()).then_some(Bounds { exact: false, ..all })
        }
        _ => None,
    }
}

/// A value as JSON text, cut.
fn text(value: Raw<'_>) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8_lossy(&out).chars().take(100).collect()
}

fn equal(value: Raw<'_>) -> Bounds {
    let point = Interval::point(key::encode(value), &text(value));
    let Some(mut elements) = value.as_array() else { return Bounds::of(vec![point], true) };
    // A whole array has the entries of its elements; an element that is an array has one of its own.
    let first = match elements.next() {
        Some(element) => Interval::point(key::encode(element), &text(element)),
        None => Interval::point(vec![EMPTY_ARRAY], "[]"),
    };
    Bounds::of(vec![point, first], false)
}

/// The first byte of the keys of a type's values, and the one after it; `None` for operands that compare with other types.
fn bracket(value: Raw<'_>) -> Option<(u8, u8)> {
    let kind = value.kind();
    match kind {
        ValueKind::MinKey | ValueKind::MaxKey | ValueKind::Null | ValueKind::Array => None,
        ValueKind::Double | ValueKind::Decimal if is_nan(value) => None,
        _ => {
            let rank = kind.rank() << 4;
            // NaN is below every number and in no range.
            Some((if kind.is_number() { rank + 1 } else { rank }, rank + 16))
        }
    }
}

fn is_nan(value: Raw<'_>) -> bool {
    key::encode(value).first() == Some(&(ValueKind::Double.rank() << 4))
}

fn below(value: Raw<'_>, included: bool) -> Option<Bounds> {
    let (from, _) = bracket(value)?;
    let key = key::encode(value);
    let to = if included { successor(&key) } else { Some(key) };
    let high = format!("{}{}", text(value), if included { ']' } else { ')' });
    Some(Bounds::of(vec![Interval::range(vec![from], to, "[", &high)], true))
}

fn above(value: Raw<'_>, included: bool) -> Option<Bounds> {
    let (_, to) = bracket(value)?;
    let key = key::encode(value);
    let from = if included { key } else { successor(&key)? };
    let low = format!("{}{}", if included { '[' } else { '(' }, text(value));
    Some(Bounds::of(vec![Interval::range(from, Some(vec![to]), &low, "]")], true))
}

fn matching(pattern: &crate::query::regex::Pattern) -> Option<Bounds> {
    let prefix = pattern.prefix()?;
    let mut text = Vec::new();
    crate::value::encode::write_str(&prefix, &mut text);
    let mut from = key::encode(Raw::trusted(&text));
    from.truncate(from.len().saturating_sub(2));
    let regex = ValueKind::Regex.rank() << 4;
    let shown = format!("[\"{prefix}");
    let strings = Interval::range(from.clone(), successor(&from), &shown, "]");
    let patterns = Interval::range(vec![regex], Some(vec![regex + 16]), "[//", "//]");
    Some(Bounds::of(vec![strings, patterns], false))
}

/// Whether a filter makes sure that every document that it matches is one that `partial` matches, too. May say no where it
/// does.
pub(super) fn implies(filter: &Filter, partial: &Filter) -> bool {
    fn one(filter: &Filter, path: &Path, test: &Test) -> bool {
        match test {
            Test::All(tests) => tests.iter().all(|test| one(filter, path, test)),
            Test::Exists(true) => demands(filter, path),
            _ => of_test(test).is_some_and(|wanted| {
                let given = at_path(filter, path, true);
                wanted.exact && !given.is_all() && given.intersect(&wanted).same_keys(&given)
            }),
        }
    }
    let Node::And(list) = partial.root() else { return false };
    list.iter().all(|node| match node {
        Node::Field { path, test } => one(filter, path, test),
        _ => false,
    })
}

/// Whether a filter makes sure that there is something at a path.
pub(super) fn demands(filter: &Filter, path: &Path) -> bool {
    !at_path(filter, path, true).has_null() || exists(filter.root(), path)
}

fn exists(node: &Node, path: &Path) -> bool {
    match node {
        Node::And(list) => list.iter().any(|node| exists(node, path)),
        Node::Field { path: at, test } => at.as_str() == path.as_str() && has_exists(test),
        _ => false,
    }
}

fn has_exists(test: &Test) -> bool {
    match test {
        Test::Exists(there) => *there,
        Test::All(tests) => tests.iter().any(has_exists),
        _ => false,
    }
}

impl Bounds {
    fn has_null(&self) -> bool {
        let null = key::encode(Raw::NULL);
        self.intervals.iter().any(|interval| {
            interval.from <= null && interval.to.as_ref().is_none_or(|to| null < *to)
        })
    }

    fn same_keys(&self, other: &Self) -> bool {
        let keys = |bounds: &Self| {
            let all = bounds.intervals.iter().map(|one| (one.from.clone(), one.to.clone()));
            all.collect::<Vec<_>>()
        };
        keys(self) == keys(other)
    }
}
