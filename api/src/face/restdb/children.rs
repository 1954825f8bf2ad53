//! Child documents: `/rest/{collection}/{id}/{field}` and `/rest/{collection}/{id}/{field}/{child}`.
//!
//! Guarantees: nothing but the children of that parent under that field is read, changed or deleted, and none of them gets
//! another parent here. The caller needs the right to read the parent, and on the children's collection the right to what it
//! does; a key whose paths cover the path needs none for the path of that collection.
//! Leaves to others: what a list, a document and a write are (`list`, `documents`).

use axum::Extension;
use axum::extract::Path;
use headwater_engine::value::Raw;
use http::StatusCode;

use super::body::Sent;
use super::documents::{self, Several};
use super::list;
use super::markup::Markup;
use super::relations::{Base, Home};
use super::writing;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::Parameters;
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::Session;

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
    session: Session,
    Path((collection, id, field)): Path<Of>,
    parameters: Parameters,
    base: Base,
    suffix: Option<Extension<Markup>>,
) -> ApiResult {
    let home = Home::find(&session, &collection, (&id, &field)).await?;
    let suffix = suffix.map(|Extension(markup)| markup);
    let fields = session.fields(&home.collection);
    let place = (home.collection.as_str(), fields.as_ref());
    list::answer(session, place, (&parameters, base, suffix), Some(&home)).await
}

async fn create(
    session: Session,
    Path((collection, id, field)): Path<Of>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    let home = Home::find(&session, &collection, (&id, &field)).await?;
    let adopt = |document| home.adopt(document);
    documents::create_in(&session, &home.collection, (&parameters, &sent), adopt).await
}

async fn get(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    parameters: Parameters,
    base: Base,
) -> ApiResult {
    let home = Home::find(&session, &collection, (&id, &field)).await?;
    let fields = session.fields(&home.collection);
    let place = (home.collection.as_str(), fields.as_ref(), child.as_str());
    documents::get_in(session, place, (&parameters, base), Some(&home)).await
}

async fn update(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    sent: Sent,
) -> ApiResult {
    let home = Home::find(&session, &collection, (&id, &field)).await?;
    documents::update_in(&session, (&home.collection, &child), &sent, Some(&home)).await
}

async fn delete(
    session: Session,
    Path((collection, id, field, child)): Path<One>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    let home = Home::find(&session, &collection, (&id, &field)).await?;
    let target = home.collection.as_str();
    session.check(target, Action::Delete)?;
    let held = home.filter().to_bytes();
    let removed = if child == documents::SEVERAL {
        match documents::several(&session, (&parameters, &sent)).await? {
            Several::Ids(ids) => session.remove(target, &ids, Some(&held)).await?,
            Several::Query(asking) => {
                let fields = session.fields(target);
                let asking =
                    documents::asked_of(&session, fields.as_deref(), *asking, Some(&home)).await?;
                let ids = documents::found(&session, target, &asking).await?;
                let only_if = asking.stored_filter().unwrap_or(held);
                session.remove(target, &ids, Some(&only_if)).await?
            }
        }
    } else {
        let id = session.stored_id(target, &child)?;
        let removed = session.remove(target, &[id], Some(&held)).await?;
        if removed.ids.is_empty() {
            return Err(home.no_child(&child));
        }
        removed
    };
    let ids = removed.ids.iter().map(|id| Raw::trusted(id));
    Ok(reply::json(StatusCode::OK, removed.position, writing::result(ids)))
}
