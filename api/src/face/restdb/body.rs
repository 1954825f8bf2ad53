//! Bodies: JSON, whatever the content type says, a form, whose values are texts, or rows.
//!
//! Guarantees: the limits of every face hold; an empty body can be told from an empty object.
//! Leaves to others: what the members mean.

use axum::body::Body;
use axum::extract::FromRequest;
use headwater_engine::value::json::Parsed;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Engine, Error, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use serde_json::Map;

use super::markup::Markup;
use super::{duplicate_members, export, import};
use crate::error::{ApiError, ApiResult};
use crate::extract::Payload;
use crate::state::App;
use import::Rows;

/// The body of a request.
pub(super) struct Sent {
    payload: Payload,
    /// Where it is rows.
    rows: Option<import::Format>,
}

/// What a body holds.
pub(super) enum Documents {
    /// One object.
    One(Object),
    /// An array of objects.
    Many(Vec<Object>),
}

impl FromRequest<App> for Sent {
    type Rejection = ApiError;

    async fn from_request(mut request: Request<Body>, app: &App) -> ApiResult<Self> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
        let kind = kind.unwrap_or_default();
        let suffix = request.extensions().get::<Markup>().copied();
        let rows = match suffix {
            Some(Markup::Export(export::Format::Csv)) => Some(import::Format::Csv),
            Some(Markup::Export(export::Format::Lines)) => Some(import::Format::Lines),
            _ => import::Format::of_content_type(&kind),
        };
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        // Clients send JSON under many names, and some under none.
        if !kind.starts_with("multipart/") {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        let mut payload = Payload::from_request(request, app).await?;
        // Some libraries name a form where they send JSON.
        if is_form && !looks_like_json(&payload.bytes) {
            payload.bytes = form(&payload.bytes).into();
        }
        Ok(Self { payload, rows })
    }
}

impl Sent {
    /// Whether nothing was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.payload.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// The rows of the body, where it has rows, as documents of a collection.
    pub(super) async fn rows(&self, engine: &Engine, collection: &str) -> ApiResult<Option<Rows>> {
        let Some(format) = self.rows else { return Ok(None) };
        let known = engine.snapshot().collection(collection);
        let fields = known.and_then(|known| known.fields.clone());
        let (bytes, held) = (self.payload.bytes.clone(), engine.clone());
        let read = move || Ok(import::read(format, &bytes, fields.as_deref(), held.limits()));
        crate::session::blocking(engine, read).await?.map(Some)
    }

    /// One object; nothing sent is an empty one.
    pub(super) async fn object(&self, engine: &Engine) -> ApiResult<Object> {
        if self.is_empty() {
            return Ok(Object::new());
        }
        let read = match self.payload.document(engine).await {
            Err(error) => self.without_duplicate_members(error)?.document(engine).await,
            read => read,
        };
        object(&read?)
    }

    /// One object, or an array of them.
    pub(super) async fn documents(&self, engine: &Engine) -> ApiResult<Documents> {
        if self.is_empty() {
            return Err(ApiError::bad_request(
                "empty_body",
                "the body is empty: it must be an object",
            ));
        }
        let read = match self.payload.documents(engine).await {
            Err(error) => self.without_duplicate_members(error)?.documents(engine).await,
            read => read,
        };
        match read? {
            Parsed::One(one) => object(&one).map(Documents::One),
            Parsed::Many(many) => {
                many.iter().map(|one| object(one)).collect::<ApiResult<_>>().map(Documents::Many)
            }
        }
    }

    /// The same body with the last of several members of a name, where an error is about that; the error otherwise.
    fn without_duplicate_members(&self, error: Error) -> Result<Payload> {
        let bytes = duplicate_members::dropped(&self.payload.bytes, error)?;
        Ok(Payload { bytes: bytes.into(), ..self.payload.clone() })
    }

    /// An array of ids; `None` where nothing was sent.
    pub(super) async fn ids(&self, engine: &Engine) -> ApiResult<Option<Vec<Value>>> {
        if self.is_empty() {
            return Ok(None);
        }
        match Raw::trusted(&self.payload.value(engine).await?).to_value() {
            Value::Array(ids) => Ok(Some(ids)),
            Value::Object(empty) if empty.is_empty() => Ok(None),
            _ => Err(ApiError::bad_request("invalid_body", "the body must be an array of ids")),
        }
    }
}

fn object(encoded: &[u8]) -> ApiResult<Object> {
    match Raw::trusted(encoded).to_value() {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::bad_request("not_an_object", "the body must be an object")),
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A form as JSON text: a name that comes more than once has an array.
fn form(bytes: &[u8]) -> Vec<u8> {
    let mut members: Map<String, serde_json::Value> = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        let value = serde_json::Value::from(value.into_owned());
        match members.get_mut(name.as_ref()) {
            None => drop(members.insert(name.into_owned(), value)),
            Some(serde_json::Value::Array(several)) => several.push(value),
            Some(first) => *first = serde_json::Value::Array(vec![first.take(), value]),
        }
    }
    if members.is_empty() {
        return Vec::new();
    }
    serde_json::Value::Object(members).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_texts() {
        let text = |form: Vec<u8>| String::from_utf8(form).unwrap();
        assert_eq!(text(form(b"a=1&b=x+y&b=%7B")), r#"{"a":"1","b":["x y","{"]}"#);
        assert_eq!(text(form(b"")), "");
        assert!(looks_like_json(b" {\"a\":1}") && !looks_like_json(b"a=1"));
    }
}
