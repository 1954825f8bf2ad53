//! The formats that a collection's schema can ask of texts.
//!
//! Guarantees: what passes has the form of its specification (RFC 3339, 3986, 4122, 5321 in outline, 4291); nothing is
//! looked up.
//! Leaves to others: formats that are not in the list, which are annotations.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::value::date::days_in_month;

/// A format that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Email,
    Date,
    DateTime,
    Uri,
    Uuid,
    Ipv4,
    Ipv6,
}

const NAMES: [(&str, Format); 7] = [
    ("email", Format::Email),
    ("date", Format::Date),
    ("date-time", Format::DateTime),
    ("uri", Format::Uri),
    ("uuid", Format::Uuid),
    ("ipv4", Format::Ipv4),
    ("ipv6", Format::Ipv6),
];

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(other, _)| *other == name).map(|(_, format)| *format)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| *name)
    }

    pub(crate) fn test(self, text: &str) -> bool {
        match self {
            Self::Email => is_email(text),
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Uri => is_uri(text),
            Self::Uuid => is_uuid(text.as_bytes()),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |char: char| {
        !char.is_whitespace() && !char.is_control() && !"()<>[]:;@\\,\"".contains(char)
    };
    let local_fits = local.starts_with('"') && local.ends_with('"') && local.len() > 2
        || local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom));
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|char| char.is_alphanumeric() || char == '-')
    };
    local_fits && text.len() <= 320 && domain.split('.').all(label)
}

/// The number of digits at a place, if that is what is there.
fn number(bytes: &[u8], start: usize, len: usize) -> Option<i64> {
    let digits = bytes.get(start..start + len)?;
    let all = digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

fn is_date(bytes: &[u8]) -> bool {
    let (Some(year), Some(month), Some(day)) =
        (number(bytes, 0, 4), number(bytes, 5, 2), number(bytes, 8, 2))
    else {
        return false;
    };
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
}

fn is_date_time(bytes: &[u8]) -> bool {
    let Some((date, time)) = bytes.split_at_checked(10) else { return false };
    let (Some(hour), Some(minute), Some(second)) =
        (number(time, 1, 2), number(time, 4, 2), number(time, 7, 2))
    else {
        return false;
    };
    let mut rest = &time[9..];
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let offset = match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', _, _, b':', _, _] => {
            matches!(number(rest, 1, 2), Some(0..=23)) && matches!(number(rest, 4, 2), Some(0..=59))
        }
        _ => false,
    };
    is_date(date)
        && matches!(time[0], b'T' | b't' | b' ')
        && time[3] == b':'
        && time[6] == b':'
        && (0..=23).contains(&hour)
        && (0..=59).contains(&minute)
        && (0..=60).contains(&second)
        && offset
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let bytes = rest.as_bytes();
    let rest_fits = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    });
    scheme_fits && rest_fits && !rest.is_empty()
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
