//! `q` on lookups: conditions on `_id` are conditions on the ids that are stored, conditions on what a looked-up document
//! holds are asked of its collection first.
//!
//! Guarantees: the answer is that of a query over the documents as the caller sees them, lookups embedded: what the caller
//! may not read of a referred collection matches as if it were not there. What cannot be asked so is refused by name.
//! Leaves to others: the rest of `q`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_engine::fields::{FieldType, Fields};
use headwater_engine::value::{Object, Raw, Value};

use super::conditions::{ids_of, is_true, operators_of, reference};
use super::expansion::listed;
use super::patience::Patience;
use super::{Relation, is_left_out, parts, relations};
use crate::error::{ApiError, ApiResult};
use crate::face::restdb::query::{all_of, object};
use crate::session::Session;

/// Most conditions of one `q` on what looked-up documents hold: each is a query.
const QUESTIONS_MAX: usize = 16;
/// Operators that a document satisfies by what it holds, not by what it lacks.
const POSITIVE: [&str; 14] = [
    "$eq",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$type",
    "$mod",
    "$size",
    "$elemMatch",
    "$regex",
    "$options",
    "$bitsAllSet",
    "$bitsAnySet",
];

/// A filter of a collection in which lookups are what is stored, and texts that are compared with typed fields are what
/// those hold.
pub(super) async fn translated(
    session: &Session,
    fields: Option<&Fields>,
    filter: Object,
) -> ApiResult<Object> {
    let lookups = relations(fields, FieldType::Lookup);
    if filter.is_empty() || lookups.is_empty() {
        return Ok(Session::typed(fields, filter));
    }
    let patience = Patience::of(session);
    let questions = AtomicUsize::new(0);
    let translation = Translation { session, lookups, questions, patience };
    let filter = translation.filter(&filter).await?;
    Ok(Session::typed(fields, filter))
}

struct Translation<'a> {
    session: &'a Session,
    lookups: Vec<Relation>,
    questions: AtomicUsize,
    patience: Patience,
}

/// A path into a lookup.
#[derive(Clone, Copy)]
struct Place<'a> {
    lookup: &'a Relation,
    /// Whole, for messages.
    path: &'a str,
    /// The lookup or one of its elements.
    stored: &'a str,
    /// Inside of the looked-up document; empty: the reference itself.
    inner: &'a str,
}

type Later<'a, T> = Pin<Box<dyn Future<Output = ApiResult<T>> + Send + 'a>>;

impl Translation<'_> {
    fn filter<'s>(&'s self, filter: &'s Object) -> Later<'s, Object> {
        Box::pin(async move {
            let mut plain = Object::new();
            let mut others = Vec::new();
            for (name, value) in filter {
                if matches!(name.as_str(), "$and" | "$or" | "$nor") {
                    plain.insert(name.as_str(), self.branches(value).await?);
                    continue;
                }
                if name.starts_with('$') {
                    self.check_expression(name, value)?;
                }
                match self.place(name) {
                    Some(place) => others.push(self.condition(place, value).await?),
                    None => drop(plain.insert(name.as_str(), value.clone())),
                }
            }
            Ok(all_of(plain, others))
        })
    }

    async fn branches(&self, branches: &Value) -> ApiResult<Value> {
        let Some(list) = branches.as_array() else { return Ok(branches.clone()) };
        let mut translated = Vec::with_capacity(list.len());
        for branch in list {
            translated.push(match branch {
                Value::Object(branch) => Value::Object(self.filter(branch).await?),
                other => other.clone(),
            });
        }
        Ok(Value::Array(translated))
    }

    /// Where a path leads into a lookup; `None` where it does not.
    fn place<'s>(&'s self, path: &'s str) -> Option<Place<'s>> {
        let (field, position, inner) = parts(path);
        let lookup = self.lookups.iter().find(|lookup| lookup.field == field)?;
        let stored_bytes = field.len() + position.map_or(0, |position| position.len() + 1);
        Some(Place { lookup, path, stored: &path[..stored_bytes], inner })
    }

    /// Refuses an expression that looks into a lookup: it sees what is stored.
    fn check_expression(&self, operator: &str, value: &Value) -> ApiResult<()> {
        match value {
            Value::Array(list) => {
                list.iter().try_for_each(|one| self.check_expression(operator, one))
            }
            Value::Object(object) => {
                object.iter().try_for_each(|(_, one)| self.check_expression(operator, one))
            }
            Value::String(text) => {
                let place = text.strip_prefix('$').and_then(|path| self.place(path));
                match place.filter(|place| !place.inner.is_empty()) {
                    Some(place) => {
                        Err(refused(place, &format!("{operator} cannot look into a lookup")))
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The filter that a condition on a lookup is.
    fn condition<'s>(&'s self, place: Place<'s>, value: &'s Value) -> Later<'s, Value> {
        Box::pin(async move {
            let Some(operators) = operators_of(value) else {
                return self.equality(place, value).await;
            };
            let mut parts = Vec::with_capacity(operators.len());
            for (operator, operand) in operators {
                // It is read with `$regex`.
                if operator == "$options" && operators.get("$regex").is_some() {
                    continue;
                }
                parts.push(self.operator(place, (operator, operand), operators).await?);
            }
            Ok(match parts.len() {
                1 => parts.remove(0),
                _ => object("$and", Value::Array(parts)),
            })
        })
    }

    async fn equality(&self, place: Place<'_>, value: &Value) -> ApiResult<Value> {
        match place.inner {
            "" | "_id" if value == &Value::Null => Ok(object(place.stored, nothing())),
            "" | "_id" => Ok(object(place.stored, reference(value))),
            inner => self.holds(place, object(inner, value.clone()), value == &Value::Null).await,
        }
    }

    async fn operator(
        &self,
        place: Place<'_>,
        (operator, operand): (&str, &Value),
        all: &Object,
    ) -> ApiResult<Value> {
        if operator == "$not" {
            let inner = self.condition(place, operand).await?;
            return Ok(object("$nor", Value::Array(vec![inner])));
        }
        if matches!(place.inner, "" | "_id")
            && let Some(compared) = with_nothing(operator, operand)
        {
            return Ok(object(place.stored, compared));
        }
        match place.inner {
            "" => self.of_reference(place, (operator, operand)).await,
            "_id" if operator == "$exists" => {
                let first = format!("{}.0", place.lookup.field);
                let path = if place.stored == place.lookup.field { &first } else { place.stored };
                Ok(object(path, object(operator, operand.clone())))
            }
            "_id" => Ok(object(place.stored, object(operator, reference(operand)))),
            inner => self.of_document(place, inner, (operator, operand), all).await,
        }
    }

    /// A condition on the references themselves.
    async fn of_reference(
        &self,
        place: Place<'_>,
        (operator, operand): (&str, &Value),
    ) -> ApiResult<Value> {
        let inner = match operand {
            Value::Object(inner) if operator == "$elemMatch" && operators_of(operand).is_none() => {
                inner
            }
            _ => return Ok(object(place.stored, object(operator, reference(operand)))),
        };
        if let (1, Some(by_id)) = (inner.len(), inner.get("_id")) {
            let condition = match operators_of(by_id) {
                Some(_) => by_id.clone(),
                None => object("$eq", by_id.clone()),
            };
            return Ok(object(place.stored, object("$elemMatch", condition)));
        }
        for (path, _) in inner {
            self.check_inner(place, path)?;
        }
        let inner: Object = inner
            .iter()
            .map(|(path, value)| {
                (path.clone(), if path == "_id" { ids_of(value) } else { value.clone() })
            })
            .collect();
        self.holds(place, Value::Object(inner), false).await
    }

    /// A condition on what looked-up documents hold.
    async fn of_document(
        &self,
        place: Place<'_>,
        inner: &str,
        (operator, operand): (&str, &Value),
        all: &Object,
    ) -> ApiResult<Value> {
        let opposite = match (operator, operand) {
            ("$ne", _) => Some(object("$eq", operand.clone())),
            ("$nin", _) => Some(object("$in", operand.clone())),
            ("$exists", operand) if !is_true(operand) => Some(object("$exists", Value::Bool(true))),
            _ => None,
        };
        if let Some(opposite) = opposite {
            let inner = self.condition(place, &opposite).await?;
            return Ok(object("$nor", Value::Array(vec![inner])));
        }
        if let ("$all", Value::Array(each)) = (operator, operand) {
            let mut parts = Vec::with_capacity(each.len());
            for one in each {
                parts.push(self.condition(place, one).await?);
            }
            return Ok(object("$and", Value::Array(parts)));
        }
        if operator != "$exists" && !POSITIVE.contains(&operator) {
            return Err(refused(
                place,
                &format!("{operator} cannot be asked of looked-up documents"),
            ));
        }
        let mut condition = Object::new();
        condition.insert(operator, operand.clone());
        if let ("$regex", Some(options)) = (operator, all.get("$options")) {
            condition.insert("$options", options.clone());
        }
        let takes_null = match (operator, operand) {
            ("$eq" | "$gte" | "$lte", Value::Null) => true,
            ("$in", Value::Array(list)) => list.contains(&Value::Null),
            _ => false,
        };
        self.holds(place, object(inner, Value::Object(condition)), takes_null).await
    }

    /// That an element refers to a document that a filter finds; or that there is none, where nothing is as good.
    async fn holds(&self, place: Place<'_>, inner: Value, or_none: bool) -> ApiResult<Value> {
        let Value::Object(inner) = inner else {
            return Err(refused(place, "it must be compared with a value"));
        };
        for (path, _) in &inner {
            self.check_inner(place, path)?;
        }
        let ids = self.ask(place, inner).await?;
        let found = object(place.stored, object("$in", Value::Array(ids)));
        if !or_none {
            return Ok(found);
        }
        let none = object(place.stored, Value::Null);
        Ok(object("$or", Value::Array(vec![found, none])))
    }

    /// Refuses what embedded documents do not have.
    fn check_inner(&self, place: Place<'_>, path: &str) -> ApiResult<()> {
        let (first, _, rest) = parts(path);
        if is_left_out(first) {
            return Err(refused(place, "looked-up documents have no system fields but `_id`"));
        }
        let target = self.session.fields(&place.lookup.collection);
        let deeper = relations(target.as_deref(), FieldType::Lookup);
        if !rest.is_empty() && deeper.iter().any(|lookup| lookup.field == first) {
            return Err(refused(place, "lookups are embedded one level deep"));
        }
        Ok(())
    }

    /// The ids of the referred documents that a filter finds, as far as the caller may read them.
    async fn ask(&self, place: Place<'_>, inner: Object) -> ApiResult<Vec<Value>> {
        if self.questions.fetch_add(1, Ordering::Relaxed) >= QUESTIONS_MAX {
            let what = format!("more than {QUESTIONS_MAX} conditions are on looked-up documents");
            return Err(refused(place, &what));
        }
        self.patience.check(self.session)?;
        let (session, target) = (self.session, place.lookup.collection.as_str());
        let may = session.may_embed(target) && session.covers_reading(&[target]);
        if !may || session.engine().snapshot().collection(target).is_none() {
            return Ok(Vec::new());
        }
        let inner = Session::typed(session.fields(target).as_deref(), inner);
        let max = session.engine().limits().query_in_values as usize;
        let found = listed(session, target, &inner, max.saturating_add(1)).await?;
        if found.len() > max {
            let what = format!(
                "more than {max} documents of `{target}` match (limits.query_in_values); ask for fewer of them"
            );
            return Err(refused(place, &what));
        }
        let id = |document: &bytes::Bytes| Some(Raw::trusted(document).get("_id")?.to_value());
        Ok(found.iter().filter_map(id).collect())
    }
}

/// What a lookup is that refers to nothing: missing, null, or an empty list.
fn nothing() -> Value {
    object("$in", Value::Array(vec![Value::Null, Value::Array(Vec::new())]))
}

/// The comparison with null, among others, as one with what refers to nothing; `None`: null is not among them.
fn with_nothing(operator: &str, operand: &Value) -> Option<Value> {
    let listed = match (operator, operand) {
        ("$eq" | "$ne", Value::Null) => Vec::new(),
        ("$in" | "$nin", Value::Array(list)) if list.contains(&Value::Null) => {
            list.iter().map(reference).collect()
        }
        _ => return None,
    };
    let nothing = [Value::Null, Value::Array(Vec::new())];
    let all: Vec<Value> = listed.into_iter().chain(nothing).collect();
    let operator = if matches!(operator, "$eq" | "$in") { "$in" } else { "$nin" };
    Some(object(operator, Value::Array(all)))
}

fn refused(place: Place<'_>, what: &str) -> ApiError {
    let path: String = place.path.chars().take(100).collect();
    let message = format!("q: `{path}` is in a lookup: {what}");
    ApiError::bad_request("invalid_parameter", message).with("parameter", "q")
}
