//! What an accumulator has gathered so far.
//!
//! Guarantees: `$sum` and `$avg` pass over what is no number, `$min` and `$max` over null and missing, `$push` and
//! `$addToSet` over missing; `$first` and its kin take missing as null (reference, section 8).
//! Leaves to others: the memory that [`State::add`] says it took.

use std::collections::{HashMap, HashSet};

use super::accumulator::{Input, Kind, Spec};
use super::hash::FastHash;
use super::picked::Picked;
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::query::expression::{Deviation, Total};
use crate::query::{Encoded, Item};
use crate::value::key::{self, Direction};
use crate::value::{Raw, compare, encode};

use super::super::operand::invalid;
use super::super::stream::Env;

/// The state of one accumulator of one group.
#[derive(Clone, Debug)]
pub(in super::super) enum State {
    Sum(Total),
    Avg(Total),
    Least(Option<Encoded>),
    Greatest(Option<Encoded>),
    First(Option<Encoded>),
    Last(Option<Encoded>),
    Count(i64),
    Deviation(Deviation, bool),
    List(Box<List>),
    Set(Box<Set>),
    Merged(Box<Merged>),
    Picked(Box<Picked>, Kind),
    Percentiles(Box<Percentiles>),
}

/// Values one after another.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct List {
    len: usize,
    bytes: Vec<u8>,
}

/// As a list, without doubles.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Set {
    seen: HashSet<Box<[u8]>, FastHash>,
    list: List,
}

/// The members of several objects; the last one of a name wins.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Merged {
    places: HashMap<String, usize, FastHash>,
    values: Vec<(String, Encoded)>,
}

/// Numbers, and which of them are wanted.
#[derive(Clone, Debug)]
pub(in super::super) struct Percentiles {
    numbers: Vec<f64>,
    wanted: Vec<f64>,
    single: bool,
}

impl State {
    /// An empty state for a group with this `_id`.
    pub(in super::super) fn new(spec: &Spec, id: Raw<'_>, env: &Env<'_>) -> Result<Self> {
        let picked = |keeps_front, single| -> Result<Self> {
            let picked = Picked::new(spec.kept(id, env)?, keeps_front, single);
            Ok(Self::Picked(Box::new(picked), spec.kind))
        };
        Ok(match spec.kind {
            Kind::Sum => Self::Sum(Total::default()),
            Kind::Avg => Self::Avg(Total::default()),
            Kind::Min => Self::Least(None),
            Kind::Max => Self::Greatest(None),
            Kind::First => Self::First(None),
            Kind::Last => Self::Last(None),
            Kind::Count => Self::Count(0),
            Kind::StdDevPop => Self::Deviation(Deviation::default(), false),
            Kind::StdDevSamp => Self::Deviation(Deviation::default(), true),
            Kind::Push => Self::List(Box::default()),
            Kind::AddToSet => Self::Set(Box::default()),
            Kind::MergeObjects => Self::Merged(Box::default()),
            Kind::FirstN | Kind::MinN | Kind::MaxN | Kind::TopN => picked(true, false)?,
            Kind::LastN | Kind::BottomN => picked(false, false)?,
            Kind::Top => picked(true, true)?,
            Kind::Bottom => picked(false, true)?,
            Kind::Percentile | Kind::Median => Self::Percentiles(Box::new(Percentiles {
                numbers: Vec::new(),
                wanted: spec.percentiles.clone(),
                single: spec.kind == Kind::Median,
            })),
        })
    }

    /// Takes what a document gives; how much more memory it holds.
    #[inline]
    pub(in super::super) fn add(&mut self, input: &Input<'_>) -> Result<usize> {
        let (sort_key, item) = match input {
            Input::One(item) => (None, item),
            Input::Keyed(key, item) => (Some(key.as_slice()), item),
        };
        match self {
            Self::Sum(sum) | Self::Avg(sum) => {
                if let Some(raw) = item.raw() {
                    sum.add_raw(raw);
                }
            }
            Self::Count(count) => *count += 1,
            Self::Deviation(deviation, _) => {
                if let Some(number) = item.raw().and_then(Number::read) {
                    deviation.add(number.to_f64());
                }
            }
            Self::Least(least) => {
                return Ok(take_extreme(least, item, std::cmp::Ordering::Less));
            }
            Self::Greatest(greatest) => {
                return Ok(take_extreme(greatest, item, std::cmp::Ordering::Greater));
            }
            Self::First(Some(_)) => {}
            Self::First(first) => return Ok(replace(first, item.raw_or_null())),
            Self::Last(last) => return Ok(replace(last, item.raw_or_null())),
            Self::List(list) => return Ok(item.raw().map_or(0, |raw| list.push(raw))),
            Self::Set(set) => return Ok(item.raw().map_or(0, |raw| set.add(raw))),
            Self::Merged(merged) => return merged.add(item.raw_or_null()),
            Self::Picked(picked, kind) => return Ok(pick(picked, *kind, sort_key, item)),
            Self::Percentiles(percentiles) => {
                if let Some(number) = item.raw().and_then(Number::read).map(Number::to_f64)
                    && !number.is_nan()
                {
                    percentiles.numbers.push(number);
                    return Ok(8);
                }
            }
        }
        Ok(0)
    }

    /// Writes the result.
    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sum(sum) => sum.sum().write(out),
            Self::Avg(sum) => write_or_null(sum.average(), out),
            Self::Count(count) => encode::write_integer(*count, out),
            Self::Deviation(deviation, is_sample) => {
                let result = if *is_sample { deviation.sample() } else { deviation.population() };
                write_or_null(result.map(Number::Double), out);
            }
            Self::Least(value) | Self::Greatest(value) | Self::First(value) | Self::Last(value) => {
                match value {
                    Some(value) => out.extend_from_slice(value),
                    None => encode::write_null(out),
                }
            }
            Self::List(list) => list.write(out),
            Self::Set(set) => set.list.write(out),
            Self::Merged(merged) => merged.write(out),
            Self::Picked(picked, _) => picked.write(out),
            Self::Percentiles(percentiles) => percentiles.write(out),
        }
    }

    /// The result.
    pub(in super::super) fn result(&self) -> Encoded {
        let mut out = Vec::new();
        self.write(&mut out);
        Encoded::from_vec(out)
    }
}

fn write_or_null(number: Option<Number>, out: &mut Vec<u8>) {
    match number {
        Some(number) => number.write(out),
        None => encode::write_null(out),
    }
}

/// Puts a value into its place; how much more memory that takes.
fn replace(place: &mut Option<Encoded>, raw: Raw<'_>) -> usize {
    let bytes = raw.as_bytes();
    let place = place.get_or_insert_default();
    let before = place.capacity();
    place.clear();
    place.extend_from_slice(bytes);
    place.capacity() - before.min(place.capacity())
}

fn take_extreme(place: &mut Option<Encoded>, item: &Item<'_>, wanted: std::cmp::Ordering) -> usize {
    let Some(raw) = item.raw().filter(|raw| !raw.is_null()) else { return 0 };
    match place {
        Some(old) if compare::compare(raw, Raw::trusted(old)) != wanted => 0,
        _ => replace(place, raw),
    }
}

fn pick(picked: &mut Picked, kind: Kind, sort_key: Option<&[u8]>, item: &Item<'_>) -> usize {
    let value = item.raw_or_null();
    let mut key = Vec::new();
    match kind {
        Kind::MinN | Kind::MaxN if value.is_null() => return 0,
        Kind::MinN => key::write_directed(value, Direction::Ascending, &mut key),
        Kind::MaxN => key::write_directed(value, Direction::Descending, &mut key),
        _ => {}
    }
    picked.add(sort_key.unwrap_or(&key), value.as_bytes())
}

impl List {
    fn push(&mut self, raw: Raw<'_>) -> usize {
        let before = self.bytes.capacity();
        self.len += 1;
        self.bytes.extend_from_slice(raw.as_bytes());
        self.bytes.capacity() - before
    }

    fn write(&self, out: &mut Vec<u8>) {
        super::super::document::array_of(self.len, &self.bytes, out);
    }
}

impl Set {
    fn add(&mut self, raw: Raw<'_>) -> usize {
        let key = key::encode(raw);
        if self.seen.contains(key.as_slice()) {
            return 0;
        }
        let taken = key.len() + super::super::stream::OVERHEAD;
        self.seen.insert(key.into());
        taken + self.list.push(raw)
    }
}

impl Merged {
    fn add(&mut self, raw: Raw<'_>) -> Result<usize> {
        if raw.is_null() {
            return Ok(0);
        }
        let members = raw
            .as_object()
            .ok_or_else(|| invalid("$group", "$mergeObjects", "takes objects and null only"))?;
        let mut taken = 0;
        for (name, value) in members {
            match self.places.get(name).and_then(|place| self.values.get_mut(*place)) {
                Some((_, old)) => {
                    taken += value.as_bytes().len().saturating_sub(old.len());
                    *old = Encoded::from_slice(value.as_bytes());
                }
                None => {
                    taken += 2 * name.len() + value.as_bytes().len() + 64;
                    self.places.insert(name.to_owned(), self.values.len());
                    self.values.push((name.to_owned(), Encoded::from_slice(value.as_bytes())));
                }
            }
        }
        Ok(taken)
    }

    fn write(&self, out: &mut Vec<u8>) {
        encode::write_object_header(self.values.len(), out);
        for (name, value) in &self.values {
            encode::write_str(name, out);
            out.extend_from_slice(value);
        }
    }
}

impl Percentiles {
    fn write(&self, out: &mut Vec<u8>) {
        let mut sorted = self.numbers.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        if !self.single {
            encode::write_array_header(self.wanted.len(), out);
        }
        for wanted in &self.wanted {
            let rank = (wanted * sorted.len() as f64).ceil() as usize;
            match sorted.get(rank.saturating_sub(1)) {
                Some(number) => encode::write_double(*number, out),
                None => encode::write_null(out),
            }
        }
    }
}
