//! Names of members in new documents: paths lead into the document, as they do in updates.
//!
//! Guarantees: what is stored can be found and written back under the names that it was sent with; what would not be is
//! refused by name. It costs what the document is long, and nothing becomes deeper than `limits.nesting`.

use std::collections::HashMap;

use headwater_engine::Error;
use headwater_engine::value::{Object, Value};

use crate::error::{ApiError, ApiResult, shortened};

/// Most paths of a document.
const PATHS_MAX: usize = 500;

/// What paths lead to.
enum Tree {
    Leaf(Value),
    Branch(Vec<(String, Self)>),
}

/// A document whose paths (`"address.city"`) are members where they lead; `nesting` is how deep it may be.
pub(super) fn unfolded(document: Object, nesting: u32) -> ApiResult<Object> {
    if let Some((name, _)) = document.iter().find(|(name, _)| name.starts_with('$')) {
        return Err(refused(name, "begins like an operator"));
    }
    let (deep, plain): (Vec<_>, Vec<_>) =
        document.into_iter().partition(|(name, _)| name.contains('.'));
    let plain: Object = plain.into_iter().collect();
    if deep.is_empty() {
        return Ok(plain);
    }
    if deep.len() > PATHS_MAX {
        let message = format!("the document has more than {PATHS_MAX} names with a dot");
        return Err(ApiError::bad_request("invalid_field", message));
    }
    let mut tree = Vec::new();
    for (path, value) in deep {
        let parts = path.split('.').count();
        if parts + depth(&value) > nesting as usize {
            let message = format!("`{}` leads deeper than limits.nesting", shortened(&path));
            return Err(Error::limit("limits.nesting", nesting.into(), message).into());
        }
        place(&mut tree, (&path, &path), value)?;
    }
    merged(plain, tree, "")
}

/// How many objects and arrays are in one another.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Object(object) => object.iter().map(|(_, value)| depth(value)).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}

/// Puts a value where what is left of a path leads.
fn place(
    branch: &mut Vec<(String, Tree)>,
    (path, left): (&str, &str),
    value: Value,
) -> ApiResult<()> {
    let (name, deeper) =
        left.split_once('.').map_or((left, None), |(name, rest)| (name, Some(rest)));
    if name.is_empty() {
        return Err(refused(path, "has an empty part"));
    }
    let known = branch.iter().position(|(known, _)| known == name);
    match (known.map(|at| &mut branch[at].1), deeper) {
        (Some(Tree::Branch(inner)), Some(deeper)) => place(inner, (path, deeper), value),
        (Some(_), _) => Err(refused(path, TWICE)),
        (None, None) => {
            branch.push((name.to_owned(), Tree::Leaf(value)));
            Ok(())
        }
        (None, Some(deeper)) => {
            let mut inner = Vec::new();
            place(&mut inner, (path, deeper), value)?;
            branch.push((name.to_owned(), Tree::Branch(inner)));
            Ok(())
        }
    }
}

/// An object with what paths lead to in it.
fn merged(object: Object, tree: Vec<(String, Tree)>, above: &str) -> ApiResult<Object> {
    let mut members: Vec<(String, Value)> = object.into_iter().collect();
    let mut places: HashMap<&str, Option<usize>> =
        tree.iter().map(|(name, _)| (name.as_str(), None)).collect();
    for (at, (name, _)) in members.iter().enumerate() {
        if let Some(place) = places.get_mut(name.as_str()) {
            *place = Some(at);
        }
    }
    let places: Vec<Option<usize>> = tree.iter().map(|(name, _)| places[name.as_str()]).collect();
    for ((name, what), at) in tree.into_iter().zip(places) {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let inner = match (at.map(|at| &mut members[at].1), &what) {
            (None, _) => Object::new(),
            (Some(Value::Object(inner)), Tree::Branch(_)) => std::mem::take(inner),
            (Some(Value::Object(_)), Tree::Leaf(_)) => return Err(refused(&path, TWICE)),
            (Some(_), _) => return Err(refused(&path, "leads into what is no object")),
        };
        let value = match what {
            Tree::Leaf(value) => value,
            Tree::Branch(tree) => Value::Object(merged(inner, tree, &path)?),
        };
        match at {
            Some(at) => members[at].1 = value,
            None => members.push((name, value)),
        }
    }
    Ok(members.into_iter().collect())
}

const TWICE: &str = "leads to what another name sets";

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
        let document = unfolded(document, 5).map_err(|error| error.message().to_owned())?;
        let mut out = Vec::new();
        json::write(Raw::trusted(&document.to_bytes()), &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn paths_lead_into_the_document() {
        let rows = [
            (r#"{"a.b":1,"c":2,"a.d.e":3}"#, Ok(r#"{"c":2,"a":{"b":1,"d":{"e":3}}}"#)),
            (
                r#"{"a":{"x":1,"d":{"y":2}},"a.b":2,"a.d.z":3}"#,
                Ok(r#"{"a":{"x":1,"d":{"y":2,"z":3},"b":2}}"#),
            ),
            (r#"{"first name":1}"#, Ok(r#"{"first name":1}"#)),
            (r#"{"a":1,"a.b":2}"#, Err("no object")),
            (r#"{"a":{"b":1},"a.b":2}"#, Err("no object")),
            (r#"{"a":{"b":{}},"a.b":2}"#, Err("another name")),
            (r#"{"a.b":{"c":1},"a.b.d":2}"#, Err("another name")),
            (r#"{"e.g.":1}"#, Err("empty part")),
            (r#"{"$x":1}"#, Err("operator")),
            (r#"{"a.b.c.d.e":1}"#, Ok(r#"{"a":{"b":{"c":{"d":{"e":1}}}}}"#)),
            (r#"{"a.b.c.d.e.f":1}"#, Err("limits.nesting")),
            (r#"{"a.b.c":{"d":{"e":{}}}}"#, Err("limits.nesting")),
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
