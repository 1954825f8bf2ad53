//! Arrays as sets.
//!
//! Guarantees: equality is the query language's, and so `1` and `1.0` are one element. Unions and intersections come in the
//! order of values, differences in the order of the first array.
//! Leaves to others: arrays as lists.

use std::collections::{BTreeMap, HashSet};

use super::array::{array, made};
use super::failure::wrong;
use super::logic;
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::value::{Raw, key};

type Keys = HashSet<Vec<u8>>;

fn keys(array: Raw<'_>) -> Keys {
    array.array_iter().map(key::encode).collect()
}

/// Each argument as an array; `None` where one is null.
fn arrays<'r>(ctx: &Ctx<'_>, args: &'r [Item<'_>]) -> Result<Option<Vec<Raw<'r>>>> {
    let arrays = args.iter().map(|item| array(ctx, "arrays", item));
    let arrays: Option<Vec<Raw<'_>>> = arrays.collect::<Result<Vec<_>>>()?.into_iter().collect();
    check(ctx, arrays.as_deref().unwrap_or_default())?;
    Ok(arrays)
}

/// As [`arrays`], where null is an error.
fn no_nulls<'r>(ctx: &Ctx<'_>, args: &'r [Item<'_>]) -> Result<Vec<Raw<'r>>> {
    let each = |item: &'r Item<'_>| {
        array(ctx, "arrays", item)?.ok_or_else(|| wrong(ctx.name, "arrays", item))
    };
    let arrays = args.iter().map(each).collect::<Result<Vec<_>>>()?;
    check(ctx, &arrays)?;
    Ok(arrays)
}

/// Judges how many keys of elements will be kept, and pays for making them.
fn check(ctx: &Ctx<'_>, arrays: &[Raw<'_>]) -> Result<()> {
    let count = arrays.iter().map(|array| array.member_count()).sum();
    ctx.shared.check_count(ctx.name, count)?;
    // Each element becomes a key and is looked up.
    ctx.shared.spend(count.saturating_mul(4))
}

pub(super) fn union<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let Some(arrays) = arrays(ctx, args)? else { return Ok(Item::NULL) };
    let mut found = BTreeMap::new();
    for element in arrays.iter().flat_map(|array| array.array_iter()) {
        found.entry(key::encode(element)).or_insert(element);
    }
    Ok(made(found.into_values()))
}

pub(super) fn intersection<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let Some(arrays) = arrays(ctx, args)? else { return Ok(Item::NULL) };
    let Some((first, rest)) = arrays.split_first() else { return Ok(made([])) };
    let mut found = BTreeMap::new();
    for element in first.array_iter() {
        found.entry(key::encode(element)).or_insert(element);
    }
    for array in rest {
        let keys = keys(*array);
        found.retain(|key, _| keys.contains(key));
    }
    Ok(made(found.into_values()))
}

pub(super) fn difference<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let Some(arrays) = arrays(ctx, args)? else { return Ok(Item::NULL) };
    let [left, right] = arrays.as_slice() else { return Ok(Item::NULL) };
    let mut seen = keys(*right);
    Ok(made(left.array_iter().filter(|element| seen.insert(key::encode(*element)))))
}

pub(super) fn equals<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let sets: Vec<Keys> = no_nulls(ctx, args)?.into_iter().map(keys).collect();
    let Some((first, rest)) = sets.split_first() else { return Ok(Item::boolean(true)) };
    Ok(Item::boolean(rest.iter().all(|set| set == first)))
}

pub(super) fn is_subset<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let arrays = no_nulls(ctx, args)?;
    let [left, right] = arrays.as_slice() else { return Ok(Item::NULL) };
    let right = keys(*right);
    Ok(Item::boolean(left.array_iter().all(|element| right.contains(&key::encode(element)))))
}

pub(super) fn all_true<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let arrays = no_nulls(ctx, args)?;
    let mut elements = arrays.iter().flat_map(|array| array.array_iter());
    Ok(Item::boolean(elements.all(|element| logic::is_true(&Item::Raw(element)))))
}

pub(super) fn any_true<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let arrays = no_nulls(ctx, args)?;
    let mut elements = arrays.iter().flat_map(|array| array.array_iter());
    Ok(Item::boolean(elements.any(|element| logic::is_true(&Item::Raw(element)))))
}
