//! The wrappers of Extended JSON v2: objects with a `$` name that stand for a value of another type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Mode;
use crate::value::raw::Raw;
use crate::value::token::Token;
use crate::value::{date, encode, object_id};
use crate::{Error, Result};

/// Reads a wrapper's operand and writes the value; `None` where the operand is of the wrong kind.
type Read = fn(Raw<'_>, &mut Vec<u8>) -> Option<()>;

const WRAPPERS: [(&str, Read); 12] = [
    ("$oid", read_object_id),
    ("$date", read_date),
    ("$numberInt", read_int32),
    ("$numberLong", read_int64),
    ("$numberDouble", read_double),
    ("$numberDecimal", read_decimal),
    ("$binary", read_binary),
    ("$uuid", read_uuid),
    ("$regularExpression", read_regex),
    ("$timestamp", read_timestamp),
    ("$minKey", read_min_key),
    ("$maxKey", read_max_key),
];

/// Writes the value that an object stands for, if it is a wrapper; `false` if it is a plain object.
pub(super) fn write_wrapped(object: Raw<'_>, mode: Mode, out: &mut Vec<u8>) -> Result<bool> {
    if mode == Mode::Data && write_legacy_regex(object, out) {
        return Ok(true);
    }
    for (name, operand) in object.object_iter() {
        if !name.starts_with('$') {
            continue;
        }
        let Some((name, read)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) else {
            continue;
        };
        if object.member_count() != 1 {
            return Err(malformed(name, "must be the only member of its object"));
        }
        return match read(operand, out) {
            Some(()) => Ok(true),
            None => Err(malformed(name, "has a malformed operand")),
        };
    }
    Ok(false)
}

fn malformed(name: &'static str, what: &str) -> Error {
    Error::invalid("malformed_ejson", format!("{name} {what}")).with("member", name)
}

fn write_legacy_regex(object: Raw<'_>, out: &mut Vec<u8>) -> bool {
    let operands = two_members(object, "$regex", "$options");
    operands.and_then(|(pattern, options)| write_regex(pattern, options, out)).is_some()
}

/// The members of an object that has these two and no other.
fn two_members<'a>(object: Raw<'a>, first: &str, second: &str) -> Option<(Raw<'a>, Raw<'a>)> {
    if object.member_count() != 2 {
        return None;
    }
    Some((object.get(first)?, object.get(second)?))
}

fn write_regex(pattern: Raw<'_>, options: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (pattern, options) = (pattern.as_str()?, options.as_str()?);
    if pattern.contains('\0') || options.contains('\0') {
        return None;
    }
    // BSON keeps options in alphabetical order.
    let mut letters: Vec<char> = options.chars().collect();
    letters.sort_unstable();
    encode::write_regex(pattern, &letters.into_iter().collect::<String>(), out);
    Some(())
}

fn read_object_id(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    encode::write_object_id(&object_id::parse(operand.as_str()?)?, out);
    Some(())
}

fn read_date(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let ms = match operand.token() {
        Token::Object(1) => operand.get("$numberLong")?.as_str()?.parse().ok()?,
        _ => date::parse_ms(operand.as_str()?)?,
    };
    encode::write_date(ms, out);
    Some(())
}

fn read_int32(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    encode::write_int32(operand.as_str()?.parse().ok()?, out);
    Some(())
}

fn read_int64(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    encode::write_int64(operand.as_str()?.parse().ok()?, out);
    Some(())
}

fn read_double(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let value = match operand.as_str()? {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Without letters the parser has no other names of NaN and the infinities to accept.
        text if text.bytes().all(|byte| b"+-.eE0123456789".contains(&byte)) => text.parse().ok()?,
        _ => return None,
    };
    encode::write_double(value, out);
    Some(())
}

fn read_decimal(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    encode::write_decimal(operand.as_str()?.parse().ok()?, out);
    Some(())
}

fn read_binary(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (base64, subtype) = two_members(operand, "base64", "subType")?;
    let bytes = BASE64.decode(base64.as_str()?).ok()?;
    let subtype = subtype.as_str().filter(|text| (1..=2).contains(&text.len()))?;
    if !subtype.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    encode::write_binary(u8::from_str_radix(subtype, 16).ok()?, &bytes, out);
    Some(())
}

/// The subtype of a UUID.
const SUBTYPE_UUID: u8 = 4;

fn read_uuid(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let text = operand.as_str()?;
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits: String = groups.concat();
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let uuid = u128::from_str_radix(&digits, 16).ok()?;
    encode::write_binary(SUBTYPE_UUID, &uuid.to_be_bytes(), out);
    Some(())
}

fn read_regex(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (pattern, options) = two_members(operand, "pattern", "options")?;
    write_regex(pattern, options, out)
}

fn read_timestamp(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (t, i) = two_members(operand, "t", "i")?;
    let part = |raw: Raw<'_>| raw.as_i64().and_then(|number| u32::try_from(number).ok());
    encode::write_timestamp(part(t)?, part(i)?, out);
    Some(())
}

fn read_min_key(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    (operand.as_i64()? == 1).then(|| encode::write_min_key(out))
}

fn read_max_key(operand: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
    (operand.as_i64()? == 1).then(|| encode::write_max_key(out))
}
