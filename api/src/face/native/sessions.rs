//! Sessions of users: `/v1/sessions`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::response::Response;
use headwater_engine::value::Raw;
use http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::body::Members;
use super::documents::mark_repeated;
use super::list;
use super::users::required_text;
use crate::audit::Entry;
use crate::auth::SESSION_COOKIE;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Parameters, Payload, Submission};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{
    Begun, Client, Session, begin_anonymous, cookie_seconds, log_in, refresh as refresh_session,
};
use crate::state::App;

/// The routes of sessions.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/sessions";
    const OWN: Needs = Needs::Credential;
    Routes::new()
        .add("get", ALL, OWN, all)
        .add("post", ALL, Needs::Nothing, begin)
        .add("post", "/v1/sessions/anonymous", Needs::Nothing, anonymous)
        .add("post", "/v1/sessions/refresh", Needs::Nothing, refresh)
        .add("delete", "/v1/sessions/{id}", OWN, end)
}

impl FromRequestParts<App> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<Caller>().map(Caller::address);
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self { address, agent: agent.map(str::to_owned) })
    }
}

async fn all(session: Session, parameters: Parameters) -> ApiResult {
    let (user, cursor) = (parameters.get("user"), parameters.get("cursor"));
    let page = session.sessions(user, cursor, parameters.limit()?).await?;
    Ok(list::page("sessions", page))
}

async fn begin(State(app): State<App>, client: Client, payload: Payload) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let members = Members::of(Raw::trusted(&body), "a session", &["email", "password"])?;
    let email = required_text(&members, "email")?;
    let password = required_text(&members, "password")?.to_owned();
    let people = app.access.people();
    let address = client.address;
    let begun = log_in(&app.engine, people, email, password, client).await?;
    note_login(&app, &begun, "login", address);
    Ok(with_cookie(&begun, people.options.session_seconds))
}

async fn anonymous(State(app): State<App>, client: Client) -> ApiResult {
    let people = app.access.people();
    let address = client.address;
    let begun = begin_anonymous(&app.engine, people, client).await?;
    note_login(&app, &begun, "login.anonymous", address);
    Ok(with_cookie(&begun, people.options.session_seconds))
}

async fn refresh(State(app): State<App>, headers: HeaderMap, payload: Payload) -> ApiResult {
    let body = payload.document(&app.engine).await?;
    let members = Members::of(Raw::trusted(&body), "a refresh", &["refresh_token"])?;
    let token = required_text(&members, "refresh_token")?;
    let begun = refresh_session(&app.engine, app.access.people(), token).await?;
    let mut response = reply::value(StatusCode::OK, begun.position, &begun.shown());
    // A browser's cookie lives on as long as its session does.
    if let Some(cookie) = session_cookie(&headers)
        && let Some(seconds) = cookie_seconds(&app.engine, cookie)
    {
        set_cookie(&mut response, cookie, seconds);
    }
    Ok(response)
}

async fn end(
    session: Session,
    Path(id): Path<String>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let is_own = id == "current" || session.principal().session.as_deref() == Some(&*id);
    let committed = session.end_session(&id, key).await?;
    let body = json!({"deleted": 1, "position": committed.position});
    let mut response = reply::value(StatusCode::OK, committed.position, &body);
    if is_own {
        set_cookie(&mut response, "", 0);
    }
    Ok(mark_repeated(response, &committed))
}

/// Puts a login into the audit trail. One that fails is there as a refusal.
fn note_login(app: &App, begun: &Begun, action: &str, address: Option<IpAddr>) {
    let user: Option<Arc<str>> = begun.shown()["user"]["id"].as_str().map(Arc::from);
    let (action, actor) = (action.to_owned(), user.clone());
    app.audit.note(Entry { action, actor, user, address, ..Entry::default() });
}

fn with_cookie(begun: &Begun, seconds: u64) -> Response {
    let mut response = reply::value(StatusCode::CREATED, begun.position, &begun.shown());
    if let Some(cookie) = &begun.cookie {
        set_cookie(&mut response, cookie, seconds);
    }
    response
}

fn set_cookie(response: &mut Response, cookie: &str, seconds: u64) {
    let text = format!(
        "{SESSION_COOKIE}={cookie}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age={seconds}"
    );
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == SESSION_COOKIE).map(|(_, value)| value.trim())
}
