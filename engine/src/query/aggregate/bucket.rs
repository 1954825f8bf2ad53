//! `$bucket` and `$bucketAuto`: groups by ranges of a value.
//!
//! Guarantees: `$bucket` refuses a value outside its boundaries unless there is a default; buckets come in the order of
//! their `_id`, empty ones not at all. `$bucketAuto` keeps all documents in memory, which the budget counts; equal values
//! are never parted.
//! Leaves to others: the accumulators (`group`).

use bytes::Bytes;

use super::Documents;
use super::group::{Field, Spec, State, Table, parse_field};
use super::operand::{constant, count, invalid, members, options, required, unsupported};
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, generate, lazy};
use crate::error::Result;
use crate::query::Item;
use crate::query::expression::Expression;
use crate::value::{Raw, compare, encode, key};

/// A compiled `$bucket`.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    by: Expression,
    boundaries: Vec<Item<'static>>,
    default: Option<Item<'static>>,
    fields: Vec<Field>,
}

/// A compiled `$bucketAuto`.
#[derive(Clone, Debug)]
pub(super) struct BucketAuto {
    by: Expression,
    buckets: usize,
    fields: Vec<Field>,
}

fn parse_by(stage: &str, raw: Option<Raw<'_>>, parser: &Parser<'_>) -> Result<Expression> {
    let raw = required(stage, "groupBy", raw)?;
    let is_expression = match raw.as_str() {
        Some(text) => text.starts_with('$'),
        None => raw.as_object().is_some(),
    };
    if !is_expression {
        let message = "must be the path of a field or an expression";
        return Err(invalid(stage, "groupBy", message));
    }
    Expression::parse(raw, parser.context, parser.variables)
}

fn parse_output(stage: &str, raw: Option<Raw<'_>>, parser: &Parser<'_>) -> Result<Vec<Field>> {
    let Some(raw) = raw else {
        let spec = Spec::parse(stage, "$count", Raw::trusted(super::document::EMPTY), parser)?;
        return Ok(vec![Field { name: "count".to_owned(), spec }]);
    };
    members(stage, "output", raw)?
        .map(|(name, operand)| parse_field(stage, name, operand, parser))
        .collect()
}

impl Bucket {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let stage = "$bucket";
        let names = ["groupBy", "boundaries", "default", "output"];
        let [by, boundaries, default, output] = options(stage, "", raw, names)?;
        let boundaries = required(stage, "boundaries", boundaries)?;
        let list = boundaries
            .as_array()
            .filter(|_| boundaries.member_count() >= 2)
            .ok_or_else(|| invalid(stage, "boundaries", "must be a list of at least two values"))?;
        let boundaries = list
            .map(|raw| constant(stage, "boundaries", raw, parser.context))
            .collect::<Result<Vec<_>>>()?;
        for pair in boundaries.windows(2) {
            let [a, b] = pair else { continue };
            let (a, b) = (a.raw_or_null(), b.raw_or_null());
            if a.kind().rank() != b.kind().rank() || compare::compare(a, b).is_ge() {
                let message = "must be of one type and rise";
                return Err(invalid(stage, "boundaries", message));
            }
        }
        let default =
            default.map(|raw| constant(stage, "default", raw, parser.context)).transpose()?;
        let bucket = Self {
            by: parse_by(stage, by, parser)?,
            boundaries,
            default,
            fields: parse_output(stage, output, parser)?,
        };
        if let Some(default) = &bucket.default
            && bucket.place(default.raw_or_null()).is_some()
        {
            return Err(invalid(stage, "default", "must lie outside the boundaries"));
        }
        Ok(bucket)
    }

    /// The lower boundary of the bucket of a value.
    fn place(&self, value: Raw<'_>) -> Option<&Item<'static>> {
        let above = |boundary: &Item<'_>| compare::compare(boundary.raw_or_null(), value).is_le();
        let reached = self.boundaries.partition_point(above);
        if reached == self.boundaries.len() {
            return None;
        }
        self.boundaries.get(reached.checked_sub(1)?)
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        lazy(move || {
            let mut table = Table::new(&self.fields, env);
            let mut order: Vec<(Vec<u8>, usize)> = Vec::new();
            let mut id_key = Vec::new();
            for document in input {
                env.budget.check()?;
                let document = document?;
                let scope = env.scope(Raw::trusted(&document));
                let value = self.by.evaluate(&scope)?;
                let found = match value.raw() {
                    Some(value) => self.place(value),
                    None => None,
                };
                let id = found.or(self.default.as_ref()).ok_or_else(|| {
                    let message = "a value lies in no bucket, and there is no default";
                    invalid("$bucket", "groupBy", message)
                })?;
                id_key.clear();
                key::write(id.raw_or_null(), &mut id_key);
                let group = match table.find(&id_key) {
                    Some(group) => group,
                    None => {
                        let group = table.insert(&id_key, id.raw_or_null())?;
                        order.push((id_key.clone(), group));
                        group
                    }
                };
                table.add(group, |spec| spec.evaluate(&scope))?;
            }
            order.sort_unstable();
            let mut order = order.into_iter();
            Ok(generate(env.budget, move || {
                Ok(order.next().and_then(|(_, group)| table.document(group)).map(Bytes::from))
            }))
        })
    }
}

/// A document with the value it is grouped by.
struct Valued {
    key: Vec<u8>,
    value: Item<'static>,
    document: Bytes,
}

impl BucketAuto {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let stage = "$bucketAuto";
        let names = ["groupBy", "buckets", "output", "granularity"];
        let [by, buckets, output, granularity] = options(stage, "", raw, names)?;
        if granularity.is_some() {
            return Err(unsupported(stage, "with `granularity` is not supported"));
        }
        let buckets = count(stage, "buckets", required(stage, "buckets", buckets)?)?;
        if buckets == 0 || buckets > i32::MAX as u64 {
            return Err(invalid(stage, "buckets", "must be a positive 32-bit number"));
        }
        Ok(Self {
            by: parse_by(stage, by, parser)?,
            buckets: buckets as usize,
            fields: parse_output(stage, output, parser)?,
        })
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        lazy(move || {
            let mut held = Held::new(env.budget);
            let mut sorted = Vec::new();
            for document in input {
                env.budget.check()?;
                let document = document?;
                let value = self.by.evaluate(&env.scope(Raw::trusted(&document)))?;
                // A missing value counts as null.
                let value = Item::from(value.raw_or_null()).into_owned();
                let key = key::encode(value.raw_or_null());
                held.take(document.len() + 2 * key.len() + OVERHEAD)?;
                sorted.push(Valued { key, value, document });
            }
            sorted.sort_by(|a, b| a.key.cmp(&b.key));
            let size = (sorted.len() as f64 / self.buckets as f64).round().max(1.0) as usize;
            let (mut start, mut made) = (0, 0);
            Ok(generate(env.budget, move || {
                if start >= sorted.len() {
                    return Ok(None);
                }
                made += 1;
                let mut end = (start + size).min(sorted.len());
                if made == self.buckets {
                    end = sorted.len();
                }
                while end < sorted.len() && sorted[end].key == sorted[end - 1].key {
                    end += 1;
                }
                let max = sorted.get(end).unwrap_or(&sorted[end - 1]);
                let out = self.bucket(&sorted[start..end], &max.value, env, &mut held)?;
                start = end;
                Ok(Some(Bytes::from(out)))
            }))
        })
    }

    fn bucket(
        &self,
        members: &[Valued],
        max: &Item<'_>,
        env: Env<'_>,
        held: &mut Held<'_>,
    ) -> Result<Vec<u8>> {
        let min = members.first().map_or(Raw::NULL, |first| first.value.raw_or_null());
        let mut out = Vec::new();
        encode::write_object_header(self.fields.len() + 1, &mut out);
        encode::write_str("_id", &mut out);
        encode::write_object_header(2, &mut out);
        encode::write_str("min", &mut out);
        out.extend_from_slice(min.as_bytes());
        encode::write_str("max", &mut out);
        out.extend_from_slice(max.raw_or_null().as_bytes());
        for field in &self.fields {
            let mut state = State::new(&field.spec, Raw::NULL, &env)?;
            for member in members {
                env.budget.check()?;
                let scope = env.scope(Raw::trusted(&member.document));
                held.take(state.add(&field.spec.evaluate(&scope)?)?)?;
            }
            encode::write_str(&field.name, &mut out);
            state.write(&mut out);
        }
        Ok(out)
    }
}
