//! Paths into lookups in the parameters besides `q`.
//!
//! Guarantees: fields of looked-up documents can be chosen; sorts, groups and different values go by what is stored, the
//! ids, and are refused by name where they ask for more.

use headwater_engine::fields::{FieldType, Fields};
use headwater_engine::value::{Object, Value};

use super::{Relation, parts, relations};
use crate::error::{ApiError, ApiResult};
use crate::face::restdb::query::ListRequest;

/// Reads the paths of a request that lead into lookups; which fields of looked-up documents it wants shown.
pub(in crate::face::restdb) fn take_paths(
    fields: Option<&Fields>,
    asking: &mut ListRequest,
) -> ApiResult<Vec<(String, Object)>> {
    let lookups = relations(fields, FieldType::Lookup);
    if lookups.is_empty() {
        return Ok(Vec::new());
    }
    let sort = std::mem::take(&mut asking.sort);
    asking.sort = sort
        .into_iter()
        .map(|(path, direction)| Ok((stored(&lookups, "sort", path)?, direction)))
        .collect::<ApiResult<Object>>()?;
    let distinct = asking.distinct.take().map(|path| stored(&lookups, "$distinct", path));
    asking.distinct = distinct.transpose()?;
    if let Some(grouping) = &asking.grouping {
        for path in grouping.paths() {
            stored(&lookups, "groupby or aggregate", path.to_owned())?;
        }
    }
    let (fields, shown) = split(&lookups, std::mem::take(&mut asking.fields));
    asking.fields = fields;
    Ok(shown)
}

/// A path as it is stored; one that leads into a looked-up document is refused.
fn stored(lookups: &[Relation], parameter: &'static str, path: String) -> ApiResult<String> {
    let (field, position, inner) = parts(&path);
    if inner.is_empty() || !lookups.iter().any(|lookup| lookup.field == field) {
        return Ok(path);
    }
    if inner == "_id" && !parameter.starts_with("group") {
        return Ok(position.map_or(field.to_owned(), |position| format!("{field}.{position}")));
    }
    let shown: String = path.chars().take(100).collect();
    let message =
        format!("{parameter}: `{shown}` is in a lookup, of which only the ids are stored here");
    Err(ApiError::bad_request("invalid_parameter", message).with("path", shown))
}

/// The fields to find, and those to show of looked-up documents.
fn split(lookups: &[Relation], fields: Object) -> (Object, Vec<(String, Object)>) {
    let is_list = fields.iter().next().is_some_and(|(_, one)| one.as_i64() == Some(1));
    let mut shown: Vec<(String, Object)> = Vec::new();
    let mut found = Object::new();
    for (path, value) in fields {
        let (field, _, inner) = parts(&path);
        let lookup = lookups.iter().find(|lookup| lookup.field == field);
        let Some(lookup) = lookup.filter(|_| !inner.is_empty()) else {
            found.insert(path, value);
            continue;
        };
        if is_list {
            found.insert(lookup.field.as_str(), Value::Int32(1));
        }
        // The id is always shown.
        if inner == "_id" && !is_list {
            continue;
        }
        match shown.iter_mut().find(|(name, _)| *name == lookup.field) {
            Some((_, members)) => drop(members.insert(inner, value)),
            None => {
                let members = [(inner.to_owned(), value)].into_iter().collect();
                shown.push((lookup.field.clone(), members));
            }
        }
    }
    (found, shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup() -> Vec<Relation> {
        let (field, collection) = ("company".to_owned(), "companies".to_owned());
        vec![Relation { field, collection }]
    }

    #[test]
    fn what_is_stored_are_ids() {
        let of = |path: &str| stored(&lookup(), "sort", path.to_owned());
        assert_eq!(of("company._id").unwrap(), "company");
        assert_eq!(of("company.0._id").unwrap(), "company.0");
        assert_eq!(of("other.name").unwrap(), "other.name");
        assert!(of("company.name").unwrap_err().message().contains("`company.name`"));
        assert!(stored(&lookup(), "groupby or aggregate", "company._id".to_owned()).is_err());
    }

    #[test]
    fn chosen_fields_are_split() {
        let fields: Object = ["a", "company.name", "company.0.town"]
            .map(|name| (name.to_owned(), Value::Int32(1)))
            .into_iter()
            .collect();
        let (found, shown) = split(&lookup(), fields);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "company"]);
        assert_eq!(shown[0].1.len(), 2);
        let fields: Object = [("company.name".to_owned(), Value::Int32(0))].into_iter().collect();
        let (found, shown) = split(&lookup(), fields);
        assert!(found.is_empty() && shown.len() == 1);
    }
}
