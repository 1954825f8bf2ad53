//! Users: `/v1/users`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequestParts, Path, State};
use headwater_engine::value::{Raw, Value};
use http::StatusCode;
use http::request::Parts;
use serde_json::json;

use super::body::Members;
use super::documents::mark_repeated;
use super::list;
use crate::audit::Entry;
use crate::auth::people::user::checked_email;
use crate::auth::{Access, SignUp};
use crate::caller::Caller as Asking;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Payload, Submission, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Asker, Session, UserChanges, begin_reset, confirm_reset, sign_up};
use crate::state::App;

/// What full access sets of a user.
const MEMBERS: [&str; 7] =
    ["email", "email_verified", "password", "data", "profile", "roles", "disabled"];

/// The routes of users.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/users";
    const ONE: &str = "/v1/users/{id}";
    const OWN: Needs = Needs::Credential;
    const OPEN: Needs = Needs::Nothing;
    Routes::new()
        .add("get", ALL, Needs::FullAccess, all)
        .add("post", ALL, OPEN, create)
        .add("get", ONE, OWN, get)
        .add("patch", ONE, OWN, change)
        .add("delete", ONE, Needs::FullAccess, remove)
        .add("post", "/v1/users/me/password", Needs::Credential, password)
        .add("post", "/v1/users/reset", Needs::Nothing, reset)
        .add("post", "/v1/users/reset/confirm", Needs::Nothing, confirm)
}

/// Who asks, where that need not be anybody. What is presented must be valid all the same.
pub(super) struct Caller(Option<Session>);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if !Access::is_presented(parts)? {
            return Ok(Self(None));
        }
        Session::from_request_parts(parts, app).await.map(|session| Self(Some(session)))
    }
}

async fn all(session: Session, parameters: Parameters) -> ApiResult {
    let page = session.users(parameters.get("cursor"), parameters.limit()?).await?;
    Ok(list::page("users", page))
}

async fn create(
    State(app): State<App>,
    Extension(asking): Extension<Asking>,
    Caller(caller): Caller,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let people = app.access.people();
    let is_somebody = caller.is_some();
    let full = caller.filter(|session| session.full_access().is_ok());
    let is_open = people.options.sign_up == SignUp::Open;
    if full.is_none() && !is_open {
        if !is_somebody {
            return Err(ApiError::unauthorized("no credential was presented"));
        }
        return Err(ApiError::forbidden("users are made with full access alone (auth.sign_up)"));
    }
    let body = payload.document(&app.engine).await?;
    let (shown, committed) = match full {
        Some(session) => {
            let asked = read(Raw::trusted(&body), &MEMBERS)?;
            session.create_user(people, asked, key).await?
        }
        None => {
            let asked = read(Raw::trusted(&body), &["email", "password", "profile"])?;
            if asked.email.as_ref().is_none_or(Option::is_none) {
                return Err(invalid("email", "given"));
            }
            if asked.password.as_ref().is_none_or(Option::is_none) {
                return Err(invalid("password", "given"));
            }
            let signed_up = sign_up(&app.engine, people, asked, asking.address()).await?;
            note(&app, &asking, "user.signed_up", signed_up.0["id"].as_str());
            signed_up
        }
    };
    let response = reply::value(StatusCode::CREATED, committed.position, &shown);
    Ok(mark_repeated(response, &committed))
}

async fn get(session: Session, Path(id): Path<String>) -> ApiResult {
    let (user, position) = session.user(&id)?;
    Ok(reply::value(StatusCode::OK, position, &user))
}

async fn change(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let asked = read(Raw::trusted(&body), &MEMBERS)?;
    let (user, committed) = session.change_user(app.access.people(), &id, asked, key).await?;
    let response = reply::value(StatusCode::OK, committed.position, &user);
    Ok(mark_repeated(response, &committed))
}

async fn remove(
    session: Session,
    Path(id): Path<String>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let committed = session.delete_user(&id, key).await?;
    let body = json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

async fn password(State(app): State<App>, session: Session, payload: Payload) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let members = Members::of(Raw::trusted(&body), "a change of password", &["old", "new"])?;
    let text = |name: &'static str| required_text(&members, name).map(str::to_owned);
    let (old, new) = (text("old")?, text("new")?);
    let committed = session.change_own_password(app.access.people(), old, new).await?;
    app.audit.note(session.audit_entry("password.changed", Value::Null));
    let body = json!({"position": committed.position});
    Ok(reply::value(StatusCode::OK, committed.position, &body))
}

async fn reset(
    State(app): State<App>,
    Extension(asking): Extension<Asking>,
    Caller(caller): Caller,
    payload: Payload,
) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let members = Members::of(Raw::trusted(&body), "a reset", &["email"])?;
    let email = required_text(&members, "email")?;
    let full = caller.filter(|session| session.full_access().is_ok());
    let asker = match &full {
        Some(_) => Asker::FullAccess,
        None => Asker::Anybody(asking.address()),
    };
    let (token, position) = begin_reset(&app.engine, app.access.people(), email, asker)?;
    note(&app, &asking, "password.reset_asked", None);
    let body = match full {
        Some(_) => json!({
            "token": token.as_ref().map(|reset| &reset.token),
            "expires_at": token.as_ref().map(|reset| {
                let end = i64::try_from(reset.expires_ms).unwrap_or(i64::MAX);
                headwater_engine::value::date::format_ms(end)
            }),
        }),
        None => json!({}),
    };
    Ok(reply::value(StatusCode::ACCEPTED, position, &body))
}

async fn confirm(
    State(app): State<App>,
    Extension(asking): Extension<Asking>,
    payload: Payload,
) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let members = Members::of(Raw::trusted(&body), "a new password", &["token", "password"])?;
    let token = required_text(&members, "token")?;
    let password = required_text(&members, "password")?.to_owned();
    let committed =
        confirm_reset(&app.engine, app.access.people(), token, password, asking.address());
    let committed = committed.await?;
    note(&app, &asking, "password.reset", None);
    let body = json!({"position": committed.position});
    Ok(reply::value(StatusCode::OK, committed.position, &body))
}

/// Puts what somebody without a session did into the audit trail.
fn note(app: &App, asking: &Asking, action: &str, user: Option<&str>) {
    let user: Option<Arc<str>> = user.map(Arc::from);
    let (action, actor, address) = (action.to_owned(), user.clone(), Some(asking.address()));
    app.audit.note(Entry { action, actor, user, address, ..Entry::default() });
}

/// A text that must be there.
pub(super) fn required_text<'a>(members: &Members<'a>, name: &'static str) -> ApiResult<&'a str> {
    members.required(name)?.as_str().ok_or_else(|| invalid(name, "a text"))
}

/// Reads the body of a user that is made or changed. A null takes a member away.
fn read(body: Raw<'_>, known: &[&str]) -> ApiResult<UserChanges> {
    Members::of(body, "a user", known)?;
    let mut asked = UserChanges::default();
    for (name, value) in body.object_iter() {
        match name {
            "email" if value.is_null() => asked.email = Some(None),
            "email" => {
                let email = value.as_str().and_then(checked_email);
                let wanted = "an address of at most 320 bytes with one @ and no blanks";
                asked.email = Some(Some(email.ok_or_else(|| invalid("email", wanted))?));
            }
            "password" if value.is_null() => asked.password = Some(None),
            "password" => {
                let password = value.as_str().ok_or_else(|| invalid("password", "a text"))?;
                crate::auth::password::check_length(password, "password")?;
                asked.password = Some(Some(password.to_owned()));
            }
            "data" => asked.data = Some(object("data", value)?),
            "profile" => asked.profile = Some(object("profile", value)?),
            "roles" => {
                let wanted = || invalid("roles", "a list of names");
                let names = value.as_array().ok_or_else(wanted)?;
                let names = names.map(|name| name.as_str().map(str::to_owned));
                asked.roles = Some(names.collect::<Option<_>>().ok_or_else(wanted)?);
            }
            "email_verified" => asked.email_verified = Some(flag("email_verified", value)?),
            _ => asked.disabled = Some(flag("disabled", value)?),
        }
    }
    Ok(asked)
}

fn flag(name: &'static str, value: Raw<'_>) -> ApiResult<bool> {
    value.as_bool().ok_or_else(|| invalid(name, "true or false"))
}

fn object(name: &'static str, value: Raw<'_>) -> ApiResult<headwater_engine::value::Object> {
    match value.to_value() {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(headwater_engine::value::Object::new()),
        _ => Err(invalid(name, "an object")),
    }
}
