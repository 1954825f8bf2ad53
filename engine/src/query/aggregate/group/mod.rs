//! `$group` and `$sortByCount`: documents with equal keys come together in accumulators.
//!
//! Guarantees: keys are equal as the query language has it (`1` and `1.0`, null and missing); the first `_id` that was
//! seen is given out, and groups come in the order they were first seen, unless they did not fit into memory: then new
//! groups go to spill files, partition by partition, and come after the others. No allocation for a document whose group
//! is there.
//! Leaves to others: expressions and arithmetic.

mod accumulator;
mod hash;
mod picked;
mod spill;
mod state;
mod table;

pub(super) use accumulator::{Spec, call};
pub(super) use hash::FastHash;
pub(super) use state::State;
pub(super) use table::Table;

use bytes::Bytes;

use self::spill::{Partition, Partitions, Row};
use super::Documents;
use super::operand::{check_name, invalid, members};
use super::parse::Parser;
use super::sort::SortStage;
use super::stream::{Env, generate};
use crate::error::Result;
use crate::query::expression::Expression;
use crate::value::{Object, Raw, Value, key};

const STAGE: &str = "$group";

/// A compiled `$group`.
#[derive(Clone, Debug)]
pub(super) struct Group {
    id: Expression,
    fields: Vec<Field>,
}

/// A field of the output with its accumulator.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) spec: Spec,
}

impl Group {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let (mut id, mut fields) = (None, Vec::new());
        for (name, operand) in members(STAGE, "", raw)? {
            if name == "_id" {
                id = Some(Expression::parse(operand, parser.context, parser.variables)?);
            } else {
                fields.push(parse_field(STAGE, name, operand, parser)?);
            }
        }
        let id = id.ok_or_else(|| invalid(STAGE, "_id", "is missing"))?;
        Ok(Self { id, fields })
    }

    /// The two stages that `$sortByCount` stands for.
    pub(super) fn sort_by_count(raw: Raw<'_>, parser: &Parser<'_>) -> Result<(Self, SortStage)> {
        let is_expression = match raw.as_str() {
            Some(text) => text.starts_with('$'),
            None => raw.object_iter().next().is_some_and(|(name, _)| name.starts_with('$')),
        };
        if !is_expression {
            let message = "must be the path of a field or an expression";
            return Err(invalid("$sortByCount", "", message));
        }
        let id = Expression::parse(raw, parser.context, parser.variables)?;
        let spec = Spec::parse("$sortByCount", "$count", Raw::trusted(&[0x80]), parser)?;
        let fields = vec![Field { name: "count".to_owned(), spec }];
        let mut order = Object::new();
        order.insert("count", Value::Int32(-1));
        let sort = SortStage::parse(Raw::trusted(&order.to_bytes()), parser)?;
        Ok((Self { id, fields }, sort))
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut input = Some(input);
        let mut table = Table::new(&self.fields, env);
        let mut waiting: Vec<Partition> = Vec::new();
        let mut next = 0;
        generate(env.budget, move || {
            if let Some(input) = input.take() {
                waiting = self.fill(input, &mut table, env)?;
            }
            loop {
                if let Some(document) = table.document(next) {
                    next += 1;
                    return Ok(Some(Bytes::from(document)));
                }
                let Some(partition) = waiting.pop() else { return Ok(None) };
                table.clear();
                next = 0;
                waiting.extend(refill(partition, &mut table, env)?);
            }
        })
    }

    /// Takes all documents; what new groups did not fit is in the partitions.
    fn fill(
        &self,
        input: Documents<'_>,
        table: &mut Table<'_>,
        env: Env<'_>,
    ) -> Result<Vec<Partition>> {
        let mut partitions: Option<Partitions> = None;
        let mut key = Vec::new();
        for document in input {
            env.budget.check()?;
            let document = document?;
            let scope = env.scope(Raw::trusted(&document));
            let id = self.id.evaluate(&scope)?;
            let id = id.raw_or_null();
            key.clear();
            key::write(id, &mut key);
            let group = match (table.find(&key), &mut partitions) {
                (Some(group), _) => group,
                (None, None) if table.has_room(&key, id) => table.insert(&key, id)?,
                (None, open) => {
                    let row = Row::begin(id);
                    let row = self.fields.iter().try_fold(row, |row, field| {
                        Ok::<_, crate::Error>(row.with(&field.spec.evaluate(&scope)?))
                    })?;
                    match spill_to(open, 0, env)? {
                        Some(partitions) => {
                            partitions.write(&key, row)?;
                            continue;
                        }
                        None => table.insert(&key, id)?,
                    }
                }
            };
            table.add(group, |spec| spec.evaluate(&scope))?;
        }
        partitions.map_or(Ok(Vec::new()), Partitions::finish)
    }
}

/// The open partitions; `None` where nothing can be spilled.
fn spill_to<'p>(
    open: &'p mut Option<Partitions>,
    level: u32,
    env: Env<'_>,
) -> Result<Option<&'p mut Partitions>> {
    if open.is_none() {
        *open = Partitions::open(level, env.collections)?;
    }
    Ok(open.as_mut())
}

/// Takes the rows of a partition; what did not fit is in smaller ones.
fn refill(partition: Partition, table: &mut Table<'_>, env: Env<'_>) -> Result<Vec<Partition>> {
    let level = partition.level() + 1;
    let mut smaller: Option<Partitions> = None;
    let mut rows = partition.rows()?;
    let mut key = Vec::new();
    while let Some(row) = rows.next_row()? {
        env.budget.check()?;
        key.clear();
        key::write(row.id(), &mut key);
        let group = match (table.find(&key), &mut smaller) {
            (Some(group), _) => group,
            (None, None) if table.has_room(&key, row.id()) => table.insert(&key, row.id())?,
            (None, open) => match spill_to(open, level, env)? {
                Some(partitions) => {
                    partitions.write(&key, row)?;
                    continue;
                }
                None => table.insert(&key, row.id())?,
            },
        };
        let mut inputs = row.inputs();
        table.add(group, |spec| inputs.next(spec))?;
    }
    smaller.map_or(Ok(Vec::new()), Partitions::finish)
}

/// Compiles an output field: `name: { $accumulator: operand }`.
pub(super) fn parse_field(
    stage: &str,
    name: &str,
    operand: Raw<'_>,
    parser: &Parser<'_>,
) -> Result<Field> {
    check_name(stage, name, name)?;
    if name.contains('.') {
        return Err(invalid(stage, name, "a name may not have dots"));
    }
    let mut members = members(stage, name, operand)?;
    let (Some((accumulator, operand)), None) = (members.next(), members.next()) else {
        return Err(invalid(stage, name, "must have exactly one accumulator"));
    };
    let spec = Spec::parse(stage, accumulator, operand, parser).map_err(|error| {
        if error.detail("path").is_some() { error } else { error.with("path", name) }
    })?;
    Ok(Field { name: name.to_owned(), spec })
}
