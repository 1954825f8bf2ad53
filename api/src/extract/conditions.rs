//! `If-Match`: the version that a document must have.

use axum::extract::FromRequestParts;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;

use crate::error::ApiError;

/// What a request demands of the document before it changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    None,
    /// That it exists (`*`).
    Exists,
    /// A version.
    Version(u64),
}

impl Condition {
    /// The version demanded, if one is.
    pub(crate) fn version(self) -> Option<u64> {
        match self {
            Self::Version(version) => Some(version),
            Self::None | Self::Exists => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Exists);
        }
        let version = text.strip_prefix('"')?.strip_suffix('"')?;
        version.parse().ok().map(Self::Version)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        if parts.headers.contains_key(IF_NONE_MATCH) {
            return Err(ApiError::unsupported("If-None-Match"));
        }
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(Self::None),
            (Some(value), None) => {
                let text = value.to_str().unwrap_or_default().trim();
                Self::parse(text).ok_or_else(|| {
                    let message = "If-Match must be one strong version, as in \"3\", or *";
                    ApiError::bad_request("invalid_if_match", message)
                })
            }
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("invalid_if_match", "If-Match is given twice"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_versions_and_the_star_are_taken() {
        assert_eq!(Condition::parse("\"3\""), Some(Condition::Version(3)));
        assert_eq!(Condition::parse("*"), Some(Condition::Exists));
        for wrong in ["3", "W/\"3\"", "\"x\"", "\"1\", \"2\"", "", "\"-1\""] {
            assert_eq!(Condition::parse(wrong), None, "{wrong}");
        }
    }
}
