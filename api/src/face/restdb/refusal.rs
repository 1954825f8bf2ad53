//! Refusals: `{"message","name","status"}`, with a `list` where a document breaks a rule of its collection.
//!
//! Guarantees: only the statuses that clients of RestDB.io know, and that the contract names for this face: no credential is
//! 401, and so are one that has expired and the cookie of a session that is over; a key or token that does not stand is 403,
//! a broken rule 400.
//! Leaves to others: headers, the log and the trail (the outermost service).

use headwater_engine::index::IndexKind;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::relations::child_collection;
use crate::auth::Offered;
use crate::error::ApiError;
use crate::face::Refusal;
use crate::state::App;

/// Why a value that another document has is refused: programs show it to people.
const TAKEN: &str = "already exists";
/// The bodies that the face takes.
const MEDIA_TYPES: &str = "the content type must be application/json, application/x-www-form-urlencoded, text/csv or application/x-ndjson";

/// The refusal of a request with a path, which presented some sort of credential.
pub(crate) fn refusal(app: &App, error: &ApiError, path: &str, offered: Offered) -> Refusal {
    let details = error.details();
    // Which document of several, and which line of a file.
    let index = details.get("operation").or_else(|| details.get("index"));
    let index = index.filter(|index| index.is_u64());
    let place = [("index", index), ("line", details.get("line"))];
    let body = match (error.code(), details.get("violations")) {
        ("schema_violation", Some(Value::Array(violations))) => {
            let list = violations.iter().map(broken_rule).collect();
            return validation(list, place);
        }
        ("unique_violation", _) => {
            let field = unique_field(app, path, &details);
            return validation(vec![entry(&field, TAKEN, "UNIQUE")], place);
        }
        ("duplicate_id", _) => {
            return validation(vec![entry("_id", TAKEN, "UNIQUE")], place);
        }
        ("unsupported_media_type", _) => MEDIA_TYPES,
        _ => error.message(),
    };
    let status = status_of(error, offered);
    let mut body = json!({"message": body, "name": name_of(status), "status": status.as_u16()});
    if let Some(index) = index {
        body["index"] = index.clone();
    }
    Refusal { status, body: body.to_string().into_bytes() }
}

fn status_of(error: &ApiError, offered: Offered) -> StatusCode {
    match error.status() {
        StatusCode::UNAUTHORIZED => match error.code() {
            "credential_expired" => StatusCode::UNAUTHORIZED,
            "credential_revoked" | "user_disabled" => StatusCode::FORBIDDEN,
            _ if offered == Offered::Credential => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        },
        StatusCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::NOT_ACCEPTABLE,
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        StatusCode::PRECONDITION_FAILED => StatusCode::CONFLICT,
        StatusCode::INSUFFICIENT_STORAGE => StatusCode::SERVICE_UNAVAILABLE,
        status => status,
    }
}

/// The name of a status in one word.
fn name_of(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or("Error");
    reason.chars().filter(char::is_ascii_alphabetic).collect()
}

/// `place`: what the list is about, where there are several documents.
fn validation(mut list: Vec<Value>, place: [(&str, Option<&Value>); 2]) -> Refusal {
    for (name, number) in place {
        let Some(number) = number else { continue };
        list.iter_mut().for_each(|entry| entry[name] = number.clone());
    }
    let status = StatusCode::BAD_REQUEST;
    let body = json!({
        "message": "ValidationError",
        "name": "ValidationError",
        "status": status.as_u16(),
        "list": list,
    });
    Refusal { status, body: body.to_string().into_bytes() }
}

fn entry(field: &str, message: &str, code: &str) -> Value {
    json!({"field": field, "message": [message, code]})
}

/// A rule of a schema that a document breaks.
fn broken_rule(violation: &Value) -> Value {
    let text = |name: &str| violation[name].as_str().unwrap_or_default();
    let (path, message) = (text("path"), text("message"));
    match text("keyword") {
        "required" => entry(&missing(path, message), message, "REQUIRED"),
        "pattern" | "format" => entry(path, message, "REGEX"),
        "unique" => entry(path, message, "UNIQUE"),
        _ => entry(path, message, "TYPE"),
    }
}

/// The field that a message says is missing, where the path is that of what it is missing in.
fn missing(path: &str, message: &str) -> String {
    let named = message.rsplit('`').nth(1).unwrap_or_default();
    match (path, named) {
        ("", named) => named.to_owned(),
        (path, "") => path.to_owned(),
        (path, named) if path == named || path.ends_with(&format!(".{named}")) => path.to_owned(),
        (path, named) => format!("{path}.{named}"),
    }
}

/// The first field of the index that refused a document.
fn unique_field(app: &App, path: &str, details: &Map<String, Value>) -> String {
    let index = details.get("index").and_then(Value::as_str).unwrap_or_default();
    if let Some(field) = details.get("field").and_then(Value::as_str) {
        return field.to_owned();
    }
    let mut segments = path.split('/').skip(2);
    let collection = segments.next().unwrap_or_default();
    let collection = collection.split('.').next().unwrap_or_default();
    let snapshot = app.engine.snapshot();
    // Behind an id stands the field of a child.
    let child = segments.nth(1).zip(snapshot.collections().fields(collection));
    let child = child.and_then(|(field, fields)| child_collection(&fields, field));
    let number = snapshot.collections().number(child.as_deref().unwrap_or(collection));
    let found = number.and_then(|number| snapshot.indexes().get(number, index).cloned());
    match found.as_ref().map(|index| &index.definition.kind) {
        Some(IndexKind::Ordered(sort)) => {
            sort.fields().first().map_or_else(String::new, |field| field.path.as_str().to_owned())
        }
        _ => index.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_the_face() {
        use Offered::{Cookie, Credential, Nothing};
        let rows = [
            (ApiError::unauthorized("x"), Nothing, 401),
            (ApiError::unauthorized("x"), Cookie, 401),
            (ApiError::unauthorized("x"), Credential, 403),
            (ApiError::new(StatusCode::UNAUTHORIZED, "credential_expired", "x"), Credential, 401),
            (ApiError::new(StatusCode::UNAUTHORIZED, "credential_revoked", "x"), Credential, 403),
            (ApiError::new(StatusCode::UNAUTHORIZED, "user_disabled", "x"), Credential, 403),
            (ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", "x"), Credential, 503),
            (ApiError::not_found("x", "x"), Credential, 404),
        ];
        for (error, offered, wanted) in rows {
            assert_eq!(status_of(&error, offered), wanted, "{error:?}");
        }
        assert_eq!(name_of(StatusCode::NOT_FOUND), "NotFound");
        assert_eq!(name_of(StatusCode::TOO_MANY_REQUESTS), "TooManyRequests");
    }

    #[test]
    fn broken_rules_have_their_codes() {
        let rows = [
            ("", "required", "needs the member `name`", "name", "REQUIRED"),
            ("a", "required", "`a` needs the member `b`", "a.b", "REQUIRED"),
            ("name", "required", "`name` is required", "name", "REQUIRED"),
            ("n", "type", "is a text", "n", "TYPE"),
            ("e", "pattern", "does not match", "e", "REGEX"),
        ];
        for (path, keyword, message, field, code) in rows {
            let rule = broken_rule(&json!({"path": path, "keyword": keyword, "message": message}));
            assert_eq!(rule, entry(field, message, code));
        }
    }
}
