//! Reading the operands of stages.
//!
//! Guarantees: what is wrong is refused with the stage's name in the message and in `details`, and the path of the part.
//! Leaves to others: what the parts mean.

use std::fmt::Display;

use crate::error::{Error, Result};
use crate::query::arithmetic::Number;
use crate::query::expression::Expression;
use crate::query::{Context, Item};
use crate::value::{ObjectIter, Raw};

/// A malformed stage.
pub(super) fn invalid(stage: &str, path: &str, message: impl Display) -> Error {
    let place = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    Error::invalid("invalid_pipeline", format!("{stage}{place}: {message}"))
        .with("stage", stage)
        .with("path", path)
}

/// A stage or operator that is not there, or not allowed here.
pub(super) fn unsupported(stage: &str, message: impl Display) -> Error {
    Error::invalid("unsupported", format!("{stage} {message}")).with("stage", stage)
}

/// The members of an operand that has to be an object.
pub(super) fn members<'r>(stage: &str, path: &str, raw: Raw<'r>) -> Result<ObjectIter<'r>> {
    raw.as_object().ok_or_else(|| invalid(stage, path, "must be an object"))
}

/// The members `names` of an operand that may have no others.
pub(super) fn options<'r, const N: usize>(
    stage: &str,
    path: &str,
    raw: Raw<'r>,
    names: [&str; N],
) -> Result<[Option<Raw<'r>>; N]> {
    let mut found = [None; N];
    for (name, value) in members(stage, path, raw)? {
        match names.iter().position(|known| *known == name) {
            Some(place) => found[place] = Some(value),
            None => return Err(invalid(stage, name, "is no option of this stage")),
        }
    }
    Ok(found)
}

/// An option that has to be there.
pub(super) fn required<'r>(stage: &str, name: &str, option: Option<Raw<'r>>) -> Result<Raw<'r>> {
    option.ok_or_else(|| invalid(stage, name, "is missing"))
}

/// A text.
pub(super) fn text<'r>(stage: &str, path: &str, raw: Raw<'r>) -> Result<&'r str> {
    raw.as_str().ok_or_else(|| invalid(stage, path, "must be a string"))
}

/// A boolean.
pub(super) fn flag(stage: &str, path: &str, raw: Option<Raw<'_>>) -> Result<bool> {
    raw.map_or(Ok(false), |raw| {
        raw.as_bool().ok_or_else(|| invalid(stage, path, "must be true or false"))
    })
}

/// A whole number that is not negative.
pub(super) fn count(stage: &str, path: &str, raw: Raw<'_>) -> Result<u64> {
    integer(raw)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| invalid(stage, path, "must be a whole number that is not negative"))
}

/// A whole number of any type.
pub(super) fn integer(raw: Raw<'_>) -> Option<i64> {
    Number::read(raw).and_then(Number::to_i64_exact)
}

/// A number.
pub(super) fn number(stage: &str, path: &str, raw: Raw<'_>) -> Result<Number> {
    Number::read(raw).ok_or_else(|| invalid(stage, path, "must be a number"))
}

/// A plain path of a field, without `$`.
pub(super) fn field_name<'r>(stage: &str, path: &str, raw: Raw<'r>) -> Result<&'r str> {
    let name = text(stage, path, raw)?;
    check_name(stage, path, name)?;
    Ok(name)
}

/// The most parts of a path: setting one goes down part by part.
const MOST_PARTS: usize = 100;

/// Refuses a path with empty parts, with a part that begins with `$`, with a NUL, or with too many parts.
pub(super) fn check_name(stage: &str, path: &str, name: &str) -> Result<()> {
    if name.split('.').count() > MOST_PARTS {
        return Err(invalid(stage, path, format!("a path has more than {MOST_PARTS} parts")));
    }
    let wrong = name.split('.').any(|part| part.is_empty() || part.starts_with('$'));
    if wrong || name.contains('\0') {
        return Err(invalid(stage, path, format!("`{name}` is not the path of a field")));
    }
    Ok(())
}

/// A reference to a field, `$a.b`; the path without the `$`.
pub(super) fn field_reference<'r>(stage: &str, path: &str, raw: Raw<'r>) -> Result<&'r str> {
    let name = text(stage, path, raw)?
        .strip_prefix('$')
        .ok_or_else(|| invalid(stage, path, "must be the path of a field that begins with `$`"))?;
    check_name(stage, path, name)?;
    Ok(name)
}

/// The value of an expression that reads no document.
pub(super) fn constant(
    stage: &str,
    path: &str,
    raw: Raw<'_>,
    context: &Context<'_>,
) -> Result<Item<'static>> {
    let expression = Expression::parse(raw, context, &[])?;
    let empty = Raw::trusted(&[0x80]);
    let scope = crate::query::expression::Scope {
        root: empty,
        current: empty,
        now_ms: context.now_ms,
        variables: &[],
    };
    let value = expression.evaluate(&scope)?.into_owned();
    if matches!(value, Item::Missing) {
        return Err(invalid(stage, path, "must be a constant"));
    }
    Ok(value)
}
