//! Where a request carries its credential, and which one that is.
//!
//! Guarantees: all the places are looked at; two places that say different things are refused. `Debug` shows no secret.
//! Leaves to others: what a credential is worth (the directory).

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::error::ApiError;

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

const KEY_HEADERS: [&str; 4] = ["x-apikey", "x-api-key", "api-key", "apikey"];
const KEY_PARAMETERS: [&str; 2] = ["apikey", "jwt"];

/// The credential that a request presents, if any.
pub(crate) fn presented(parts: &Parts) -> Result<Option<Presented>, ApiError> {
    Ok(token(parts)?.map(|text| Presented::Token(text.into_owned())))
}

fn token(parts: &Parts) -> Result<Option<Cow<'_, str>>, ApiError> {
    let mut found = from_authorization(&parts.headers)?.map(Cow::Borrowed);
    for name in KEY_HEADERS {
        for value in parts.headers.get_all(name) {
            let text = value.to_str().map_err(|_| ApiError::unauthorized("the key is not text"))?;
            agree(&mut found, Cow::Borrowed(text.trim()))?;
        }
    }
    if let Some(query) = parts.uri.query()
        && KEY_PARAMETERS.iter().any(|name| query.contains(name))
    {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if KEY_PARAMETERS.contains(&&*name) {
                agree(&mut found, value)?;
            }
        }
    }
    Ok(found)
}

fn from_authorization(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(conflicting());
    }
    let text = value
        .to_str()
        .map_err(|_| ApiError::unauthorized("the Authorization header is not text"))?
        .trim();
    match text.split_once(' ') {
        None => Ok(Some(text)),
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(key.trim())),
        Some((scheme, _)) => {
            let scheme: String =
                scheme.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
            Err(ApiError::unauthorized(format!("Authorization by {scheme} is not supported yet")))
        }
    }
}

fn agree<'a>(found: &mut Option<Cow<'a, str>>, value: Cow<'a, str>) -> Result<(), ApiError> {
    match found {
        Some(before) if *before != value => Err(conflicting()),
        Some(_) => Ok(()),
        None => {
            *found = Some(value);
            Ok(())
        }
    }
}

fn conflicting() -> ApiError {
    ApiError::bad_request("conflicting_credentials", "the request presents different credentials")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn read(uri: &str, headers: &[(&str, &str)]) -> Result<Option<String>, ApiError> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        token(&parts).map(|found| found.map(Cow::into_owned))
    }

    #[test]
    fn every_place_is_read() {
        for name in ["x-apikey", "x-api-key", "api-key", "apiKey"] {
            assert_eq!(read("/", &[(name, "k")]).unwrap().as_deref(), Some("k"));
        }
        assert_eq!(read("/?apikey=k", &[]).unwrap().as_deref(), Some("k"));
        assert_eq!(read("/", &[("authorization", "Bearer k")]).unwrap().as_deref(), Some("k"));
        assert_eq!(read("/", &[("authorization", "bearer k")]).unwrap().as_deref(), Some("k"));
        assert_eq!(read("/", &[("authorization", "k")]).unwrap().as_deref(), Some("k"));
        assert_eq!(read("/", &[]).unwrap(), None);
    }

    #[test]
    fn places_that_differ_are_refused() {
        assert!(read("/?apikey=a", &[("x-apikey", "b")]).is_err());
        assert!(read("/", &[("authorization", "Bearer a"), ("api-key", "b")]).is_err());
        assert_eq!(read("/?apikey=a", &[("x-apikey", "a")]).unwrap().as_deref(), Some("a"));
        assert!(read("/", &[("authorization", "Basic abc")]).is_err());
    }
}
