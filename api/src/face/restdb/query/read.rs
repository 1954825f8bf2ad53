//! Parts of a query string as values.

use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value, json};
use headwater_engine::{Detail, Error};

use crate::error::{ApiError, ApiResult};
use crate::extract::Parameters;
use crate::face::restdb::duplicate_members;

/// A parameter that is malformed.
pub(super) fn malformed(parameter: &'static str, what: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request("invalid_parameter", format!("{parameter}: {what}"))
        .with("parameter", parameter)
}

/// Refuses `q[a]=1`, which is how some libraries write an object: passed over, it would ask for every document.
pub(super) fn refuse_brackets(parameters: &Parameters) -> ApiResult<()> {
    for (parameter, begin) in [("q", "q["), ("h", "h[")] {
        if let Some(name) = parameters.names().find(|name| name.starts_with(begin)) {
            let shown: String = name.chars().take(40).collect();
            return Err(malformed(parameter, format!("`{shown}` is no parameter: send JSON text")));
        }
    }
    Ok(())
}

/// `true`, `1` or `false`, `0`; absent is false.
pub(crate) fn flag(parameters: &Parameters, name: &'static str) -> ApiResult<bool> {
    match parameters.get(name).map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "undefined" | "null") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(malformed(name, "must be true or false")),
    }
}

/// How many.
pub(super) fn size(name: &'static str, text: &str) -> ApiResult<usize> {
    text.trim().parse().map_err(|_| malformed(name, "must be a whole number from 0 on"))
}

/// A direction.
pub(super) fn direction(name: &'static str, text: &str) -> ApiResult<i32> {
    match text.trim() {
        "1" => Ok(1),
        "-1" => Ok(-1),
        _ => Err(malformed(name, "must be 1 or -1")),
    }
}

/// `sort` with `dir`, by their places; a field without a direction goes up.
pub(super) fn sort(parameters: &Parameters) -> ApiResult<Object> {
    let mut directions = parameters.all("dir");
    let mut sort = Object::new();
    for field in parameters.all("sort") {
        let direction = directions.next().map_or(Ok(1), |text| direction("dir", text))?;
        sort.insert(field, direction);
    }
    Ok(sort)
}

/// The hints; none where the client's template had none.
pub(super) fn hints(parameters: &Parameters, limits: &Limits) -> ApiResult<Option<Object>> {
    match parameters.get("h").map(str::trim) {
        None | Some("undefined" | "null" | "[]") => Ok(None),
        Some(_) => object(parameters, "h", limits).map(Some),
    }
}

/// A parameter that is a JSON object; absent is empty.
pub(super) fn object(
    parameters: &Parameters,
    name: &'static str,
    limits: &Limits,
) -> ApiResult<Object> {
    let text = match parameters.get(name) {
        None | Some("undefined") => return Ok(Object::new()),
        Some(text) => text,
    };
    let read = json::parse_value(text.as_bytes(), limits).or_else(|error| {
        json::parse_value(&duplicate_members::dropped(text.as_bytes(), error)?, limits)
    });
    let bytes = read.map_err(|error| misread(name, text, &error))?;
    match Raw::trusted(&bytes).to_value() {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Object::new()),
        Value::Array(list) if list.is_empty() => Ok(Object::new()),
        _ => Err(malformed(name, "must be a JSON object")),
    }
}

/// The refusal of text that is no JSON, with the place in bytes from the start.
fn misread(name: &'static str, text: &str, error: &Error) -> ApiError {
    let (Some(Detail::Number(line)), Some(Detail::Number(column))) =
        (error.detail("line"), error.detail("column"))
    else {
        return malformed(name, error.message());
    };
    let before =
        text.split_inclusive('\n').take(usize::try_from(line.saturating_sub(1)).unwrap_or(0));
    let before: usize = before.map(str::len).sum();
    let offset = before as u64 + column.saturating_sub(1);
    let what = error.message().split(" at line ").next().unwrap_or_default();
    malformed(name, format_args!("{what} at byte {offset}")).with("offset", offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(query: &str) -> ApiResult<Object> {
        object(&Parameters::parse(Some(query)), "q", &Limits::default())
    }

    #[test]
    fn malformed_text_is_refused_with_its_place() {
        let rows = [("q={\"a\":}", "byte 5"), ("q={\"a\":1,%0A 5}", "byte 9"), ("q=x", "byte 0")];
        for (query, place) in rows {
            let error = q(query).unwrap_err();
            assert!(error.message().starts_with("q: "), "{}", error.message());
            assert!(error.message().ends_with(place), "{query}: {}", error.message());
        }
        assert!(q("q=5").unwrap_err().message().contains("object"));
        assert!(q("").unwrap().is_empty() && q("q=").unwrap().is_empty());
    }

    #[test]
    fn sorts_are_paired_with_directions() {
        let read = |query| {
            sort(&Parameters::parse(Some(query))).map(|sort| {
                sort.iter().map(|(name, value)| (name.clone(), value.as_i64())).collect::<Vec<_>>()
            })
        };
        let wanted = vec![("a".to_owned(), Some(-1)), ("b c".to_owned(), Some(1))];
        assert_eq!(read("sort=a&sort=b%20c&dir=-1").unwrap(), wanted);
        assert!(read("sort=a&dir=down").is_err());
    }

    #[test]
    fn templates_without_hints_have_none() {
        for none in ["", "h=", "h=undefined", "h=[]", "h=null"] {
            let found = hints(&Parameters::parse(Some(none)), &Limits::default()).unwrap();
            assert!(found.is_none(), "{none}");
        }
        assert!(hints(&Parameters::parse(Some("h=[1]")), &Limits::default()).is_err());
    }
}
