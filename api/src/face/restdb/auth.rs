//! `/auth`: who a caller is, tokens for the users of a program, and new tokens for old ones.
//!
//! Guarantees: a member that is wrong is named; only full access has tokens signed.
//! Leaves to others: signing and keeping (the session, the access layer).

mod duration;

use axum::extract::State;
use headwater_engine::value::{Object, Raw, Value as Encoded, date};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::body::Sent;
use crate::auth::Wanted;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Client, Pair, Session, go_on, to_json};
use crate::state::App;

/// How long a token lives that is not told, seconds.
const SECONDS: u64 = 3600;
/// The members that ask for a token.
const MEMBERS: [&str; 7] =
    ["secret", "algorithm", "issuer", "audience", "subject", "expiresIn", "payload"];
/// The claims that the server makes.
const OWN_CLAIMS: [&str; 3] = ["iat", "exp", "jti"];
/// The members of a user that no field of its data takes the place of.
const OF_USER: [&str; 5] = ["_id", "email", "roles", "_created", "_changed"];

/// The routes of `/auth`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("get", "/auth/userinfo", Needs::Credential, userinfo)
        .add("post", "/auth/jwt", Needs::FullAccess, issue)
        .add("post", "/auth/token", Needs::Nothing, refresh)
}

async fn userinfo(session: Session) -> ApiResult {
    let Some((user, row, position)) = session.user_behind()? else {
        let message = "no user of this server stands behind the credential";
        return Err(ApiError::not_found("user_not_found", message));
    };
    let at = |ms: u64| json!(date::format_ms(i64::try_from(ms).unwrap_or(i64::MAX)));
    let mut shown = Map::new();
    shown.insert("_id".to_owned(), json!(user.shown_id()));
    shown.insert("email".to_owned(), json!(user.email));
    shown.insert("roles".to_owned(), json!(user.roles));
    for (name, value) in user.data.iter().chain(user.profile.iter()) {
        if !OF_USER.contains(&name.as_str()) && !shown.contains_key(name) {
            shown.insert(name.clone(), plain(value));
        }
    }
    shown.insert("_created".to_owned(), at(row.created_ms()));
    shown.insert("_changed".to_owned(), at(row.changed_ms()));
    Ok(reply::value(StatusCode::OK, position, &Value::Object(shown)))
}

async fn issue(session: Session, State(app): State<App>, sent: Sent) -> ApiResult {
    let wanted = wanted(&sent.object(session.engine()).await?)?;
    session.sign_token(&app.access, &wanted).await.map(answer)
}

async fn refresh(State(app): State<App>, client: Client, sent: Sent) -> ApiResult {
    let body = sent.object(&app.engine).await?;
    known(&body, &["refresh", "code"])?;
    if body.get("code").is_some() {
        let message = "`code`: codes are not supported; send `refresh`";
        return Err(refused("code", message));
    }
    let token =
        text(&body, "refresh")?.ok_or_else(|| refused("refresh", "`refresh` is missing"))?;
    go_on(&app.engine, &app.access, &token, client.address).await.map(answer)
}

fn answer(pair: Pair) -> axum::response::Response {
    let body = json!({"jwt": pair.token, "refresh": pair.refresh});
    reply::value(StatusCode::OK, pair.position, &body)
}

/// What a body asks for.
fn wanted(body: &Object) -> Result<Wanted, ApiError> {
    known(body, &MEMBERS)?;
    let secret = text(body, "secret")?.ok_or_else(|| {
        refused("secret", "`secret` is missing: the name of a provider of /v1/auth/providers")
    })?;
    let mut claims = match present(body, "payload") {
        None => Map::new(),
        Some(payload) => match plain(payload) {
            Value::Object(claims) => claims,
            _ => return Err(refused("payload", "`payload` must be an object of claims")),
        },
    };
    if let Some(name) = OWN_CLAIMS.into_iter().find(|name| claims.contains_key(*name)) {
        let message = format!("`payload.{name}` is made by the server; give `expiresIn`");
        return Err(refused("payload", message));
    }
    for (member, claim) in [("issuer", "iss"), ("audience", "aud"), ("subject", "sub")] {
        let Some(value) = given(body, member)? else { continue };
        if claims.contains_key(claim) {
            let message = format!("`{member}` and `payload.{claim}` are both given: give one");
            return Err(refused(member, message));
        }
        claims.insert(claim.to_owned(), value);
    }
    let seconds = match present(body, "expiresIn") {
        None => SECONDS,
        Some(value) => duration::seconds(&plain(value)).ok_or_else(|| {
            let message = "`expiresIn` must be a number of seconds or a text as \"1h\" or \"2 days\", of 1 second to 366 days";
            refused("expiresIn", message)
        })?,
    };
    let algorithm = text(body, "algorithm")?;
    Ok(Wanted { provider: secret, provider_at: 0, algorithm, seconds, claims })
}

/// A registered claim: a text; an audience may be a list of them.
fn given(body: &Object, member: &'static str) -> Result<Option<Value>, ApiError> {
    let Some(value) = present(body, member) else { return Ok(None) };
    match plain(value) {
        Value::Array(list) if member == "audience" && list.iter().all(Value::is_string) => {
            Ok(Some(Value::Array(list)))
        }
        value if value.as_str().is_some_and(|text| !text.is_empty()) => Ok(Some(value)),
        _ => Err(refused(member, format!("`{member}` must be a text"))),
    }
}

fn text(body: &Object, member: &'static str) -> Result<Option<String>, ApiError> {
    match present(body, member) {
        None => Ok(None),
        Some(value) => match value.as_str().filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(refused(member, format!("`{member}` must be a text"))),
        },
    }
}

/// A member that is there and not null.
fn present<'a>(body: &'a Object, member: &str) -> Option<&'a Encoded> {
    body.get(member).filter(|value| **value != Encoded::Null)
}

fn known(body: &Object, members: &[&'static str]) -> Result<(), ApiError> {
    let Some((name, _)) = body.iter().find(|(name, _)| !members.contains(&name.as_str())) else {
        return Ok(());
    };
    let name: String = name.chars().take(100).collect();
    let message = format!("`{name}` is not known here: {}", members.join(", "));
    Err(ApiError::bad_request("unknown_member", message).with("member", name))
}

fn plain(value: &Encoded) -> Value {
    to_json(Raw::trusted(&value.to_bytes()))
}

fn refused(member: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::bad_request("invalid_token_request", message).with("member", member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json as encoded;

    fn read(text: &str) -> Result<Wanted, String> {
        let bytes = encoded::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let Encoded::Object(body) = Raw::trusted(&bytes).to_value() else { panic!("{text}") };
        wanted(&body).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let all = read(
            r#"{"secret":"jwt.own","algorithm":"HS512","issuer":"i","audience":["a","b"],"subject":"s","expiresIn":"1h","payload":{"email":"e"}}"#,
        );
        let all = all.unwrap();
        assert_eq!((&*all.provider, all.algorithm.as_deref()), ("jwt.own", Some("HS512")));
        assert_eq!(all.seconds, 3600);
        let claims = json!({"email": "e", "iss": "i", "aud": ["a", "b"], "sub": "s"});
        assert_eq!(Value::Object(all.claims), claims);
        let least = read(r#"{"secret":"own","payload":null}"#).unwrap();
        assert_eq!((least.seconds, least.claims.len(), least.algorithm), (3600, 0, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, member) in [
            ("{}", "`secret`"),
            (r#"{"secret":1}"#, "`secret`"),
            (r#"{"secret":""}"#, "`secret`"),
            (r#"{"secret":"a","algorithm":7}"#, "`algorithm`"),
            (r#"{"secret":"a","issuer":[]}"#, "`issuer`"),
            (r#"{"secret":"a","audience":[1]}"#, "`audience`"),
            (r#"{"secret":"a","subject":{}}"#, "`subject`"),
            (r#"{"secret":"a","expiresIn":"soon"}"#, "`expiresIn`"),
            (r#"{"secret":"a","expiresIn":0}"#, "`expiresIn`"),
            (r#"{"secret":"a","payload":[]}"#, "`payload`"),
            (r#"{"secret":"a","payload":{"exp":1}}"#, "`payload.exp`"),
            (r#"{"secret":"a","subject":"s","payload":{"sub":"t"}}"#, "`payload.sub`"),
            (r#"{"secret":"a","expires_in":1}"#, "`expires_in`"),
        ] {
            let refused = read(body).unwrap_err();
            assert!(refused.contains(member), "{body}: {refused}");
        }
    }
}
