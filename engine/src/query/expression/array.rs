//! Elements of arrays: sizes, places, membership, and the first, last, least and largest ones.
//!
//! Guarantees: elements of a document's array are borrowed, not copied.
//! Leaves to others: making arrays (`array_make`), loops, sets.

use smallvec::SmallVec;

use super::arith;
use super::failure::{failed, wrong};
use super::node::Ctx;
use super::string::count;
use crate::error::Result;
use crate::query::Item;
use crate::value::compare::{compare, equal};
use crate::value::{Raw, encode};

/// A part of a value, borrowed where the value is.
pub(super) fn part<'e>(
    item: &Item<'e>,
    find: impl for<'r> FnOnce(Raw<'r>) -> Option<Raw<'r>>,
) -> Item<'e> {
    match item {
        Item::Missing => Item::Missing,
        Item::Raw(raw) => find(*raw).into(),
        Item::Made(bytes) => Item::from(find(Raw::trusted(bytes))).into_owned(),
    }
}

/// An array that is made of elements.
pub(super) fn made<'r>(elements: impl IntoIterator<Item = Raw<'r>>) -> Item<'static> {
    let mut out = Vec::new();
    let (start, mut len) = (encode::open(&mut out), 0);
    for element in elements {
        out.extend_from_slice(element.as_bytes());
        len += 1;
    }
    encode::close_array(start, len, &mut out);
    Item::Made(SmallVec::from_vec(out))
}

/// The array in an argument; `None` for null.
pub(super) fn array<'r>(ctx: &Ctx<'_>, what: &str, item: &'r Item<'_>) -> Result<Option<Raw<'r>>> {
    match item.raw() {
        None => Ok(None),
        Some(raw) if raw.is_null() => Ok(None),
        Some(raw) if raw.as_array().is_some() => Ok(Some(raw)),
        Some(_) => Err(wrong(ctx.name, what, item)),
    }
}

pub(super) fn size<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    match array(ctx, "an array", item)? {
        Some(array) => Ok(count(array.member_count())),
        None => Err(wrong(ctx.name, "an array", item)),
    }
}

pub(super) fn is_array<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let array = args.first().and_then(Item::raw).and_then(Raw::as_array);
    Ok(Item::boolean(array.is_some()))
}

/// The element at a place, counted from the end where that is negative.
fn at(array: Raw<'_>, place: i64) -> Option<Raw<'_>> {
    let index = if place < 0 { place + array.member_count() as i64 } else { place };
    array.at(usize::try_from(index).ok()?)
}

pub(super) fn elem_at<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item, place] = &*args else { return Ok(Item::NULL) };
    if item.is_nullish() || place.is_nullish() {
        return Ok(Item::NULL);
    }
    array(ctx, "an array", item)?;
    let Some(place) = arith::integer(place).filter(|place| i32::try_from(*place).is_ok()) else {
        return Err(failed(ctx.name, "the place must be an integer of 32 bits"));
    };
    Ok(part(item, |raw| at(raw, place)))
}

pub(super) fn first<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    end(ctx, args, 0)
}

pub(super) fn last<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    end(ctx, args, -1)
}

fn end<'e>(ctx: &Ctx<'_>, args: &[Item<'e>], place: i64) -> Result<Item<'e>> {
    let [item] = args else { return Ok(Item::NULL) };
    match array(ctx, "an array", item)? {
        None => Ok(Item::NULL),
        Some(_) => Ok(part(item, |raw| at(raw, place))),
    }
}

pub(super) fn contains<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [wanted, list] = &*args else { return Ok(Item::NULL) };
    let Some(list) = array(ctx, "an array as second argument", list)? else {
        return Err(wrong(ctx.name, "an array as second argument", list));
    };
    let found = wanted.raw().is_some_and(|raw| list.array_iter().any(|each| equal(each, raw)));
    Ok(Item::boolean(found))
}

pub(super) fn index_of<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (Some(list), Some(wanted)) = (args.first(), args.get(1)) else { return Ok(Item::NULL) };
    let Some(array) = array(ctx, "an array as first argument", list)? else {
        return Ok(Item::NULL);
    };
    let place = |item: &Item<'_>| {
        arith::integer(item)
            .and_then(|place| usize::try_from(place).ok())
            .ok_or_else(|| failed(ctx.name, "start and end must be integers of at least 0"))
    };
    let start = args.get(2).map_or(Ok(0), place)?;
    let end = args.get(3).map_or(Ok(usize::MAX), place)?;
    let Some(wanted) = wanted.raw() else { return Ok(Item::int32(-1)) };
    let mut places = array.array_iter().enumerate().take(end).skip(start);
    let found = places.find(|(_, element)| equal(*element, wanted));
    Ok(found.map_or(Item::int32(-1), |(place, _)| count(place)))
}

pub(super) fn slice<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    if args.iter().any(Item::is_nullish) {
        return Ok(Item::NULL);
    }
    let (Some(list), Some(first)) = (args.first(), args.get(1)) else { return Ok(Item::NULL) };
    let Some(array) = array(ctx, "an array as first argument", list)? else {
        return Ok(Item::NULL);
    };
    let whole = |item: &Item<'_>| {
        arith::integer(item)
            .filter(|place| i32::try_from(*place).is_ok())
            .ok_or_else(|| failed(ctx.name, "needs integers of 32 bits"))
    };
    let (first, len) = (whole(first)?, array.member_count());
    let from_end = |back: i64| len.saturating_sub(usize::try_from(-back).unwrap_or(0));
    let (skip, take) = match args.get(2) {
        None if first < 0 => (from_end(first), len),
        None => (0, usize::try_from(first).unwrap_or(0)),
        Some(limit) => {
            let take = usize::try_from(whole(limit)?).unwrap_or(0);
            if take == 0 {
                return Err(failed(ctx.name, "the third argument must be positive"));
            }
            (usize::try_from(first).unwrap_or_else(|_| from_end(first)), take)
        }
    };
    Ok(made(array.array_iter().skip(skip).take(take)))
}

/// The array and the count of `$firstN` and the like.
fn counted<'r>(ctx: &Ctx<'_>, args: &'r [Item<'_>]) -> Result<(Raw<'r>, usize)> {
    let [list, n] = args else { return Err(failed(ctx.name, "needs input and n")) };
    let Some(array) = array(ctx, "an array as input", list)? else {
        return Err(wrong(ctx.name, "an array as input", list));
    };
    ctx.shared.check_count(ctx.name, array.member_count())?;
    let n = arith::integer(n).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    match n {
        Some(n) => Ok((array, n)),
        None => Err(failed(ctx.name, "n must be a positive integer")),
    }
}

pub(super) fn first_n<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (array, n) = counted(ctx, args)?;
    Ok(made(array.array_iter().take(n)))
}

pub(super) fn last_n<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (array, n) = counted(ctx, args)?;
    Ok(made(array.array_iter().skip(array.member_count().saturating_sub(n))))
}

pub(super) fn min_n<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (array, n) = counted(ctx, args)?;
    let mut elements: Vec<_> = array.array_iter().filter(|element| !element.is_null()).collect();
    elements.sort_by(|a, b| compare(*a, *b));
    Ok(made(elements.into_iter().take(n)))
}

pub(super) fn max_n<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (array, n) = counted(ctx, args)?;
    let mut elements: Vec<_> = array.array_iter().filter(|element| !element.is_null()).collect();
    elements.sort_by(|a, b| compare(*b, *a));
    Ok(made(elements.into_iter().take(n)))
}
