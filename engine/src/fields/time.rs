//! Dates and times as programs and forms write them.
//!
//! Guarantees: what RFC 3339 allows is read as there; besides, a date alone, a time without seconds, and one without a
//! zone, which is UTC.

use crate::value::{Raw, date};

/// Milliseconds since the Unix epoch of an ISO 8601 text: a date, or a date and a time, with or without seconds and zone.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(ms) = date::parse_ms(text) {
        return Some(ms);
    }
    let (day, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, "00:00:00Z"),
    };
    let (time, zone) = split_zone(time);
    let seconds = if time.len() == 5 { ":00" } else { "" };
    date::parse_ms(&format!("{day}T{time}{seconds}{zone}"))
}

/// The time of a value, UTC ms: a text as above, or milliseconds since 1970, as programs hold time, also written as a text of
/// thirteen digits (2001 to 2286), which is no day in any form.
pub(super) fn time_of(value: Raw<'_>) -> Option<i64> {
    let Some(text) = value.as_str() else { return value.as_i64() };
    let text = text.trim();
    let is_number = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { parse_time(text) }
}

fn split_zone(time: &str) -> (&str, &str) {
    match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    }
}
