//! Where a request carries its credential, and which one that is.
//!
//! Guarantees: all the places are looked at; where a face says so, two that say different things are refused. `Debug`
//! shows no secret.
//! Leaves to others: what a credential is worth (the directory).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;

use super::face_rules::FaceRules;
use crate::error::ApiError;

/// The cookie of a session.
pub(crate) const SESSION_COOKIE: &str = "__Host-hw_session";

/// Longest credential that is looked at.
const BYTES_MAX: usize = 8 << 10;
const KEY_HEADERS: [&str; 4] = ["x-apikey", "x-api-key", "api-key", "apikey"];

/// A credential as a request presents it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Presented {
    /// An API key, a JWT or a session token: its text.
    Token(String),
    /// A name with a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// The cookie of a session.
    Cookie(String),
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Basic { .. } => "Basic",
            Self::Cookie(_) => "Cookie",
        })
    }
}

/// What to do with places that say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// Refuse the request.
    Refuse,
    /// Take the first of: `Authorization` or `?jwt=`, a header key, a parameter, the cookie.
    Prefer,
}

/// What sort of credential a request presents, whatever it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// None.
    Nothing,
    /// A session's cookie, which the browser sends by itself.
    Cookie,
    /// A key, a token, a password, or what cannot be read.
    Credential,
}

/// What sort of credential a request's headers and query string present.
pub(super) fn offered(headers: &HeaderMap, query: Option<&str>, rules: FaceRules) -> Offered {
    match in_head(headers, query, rules) {
        Ok(None) => Offered::Nothing,
        Ok(Some(Presented::Cookie(_))) => Offered::Cookie,
        Ok(Some(_)) | Err(_) => Offered::Credential,
    }
}

/// The credential that a request presents, if any.
pub(crate) fn presented(parts: &Parts, rules: FaceRules) -> Result<Option<Presented>, ApiError> {
    in_head(&parts.headers, parts.uri.query(), rules)
}

/// The same, of a request's headers and query string.
pub(super) fn in_head(
    headers: &HeaderMap,
    query: Option<&str>,
    rules: FaceRules,
) -> Result<Option<Presented>, ApiError> {
    let mut found = Found { first: None, conflict: rules.conflict };
    from_authorization(headers, &mut found)?;
    from_parameters(query, "jwt", &mut found)?;
    for name in KEY_HEADERS {
        for value in headers.get_all(name) {
            found.text(|| value.to_str().ok().map(|text| text.trim().to_owned()))?;
        }
    }
    from_parameters(query, "apikey", &mut found)?;
    if let Some(name) = rules.parameter {
        from_parameters(query, name, &mut found)?;
    }
    from_cookies(headers, &mut found)?;
    Ok(found.first)
}

/// A key or a token that came by itself.
pub(super) fn token(text: &str) -> Result<Presented, ApiError> {
    Ok(Presented::Token(short(text.trim().to_owned())?))
}

/// What was found so far.
struct Found {
    first: Option<Presented>,
    conflict: Conflict,
}

impl Found {
    /// Takes a key or a token; `read` gives nothing where it is not text.
    fn text(&mut self, read: impl FnOnce() -> Option<String>) -> Result<(), ApiError> {
        self.take(|| {
            let text = read().ok_or_else(|| ApiError::unauthorized("the key is not text"))?;
            Ok(Presented::Token(short(text)?))
        })
    }

    fn take(&mut self, read: impl FnOnce() -> Result<Presented, ApiError>) -> Result<(), ApiError> {
        if self.first.is_some() && self.conflict == Conflict::Prefer {
            return Ok(());
        }
        let this = read()?;
        match &self.first {
            Some(first) if *first != this => return Err(conflicting()),
            Some(_) => {}
            None => self.first = Some(this),
        }
        Ok(())
    }
}

fn from_parameters(query: Option<&str>, name: &str, found: &mut Found) -> Result<(), ApiError> {
    let Some(query) = query.filter(|query| query.contains(name)) else { return Ok(()) };
    for (given, value) in form_urlencoded::parse(query.as_bytes()) {
        if given == name {
            found.text(|| Some(value.into_owned()))?;
        }
    }
    Ok(())
}

fn from_authorization(headers: &HeaderMap, found: &mut Found) -> Result<(), ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(()) };
    if values.next().is_some() {
        return Err(conflicting());
    }
    let text = value
        .to_str()
        .map_err(|_| ApiError::unauthorized("the Authorization header is not text"))?
        .trim();
    found.take(|| authorization(text))
}

fn authorization(text: &str) -> Result<Presented, ApiError> {
    let Some((scheme, rest)) = text.split_once(' ') else {
        return Ok(Presented::Token(short(text.to_owned())?));
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Presented::Token(short(rest.trim().to_owned())?));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(rest.trim());
    }
    let scheme: String = scheme.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    Err(ApiError::unauthorized(format!("Authorization by {scheme} is not known here")))
}

fn basic(encoded: &str) -> Result<Presented, ApiError> {
    let refused = |what: &'static str| ApiError::unauthorized(what);
    let encoded = short(encoded.to_owned())?;
    let bytes = BASE64
        .decode(encoded)
        .map_err(|_| refused("Authorization: Basic is malformed: it is not base64"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| refused("Authorization: Basic is malformed: it is not UTF-8"))?;
    let (username, password) = text
        .split_once(':')
        .ok_or_else(|| refused("Authorization: Basic is malformed: it has no colon"))?;
    Ok(Presented::Basic { username: username.to_owned(), password: password.to_owned() })
}

fn from_cookies(headers: &HeaderMap, found: &mut Found) -> Result<(), ApiError> {
    for header in headers.get_all(COOKIE) {
        // A cookie of somebody else may be anything.
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            if name != SESSION_COOKIE.as_bytes() || value.is_empty() {
                continue;
            }
            found.take(|| {
                let text = std::str::from_utf8(value)
                    .map_err(|_| ApiError::unauthorized("the session's cookie is not text"))?;
                Ok(Presented::Cookie(short(text.to_owned())?))
            })?;
        }
    }
    Ok(())
}

fn short(text: String) -> Result<String, ApiError> {
    if text.len() > BYTES_MAX {
        return Err(ApiError::unauthorized("the credential is longer than 8 KiB"));
    }
    Ok(text)
}

fn conflicting() -> ApiError {
    ApiError::bad_request("conflicting_credentials", "the request presents different credentials")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn ask(
        uri: &str,
        headers: &[(&str, &str)],
        conflict: Conflict,
    ) -> Result<Option<Presented>, ApiError> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let parameter = (conflict == Conflict::Prefer).then_some("rt-apikey");
        presented(&parts, FaceRules { conflict, parameter, ..FaceRules::NATIVE })
    }

    fn read(uri: &str, headers: &[(&str, &str)]) -> Result<Option<Presented>, ApiError> {
        ask(uri, headers, Conflict::Refuse)
    }

    fn token(text: &str) -> Option<Presented> {
        Some(Presented::Token(text.to_owned()))
    }

    #[test]
    fn every_place_is_read() {
        for name in ["x-apikey", "x-api-key", "api-key", "apiKey"] {
            assert_eq!(read("/", &[(name, "k")]).unwrap(), token("k"));
        }
        for uri in ["/?apikey=k", "/?jwt=k", "/?a=b&apikey=%6b"] {
            assert_eq!(read(uri, &[]).unwrap(), token("k"), "{uri}");
        }
        for value in ["Bearer k", "bearer  k ", "k"] {
            assert_eq!(read("/", &[("authorization", value)]).unwrap(), token("k"), "{value}");
        }
        let cookie = read("/", &[("cookie", "a=b; __Host-hw_session=s; c")]).unwrap();
        assert_eq!(cookie, Some(Presented::Cookie("s".to_owned())));
        let others = [("cookie", "a=b; hw_session=s; __Host-hw_session=")];
        assert_eq!(read("/?myapikey=k", &others).unwrap(), None);
        assert_eq!(read("/?rt-apikey=k", &others).unwrap(), None);
    }

    #[test]
    fn names_and_passwords_are_read() {
        // Zoë:a:b
        let basic = read("/", &[("authorization", "Basic Wm/DqzphOmI=")]).unwrap();
        let (username, password) = ("Zoë".to_owned(), "a:b".to_owned());
        assert_eq!(basic, Some(Presented::Basic { username, password }));
        for (wrong, why) in
            [("Basic !", "base64"), ("Basic /w==", "UTF-8"), ("Basic YQ==", "colon")]
        {
            let refused = read("/", &[("authorization", wrong)]).unwrap_err();
            assert_eq!(refused.status(), 401);
            assert!(String::from_utf8(refused.body("r")).unwrap().contains(why), "{wrong}");
        }
        assert_eq!(read("/", &[("authorization", "Digest x")]).unwrap_err().status(), 401);
    }

    #[test]
    fn places_that_differ_are_refused() {
        let cases: [(&str, &[(&str, &str)]); 7] = [
            ("/?apikey=a", &[("x-apikey", "b")]),
            ("/?apikey=a&jwt=b", &[]),
            ("/", &[("authorization", "Bearer a"), ("api-key", "b")]),
            ("/", &[("authorization", "Bearer a"), ("authorization", "Bearer a")]),
            ("/", &[("x-apikey", "a"), ("cookie", "__Host-hw_session=b")]),
            ("/", &[("x-apikey", "a"), ("cookie", "__Host-hw_session=a")]),
            ("/", &[("cookie", "__Host-hw_session=a; __Host-hw_session=b")]),
        ];
        for (uri, headers) in cases {
            let refused = read(uri, headers).unwrap_err();
            assert_eq!(refused.status(), 400, "{uri} {headers:?}");
        }
        assert_eq!(read("/?apikey=a", &[("x-apikey", "a")]).unwrap(), token("a"));
    }

    #[test]
    fn a_face_may_have_an_order() {
        let cookie = ("cookie", "__Host-hw_session=c");
        let basic = ("authorization", "Basic YTpi");
        let order: [(&str, Headers<'_>, Option<Presented>); 7] = [
            ("/?apikey=p&jwt=j", &[("x-apikey", "h"), cookie], token("j")),
            ("/?apikey=p", &[("x-apikey", "h"), cookie], token("h")),
            ("/?apikey=p", &[cookie], token("p")),
            ("/?rt-apikey=r&apikey=p", &[cookie], token("p")),
            ("/?rt-apikey=r&jwt=j", &[cookie], token("j")),
            ("/?rt-apikey=r", &[cookie], token("r")),
            ("/", &[cookie], Some(Presented::Cookie("c".to_owned()))),
        ];
        for (uri, headers, wanted) in order {
            assert_eq!(ask(uri, headers, Conflict::Prefer).unwrap(), wanted, "{uri}");
        }
        let both = ask("/?jwt=j", &[basic], Conflict::Prefer).unwrap();
        assert!(matches!(both, Some(Presented::Basic { .. })));
    }

    #[test]
    fn long_ones_are_refused() {
        let long = "k".repeat(BYTES_MAX + 1);
        assert_eq!(read("/", &[("x-apikey", &long[1..])]).unwrap(), token(&long[1..]));
        assert_eq!(read("/", &[("x-apikey", &long)]).unwrap_err().status(), 401);
        let bearer = format!("Bearer {long}");
        assert_eq!(read("/", &[("authorization", &bearer)]).unwrap_err().status(), 401);
    }
}
