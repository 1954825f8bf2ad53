//! What happens to a request before it is routed: the method that a header names, the suffix of the collection.
//!
//! Guarantees: routes, rights of keys and the audit trail see the method and the path that are meant; a suffix is never part
//! of a collection's name.

use axum::body::Body;
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};

use super::markup::Markup;
use super::{PREFIX, jsapi};
use crate::auth::{Conflict, FaceRules};
use crate::error::{ApiError, ApiResult};

const OVERRIDE: &str = "x-http-method-override";

/// The path of realtime.
pub(super) const REALTIME: &str = "/realtime";

/// What the face serves beside `/rest`.
const BESIDE: [&str; 5] =
    [REALTIME, "/auth/userinfo", "/auth/jwt", "/auth/token", jsapi::EVENTSOURCE_PATH];

/// What RestDB.io has besides, and the face has not yet: its programs are refused in its words.
const ELSEWHERE: [&str; 8] =
    ["/auth", "/media", "/mail", "/appdeploy", "/views", "/static", "/public", "/assets"];

/// Whether a path belongs to the face.
pub(crate) fn serves(path: &str) -> bool {
    let path = plain(path);
    let is_under = |prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_under(PREFIX) || BESIDE.contains(&path) || ELSEWHERE.into_iter().any(is_under)
}

/// A path of the face as programs mean it that join it to a base URL with one slash too many, in front or at the end.
pub(crate) fn plain(path: &str) -> &str {
    let begin = path.len() - path.trim_start_matches('/').len();
    let path = &path[begin.saturating_sub(1)..];
    if path.len() > 1 { path.trim_end_matches('/') } else { path }
}

/// The rules of access for a path.
pub(crate) fn rules(path: &str) -> FaceRules {
    let realtime = path == REALTIME;
    FaceRules {
        conflict: Conflict::Prefer,
        prefix: Some(PREFIX),
        parameter: realtime.then_some("rt-apikey"),
        realtime,
    }
}

/// Reads what stands in front of the route.
pub(crate) fn enter(request: &mut Request<Body>) -> ApiResult<()> {
    let path = request.uri().path();
    if plain(path) != path {
        *request.uri_mut() = with_path(request.uri(), plain(path))?;
    }
    let rules = rules(request.uri().path());
    request.extensions_mut().insert(rules);
    if request.method() == Method::POST
        && let Some(named) = request.headers().get(OVERRIDE)
    {
        *request.method_mut() = method(named.to_str().unwrap_or_default())?;
    }
    let Some((path, markup)) = without_suffix(request.uri().path())? else { return Ok(()) };
    let uri = with_path(request.uri(), &path)?;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(markup);
    Ok(())
}

/// The method that a header names, in any case.
fn method(name: &str) -> ApiResult<Method> {
    let known = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let found = known.into_iter().find(|method| name.trim().eq_ignore_ascii_case(method.as_str()));
    found.ok_or_else(|| {
        let message = "X-HTTP-Method-Override must be PUT, PATCH or DELETE";
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    })
}

/// The path without the suffix of its collection, and what the suffix asks for; `None` where there is none. What the face
/// itself serves begins with `_` and keeps its name.
fn without_suffix(path: &str) -> ApiResult<Option<(String, Markup)>> {
    let Some(rest) = path.strip_prefix("/rest/") else { return Ok(None) };
    let (collection, after) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if collection.starts_with('_') {
        return Ok(None);
    }
    let Some((name, suffix)) = collection.rsplit_once('.') else { return Ok(None) };
    Ok(Some((format!("/rest/{name}{after}"), Markup::named(suffix)?)))
}

fn with_path(uri: &Uri, path: &str) -> ApiResult<Uri> {
    let malformed = |_| ApiError::bad_request("invalid_path", "the path is malformed");
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(malformed)?);
    Uri::from_parts(parts)
        .map_err(|_| ApiError::bad_request("invalid_path", "the path is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(method: &str, uri: &str, named: Option<&str>) -> Result<(String, String), u16> {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(named) = named {
            request = request.header(OVERRIDE, named);
        }
        let mut request = request.body(Body::empty()).unwrap();
        enter(&mut request).map_err(|error| error.status().as_u16())?;
        Ok((request.method().to_string(), request.uri().to_string()))
    }

    #[test]
    fn paths_belong_to_the_face() {
        assert!(serves("/rest") && serves("/rest/") && serves("/rest/a/b"));
        assert!(serves("/realtime") && serves("/auth/jwt"));
        assert!(serves("//rest/a") && serves("/realtime/") && serves("/media/x"));
        assert!(!serves("/realtime/x") && !serves("/mailer") && !serves("/") && !serves("//"));
        assert!(!serves("/restful") && !serves("/v1/rest") && !serves("/"));
    }

    #[test]
    fn the_named_method_counts() {
        let rows = [
            ("POST", Some("put"), Ok("PUT")),
            ("POST", Some(" Delete"), Ok("DELETE")),
            ("POST", Some("GET"), Err(405)),
            ("POST", Some("nonsense"), Err(405)),
            ("GET", Some("DELETE"), Ok("GET")),
            ("POST", None, Ok("POST")),
        ];
        for (method, named, wanted) in rows {
            let found = entered(method, "/rest/a/1", named).map(|(method, _)| method);
            assert_eq!(found, wanted.map(str::to_owned), "{method} {named:?}");
        }
    }

    #[test]
    fn suffixes_are_taken_off_the_collection() {
        let rows = [
            ("/rest/a.json?q={}", Ok("/rest/a?q={}")),
            ("/rest/a.HTML", Ok("/rest/a")),
            ("/rest/a.js/5f", Ok("/rest/a/5f")),
            ("/rest/a/5f.6", Ok("/rest/a/5f.6")),
            ("/rest/_jsapi.js", Ok("/rest/_jsapi.js")),
            ("/rest/a.xml", Err(406)),
            ("/rest/a/?q={}", Ok("/rest/a?q={}")),
            ("//rest/a.json/", Ok("/rest/a")),
            ("/rest//a", Ok("/rest//a")),
        ];
        for (uri, wanted) in rows {
            let found = entered("GET", uri, None).map(|(_, uri)| uri);
            assert_eq!(found, wanted.map(str::to_owned), "{uri}");
        }
    }
}
