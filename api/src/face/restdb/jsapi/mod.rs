//! The JavaScript API: `/rest/_jsapi.js`, a client for browsers and Node with a class for each collection; its documentation,
//! `/rest/_jsapi.doc`; and `/assets/js/eventsource.min.js`, which RestDB.io's pages load before it.
//!
//! Guarantees: no credential is needed; names of collections and fields are texts in the script and in the page, whatever is
//! in them. What is told follows `restdb.public_schema`.
//! Leaves to others: what collections a caller may know of (the session).

mod page;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use headwater_engine::value::date;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::PREFIX;
use crate::router::{Needs, Routes};
use crate::session::{Readable, SchemaReader};
use crate::state::App;

/// The client, in which one name stands for the collections.
const CLIENT: &str = include_str!("jsapi.js");
const COLLECTIONS: &str = "__COLLECTIONS__";
/// What stands in for the polyfill.
const EVENTSOURCE: &str = include_str!("eventsource.js");
/// Where RestDB.io has it.
pub(super) const EVENTSOURCE_PATH: &str = "/assets/js/eventsource.min.js";

const SCRIPT: &str = "application/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The routes of the JavaScript API.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("get", "/rest/_jsapi.js", Needs::Nothing, script)
        .add("get", "/rest/_jsapi.doc", Needs::Nothing, documentation)
        .add("get", EVENTSOURCE_PATH, Needs::Nothing, eventsource)
}

async fn script(State(app): State<App>, reader: SchemaReader, headers: HeaderMap) -> Response {
    let text = client(&reader.collections(PREFIX));
    let day = today(&app);
    let database = &app.options.database;
    let comment = format!("/* Headwater, JavaScript API of the database {database}, {day} */\n");
    answer(SCRIPT, (&comment, text), reader.is_public(), &headers)
}

async fn documentation(
    State(app): State<App>,
    reader: SchemaReader,
    headers: HeaderMap,
) -> Response {
    let text = page::page(&app.options.database, &reader.collections(PREFIX));
    let mut response = answer(HTML, ("", text), reader.is_public(), &headers);
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

async fn eventsource(headers: HeaderMap) -> Response {
    answer(SCRIPT, ("", EVENTSOURCE.to_owned()), true, &headers)
}

/// The client with its collections.
fn client(collections: &[Readable]) -> String {
    let described: Vec<Value> = collections.iter().map(described).collect();
    CLIENT.replacen(COLLECTIONS, &in_script(&Value::Array(described)), 1)
}

/// What the client knows of a collection. Names are values, never names of members: `__proto__` would be no field.
fn described(collection: &Readable) -> Value {
    let fields = collection.fields.iter().map(|(name, definition)| {
        let mut field = json!({"name": name, "type": definition["type"]});
        if let Some(referred) = definition["collection"].as_str() {
            field["collection"] = Value::from(referred);
        }
        field
    });
    json!({"name": *collection.name, "fields": fields.collect::<Vec<_>>()})
}

/// A value as JavaScript that cannot end the script that it stands in, wherever that stands.
fn in_script(value: &Value) -> String {
    let mut out = String::new();
    for char in value.to_string().chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            other => out.push(other),
        }
    }
    out
}

fn today(app: &App) -> String {
    let now_ms = i64::try_from(app.engine.clock().now_ms()).unwrap_or_default();
    date::format_ms(now_ms).chars().take(10).collect()
}

/// A text that is kept, but asked for again each time; the comment in front of it may change without it.
fn answer(
    kind: &'static str,
    (comment, text): (&str, String),
    is_public: bool,
    asked: &HeaderMap,
) -> Response {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let tag = format!("\"{}\"", &digest.as_str()[..32]);
    let is_known = asked.get_all(IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default();
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
    });
    let body = if is_known { Body::empty() } else { Body::from(format!("{comment}{text}")) };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let cache = if is_public { "no-cache" } else { "private, no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if !is_public {
        headers.insert(VARY, HeaderValue::from_static("authorization, x-apikey"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_script() {
        let name = "</script><!--\"'\u{2028}\u{2029}\\";
        let text = in_script(&json!([name]));
        for outside in ["<", ">", "\u{2028}", "\u{2029}"] {
            assert!(!text.contains(outside), "{text}");
        }
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!([name]));
    }

    #[test]
    fn the_client_has_one_place_for_its_collections() {
        assert_eq!(CLIENT.matches(COLLECTIONS).count(), 1);
        assert!(!client(&[]).contains(COLLECTIONS));
    }
}
