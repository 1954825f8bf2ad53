//! Child documents: `/rest/{collection}/{id}/{field}` and `/rest/{collection}/{id}/{field}/{child}`.
//!
//! Guarantees: nothing but the children of that parent under that field is read, changed or deleted, and none of them gets
//! another parent here. The caller needs the right to read the parent, and on the children's collection the right to what it
//! does; a key whose paths cover the path needs none for the path of that collection.
//! Leaves to others: what a list, a document and a write are (`list`, `documents`, `deletions`).

use axum::Extension;
use axum::extract::{Path, State};

use super::body::Sent;
use super::markup::Markup;
use super::relations::{Base, ParentScope};
use super::{deletions, documents, list};
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::Parameters;
use crate::router::{Needs, Routes};
use crate::session::Session;
use crate::state::App;

/// The routes of children.
pub(super) fn routes() -> Routes {
    const MANY: &str = "/rest/{collection}/{id}/{field}";
    const ONE: &str = "/rest/{collection}/{id}/{field}/{child}";
    let needs = |acls| Needs::Collection(Action::Read, acls);
    Routes::new()
        .add("get", MANY, needs(&[Acl::Search]), list)
        .add("post", MANY, needs(&[Acl::Index, Acl::Bulk]), create)
        .add("get", ONE, needs(&[Acl::Get]), get)
        .add("put", ONE, needs(&[Acl::Index]), update)
        .add("patch", ONE, needs(&[Acl::Index]), update)
        .add("delete", ONE, needs(&[Acl::Delete]), delete)
}

/// Collection, id and field.
type Of = (String, String, String);
/// The same, and the child.
type One = (String, String, String, String);

async fn list(
    State(app): State<App>,
    session: Session,
    Path((collection, id, field)): Path<Of>,
    parameters: Parameters,
    base: Base,
    suffix: Option<Extension<Markup>>,
) -> ApiResult {
    let scope = ParentScope::find(&session, &collection, (&id, &field)).await?;
    let suffix = suffix.map(|Extension(markup)| markup);
    let fields = session.fields(&scope.collection);
    let place = (scope.collection.as_str(), fields.as_ref());
    list::answer(app, session, place, (&parameters, base, suffix), Some(&scope)).await
}

async fn create(
    session: Session,
    Path((collection, id, field)): Path<Of>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    let scope = ParentScope::find(&session, &collection, (&id, &field)).await?;
    let adopt = |document| scope.adopt(document);
    documents::create_in(&session, &scope.collection, (&parameters, &sent), adopt).await
}

async fn get(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    parameters: Parameters,
    base: Base,
) -> ApiResult {
    let scope = ParentScope::find(&session, &collection, (&id, &field)).await?;
    let fields = session.fields(&scope.collection);
    let place = (scope.collection.as_str(), fields.as_ref(), child.as_str());
    documents::get_in(session, place, (&parameters, base), Some(&scope)).await
}

async fn update(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    sent: Sent,
) -> ApiResult {
    let scope = ParentScope::find(&session, &collection, (&id, &field)).await?;
    documents::update_in(&session, (&scope.collection, &child), &sent, Some(&scope)).await
}

async fn delete(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    let scope = ParentScope::find(&session, &collection, (&id, &field)).await?;
    deletions::delete_in(&session, &child, (&parameters, &sent), &scope).await
}
