//! Dates as text by a format.
//!
//! Guarantees: every specifier of MongoDB's `$dateToString`; others are refused by [`check`] and by [`format()`].
//! Leaves to others: reading text (`date_parse`).

use std::fmt::Write;

use super::calendar::Parts;
use super::zone::Zone;

/// The months.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Judges a format, for reading (`$dateFromString`) or for writing.
pub(super) fn check(format: &str, reading: bool) -> Result<(), String> {
    let known = if reading { "dGHjLmMSuVYzZbB%" } else { "dGHjLmMSuUVwYzZbB%" };
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            continue;
        }
        match chars.next() {
            Some(specifier) if known.contains(specifier) => {}
            Some(specifier) => {
                return Err(format!("the format has `%{specifier}`, which is unknown"));
            }
            None => return Err("the format ends with a `%`".to_owned()),
        }
    }
    Ok(())
}

/// Writes a moment.
pub(super) fn format(format: &str, ms: i64, zone: &Zone) -> Result<String, String> {
    check(format, false)?;
    let parts = Parts::of(zone.local(ms));
    if !(0..=9999).contains(&parts.year) {
        return Err("the year is not from 0 to 9999".to_owned());
    }
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let specifier = chars.next().unwrap_or('%');
        write_part(specifier, &parts, zone.offset(ms) / 60_000, &mut out)
            .map_err(|_| "the date could not be written".to_owned())?;
    }
    Ok(out)
}

fn write_part(specifier: char, parts: &Parts, offset: i64, out: &mut String) -> std::fmt::Result {
    let month = || MONTHS.get(usize::try_from(parts.month - 1).unwrap_or(0)).copied().unwrap_or("");
    match specifier {
        'd' => write!(out, "{:02}", parts.day),
        'G' => write!(out, "{:04}", parts.iso_week().0),
        'H' => write!(out, "{:02}", parts.hour),
        'j' => write!(out, "{:03}", parts.day_of_year()),
        'L' => write!(out, "{:03}", parts.millisecond),
        'm' => write!(out, "{:02}", parts.month),
        'M' => write!(out, "{:02}", parts.minute),
        'S' => write!(out, "{:02}", parts.second),
        'u' => write!(out, "{}", parts.iso_weekday()),
        'U' => write!(out, "{:02}", parts.week()),
        'V' => write!(out, "{:02}", parts.iso_week().1),
        'w' => write!(out, "{}", parts.weekday() + 1),
        'Y' => write!(out, "{:04}", parts.year),
        'z' => {
            let sign = if offset < 0 { '-' } else { '+' };
            write!(out, "{sign}{:02}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
        'Z' => write!(out, "{offset:+}"),
        'b' => out.write_str(month().get(..3).unwrap_or_default()),
        'B' => out.write_str(month()),
        _ => out.write_char('%'),
    }
}
