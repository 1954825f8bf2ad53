//! `$setWindowFields`: fields computed over the neighbours of each document.
//!
//! Guarantees: all outputs see the documents as they came in. Documents come out by partition and sort order. Everything
//! is kept in memory, which the budget counts.
//! Leaves to others: the accumulators (`group`).

mod bounds;
mod function;
mod series;

use bytes::Bytes;

use self::bounds::Window;
use self::function::Function;
use super::Documents;
use super::document::add_path;
use super::operand::{check_name, invalid, members, options, required};
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, generate};
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::query::expression::Expression;
use crate::query::{Encoded, Item, Sort};
use crate::value::key::Direction;
use crate::value::{Raw, key};

/// A compiled `$setWindowFields`.
#[derive(Clone, Debug)]
pub(super) struct WindowFields {
    partition: Option<Expression>,
    sort: Option<Sort>,
    outputs: Vec<Output>,
}

#[derive(Clone, Debug)]
struct Output {
    path: String,
    function: Function,
    window: Window,
}

/// A document with the keys that decide its place.
struct Entry {
    partition: Box<[u8]>,
    key: Box<[u8]>,
    document: Bytes,
}

/// The documents of one partition, in order.
#[derive(Clone, Copy)]
struct View<'v> {
    entries: &'v [Entry],
    sort: Option<&'v Sort>,
    env: Env<'v>,
}

/// The places of the documents on the axis that they are sorted by.
struct Axis {
    places: Vec<f64>,
    is_date: bool,
}

impl WindowFields {
    pub(super) fn parse(stage: &str, raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let names = ["partitionBy", "sortBy", "output"];
        let [partition, sort, output] = options(stage, "", raw, names)?;
        let partition = partition
            .map(|raw| Expression::parse(raw, parser.context, parser.variables))
            .transpose()?;
        let sort = sort.map(|raw| Sort::parse(raw, parser.context)).transpose()?;
        let sort = sort.filter(|sort| !sort.is_empty());
        let mut outputs = Vec::new();
        for (path, operand) in members(stage, "output", required(stage, "output", output)?)? {
            check_name(stage, path, path)?;
            outputs.push(parse_output(stage, path, operand, sort.as_ref(), parser)?);
        }
        Ok(Self { partition, sort, outputs })
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut input = Some(input);
        let mut held = Held::new(env.budget);
        let (mut entries, mut next) = (Vec::new(), 0);
        let mut columns =
            Columns { start: 0, end: 0, values: Vec::new(), held: Held::new(env.budget) };
        generate(env.budget, move || {
            if let Some(input) = input.take() {
                entries = self.arranged(input, env, &mut held)?;
            }
            if next == columns.end && next < entries.len() {
                self.advance(&entries, &mut columns, env)?;
            }
            let Some(entry) = entries.get(next) else { return Ok(None) };
            let mut document = entry.document.to_vec();
            for (output, column) in self.outputs.iter().zip(&columns.values) {
                if let Some(value) = column.get(next - columns.start) {
                    let mut out = Vec::with_capacity(document.len() + value.len() + 16);
                    add_path(Raw::trusted(&document), &output.path, value, &mut out);
                    document = out;
                }
            }
            next += 1;
            Ok(Some(Bytes::from(document)))
        })
    }

    /// All documents, by partition and order.
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
            let partition = match &self.partition {
                None => Item::Missing,
                Some(partition) => partition.evaluate(&env.scope(raw))?,
            };
            let partition = partition.raw_or_null();
            if partition.as_array().is_some() {
                let message = "must not come to an array";
                return Err(invalid("$setWindowFields", "partitionBy", message));
            }
            let partition = key::encode(partition).into_boxed_slice();
            let key = self.sort.as_ref().map(|sort| sort.key(raw)).transpose()?;
            let key = key.unwrap_or_default().into_boxed_slice();
            held.take(document.len() + partition.len() + key.len() + 2 * OVERHEAD)?;
            entries.push(Entry { partition, key, document });
        }
        entries.sort_by(|a, b| (&a.partition, &a.key).cmp(&(&b.partition, &b.key)));
        Ok(entries)
    }

    /// Computes the outputs of the next partition.
    fn advance(&self, entries: &[Entry], columns: &mut Columns<'_>, env: Env<'_>) -> Result<()> {
        columns.held.give_all();
        columns.values.clear();
        columns.start = columns.end;
        let rest = entries.get(columns.start..).unwrap_or_default();
        let Some(first) = rest.first() else { return Ok(()) };
        let len = rest.iter().take_while(|entry| entry.partition == first.partition).count();
        columns.end = columns.start + len;
        let view = View { entries: &rest[..len], sort: self.sort.as_ref(), env };
        for output in &self.outputs {
            let column = output.function.column(view, &output.window, &mut columns.held)?;
            columns.values.push(column);
        }
        Ok(())
    }
}

/// The outputs of one partition.
struct Columns<'a> {
    start: usize,
    end: usize,
    values: Vec<Vec<Encoded>>,
    held: Held<'a>,
}

fn parse_output(
    stage: &str,
    path: &str,
    raw: Raw<'_>,
    sort: Option<&Sort>,
    parser: &Parser<'_>,
) -> Result<Output> {
    let (mut function, mut window) = (None, None);
    for (name, operand) in members(stage, path, raw)? {
        match name {
            "window" if window.is_none() => window = Some(operand),
            _ if function.is_none() => function = Some((name, operand)),
            _ => return Err(invalid(stage, path, "must have exactly one function")),
        }
    }
    let (name, operand) =
        function.ok_or_else(|| invalid(stage, path, "must have exactly one function"))?;
    let has_window = window.is_some();
    let window = match window {
        None => Window::Whole,
        Some(window) => Window::parse(stage, path, window, sort)?,
    };
    let function = Function::parse(stage, name, operand, parser)?;
    function.check(stage, path, sort, has_window)?;
    Ok(Output { path: path.to_owned(), function, window })
}

impl<'v> View<'v> {
    fn root(&self, index: usize) -> Raw<'v> {
        self.entries.get(index).map_or(Raw::NULL, |entry| Raw::trusted(&entry.document))
    }

    /// The value of an expression for every document; the memory is taken from `held`.
    fn column(&self, expression: &Expression, held: &mut Held<'_>) -> Result<Vec<Item<'static>>> {
        let mut column = Vec::with_capacity(self.entries.len());
        for index in 0..self.entries.len() {
            self.env.budget.check()?;
            let value = expression.evaluate(&self.env.scope(self.root(index)))?.into_owned();
            held.take(size_of::<Item<'_>>() + value.raw().map_or(0, |raw| raw.as_bytes().len()))?;
            column.push(value);
        }
        Ok(column)
    }

    /// The places on the axis; numbers and dates, not mixed.
    fn axis(&self) -> Result<Axis> {
        let wrong = |message: &str| Err(invalid("$setWindowFields", "sortBy", message));
        let Some([field]) = self.sort.map(Sort::fields) else {
            return wrong("must have exactly one path here");
        };
        let (mut places, mut dates) = (Vec::with_capacity(self.entries.len()), 0);
        for index in 0..self.entries.len() {
            self.env.budget.check()?;
            let value = field.path.get(self.root(index)).unwrap_or(Raw::NULL);
            match (Number::read(value), value.as_date()) {
                (Some(number), _) => places.push(number.to_f64()),
                (None, Some(ms)) => {
                    dates += 1;
                    places.push(ms as f64);
                }
                (None, None) => return wrong("must be a number or a date in every document here"),
            }
        }
        if dates != 0 && dates != places.len() {
            return wrong("must not mix numbers and dates here");
        }
        Ok(Axis { places, is_date: dates > 0 })
    }
}

/// Whether a sort has one path, ascending.
fn is_single_ascending(sort: Option<&Sort>) -> bool {
    matches!(sort.map(Sort::fields), Some([field]) if field.direction == Direction::Ascending)
}
