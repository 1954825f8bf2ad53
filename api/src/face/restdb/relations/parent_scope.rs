//! A list of children: the documents of a collection that name a parent, its collection and its field.
//!
//! Guarantees: it exists only where the caller may read the parent, and where the parent's collection has the field. A child
//! of another parent is not in it.

use headwater_engine::fields::{FieldType, Fields};
use headwater_engine::value::{Object, Raw, Value, object_id};

use super::{Relation, relations};
use crate::error::{ApiError, ApiResult};
use crate::face::restdb::query::object;
use crate::session::{At, Held, Session, has};

pub(super) const PARENT_ID: &str = "_parent_id";
const PARENT_DEF: &str = "_parent_def";
const PARENT_FIELD: &str = "_parent_field";
/// What a child says of its parent.
pub(super) const MEMBERS: [&str; 3] = [PARENT_ID, PARENT_DEF, PARENT_FIELD];

/// The children of one parent under one field.
#[derive(Clone, Debug)]
pub(in crate::face::restdb) struct ParentScope {
    /// The collection of the children.
    pub(in crate::face::restdb) collection: String,
    /// The parent's id, in the forms in which a child may hold it; the first is the one that is written.
    parent: Vec<Value>,
    def: String,
    field: String,
}

impl ParentScope {
    /// The list at a path.
    pub(in crate::face::restdb) async fn find(
        session: &Session,
        collection: &str,
        (id, field): (&str, &str),
    ) -> ApiResult<Self> {
        let fields = session.existing(collection)?;
        let relation = relation(session, (collection, fields.as_deref()), field)?;
        let parent = session.get(collection, id, At::Now).await?;
        let id = Raw::trusted(&parent.body).get("_id").unwrap_or(Raw::NULL);
        Ok(Self {
            collection: relation.collection,
            parent: forms(id),
            def: collection.to_owned(),
            field: relation.field,
        })
    }

    /// Which documents of the children's collection are in it.
    pub(in crate::face::restdb) fn filter(&self) -> Object {
        filter(&self.def, &self.field, self.parent.clone())
    }

    /// What a child has and keeps.
    pub(in crate::face::restdb) fn held(&self) -> Vec<Held> {
        let text = |text: &str| vec![Value::from(text).to_bytes()];
        let ids = self.parent.iter().map(Value::to_bytes).collect();
        vec![(PARENT_ID, ids), (PARENT_DEF, text(&self.def)), (PARENT_FIELD, text(&self.field))]
    }

    /// Refuses a document that is not in it.
    pub(in crate::face::restdb) fn check(&self, document: Raw<'_>, id: &str) -> ApiResult<()> {
        if has(document, &self.held()) {
            return Ok(());
        }
        Err(self.no_child(id))
    }

    /// That a child is not there.
    pub(in crate::face::restdb) fn no_child(&self, id: &str) -> ApiError {
        let shown: String = id.chars().take(100).collect();
        let message = format!("`{}` of the document has no child with the _id {shown}", self.field);
        ApiError::not_found("document_not_found", message)
    }

    /// A document as a child in it, whatever it said of a parent.
    pub(in crate::face::restdb) fn adopt(&self, document: Object) -> Object {
        let mut child = without_parent(document);
        child.insert(PARENT_ID, self.parent.first().cloned().unwrap_or_default());
        child.insert(PARENT_DEF, self.def.as_str());
        child.insert(PARENT_FIELD, self.field.as_str());
        child
    }

    /// The body of an update without what it says of a parent, also in operators.
    pub(in crate::face::restdb) fn without_parent(body: Object) -> Object {
        let operator = |(name, value): (String, Value)| match value {
            Value::Object(fields) if name.starts_with('$') => {
                let fields = without_parent(fields);
                (!fields.is_empty()).then_some((name, Value::Object(fields)))
            }
            value => Some((name, value)),
        };
        without_parent(body).into_iter().filter_map(operator).collect()
    }
}

/// The filter of the children of some parents.
pub(super) fn filter(def: &str, field: &str, parents: Vec<Value>) -> Object {
    let mut filter = Object::new();
    filter.insert(PARENT_ID, object("$in", Value::Array(parents)));
    filter.insert(PARENT_DEF, def);
    filter.insert(PARENT_FIELD, field);
    filter
}

/// An id in the forms in which children may hold it: JSON has no ObjectIds.
pub(super) fn forms(id: Raw<'_>) -> Vec<Value> {
    let own = id.to_value();
    match id.as_object_id() {
        Some(object_id) => vec![Value::String(object_id::format(&object_id)), own],
        None => vec![own],
    }
}

/// The collection of the children at a path; `None` where the path names none.
pub(in crate::face::restdb) fn child_collection(fields: &Fields, field: &str) -> Option<String> {
    let found = fields.get(field).filter(|found| found.kind == FieldType::Child)?;
    found.collection.clone()
}

fn relation(
    session: &Session,
    (collection, fields): (&str, Option<&Fields>),
    field: &str,
) -> ApiResult<Relation> {
    let shows = session.shows_field(collection, field);
    let children = relations(fields, FieldType::Child);
    let found = children.into_iter().find(|relation| shows && relation.field == field);
    found.ok_or_else(|| {
        let shown: String = field.chars().take(100).collect();
        let is_other = shows && fields.is_some_and(|fields| fields.get(field).is_some());
        let message = if is_other {
            format!("the field `{shown}` of `{collection}` is not of the type child")
        } else {
            format!("`{collection}` has no field `{shown}` of the type child")
        };
        ApiError::not_found("field_not_found", message).with("field", shown)
    })
}

fn without_parent(body: Object) -> Object {
    let stays = |(path, _): &(String, Value)| {
        let top = path.split('.').next().unwrap_or_default();
        !MEMBERS.contains(&top)
    };
    body.into_iter().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: &[(&str, Value)]) -> Object {
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn updates_say_nothing_of_a_parent() {
        let set = object(&[("_parent_id", "x".into()), ("a", "y".into())]);
        let unset = object(&[("_parent_def", "".into())]);
        let body = object(&[
            ("_parent_field", "f".into()),
            ("b", Value::Null),
            ("$set", Value::Object(set)),
            ("$unset", Value::Object(unset)),
        ]);
        let left = ParentScope::without_parent(body);
        let names: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "$set"]);
        assert_eq!(left.get("$set").unwrap().as_object().unwrap().len(), 1);
    }
}
