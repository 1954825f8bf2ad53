//! Durations and sizes as people write them: `100ms`, `10s`, `5min`, `2h`, `7d`; `64MiB`, `1GB`.
//!
//! Guarantees: a number without a unit, an unknown unit, or more than fits is refused with a message that quotes it.

use std::time::Duration;

/// A duration written as a whole number and a unit: `ms`, `s`, `min` (or `m`), `h`, `d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text, "duration", "10s, 5min, 2h or 7d")?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" | "sec" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{text}` has no unit of time; write ms, s, min, h or d")),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("the duration `{text}` is too long"))
}

/// A size written as a whole number and a unit: `B`, `KiB`, `MiB`, `GiB`, `TiB`, or `KB` to `TB` in thousands.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text, "size", "64MiB or 1GB")?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(format!("`{text}` has no unit of size; write B, KiB, MiB, GiB or TiB")),
    };
    number.checked_mul(bytes).ok_or_else(|| format!("the size `{text}` is too large"))
}

fn number_and_unit<'a>(
    text: &'a str,
    what: &str,
    examples: &str,
) -> Result<(u64, &'a str), String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number = number
        .parse()
        .map_err(|_| format!("`{text}` is no {what}; write for instance {examples}"))?;
    Ok((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("5min"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration(" 7 d "), Ok(Duration::from_secs(7 * 86_400)));
    }

    #[test]
    fn a_duration_without_number_or_unit_is_refused_and_quoted() {
        for text in ["10", "s", "", "-1s", "1.5h", "3 weeks", "99999999999999999999d"] {
            let message = duration(text).expect_err(text);
            assert!(message.contains(text.trim()), "{message}");
        }
        assert!(duration("18446744073709551615d").is_err());
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("lots").is_err());
        assert!(size("18446744073709551615KiB").is_err());
    }
}
