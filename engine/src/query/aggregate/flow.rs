//! The stages that let documents through or count them: `$limit`, `$skip`, `$count`, `$sample`, and `$documents`, which
//! makes its own.
//!
//! Guarantees: `$limit` asks for no document after its last; `$count` of nothing gives nothing. `$sample` takes each
//! document with the same probability.
//! Leaves to others: nothing.

use bytes::Bytes;

use super::Documents;
use super::operand::{count as whole, integer, invalid, members, options, required, text};
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, lazy};
use crate::error::Result;
use crate::query::expression::Expression;
use crate::value::{Raw, encode};

pub(super) fn parse_limit(raw: Raw<'_>) -> Result<u64> {
    match whole("$limit", "", raw)? {
        0 => Err(invalid("$limit", "", "must be positive")),
        limit => Ok(limit),
    }
}

pub(super) fn parse_skip(raw: Raw<'_>) -> Result<u64> {
    whole("$skip", "", raw)
}

pub(super) fn parse_count(raw: Raw<'_>) -> Result<String> {
    let name = text("$count", "", raw)?;
    if name.is_empty() || name.starts_with('$') || name.contains(['.', '\0']) {
        let message =
            "must be the name of a field, not empty, without `.` and without a leading `$`";
        return Err(invalid("$count", "", message));
    }
    Ok(name.to_owned())
}

pub(super) fn parse_sample(raw: Raw<'_>) -> Result<u64> {
    let [size] = options("$sample", "", raw, ["size"])?;
    let size = required("$sample", "size", size)?;
    // Fractions are cut, as MongoDB does.
    let size = integer(size)
        .or_else(|| super::operand::number("$sample", "size", size).ok()?.to_i64_truncated())
        .filter(|size| *size > 0)
        .ok_or_else(|| invalid("$sample", "size", "must be a positive number"))?;
    Ok(size.unsigned_abs())
}

pub(super) fn parse_documents(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Expression> {
    if raw.as_array().is_none() {
        members("$documents", "", raw)?;
    }
    Expression::parse(raw, parser.context, parser.variables)
}

pub(super) fn limit<'a>(limit: u64, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    let mut left = limit;
    Box::new(std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        if let Err(error) = env.budget.check() {
            return Some(Err(error));
        }
        input.next()
    }))
}

pub(super) fn skip<'a>(skip: u64, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    let mut left = skip;
    Box::new(std::iter::from_fn(move || {
        while left > 0 {
            left -= 1;
            if let Err(error) = env.budget.check() {
                return Some(Err(error));
            }
            if let Err(error) = input.next()? {
                return Some(Err(error));
            }
        }
        input.next()
    }))
}

pub(super) fn count<'a>(name: &'a str, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    lazy(move || {
        let mut count = 0_i64;
        for document in input {
            env.budget.check()?;
            document?;
            count += 1;
        }
        if count == 0 {
            return Ok(super::stream::none());
        }
        let mut out = Vec::new();
        encode::write_object_header(1, &mut out);
        encode::write_str(name, &mut out);
        encode::write_integer(count, &mut out);
        Ok(Box::new(std::iter::once(Ok(Bytes::from(out)))))
    })
}

/// A reservoir: after the first `size` documents each further one takes a random place with falling probability.
pub(super) fn sample<'a>(size: u64, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    lazy(move || {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut held = Held::new(env.budget);
        let mut kept: Vec<Bytes> = Vec::new();
        // The time of the request comes from the injected clock, so that a test can own the choice.
        let mut random = Random(env.now_ms.cast_unsigned() ^ 0x5851_f42d_4c95_7f2d);
        for (seen, document) in input.enumerate() {
            env.budget.check()?;
            let document = document?;
            if kept.len() < size {
                held.take(document.len() + OVERHEAD)?;
                kept.push(document);
                continue;
            }
            let place = random.below(seen as u64 + 1);
            if let Some(old) = usize::try_from(place).ok().and_then(|place| kept.get_mut(place)) {
                held.take(document.len().saturating_sub(old.len()))?;
                *old = document;
            }
        }
        for index in (1..kept.len()).rev() {
            let other = random.below(index as u64 + 1);
            kept.swap(index, usize::try_from(other).unwrap_or(0));
        }
        let mut kept = kept.into_iter();
        Ok(super::stream::generate(env.budget, move || {
            let _held = &held;
            Ok(kept.next())
        }))
    })
}

/// A small generator (SplitMix64); good enough to choose documents, not for secrets.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

pub(super) fn documents<'a>(list: &'a Expression, env: Env<'a>) -> Documents<'a> {
    lazy(move || {
        let empty = Raw::trusted(super::document::EMPTY);
        let list = list.evaluate(&env.scope(empty))?.into_owned();
        let list = list.raw_or_null();
        let elements = list
            .as_array()
            .ok_or_else(|| invalid("$documents", "", "must be an array of documents"))?;
        let mut held = Held::new(env.budget);
        held.take(list.as_bytes().len())?;
        let mut documents = Vec::new();
        for element in elements {
            if element.as_object().is_none() {
                return Err(invalid("$documents", "", "must be an array of documents"));
            }
            documents.push(Bytes::copy_from_slice(element.as_bytes()));
        }
        let mut documents = documents.into_iter();
        Ok(super::stream::generate(env.budget, move || {
            let _held = &held;
            Ok(documents.next())
        }))
    })
}
