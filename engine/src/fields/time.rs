//! Dates and times as programs and forms write them.
//!
//! Guarantees: what RFC 3339 allows is read as there; besides, a date alone, a time without seconds, and one without a
//! zone, which is UTC.

use crate::value::date;

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

fn split_zone(time: &str) -> (&str, &str) {
    match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    }
}
