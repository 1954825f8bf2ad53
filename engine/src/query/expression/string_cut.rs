//! Parts of strings, and places in them, by code points or by bytes.
//!
//! Guarantees: a part by bytes never cuts a character: that is an error.
//! Leaves to others: strings as a whole (`string`).

use super::arith;
use super::failure::failed;
use super::node::Ctx;
use super::parse::text_of;
use super::string::coerced;
use crate::error::Result;
use crate::query::Item;

/// An integer that a place or a length is given by.
fn whole(ctx: &Ctx<'_>, what: &str, item: &Item<'_>) -> Result<i64> {
    arith::integer(item).ok_or_else(|| failed(ctx.name, format_args!("{what} must be an integer")))
}

fn place(ctx: &Ctx<'_>, what: &str, item: &Item<'_>) -> Result<usize> {
    usize::try_from(whole(ctx, what, item)?)
        .map_err(|_| failed(ctx.name, format_args!("{what} must not be negative")))
}

/// `$substrBytes` and `$substr`; a negative length means the rest.
pub(super) fn substr_bytes<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [text, start, length] = &*args else { return Ok(Item::NULL) };
    let text = coerced(ctx, text)?;
    let start = place(ctx, "the start", start)?;
    let length = arith::read(length)
        .and_then(|length| length.to_i64_truncated())
        .ok_or_else(|| failed(ctx.name, "the length must be a number"))?;
    if start >= text.len() {
        return Ok(Item::text(""));
    }
    let end = usize::try_from(length).map_or(text.len(), |length| start.saturating_add(length));
    match text.get(start..end.min(text.len())) {
        Some(part) => Ok(Item::text(part)),
        None => Err(failed(ctx.name, "the part begins or ends inside a character")),
    }
}

pub(super) fn substr_cp<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [text, start, length] = &*args else { return Ok(Item::NULL) };
    let text = coerced(ctx, text)?;
    let start = place(ctx, "the start", start)?;
    let length = place(ctx, "the length", length)?;
    let from = offset(&text, start);
    let rest = text.get(from..).unwrap_or_default();
    Ok(Item::text(rest.get(..offset(rest, length)).unwrap_or_default()))
}

/// The byte at which a code point begins, or the end.
fn offset(text: &str, point: usize) -> usize {
    text.char_indices().nth(point).map_or(text.len(), |(at, _)| at)
}

/// `$indexOfCP` and `$indexOfBytes`.
pub(super) fn index_of<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (Some(text), Some(wanted)) = (args.first(), args.get(1)) else { return Ok(Item::NULL) };
    if text.is_nullish() {
        return Ok(Item::NULL);
    }
    let by_points = ctx.name == "$indexOfCP";
    let text = text_of(ctx.name, "its first argument", text)?;
    let wanted = text_of(ctx.name, "its second argument", wanted)?;
    let length = if by_points { text.chars().count() } else { text.len() };
    let start = args.get(2).map_or(Ok(0), |start| place(ctx, "the start", start))?;
    let end = args.get(3).map_or(Ok(length), |end| place(ctx, "the end", end))?.min(length);
    if start > length || end < start {
        return Ok(Item::int32(-1));
    }
    let (from, to) =
        if by_points { (offset(text, start), offset(text, end)) } else { (start, end) };
    let bytes = text.as_bytes().get(from..to).unwrap_or_default();
    ctx.shared.spend(bytes.len().saturating_mul(wanted.len()) >> 12)?;
    let Some(found) = find_bytes(bytes, wanted.as_bytes()) else { return Ok(Item::int32(-1)) };
    let at = from + found;
    let index = match by_points {
        true => text.get(..at).map_or(at, |before| before.chars().count()),
        false => at,
    };
    Ok(super::string::count(index))
}

fn find_bytes(text: &[u8], wanted: &[u8]) -> Option<usize> {
    match (std::str::from_utf8(text), std::str::from_utf8(wanted)) {
        (Ok(text), Ok(wanted)) => text.find(wanted),
        _ if wanted.is_empty() => Some(0),
        // The range cuts a character, so that this is rare.
        _ => text.windows(wanted.len()).position(|window| window == wanted),
    }
}
