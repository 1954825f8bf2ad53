//! Dates in conditions: `{"$date": text}`, and the variables of the present day, month and year.
//!
//! Guarantees: a condition with a date finds what is stored as a date and what is stored as RFC 3339 text.

use headwater_engine::value::{Object, Value, date};

use super::read::malformed;
use crate::error::ApiResult;

const DATE: &str = "$date";

/// How a date stands in a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As a date.
    Date,
    /// As text.
    Text,
}

/// Whether a date stands anywhere in a condition.
pub(super) fn has_date(condition: &Value) -> bool {
    match condition {
        Value::Array(list) => list.iter().any(has_date),
        Value::Object(object) => object.iter().any(|(name, value)| name == DATE || has_date(value)),
        _ => false,
    }
}

/// A condition with its dates in a form, and its variables replaced.
pub(super) fn replaced(condition: &Value, form: Form, now_ms: u64) -> ApiResult<Value> {
    match condition {
        Value::String(text) => {
            Ok(Value::String(variable(text, now_ms).unwrap_or_else(|| text.clone())))
        }
        Value::Array(list) => {
            let each = list.iter().map(|one| replaced(one, form, now_ms));
            each.collect::<ApiResult<Vec<_>>>().map(Value::Array)
        }
        Value::Object(object) => match (object.len(), object.get(DATE)) {
            (1, Some(value)) => moment(value, form, now_ms),
            _ => {
                let each = object
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), replaced(value, form, now_ms)?)));
                each.collect::<ApiResult<Object>>().map(Value::Object)
            }
        },
        other => Ok(other.clone()),
    }
}

fn moment(value: &Value, form: Form, now_ms: u64) -> ApiResult<Value> {
    let text = match value {
        Value::String(text) => variable(text, now_ms).unwrap_or_else(|| text.clone()),
        other => match other.as_i64() {
            Some(ms) => date::format_ms(ms),
            None => return Err(malformed("q", "$date must be a date as text")),
        },
    };
    let ms = parse(&text);
    let ms = ms.ok_or_else(|| malformed("q", format_args!("`{text}` is not a date")))?;
    Ok(match form {
        Form::Date => Value::Date(ms),
        Form::Text => Value::String(text),
    })
}

/// Reads a date: RFC 3339, a local time (taken as UTC), or a day, a month or a year alone.
fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let forms = ["", "Z", ":00Z", "T00:00:00Z", "-01T00:00:00Z", "-01-01T00:00:00Z"];
    forms.iter().find_map(|rest| date::parse_ms(&format!("{text}{rest}")))
}

/// The text that a variable stands for.
fn variable(text: &str, now_ms: u64) -> Option<String> {
    let now = date::format_ms(i64::try_from(now_ms).unwrap_or(i64::MAX));
    match text {
        "$currentDate" => Some(now),
        "$currentMonth" => Some(format!("{}-01T00:00:00.000Z", now.get(..7)?)),
        "$currentYear" => Some(format!("{}-01-01T00:00:00.000Z", now.get(..4)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_710_068_645_123; // 2024-03-10T11:04:05.123Z

    #[test]
    fn dates_are_read() {
        for text in ["2024-03-10", "2024-03-10T00:00:00Z", "2024-03-10T01:00:00+01:00"] {
            assert_eq!(parse(text), Some(1_710_028_800_000), "{text}");
        }
        assert_eq!(parse("2024-03"), parse("2024-03-01"));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn variables_stand_for_the_present() {
        let shown = |text| variable(text, NOW_MS).unwrap();
        assert_eq!(shown("$currentDate"), "2024-03-10T11:04:05.123Z");
        assert_eq!(shown("$currentMonth"), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("$currentYear"), "2024-01-01T00:00:00.000Z");
        assert_eq!(variable("currentYear", NOW_MS), None);
    }
}
