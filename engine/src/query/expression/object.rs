//! Documents: merging, fields by name, and to arrays and back.
//!
//! Guarantees: fields keep the place where they first stood.
//! Leaves to others: field paths (`path`), documents that an expression writes out (`node`).

use std::collections::HashMap;

use smallvec::SmallVec;

use super::array::{array, part};
use super::failure::{failed, wrong};
use super::node::Ctx;
use super::parse::text_of;
use super::string::count;
use crate::error::Result;
use crate::query::Item;
use crate::value::token::Token;
use crate::value::{Raw, encode};

/// A document that is put together field by field; a later value takes the place of an earlier one.
#[derive(Default)]
struct Builder<'r> {
    members: Vec<(&'r str, Raw<'r>)>,
    places: HashMap<&'r str, usize>,
}

impl<'r> Builder<'r> {
    fn set(&mut self, name: &'r str, value: Raw<'r>) {
        match self.places.get(name).and_then(|place| self.members.get_mut(*place)) {
            Some(member) => member.1 = value,
            None => {
                self.places.insert(name, self.members.len());
                self.members.push((name, value));
            }
        }
    }

    fn finish(&self) -> Item<'static> {
        document(self.members.iter().copied())
    }
}

fn document<'r>(members: impl Iterator<Item = (&'r str, Raw<'r>)>) -> Item<'static> {
    let mut out = Vec::new();
    let (start, mut len) = (encode::open(&mut out), 0);
    for (name, value) in members {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
        len += 1;
    }
    encode::close_object(start, len, &mut out);
    Item::Made(SmallVec::from_vec(out))
}

pub(super) fn merge<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut builder = Builder::default();
    let mut bytes = 0;
    for item in &*args {
        let Some(raw) = item.raw().filter(|raw| !raw.is_null()) else { continue };
        let Some(members) = raw.as_object() else { return Err(wrong(ctx.name, "documents", item)) };
        bytes += raw.as_bytes().len();
        ctx.shared.check_size(ctx.name, bytes)?;
        ctx.shared
            .check_count(ctx.name, builder.members.len().saturating_add(raw.member_count()))?;
        for (name, value) in members {
            builder.set(name, value);
        }
    }
    Ok(builder.finish())
}

pub(super) fn to_array<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    let Some(raw) = item.raw().filter(|raw| !raw.is_null()) else { return Ok(Item::NULL) };
    let Some(members) = raw.as_object() else { return Err(wrong(ctx.name, "a document", item)) };
    let mut out = Vec::with_capacity(raw.as_bytes().len() + 8 * raw.member_count());
    encode::write_array_header(raw.member_count(), &mut out);
    for (name, value) in members {
        encode::write_object_header(2, &mut out);
        encode::write_str("k", &mut out);
        encode::write_str(name, &mut out);
        encode::write_str("v", &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    Ok(Item::Made(SmallVec::from_vec(out)))
}

pub(super) fn from_array<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    let Some(array) = array(ctx, "an array", item)? else { return Ok(Item::NULL) };
    let mut builder = Builder::default();
    ctx.shared.check_count(ctx.name, array.member_count())?;
    let mut pairs = None;
    for element in array.array_iter() {
        let is_pair = element.as_array().is_some();
        if *pairs.get_or_insert(is_pair) != is_pair {
            return Err(failed(ctx.name, "the elements must all be pairs or all be documents"));
        }
        let found = if is_pair {
            let mut parts = element.array_iter();
            (element.member_count() == 2).then(|| (parts.next(), parts.next()))
        } else {
            (element.member_count() == 2).then(|| (element.get("k"), element.get("v")))
        };
        let Some((Some(key), Some(value))) = found else {
            return Err(failed(ctx.name, "each element must be [name, value] or {k, v}"));
        };
        let Some(name) = key.as_str().filter(|name| !name.contains('\0')) else {
            return Err(failed(ctx.name, "a field's name must be a string without NUL"));
        };
        builder.set(name, value);
    }
    Ok(builder.finish())
}

pub(super) fn get_field<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [field, input] = &*args else { return Ok(Item::NULL) };
    let name = text_of(ctx.name, "field", field)?;
    match input.raw() {
        None => Ok(Item::Missing),
        Some(raw) if raw.is_null() => Ok(Item::NULL),
        Some(_) => Ok(part(input, |raw| raw.get(name))),
    }
}

pub(super) fn set_field<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [field, input, value] = &*args else { return Ok(Item::NULL) };
    change_field(ctx, field, input, value.raw())
}

pub(super) fn unset_field<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [field, input] = &*args else { return Ok(Item::NULL) };
    change_field(ctx, field, input, None)
}

fn change_field(
    ctx: &Ctx<'_>,
    field: &Item<'_>,
    input: &Item<'_>,
    value: Option<Raw<'_>>,
) -> Result<Item<'static>> {
    let wanted = text_of(ctx.name, "field", field)?;
    let Some(raw) = input.raw().filter(|raw| !raw.is_null()) else { return Ok(Item::NULL) };
    let Some(members) = raw.as_object() else {
        return Err(wrong(ctx.name, "a document as input", input));
    };
    let appended = value.filter(|_| raw.get(wanted).is_none()).map(|value| (wanted, value));
    let changed = members.filter_map(|(name, old)| {
        if name == wanted { value.map(|value| (name, value)) } else { Some((name, old)) }
    });
    Ok(document(changed.chain(appended)))
}

pub(super) fn bson_size<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    let Some(raw) = item.raw().filter(|raw| !raw.is_null()) else { return Ok(Item::NULL) };
    if raw.as_object().is_none() {
        return Err(wrong(ctx.name, "a document", item));
    }
    Ok(count(bson_bytes(raw)))
}

/// The bytes that a value has in BSON. As deep as the value is.
fn bson_bytes(raw: Raw<'_>) -> usize {
    match raw.token() {
        Token::Null | Token::MinKey | Token::MaxKey => 0,
        Token::Bool(_) => 1,
        Token::Int32(_) => 4,
        Token::Int64(_) | Token::Double(_) | Token::Date(_) | Token::Timestamp(..) => 8,
        Token::ObjectId(_) => 12,
        Token::Decimal(_) => 16,
        Token::String(text) => text.len() + 5,
        Token::Binary(_, bytes) => bytes.len() + 5,
        Token::Regex(pattern, options) => pattern.len() + options.len() + 2,
        Token::Object(_) => {
            5 + raw
                .object_iter()
                .map(|(name, value)| 2 + name.len() + bson_bytes(value))
                .sum::<usize>()
        }
        Token::Array(_) => {
            let elements = raw.array_iter().enumerate();
            5 + elements
                .map(|(place, value)| {
                    3 + place.checked_ilog10().unwrap_or(0) as usize + bson_bytes(value)
                })
                .sum::<usize>()
        }
    }
}

pub(super) fn binary_size<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    if item.is_nullish() {
        return Ok(Item::NULL);
    }
    let raw = item.raw();
    let bytes = raw.and_then(|raw| {
        raw.as_str().map(str::len).or_else(|| raw.as_binary().map(|(_, bytes)| bytes.len()))
    });
    bytes.map(count).ok_or_else(|| wrong(ctx.name, "a string or binary", item))
}
