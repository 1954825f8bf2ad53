//! The query string of a request.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use headwater_engine::value::Raw;
use headwater_engine::{limits::Limits, value::json};
use http::request::Parts;

use crate::error::ApiError;

/// Documents or events of one page unless the request says otherwise.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// Most documents or events of one page.
pub(crate) const LIMIT_MAX: usize = 1000;

/// The parameters of a query string, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A number.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.get(name)
            .map(|text| text.parse().map_err(|_| invalid(name, "a whole number")))
            .transpose()
    }

    /// `true` or `false`; absent is false.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(name, "true or false")),
        }
    }

    /// How many a page may have.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        page_limit(self.number("limit")?)
    }

    /// A list of names divided by commas.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let items = self.get(name).into_iter().flat_map(|text| text.split(','));
        items.map(str::trim).filter(|item| !item.is_empty())
    }

    /// Refuses a JSON parameter that asks for something, until the query language is here.
    pub(crate) fn refuse_unless_empty(
        &self,
        name: &'static str,
        limits: &Limits,
    ) -> Result<(), ApiError> {
        let Some(text) = self.get(name) else { return Ok(()) };
        let value = json::parse_value(text.as_bytes(), limits)?;
        refuse_unless_empty(name, Some(Raw::trusted(&value)))
    }
}

/// Refuses a value that asks for something, until the query language is here: what is empty, and a sort by `_id`, is what
/// happens anyway.
pub(crate) fn refuse_unless_empty(
    name: &'static str,
    value: Option<Raw<'_>>,
) -> Result<(), ApiError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(()) };
    if value.as_object().is_none() {
        return Err(invalid(name, "an object"));
    }
    let by_id = || value.get("_id").and_then(Raw::as_i64) == Some(1);
    match value.member_count() {
        0 => Ok(()),
        1 if name == "sort" && by_id() => Ok(()),
        _ => Err(ApiError::unsupported(name)),
    }
}

/// Checks the `limit` of a page.
pub(crate) fn page_limit(limit: Option<u64>) -> Result<usize, ApiError> {
    let limit = limit.map_or(Some(LIMIT_DEFAULT), |limit| usize::try_from(limit).ok());
    match limit {
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(invalid("limit", "between 1 and 1,000")),
    }
}

/// The refusal of a parameter or member.
pub(crate) fn invalid(name: &'static str, wanted: &str) -> ApiError {
    ApiError::bad_request("invalid_parameter", format!("`{name}` must be {wanted}"))
        .with("parameter", name)
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let parameters = Parameters::parse(Some("a=x%20y&limit=7&flag=true&list=a,%20b,,c&empty="));
        assert_eq!(parameters.get("a"), Some("x y"));
        assert_eq!(parameters.limit().unwrap(), 7);
        assert!(parameters.flag("flag").unwrap());
        assert_eq!(parameters.list("list").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(parameters.get("empty"), None);
    }

    #[test]
    fn limits_have_their_bounds() {
        assert_eq!(Parameters::default().limit().unwrap(), 100);
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=x"] {
            assert!(Parameters::parse(Some(query)).limit().is_err(), "{query}");
        }
    }

    #[test]
    fn what_the_query_language_brings_is_refused_by_name() {
        let limits = Limits::default();
        let check =
            |query: &str, name| Parameters::parse(Some(query)).refuse_unless_empty(name, &limits);
        assert!(check("filter={}", "filter").is_ok());
        assert!(check("sort={\"_id\":1}", "sort").is_ok());
        assert!(check("sort={\"_id\":-1}", "sort").is_err());
        assert!(check("filter={\"a\":1}", "filter").is_err());
        assert!(check("filter=[]", "filter").is_err());
    }
}
