//! What documents are grouped by: a field, a part of a date in it, or the date in a format of the library *moment*.

use headwater_engine::value::Value;

use super::{check_path, malformed, object};
use crate::error::{ApiResult, shortened};

/// The parts of dates.
const PARTS: [(&str, &str); 6] = [
    ("$YEAR", "$year"),
    ("$MONTH", "$month"),
    ("$DAY", "$dayOfMonth"),
    ("$HOUR", "$hour"),
    ("$MIN", "$minute"),
    ("$SEC", "$second"),
];

/// Moment's letters for parts of dates, the longest first, with those of the query language.
const LETTERS: [(&str, &str); 12] = [
    ("YYYY", "%Y"),
    ("MMMM", "%B"),
    ("DDDD", "%j"),
    ("MMM", "%b"),
    ("SSS", "%L"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("WW", "%V"),
    ("E", "%u"),
];

/// What a group has in common.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// The field.
    pub(super) field: String,
    of: Of,
}

#[derive(Clone, Debug)]
enum Of {
    /// The value.
    Value,
    /// A part of the date: the operator.
    Part(&'static str),
    /// The date in a format of the query language.
    Format(String),
}

impl Key {
    /// Reads one field of `$groupby`.
    pub(super) fn read(text: &str) -> ApiResult<Self> {
        if !text.starts_with('$') {
            check_path("groupby", text)?;
            return Ok(Self { field: text.to_owned(), of: Of::Value });
        }
        let unknown = || malformed("groupby", format_args!("`{}` is not known", shortened(text)));
        let (function, field) = text.rsplit_once(':').ok_or_else(unknown)?;
        check_path("groupby", field)?;
        let of = match function.strip_prefix("$DATE.") {
            Some(format) => Of::Format(translated(format)?),
            None => {
                let part = PARTS.iter().find(|(known, _)| *known == function);
                Of::Part(part.ok_or_else(unknown)?.1)
            }
        };
        Ok(Self { field: field.to_owned(), of })
    }

    /// The expression; null where there is no value, or no date.
    pub(super) fn expression(&self) -> Value {
        let path = Value::String(format!("${}", self.field));
        let as_date = |path| {
            object([(
                "$convert",
                object([
                    ("input", path),
                    ("to", Value::from("date")),
                    ("onError", Value::Null),
                    ("onNull", Value::Null),
                ]),
            )])
        };
        match &self.of {
            Of::Value => object([("$ifNull", Value::Array(vec![path, Value::Null]))]),
            Of::Part(operator) => object([(*operator, as_date(path))]),
            Of::Format(format) => {
                let format = Value::String(format.clone());
                object([("$dateToString", object([("date", as_date(path)), ("format", format)]))])
            }
        }
    }
}

/// A format of moment as one of the query language; `[text]` is text.
fn translated(format: &str) -> ApiResult<String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some((text, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            out.push_str(&text.replace('%', "%%"));
            rest = after;
            continue;
        }
        if let Some((moment, ours)) = LETTERS.iter().find(|(moment, _)| rest.starts_with(moment)) {
            out.push_str(ours);
            rest = &rest[moment.len()..];
            continue;
        }
        if first.is_ascii_alphabetic() {
            let what =
                format!("`{}` has `{first}`, which is not known in a format", shortened(format));
            return Err(malformed("groupby", what));
        }
        if first == '%' {
            out.push('%');
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_translated() {
        assert_eq!(translated("YYYY-MM-DD HH:mm:ss").unwrap(), "%Y-%m-%d %H:%M:%S");
        assert_eq!(translated("[at] MMM 100%").unwrap(), "at %b 100%%");
        assert!(translated("YYYY-Q").is_err());
    }

    #[test]
    fn keys_are_read() {
        assert_eq!(Key::read("$DATE.HH:mm:at").unwrap().field, "at");
        assert_eq!(Key::read("a.b c").unwrap().field, "a.b c");
        for wrong in ["$YEAR", "$CENTURY:at", "a..b", "$YEAR:$x"] {
            assert!(Key::read(wrong).is_err(), "{wrong}");
        }
    }
}
