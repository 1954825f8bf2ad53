//! Strings as a whole: joining, splitting, trimming, replacing, letter case, lengths.
//!
//! Guarantees: what null gives differs from operator to operator and is MongoDB's (reference, section 9). Letter case is
//! changed in ASCII alone, as MongoDB does without a collation.
//! Leaves to others: parts of strings and places in them (`string_cut`), regular expressions.

use std::borrow::Cow;
use std::cmp::Ordering;

use smallvec::SmallVec;

use super::convert::shown;
use super::failure::{failed, wrong};
use super::node::Ctx;
use super::parse::text_of;
use crate::error::Result;
use crate::query::Item;
use crate::value::encode;

/// The characters that trimming takes away when none are named.
const BLANK: &[char] = &[
    '\0', '\t', '\n', '\x0b', '\x0c', '\r', ' ', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}',
    '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}',
    '\u{200a}',
];

/// The text of a string, number or date; null is empty.
pub(super) fn coerced<'r>(ctx: &Ctx<'_>, item: &'r Item<'_>) -> Result<Cow<'r, str>> {
    if item.is_nullish() {
        return Ok(Cow::Borrowed(""));
    }
    item.raw().and_then(shown).ok_or_else(|| wrong(ctx.name, "a string, number or date", item))
}

pub(super) fn concat<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut out = String::new();
    for item in args {
        if item.is_nullish() {
            return Ok(Item::NULL);
        }
        out.push_str(text_of(ctx.name, "each argument", item)?);
        ctx.shared.check_size(ctx.name, out.len())?;
    }
    Ok(Item::text(&out))
}

pub(super) fn to_upper<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    Ok(Item::text(&coerced(ctx, item)?.to_ascii_uppercase()))
}

pub(super) fn to_lower<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    Ok(Item::text(&coerced(ctx, item)?.to_ascii_lowercase()))
}

pub(super) fn strcasecmp<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [a, b] = &*args else { return Ok(Item::NULL) };
    let (a, b) = (coerced(ctx, a)?.to_ascii_uppercase(), coerced(ctx, b)?.to_ascii_uppercase());
    Ok(Item::int32(match a.cmp(&b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

pub(super) fn len_cp<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    Ok(count(text_of(ctx.name, "its argument", item)?.chars().count()))
}

pub(super) fn len_bytes<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    Ok(count(text_of(ctx.name, "its argument", item)?.len()))
}

/// A count as an int.
pub(super) fn count(count: usize) -> Item<'static> {
    Item::made(|out| encode::write_integer(i64::try_from(count).unwrap_or(i64::MAX), out))
}

pub(super) fn split<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [text, separator] = &*args else { return Ok(Item::NULL) };
    if text.is_nullish() || separator.is_nullish() {
        return Ok(Item::NULL);
    }
    let text = text_of(ctx.name, "its first argument", text)?;
    let separator = text_of(ctx.name, "the separator", separator)?;
    if separator.is_empty() {
        return Err(failed(ctx.name, "the separator must not be empty"));
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    let (start, mut len) = (encode::open(&mut out), 0);
    for part in text.split(separator) {
        encode::write_str(part, &mut out);
        len += 1;
    }
    encode::close_array(start, len, &mut out);
    Ok(Item::Made(SmallVec::from_vec(out)))
}

/// `$trim`, `$ltrim`, `$rtrim`.
pub(super) fn trim<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [input, chars] = &*args else { return Ok(Item::NULL) };
    if input.is_nullish() || ctx.has(1) && chars.is_nullish() {
        return Ok(Item::NULL);
    }
    let text = text_of(ctx.name, "input", input)?;
    let own: Vec<char>;
    let chars = if ctx.has(1) {
        own = text_of(ctx.name, "chars", chars)?.chars().collect();
        own.as_slice()
    } else {
        BLANK
    };
    ctx.shared.spend(chars.len().saturating_mul(text.len()) >> 6)?;
    Ok(Item::text(match ctx.name {
        "$ltrim" => text.trim_start_matches(chars),
        "$rtrim" => text.trim_end_matches(chars),
        _ => text.trim_matches(chars),
    }))
}

/// `$replaceOne`, `$replaceAll`.
pub(super) fn replace<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [input, find, replacement] = &*args else { return Ok(Item::NULL) };
    for (what, item) in [("input", input), ("find", find), ("replacement", replacement)] {
        if !item.is_nullish() {
            text_of(ctx.name, what, item)?;
        }
    }
    if input.is_nullish() || find.is_nullish() || replacement.is_nullish() {
        return Ok(Item::NULL);
    }
    let text = text_of(ctx.name, "input", input)?;
    let find = text_of(ctx.name, "find", find)?;
    let replacement = text_of(ctx.name, "replacement", replacement)?;
    let most = if ctx.name == "$replaceOne" { 1 } else { usize::MAX };
    let (mut out, mut last) = (String::with_capacity(text.len()), 0);
    for (start, found) in text.match_indices(find).take(most) {
        out.push_str(text.get(last..start).unwrap_or_default());
        out.push_str(replacement);
        ctx.shared.check_size(ctx.name, out.len())?;
        last = start + found.len();
    }
    out.push_str(text.get(last..).unwrap_or_default());
    Ok(Item::text(&out))
}
