//! Lengths of time as programs write them: a number of seconds, or a text with a unit.

use serde_json::Value;

/// The longest life of a token, seconds.
const MOST: f64 = 366.0 * 86_400.0;
/// Units by all their names, in seconds.
const UNITS: [(&[&str], f64); 6] = [
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
    (&["w", "week", "weeks"], 7.0 * 86_400.0),
    (&["y", "yr", "yrs", "year", "years"], 365.25 * 86_400.0),
];

/// Whole seconds of a number, or of a text as `1h`, `2 days`, `1.5 hrs`; `None` where it is neither, less than one or too
/// many.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => of_text(text)?,
        _ => return None,
    };
    // Both ends are far from where a whole number could not be told.
    (1.0..=MOST).contains(&seconds).then_some(seconds as u64)
}

fn of_text(text: &str) -> Option<f64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..at].parse().ok()?;
    let unit = text[at..].trim().to_ascii_lowercase();
    let (_, seconds) = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()))?;
    Some(number * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lengths_are_read() {
        for (given, wanted) in [
            (json!(60), 60),
            (json!(1.9), 1),
            (json!("1h"), 3600),
            (json!("2 days"), 172_800),
            (json!(" 1.5 hrs "), 5400),
            (json!("30S"), 30),
            (json!("1y"), 31_557_600),
        ] {
            assert_eq!(seconds(&given), Some(wanted), "{given}");
        }
        for given in [
            json!(0),
            json!(-1),
            json!(1e300),
            json!("120"),
            json!("h"),
            json!("-1h"),
            json!("1.2.3h"),
            json!("1 fortnight"),
            json!("2y"),
            json!(""),
            json!(true),
            json!([1]),
        ] {
            assert_eq!(seconds(&given), None, "{given}");
        }
    }
}
