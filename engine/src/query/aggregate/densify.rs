//! `$densify`: documents for the values that are missing in a course of numbers or dates.
//!
//! Guarantees: documents that are there come out unchanged, in the order of the field within their partition; those
//! without the field come first. New documents are made one by one as they are asked for.
//! Leaves to others: filling their other fields (`$fill`).

use std::cmp::Ordering;

use bytes::Bytes;

use super::Documents;
use super::document::{EMPTY, get_nested, set_path};
use super::operand::{field_name, integer, invalid, number, options, required, text};
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, generate};
use super::units::Unit;
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::value::{Raw, encode, key};

const STAGE: &str = "$densify";

/// A compiled `$densify`.
#[derive(Clone, Debug)]
pub(super) struct Densify {
    field: String,
    partition: Vec<String>,
    step: Step,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Number(Number),
    Time(i64, Unit),
}

#[derive(Clone, Copy, Debug)]
enum Bounds {
    Full,
    Partition,
    Between(Place, Place),
}

/// A value of the field.
#[derive(Clone, Copy, Debug)]
enum Place {
    Number(Number),
    Date(i64),
}

impl Place {
    fn read(raw: Raw<'_>) -> Option<Self> {
        let date = raw.as_date().map(Self::Date);
        date.or_else(|| Number::read(raw).map(Self::Number))
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.compare(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(&b),
            (Self::Number(_), Self::Date(_)) => Ordering::Less,
            (Self::Date(_), Self::Number(_)) => Ordering::Greater,
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => number.write(out),
            Self::Date(ms) => encode::write_date(ms, out),
        }
    }
}

impl Step {
    /// The place so many steps after `base`.
    fn after(self, base: Place, steps: i64) -> Option<Place> {
        match (self, base) {
            (Self::Number(step), Place::Number(base)) => {
                let way = step.multiply_widening(Number::integer(steps));
                Some(Place::Number(base.add_widening(way)))
            }
            (Self::Time(step, unit), Place::Date(base)) => {
                Some(Place::Date(unit.add(base, step.saturating_mul(steps))))
            }
            _ => None,
        }
    }
}

struct Entry {
    partition: Vec<u8>,
    place: Option<Place>,
    document: Bytes,
}

/// The values that one partition must have.
struct Grid {
    base: Place,
    end: Place,
    includes_end: bool,
    steps: i64,
    next: Option<Place>,
}

impl Densify {
    pub(super) fn parse(raw: Raw<'_>, _parser: &Parser<'_>) -> Result<Self> {
        let names = ["field", "partitionByFields", "range"];
        let [field, partition, range] = options(STAGE, "", raw, names)?;
        let field = field_name(STAGE, "field", required(STAGE, "field", field)?)?.to_owned();
        let partition = match partition {
            None => Vec::new(),
            Some(list) => list
                .as_array()
                .ok_or_else(|| invalid(STAGE, "partitionByFields", "must be a list of fields"))?
                .map(|name| Ok(field_name(STAGE, "partitionByFields", name)?.to_owned()))
                .collect::<Result<_>>()?,
        };
        if partition.contains(&field) {
            let message = "must not name the field itself";
            return Err(invalid(STAGE, "partitionByFields", message));
        }
        let range = required(STAGE, "range", range)?;
        let [step, unit, bounds] = options(STAGE, "range", range, ["step", "unit", "bounds"])?;
        let step = parse_step(required(STAGE, "range.step", step)?, unit)?;
        let bounds = parse_bounds(required(STAGE, "range.bounds", bounds)?, step)?;
        if matches!(bounds, Bounds::Partition) && partition.is_empty() {
            let message = "`partition` needs `partitionByFields`";
            return Err(invalid(STAGE, "range.bounds", message));
        }
        Ok(Self { field, partition, step, bounds })
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut input = Some(input);
        let mut held = Held::new(env.budget);
        let (mut entries, mut next, mut start) = (Vec::new(), 0, 0);
        let mut grid: Option<Grid> = None;
        let mut full = None;
        generate(env.budget, move || {
            if let Some(input) = input.take() {
                entries = self.arranged(input, env, &mut held)?;
                full = extent(&entries);
                grid = self.grid(&entries, full);
            }
            loop {
                env.budget.check()?;
                let entry: Option<&Entry> = entries.get(next);
                let same = entry.is_some_and(|entry| {
                    entries.get(start).is_some_and(|first| first.partition == entry.partition)
                });
                let due = entry.filter(|_| same);
                if let Some(grid) = &mut grid
                    && let Some(place) = grid.next
                {
                    let order = match due {
                        None => Ordering::Less,
                        Some(entry) => match entry.place {
                            None => Ordering::Greater,
                            Some(there) => place.compare(there),
                        },
                    };
                    if order.is_le() {
                        grid.advance(self.step)?;
                    }
                    if order.is_lt() {
                        let sample = entries.get(start).map(|entry| &entry.document);
                        return Ok(Some(self.make(sample, place)));
                    }
                }
                if let Some(entry) = due {
                    next += 1;
                    return Ok(Some(entry.document.clone()));
                }
                if next >= entries.len() {
                    return Ok(None);
                }
                start = next;
                grid = self.grid(entries.get(start..).unwrap_or_default(), full);
            }
        })
    }

    fn arranged(
        &self,
        input: Documents<'_>,
        env: Env<'_>,
        held: &mut Held<'_>,
    ) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for document in input {
            env.budget.check()?;
            let document = document?;
            let raw = Raw::trusted(&document);
            let mut partition = Vec::new();
            for field in &self.partition {
                key::write(get_nested(raw, field).unwrap_or(Raw::NULL), &mut partition);
            }
            let value = get_nested(raw, &self.field).filter(|value| !value.is_null());
            let place = value.and_then(Place::read);
            let fits = match (place, self.step) {
                (None, _) => value.is_none(),
                (Some(Place::Number(number)), Step::Number(_)) => !number.is_nan(),
                (Some(Place::Date(_)), Step::Time(..)) => true,
                _ => false,
            };
            if !fits {
                let message = "must be numbers, or dates with a `unit`";
                return Err(invalid(STAGE, &self.field, message));
            }
            held.take(document.len() + partition.len() + 2 * OVERHEAD)?;
            entries.push(Entry { partition, place, document });
        }
        entries.sort_by(|a, b| {
            let places = match (a.place, b.place) {
                (Some(a), Some(b)) => a.compare(b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            };
            a.partition.cmp(&b.partition).then(places)
        });
        Ok(entries)
    }

    /// The grid of the partition that begins with the first of `entries`.
    fn grid(&self, entries: &[Entry], full: Option<(Place, Place)>) -> Option<Grid> {
        let (base, end, includes_end) = match self.bounds {
            Bounds::Full => full.map(|(base, end)| (base, end, true))?,
            Bounds::Between(base, end) => (base, end, false),
            Bounds::Partition => {
                let first = entries.first()?;
                let own = entries.iter().take_while(|entry| entry.partition == first.partition);
                let mut places = own.filter_map(|entry| entry.place);
                let base = places.next()?;
                (base, places.last().unwrap_or(base), true)
            }
        };
        let mut grid = Grid { base, end, includes_end, steps: 0, next: Some(base) };
        grid.close();
        Some(grid)
    }

    fn make(&self, sample: Option<&Bytes>, place: Place) -> Bytes {
        let mut document = EMPTY.to_vec();
        for field in &self.partition {
            let value = sample.and_then(|sample| get_nested(Raw::trusted(sample), field));
            if let Some(value) = value {
                let mut out = Vec::new();
                set_path(Raw::trusted(&document), field, Some(value.as_bytes()), &mut out);
                document = out;
            }
        }
        let (mut value, mut out) = (Vec::new(), Vec::new());
        place.write(&mut value);
        set_path(Raw::trusted(&document), &self.field, Some(&value), &mut out);
        Bytes::from(out)
    }
}

impl Grid {
    /// Goes on to the next place.
    fn advance(&mut self, step: Step) -> Result<()> {
        let Some(before) = self.next else { return Ok(()) };
        self.steps += 1;
        self.next = step.after(self.base, self.steps);
        if self.next.is_some_and(|next| next.compare(before).is_le()) {
            return Err(invalid(STAGE, "range.step", "is too small for the values there are"));
        }
        self.close();
        Ok(())
    }

    /// Ends where the bounds end.
    fn close(&mut self) {
        let order = self.next.map(|next| next.compare(self.end));
        let over = order.is_some_and(|order| order.is_gt() || order.is_eq() && !self.includes_end);
        if over {
            self.next = None;
        }
    }
}

/// The least and the greatest place.
fn extent(entries: &[Entry]) -> Option<(Place, Place)> {
    let places = || entries.iter().filter_map(|entry| entry.place);
    let least = places().min_by(|a, b| a.compare(*b))?;
    let greatest = places().max_by(|a, b| a.compare(*b))?;
    Some((least, greatest))
}

fn parse_step(step: Raw<'_>, unit: Option<Raw<'_>>) -> Result<Step> {
    let path = "range.step";
    let Some(unit) = unit else {
        let step = number(STAGE, path, step)?;
        if step.is_negative() || step.is_zero() || !step.is_finite() {
            return Err(invalid(STAGE, path, "must be positive"));
        }
        return Ok(Step::Number(step));
    };
    let unit = Unit::named(text(STAGE, "range.unit", unit)?)
        .ok_or_else(|| invalid(STAGE, "range.unit", "is no unit of time"))?;
    let step = integer(step)
        .filter(|step| *step > 0)
        .ok_or_else(|| invalid(STAGE, path, "must be a positive whole number of units"))?;
    Ok(Step::Time(step, unit))
}

fn parse_bounds(bounds: Raw<'_>, step: Step) -> Result<Bounds> {
    let wrong = || {
        let message = "must be `full`, `partition`, or two numbers or dates in order";
        invalid(STAGE, "range.bounds", message)
    };
    match bounds.as_str() {
        Some("full") => return Ok(Bounds::Full),
        Some("partition") => return Ok(Bounds::Partition),
        _ => {}
    }
    let mut list = bounds.as_array().ok_or_else(wrong)?;
    let (Some(low), Some(high), None) = (list.next(), list.next(), list.next()) else {
        return Err(wrong());
    };
    let (Some(low), Some(high)) = (Place::read(low), Place::read(high)) else {
        return Err(wrong());
    };
    let fits = matches!(
        (low, high, step),
        (Place::Number(_), Place::Number(_), Step::Number(_))
            | (Place::Date(_), Place::Date(_), Step::Time(..))
    );
    if !fits || low.compare(high).is_gt() {
        return Err(wrong());
    }
    Ok(Bounds::Between(low, high))
}
