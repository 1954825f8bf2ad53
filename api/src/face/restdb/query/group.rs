//! Groups and aggregates: `$groupby`, `$aggregate` and `$aggregate-grand-total` as pipelines, and their results as nested
//! objects with the face's keys.
//!
//! Guarantees: nothing is computed over documents that the caller may not see: pipelines run in the session.
//! Leaves to others: running them (`list`).

mod keys;
mod result;

use headwater_engine::value::{Object, Value};

use super::read::malformed;
use super::{ListRequest, filter};
use crate::error::{ApiResult, shortened};
use keys::Key;

pub(crate) use result::nested;

/// Most fields that documents are grouped by.
const FIELDS_MAX: usize = 16;
/// Most functions of one answer.
const FUNCTIONS_MAX: usize = 64;

/// What is computed of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Min,
    Max,
    Average,
    Sum,
    Count,
}

const KINDS: [(&str, Kind); 5] = [
    ("MIN", Kind::Min),
    ("MAX", Kind::Max),
    ("AVG", Kind::Average),
    ("SUM", Kind::Sum),
    ("COUNT", Kind::Count),
];

/// A function of a field.
#[derive(Clone, Debug)]
struct Function {
    kind: Kind,
    field: String,
    /// Its key in the result: the name, one blank, the field, which may be empty.
    key: String,
}

/// How documents are grouped, and what is computed of each group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grouping {
    by: Vec<Key>,
    functions: Vec<Function>,
    /// Whether each level has its own aggregates, too.
    pub(super) grand_total: bool,
}

impl Grouping {
    /// Reads the parameters.
    pub(super) fn read<'a>(
        by: impl Iterator<Item = &'a str>,
        functions: impl Iterator<Item = &'a str>,
    ) -> ApiResult<Self> {
        let mut grouping = Self::default();
        grouping.group_by(&by.collect::<Vec<_>>())?;
        grouping.compute(&functions.collect::<Vec<_>>())?;
        Ok(grouping)
    }

    /// Takes the fields to group by.
    pub(super) fn group_by(&mut self, by: &[&str]) -> ApiResult<()> {
        check_number("groupby", by.len(), FIELDS_MAX)?;
        self.by = by.iter().map(|text| Key::read(text)).collect::<ApiResult<_>>()?;
        Ok(())
    }

    /// Takes the functions.
    pub(super) fn compute(&mut self, functions: &[&str]) -> ApiResult<()> {
        check_number("aggregate", functions.len(), FUNCTIONS_MAX)?;
        self.functions = functions.iter().map(|text| function(text)).collect::<ApiResult<_>>()?;
        Ok(())
    }

    /// Whether there is anything to group or compute.
    pub(super) fn asks_for_something(&self) -> bool {
        !self.by.is_empty() || !self.functions.is_empty()
    }

    /// Whether it looks at a field.
    pub(super) fn names(&self, name: &str) -> bool {
        self.paths().any(|field| filter::begins_with(field, name))
    }

    /// The fields that it looks at.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let by = self.by.iter().map(|key| key.field.as_str());
        by.chain(self.functions.iter().map(|function| function.field.as_str()))
    }

    /// By how many of its fields the groups of each pipeline are made, the whole grouping first.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let totals = self.grand_total && !self.functions.is_empty();
        let above = if totals { self.by.len() } else { 0 };
        [self.by.len()].into_iter().chain(0..above).collect()
    }

    /// The pipeline that groups by the first fields, encoded.
    pub(crate) fn pipeline(&self, asking: &ListRequest, depth: usize) -> Vec<u8> {
        let mut stages = Vec::new();
        let mut stage = |name: &str, value: Value| stages.push(object([(name, value)]));
        if !asking.filter.is_empty() {
            stage("$match", Value::Object(asking.filter.clone()));
        }
        if !asking.sort.is_empty() {
            stage("$sort", Value::Object(asking.sort.clone()));
        }
        if asking.skip > 0 {
            stage("$skip", whole(asking.skip));
        }
        match asking.explicit_max() {
            None => {}
            // A limit of nothing is none in a pipeline.
            Some(0) => {
                let nothing = object([("$in", Value::Array(Vec::new()))]);
                stage("$match", object([("_id", nothing)]));
            }
            Some(max) => stage("$limit", whole(max)),
        }
        stage("$replaceWith", self.prepared(depth));
        stage("$group", self.group(depth));
        stage("$sort", object([("_id", Value::Int32(1))]));
        Value::Array(stages).to_bytes()
    }

    /// Each document in `d`, with its keys, and whether it has the fields of which the least or greatest is wanted.
    fn prepared(&self, depth: usize) -> Value {
        let mut members = Object::new();
        members.insert("d", "$$ROOT");
        for (index, key) in self.by[..depth].iter().enumerate() {
            members.insert(format!("k{index}"), key.expression());
        }
        for (index, function) in self.extremes() {
            let path = Value::String(format!("${}", function.field));
            let is_there = object([("$gt", Value::Array(vec![path, Value::Null]))]);
            members.insert(format!("m{index}"), is_there);
        }
        Value::Object(members)
    }

    fn group(&self, depth: usize) -> Value {
        let mut members = Object::new();
        let key = |index| (format!("k{index}"), Value::String(format!("$k{index}")));
        members.insert("_id", (0..depth).map(key).collect::<Object>());
        for (index, function) in self.functions.iter().enumerate() {
            members.insert(format!("f{index}"), function.accumulator(index));
        }
        for (index, _) in self.extremes() {
            let is_there = Value::String(format!("$m{index}"));
            members.insert(format!("m{index}"), object([("$max", is_there)]));
        }
        if self.functions.is_empty() {
            members.insert("rows", object([("$push", Value::from("$d"))]));
        }
        Value::Object(members)
    }

    fn extremes(&self) -> impl Iterator<Item = (usize, &Function)> {
        let all = self.functions.iter().enumerate();
        all.filter(|(_, function)| matches!(function.kind, Kind::Min | Kind::Max))
    }
}

impl Function {
    fn accumulator(&self, index: usize) -> Value {
        let path = Value::String(format!("$d.{}", self.field));
        let extreme = |direction: i32| {
            let mut order = Object::new();
            order.insert(format!("m{index}"), -1);
            order.insert(format!("d.{}", self.field), direction);
            let first = [("sortBy", Value::Object(order)), ("output", Value::from("$d"))];
            object([("$top", object(first))])
        };
        match self.kind {
            Kind::Min => extreme(1),
            Kind::Max => extreme(-1),
            Kind::Average => object([("$avg", path)]),
            Kind::Sum => object([("$sum", path)]),
            Kind::Count => object([("$sum", Value::Int32(1))]),
        }
    }
}

fn function(text: &str) -> ApiResult<Function> {
    let (name, field) = text.split_once(':').unwrap_or((text, ""));
    let name = name.trim().to_ascii_uppercase();
    let found = KINDS.iter().find(|(known, _)| *known == name);
    let Some((name, kind)) = found else {
        let what = format!("`{}` is not MIN, MAX, AVG, SUM or COUNT with a field", shortened(text));
        return Err(malformed("aggregate", what));
    };
    if field.is_empty() && *kind != Kind::Count {
        return Err(malformed(
            "aggregate",
            format_args!("{name} needs a field, as in {name}:field"),
        ));
    }
    if *kind != Kind::Count {
        check_path("aggregate", field)?;
    }
    Ok(Function { kind: *kind, field: field.to_owned(), key: format!("{name} {field}") })
}

/// Refuses more of something than there may be.
fn check_number(parameter: &'static str, number: usize, max: usize) -> ApiResult<()> {
    if number <= max {
        return Ok(());
    }
    Err(malformed(parameter, format_args!("there are {number}, of which at most {max} may be")))
}

/// Refuses what cannot be the path of a field.
fn check_path(parameter: &'static str, path: &str) -> ApiResult<()> {
    if path.split('.').all(|part| !part.is_empty() && !part.starts_with('$')) {
        return Ok(());
    }
    Err(malformed(parameter, format_args!("`{}` is not the path of a field", shortened(path))))
}

fn whole(number: usize) -> Value {
    Value::integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
