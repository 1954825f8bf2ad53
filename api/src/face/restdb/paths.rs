//! Names of members in new documents: paths lead into the document, as they do in updates.
//!
//! Guarantees: what is stored can be found and written back under the names that it was sent with; what would not be is
//! refused by name.

use headwater_engine::value::{Object, Value};

use crate::error::{ApiError, ApiResult, shortened};

/// Most paths of a document: each looks at the members that it leads through.
const PATHS_MAX: usize = 500;

/// A document whose paths (`"address.city"`) are members where they lead.
pub(super) fn unfolded(document: Object) -> ApiResult<Object> {
    if let Some((name, _)) = document.iter().find(|(name, _)| name.starts_with('$')) {
        return Err(refused(name, "begins like an operator"));
    }
    let (deep, plain): (Vec<_>, Vec<_>) =
        document.into_iter().partition(|(name, _)| name.contains('.'));
    let mut document: Object = plain.into_iter().collect();
    if deep.len() > PATHS_MAX {
        let message = format!("the document has more than {PATHS_MAX} names with a dot");
        return Err(ApiError::bad_request("invalid_field", message));
    }
    for (path, value) in deep {
        place(&mut document, (&path, &path), value)?;
    }
    Ok(document)
}

/// Puts a value where what is left of a path leads.
fn place(object: &mut Object, (path, left): (&str, &str), value: Value) -> ApiResult<()> {
    let (name, deeper) =
        left.split_once('.').map_or((left, None), |(name, rest)| (name, Some(rest)));
    if name.is_empty() {
        return Err(refused(path, "has an empty part"));
    }
    let Some(deeper) = deeper else {
        return match object.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(refused(path, "leads to what another name sets")),
        };
    };
    if object.get(name).is_none() {
        object.insert(name, Object::new());
    }
    match object.get_mut(name) {
        Some(Value::Object(inner)) => place(inner, (path, deeper), value),
        _ => Err(refused(path, "leads into what is no object")),
    }
}

fn refused(name: &str, why: &str) -> ApiError {
    let message = format!("`{}` is no name of a field: it {why}", shortened(name));
    ApiError::bad_request("invalid_field", message).with("path", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::{Raw, json};

    fn stored(text: &str) -> Result<String, String> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let Value::Object(document) = Raw::trusted(&bytes).to_value() else { panic!("{text}") };
        let document = unfolded(document).map_err(|error| error.message().to_owned())?;
        let mut out = Vec::new();
        json::write(Raw::trusted(&document.to_bytes()), &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn paths_lead_into_the_document() {
        let rows = [
            (r#"{"a.b":1,"c":2,"a.d.e":3}"#, Ok(r#"{"c":2,"a":{"b":1,"d":{"e":3}}}"#)),
            (r#"{"a":{"x":1},"a.b":2}"#, Ok(r#"{"a":{"x":1,"b":2}}"#)),
            (r#"{"first name":1}"#, Ok(r#"{"first name":1}"#)),
            (r#"{"a":1,"a.b":2}"#, Err("no object")),
            (r#"{"a":{"b":1},"a.b":2}"#, Err("another name")),
            (r#"{"e.g.":1}"#, Err("empty part")),
            (r#"{"$x":1}"#, Err("operator")),
        ];
        for (text, wanted) in rows {
            match (stored(text), wanted) {
                (Ok(stored), Ok(wanted)) => assert_eq!(stored, wanted, "{text}"),
                (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let many: Vec<String> = (0..501).map(|n| format!("\"a.{n}\":1")).collect();
        assert!(stored(&format!("{{{}}}", many.join(","))).is_err());
    }
}
