//! Operators that make arrays: joining, ranges, turning round, zipping.
//!
//! Guarantees: what is made is judged for its size while it grows.
//! Leaves to others: loops (`loops`), sets, sorting.

use smallvec::SmallVec;

use super::arith;
use super::array::{array, made};
use super::failure::{failed, wrong};
use super::logic;
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::value::{ArrayIter, Raw, encode};

pub(super) fn concat<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut out = Vec::new();
    let (start, mut len) = (encode::open(&mut out), 0);
    let mut null = false;
    for item in &*args {
        let Some(array) = array(ctx, "arrays", item)? else {
            null = true;
            continue;
        };
        for element in array.array_iter() {
            out.extend_from_slice(element.as_bytes());
        }
        len += array.member_count();
        ctx.shared.check_size(ctx.name, out.len())?;
    }
    if null {
        return Ok(Item::NULL);
    }
    encode::close_array(start, len, &mut out);
    Ok(Item::Made(SmallVec::from_vec(out)))
}

pub(super) fn range<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let whole = |place: usize, otherwise: i64| match args.get(place) {
        None => Ok(otherwise),
        Some(item) => arith::integer(item)
            .filter(|value| i32::try_from(*value).is_ok())
            .ok_or_else(|| wrong(ctx.name, "integers of 32 bits", item)),
    };
    let (start, end, step) = (whole(0, 0)?, whole(1, 0)?, whole(2, 1)?);
    if step == 0 {
        return Err(failed(ctx.name, "the step must not be 0"));
    }
    let mut out = Vec::new();
    let (open, mut len, mut at) = (encode::open(&mut out), 0, start);
    while if step > 0 { at < end } else { at > end } {
        encode::write_integer(at, &mut out);
        len += 1;
        ctx.shared.check_size(ctx.name, out.len())?;
        at += step;
    }
    encode::close_array(open, len, &mut out);
    Ok(Item::Made(SmallVec::from_vec(out)))
}

pub(super) fn reverse<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    let Some(array) = array(ctx, "an array", item)? else { return Ok(Item::NULL) };
    ctx.shared.check_count(ctx.name, array.member_count())?;
    let elements: Vec<_> = array.array_iter().collect();
    Ok(made(elements.into_iter().rev()))
}

pub(super) fn zip<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [inputs, longest, defaults] = &*args else { return Ok(Item::NULL) };
    let Some(inputs) = array(ctx, "an array of arrays as inputs", inputs)? else {
        return Ok(Item::NULL);
    };
    let mut lists: Vec<ArrayIter<'_>> = Vec::new();
    let (mut shortest, mut largest) = (usize::MAX, 0);
    for input in inputs.array_iter() {
        let item = Item::Raw(input);
        let Some(list) = input.as_array() else {
            if input.is_null() {
                return Ok(Item::NULL);
            }
            return Err(wrong(ctx.name, "an array of arrays as inputs", &item));
        };
        ctx.shared.check_count(ctx.name, lists.len())?;
        shortest = shortest.min(input.member_count());
        largest = largest.max(input.member_count());
        lists.push(list);
    }
    if lists.is_empty() {
        return Err(failed(ctx.name, "needs at least one input"));
    }
    let longest = logic::is_true(longest);
    let defaults: Vec<Raw<'_>> = match array(ctx, "an array as defaults", defaults)? {
        None => Vec::new(),
        Some(_) if !longest => {
            return Err(failed(ctx.name, "defaults need useLongestLength to be true"));
        }
        Some(defaults) if defaults.member_count() != lists.len() => {
            return Err(failed(ctx.name, "needs as many defaults as inputs"));
        }
        Some(defaults) => defaults.array_iter().collect(),
    };
    let len = if longest { largest } else { shortest };
    let mut out = Vec::new();
    encode::write_array_header(len, &mut out);
    for _ in 0..len {
        encode::write_array_header(lists.len(), &mut out);
        for (place, list) in lists.iter_mut().enumerate() {
            let filler = || defaults.get(place).copied().unwrap_or(Raw::NULL);
            out.extend_from_slice(list.next().unwrap_or_else(filler).as_bytes());
        }
        ctx.shared.check_size(ctx.name, out.len())?;
    }
    Ok(Item::Made(SmallVec::from_vec(out)))
}
