//! `q` as a filter of the query language, and the words of `filter`.
//!
//! Guarantees: `_id` is compared with ObjectIds where a text looks like one; what is not RestDB's own passes as it is.

use headwater_engine::value::{Object, Value, object_id};

use super::build::{all_of, object};
use super::dates::{self, Form};
use super::read::malformed;
use crate::error::{ApiError, ApiResult};

/// Operators under which a document must not be like something: the dates of both forms count.
const NEGATIONS: [&str; 3] = ["$not", "$ne", "$nin"];
const WORDS: &str = "_keywords";

/// The filter that `q` means.
pub(super) fn translate(q: Object, now_ms: u64) -> ApiResult<Object> {
    Translation { now_ms }.filter(&q, true)
}

/// Conditions on the words of a text search: each begins a word of the document.
pub(super) fn words(text: &str) -> Vec<Value> {
    let pieces = text.split(|char: char| !char.is_alphanumeric()).filter(|piece| !piece.is_empty());
    let condition = |word: &str| {
        let pattern = Value::String(format!("^{}", word.to_lowercase()));
        object(WORDS, object("$regex", pattern))
    };
    pieces.map(condition).collect()
}

/// The id that a text means.
pub(crate) fn id(text: &Value) -> Value {
    match text.as_str().and_then(object_id::parse) {
        Some(id) => Value::ObjectId(id),
        None => text.clone(),
    }
}

/// Whether a path is a field or lies in it.
pub(super) fn begins_with(path: &str, name: &str) -> bool {
    path.split('.').next() == Some(name)
}

/// Whether a filter speaks of a field, at any depth.
pub(super) fn names(filter: &Object, name: &str) -> bool {
    fn in_value(value: &Value, name: &str) -> bool {
        match value {
            Value::Array(list) => list.iter().any(|one| in_value(one, name)),
            Value::Object(object) => names(object, name),
            // An expression names a field by its text.
            Value::String(text) => {
                text.strip_prefix('$').is_some_and(|path| begins_with(path, name))
            }
            _ => false,
        }
    }
    filter.iter().any(|(path, value)| begins_with(path, name) || in_value(value, name))
}

struct Translation {
    now_ms: u64,
}

impl Translation {
    /// A filter; `is_top`: of whole documents, whose `_id` is the document's.
    fn filter(&self, filter: &Object, is_top: bool) -> ApiResult<Object> {
        let mut plain = Object::new();
        let mut others = Vec::new();
        for (name, value) in filter {
            match name.as_str() {
                "$and" | "$or" | "$nor" => {
                    plain.insert(name.as_str(), self.branches(name, value, is_top)?);
                }
                operator if operator.starts_with('$') => {
                    plain.insert(operator, value.clone());
                }
                field if dates::has_date(value) => {
                    others.push(self.with_dates(field, value, is_top)?);
                }
                field => {
                    let value = dates::replaced(value, Form::Text, self.now_ms)?;
                    plain.insert(field, self.condition(&value, is_top && field == "_id")?);
                }
            }
        }
        Ok(all_of(plain, others))
    }

    fn branches(&self, name: &str, value: &Value, is_top: bool) -> ApiResult<Value> {
        let wrong = || malformed("q", format_args!("{name} must be an array of conditions"));
        let list = value.as_array().ok_or_else(wrong)?;
        let each = list.iter().map(|one| {
            let one = one.as_object().ok_or_else(wrong)?;
            self.filter(one, is_top).map(Value::Object)
        });
        each.collect::<ApiResult<Vec<_>>>().map(Value::Array)
    }

    /// A condition with dates, for either form in which they may be stored.
    fn with_dates(&self, field: &str, value: &Value, is_top: bool) -> ApiResult<Value> {
        let mut forms = Vec::with_capacity(2);
        for form in [Form::Date, Form::Text] {
            let value = dates::replaced(value, form, self.now_ms)?;
            let condition = self.condition(&value, is_top && field == "_id")?;
            forms.push(object(field, condition));
        }
        let is_negative = value.as_object().is_some_and(|object| {
            object.iter().any(|(name, _)| NEGATIONS.contains(&name.as_str()))
        });
        Ok(object(if is_negative { "$and" } else { "$or" }, Value::Array(forms)))
    }

    /// What a field is compared with.
    fn condition(&self, value: &Value, is_id: bool) -> ApiResult<Value> {
        let operators = value
            .as_object()
            .filter(|object| object.iter().next().is_some_and(|(name, _)| name.starts_with('$')));
        let Some(operators) = operators else {
            return Ok(if is_id { id(value) } else { value.clone() });
        };
        if let (1, Some(Value::String(text))) = (operators.len(), operators.get("$oid")) {
            return Ok(id(&Value::String(text.clone())));
        }
        let mut translated = Object::new();
        for (name, operand) in operators {
            for (name, operand) in self.operator(name, operand, is_id)? {
                if translated.insert(name.as_str(), operand).is_some() {
                    return Err(twice(&name));
                }
            }
        }
        Ok(Value::Object(translated))
    }

    /// What an operator of RestDB's is in the query language.
    fn operator(
        &self,
        name: &str,
        operand: &Value,
        is_id: bool,
    ) -> ApiResult<Vec<(String, Value)>> {
        let one = |name: &str, operand| Ok(vec![(name.to_owned(), operand)]);
        match (name, operand) {
            ("$bt", Value::Array(ends)) if ends.len() == 2 => Ok(vec![
                ("$gte".to_owned(), ids(&ends[0], is_id)),
                ("$lte".to_owned(), ids(&ends[1], is_id)),
            ]),
            ("$bt", _) => Err(malformed("q", "$bt must be an array of two values")),
            ("$not", Value::Object(inner)) if has_operators(inner) => {
                one("$not", self.condition(operand, is_id)?)
            }
            ("$not", Value::Regex { .. }) => one("$not", operand.clone()),
            ("$not", _) => one("$ne", ids(operand, is_id)),
            ("$elemMatch", Value::Object(inner)) if has_operators(inner) => {
                one("$elemMatch", self.condition(operand, false)?)
            }
            ("$elemMatch", Value::Object(inner)) => {
                one("$elemMatch", Value::Object(self.filter(inner, false)?))
            }
            _ => one(name, ids(operand, is_id)),
        }
    }
}

fn has_operators(object: &Object) -> bool {
    let branches = ["$and", "$or", "$nor"];
    object
        .iter()
        .next()
        .is_some_and(|(name, _)| name.starts_with('$') && !branches.contains(&name.as_str()))
}

/// The operand of an operator on an id.
fn ids(operand: &Value, is_id: bool) -> Value {
    match operand {
        Value::Array(list) if is_id => Value::Array(list.iter().map(id).collect()),
        one if is_id => id(one),
        other => other.clone(),
    }
}

fn twice(name: &str) -> ApiError {
    malformed("q", format_args!("two operators mean {name} of the same field"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::{Raw, ejson, json};

    fn translated(text: &str) -> Result<String, String> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let Value::Object(q) = Raw::trusted(&bytes).to_value() else { panic!("{text}") };
        let filter = translate(q, 0).map_err(|error| error.message().to_owned())?;
        let mut out = Vec::new();
        ejson::write(Raw::trusted(&filter.to_bytes()), &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn operators_of_the_face_are_translated() {
        let hex = "507f1f77bcf86cd799439011";
        let oid = format!("{{\"$oid\":\"{hex}\"}}");
        let rows = [
            (r#"{"a":{"$not":"x"}}"#.to_owned(), r#"{"a":{"$ne":"x"}}"#.to_owned()),
            (
                r#"{"a":{"$not":{"$gt":"x"}}}"#.to_owned(),
                r#"{"a":{"$not":{"$gt":"x"}}}"#.to_owned(),
            ),
            (
                r#"{"a":{"$bt":["b","c"]}}"#.to_owned(),
                r#"{"a":{"$gte":"b","$lte":"c"}}"#.to_owned(),
            ),
            (format!(r#"{{"_id":"{hex}"}}"#), format!(r#"{{"_id":{oid}}}"#)),
            (
                format!(r#"{{"$or":[{{"_id":{{"$in":["{hex}","x"]}}}}]}}"#),
                format!(r#"{{"$or":[{{"_id":{{"$in":[{oid},"x"]}}}}]}}"#),
            ),
            (format!(r#"{{"a._id":"{hex}"}}"#), format!(r#"{{"a._id":"{hex}"}}"#)),
            (
                format!(r#"{{"a":{{"$elemMatch":{{"_id":"{hex}"}}}}}}"#),
                format!(r#"{{"a":{{"$elemMatch":{{"_id":"{hex}"}}}}}}"#),
            ),
        ];
        for (q, wanted) in rows {
            assert_eq!(translated(&q).unwrap(), wanted, "{q}");
        }
        assert!(translated(r#"{"a":{"$bt":[1]}}"#).unwrap_err().starts_with("q: $bt"));
        assert!(translated(r#"{"a":{"$bt":[1,2],"$gte":3}}"#).is_err());
        assert!(translated(r#"{"$or":{"a":1}}"#).is_err());
    }

    #[test]
    fn dates_are_looked_for_in_both_forms() {
        let found = translated(r#"{"n":"x","t":{"$gt":{"$date":"1970-01-02"}}}"#).unwrap();
        assert!(
            found.starts_with(r#"{"$and":[{"n":"x"},{"$or":[{"t":{"$gt":{"$date":"#),
            "{found}"
        );
        assert!(found.ends_with(r#"{"t":{"$gt":"1970-01-02"}}]}]}"#), "{found}");
        let found = translated(r#"{"t":{"$ne":{"$date":"1970-01-02"}}}"#).unwrap();
        assert!(found.starts_with(r#"{"$and":[{"t":{"$ne":"#), "{found}");
        assert!(translated(r#"{"t":{"$date":"never"}}"#).unwrap_err().contains("never"));
    }

    #[test]
    fn fields_are_found_at_any_depth() {
        let filter = |text: &str| {
            let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
            Raw::trusted(&bytes).to_value().as_object().unwrap().clone()
        };
        assert!(names(&filter(r#"{"$or":[{"a":1},{"_created":{"$gt":"x"}}]}"#), "_created"));
        assert!(names(&filter(r#"{"$expr":{"$eq":["$_version",1]}}"#), "_version"));
        assert!(!names(&filter(r#"{"a":"_created"}"#), "_created"));
    }

    #[test]
    fn each_word_is_a_condition() {
        assert_eq!(words("Red, HOT!").len(), 2);
        assert!(words(" - ").is_empty());
    }
}
