//! The query string of a request.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, ejson};
use http::request::Parts;

use crate::error::ApiError;

/// Documents or events of one page unless the request says otherwise.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// Most documents or events of one page.
pub(crate) const LIMIT_MAX: usize = 1000;

/// Parameters that every request may have.
const EVERYWHERE: [&str; 3] = ["apikey", "jwt", "after_position"];

/// The parameters of a query string, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// All names, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter, in their order; empty ones count as absent.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
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

    /// A JSON value, encoded; `{"$oid":..}` and the like mean what they do in Extended JSON.
    pub(crate) fn json(
        &self,
        name: &'static str,
        limits: &Limits,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let value = ejson::parse_value(text.as_bytes(), limits, ejson::Mode::Filter);
        value.map(Some).map_err(|error| ApiError::from(error.with("parameter", name)))
    }

    /// Refuses every parameter that is not among `known`; what says who asks, and what every request may have, passes.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let passes = |name: &str| EVERYWHERE.contains(&name) || known.contains(&name);
        match self.0.iter().find(|(name, _)| !passes(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(100).collect();
                let message = format!("there is no parameter `{shown}` here");
                Err(ApiError::bad_request("unknown_parameter", message).with("parameter", shown))
            }
        }
    }
}

/// Refuses a member that asks for something which is not supported; what is empty is what happens anyway.
pub(crate) fn refuse_unless_empty(
    name: &'static str,
    value: Option<Raw<'_>>,
) -> Result<(), ApiError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(()) };
    if value.as_object().is_none() {
        return Err(invalid(name, "an object"));
    }
    if value.member_count() == 0 { Ok(()) } else { Err(ApiError::unsupported(name)) }
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
    fn json_parameters_are_read_as_filters_are() {
        let limits = Limits::default();
        let read = |query: &str| Parameters::parse(Some(query)).json("filter", &limits);
        assert!(read("x=1").unwrap().is_none());
        let bytes =
            read("filter={\"_id\":{\"$oid\":\"507f1f77bcf86cd799439011\"}}").unwrap().unwrap();
        assert!(Raw::trusted(&bytes).get("_id").unwrap().as_object_id().is_some());
        assert!(read("filter={").is_err());
    }

    #[test]
    fn unknown_parameters_are_refused_by_name() {
        let check = |query: &str| Parameters::parse(Some(query)).only(&["limit"]);
        assert!(check("limit=1&apikey=x&after_position=3").is_ok());
        let body = check("limt=1").unwrap_err().body("r");
        assert!(String::from_utf8(body).unwrap().contains("limt"));
    }

    #[test]
    fn what_is_not_supported_yet_is_refused_unless_it_is_empty() {
        let limits = Limits::default();
        let check = |text: &str| {
            let value =
                headwater_engine::value::json::parse_value(text.as_bytes(), &limits).unwrap();
            refuse_unless_empty("fields", Some(Raw::trusted(&value)))
        };
        assert!(check("{}").is_ok());
        assert!(check("null").is_ok());
        assert!(check("{\"a\":1}").is_err());
        assert!(check("[]").is_err());
    }
}
