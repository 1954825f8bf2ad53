//! Milliseconds since the Unix epoch to and from RFC 3339, in the proleptic Gregorian calendar, UTC.
//!
//! Guarantees: every `i64` formats and parses back; years outside 0000-9999 are written with a sign and at least six
//! digits, as ECMAScript does. Parsing takes any offset, and cuts fractions to milliseconds.
//! Leaves to others: time zones by name, and what "now" is (`clock`).

const DAY_MS: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days in 400 years.
const ERA_DAYS: i64 = 146_097;

/// Formats as `2024-03-10T10:00:00.000Z`.
pub fn format_ms(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write_ms(ms, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes as `2024-03-10T10:00:00.000Z`.
pub fn write_ms(ms: i64, out: &mut Vec<u8>) {
    let (days, time) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        digits(year, 4, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        digits(year.abs(), 6, out);
    }
    let fields = [
        (b'-', month, 2),
        (b'-', day, 2),
        (b'T', time / 3_600_000, 2),
        (b':', time / 60_000 % 60, 2),
        (b':', time / 1000 % 60, 2),
        (b'.', time % 1000, 3),
    ];
    for (separator, number, width) in fields {
        out.push(separator);
        digits(number, width, out);
    }
    out.push(b'Z');
}

/// Reads RFC 3339 (`2024-03-10T11:00:00+01:00`, any fraction, `z` and `t` in either case, a space for the `T`) and the
/// wider years that [`write_ms`] writes. A leap second is the second after it.
pub fn parse_ms(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let year = parse_year(&mut rest)?;
    let month = field(&mut rest, b"-")?;
    let day = field(&mut rest, b"-")?;
    let hour = field(&mut rest, b"Tt ")?;
    let minute = field(&mut rest, b":")?;
    let second = field(&mut rest, b":")?;
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let fraction = parse_fraction(&mut rest)?;
    let offset = parse_offset(rest)?;
    let time = ((hour * 60 + minute - offset) * 60 + second) * 1000 + fraction;
    let total = i128::from(days(year, month, day)) * i128::from(DAY_MS) + i128::from(time);
    i64::try_from(total).ok()
}

/// Days since the epoch of a civil date.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_DAYS
}

/// The civil date (year, month, day) of days since the epoch.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH_DAYS;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn digits(number: i64, width: usize, out: &mut Vec<u8>) {
    let mut text = itoa::Buffer::new();
    let text = text.format(number).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

fn parse_year(rest: &mut &[u8]) -> Option<i64> {
    let (negative, signed) = match rest.first()? {
        b'-' => (true, true),
        b'+' => (false, true),
        _ => (false, false),
    };
    let unsigned = &rest[usize::from(signed)..];
    let len = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let valid = if signed { (6..=9).contains(&len) } else { len == 4 };
    if !valid {
        return None;
    }
    let year = number(&unsigned[..len])?;
    *rest = &unsigned[len..];
    Some(if negative { -year } else { year })
}

/// A separator among `separators`, then two digits.
fn field(rest: &mut &[u8], separators: &[u8]) -> Option<i64> {
    let [separator, tens, ones, tail @ ..] = *rest else { return None };
    *rest = tail;
    if separators.contains(separator) { number(&[*tens, *ones]) } else { None }
}

/// Milliseconds of a fraction, 0 without one.
fn parse_fraction(rest: &mut &[u8]) -> Option<i64> {
    let Some(after) = rest.strip_prefix(b".") else { return Some(0) };
    let len = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *rest = &after[len..];
    let kept = number(after.get(..len.min(3))?)?;
    Some(kept * [1000, 100, 10, 1][len.min(3)])
}

/// Minutes east of UTC.
fn parse_offset(rest: &[u8]) -> Option<i64> {
    let (sign, hour, minute) = match rest {
        b"Z" | b"z" => return Some(0),
        [sign @ (b'+' | b'-'), hour @ .., b':', m, n] if hour.len() == 2 => (sign, hour, [*m, *n]),
        [sign @ (b'+' | b'-'), hour @ .., m, n] if hour.len() == 2 => (sign, hour, [*m, *n]),
        _ => return None,
    };
    let (hour, minute) = (number(hour)?, number(&minute)?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let offset = hour * 60 + minute;
    Some(if *sign == b'-' { -offset } else { offset })
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
