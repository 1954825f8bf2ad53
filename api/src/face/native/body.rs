//! Reading the members of a request's body by name.
//!
//! Guarantees: an unknown member is refused by name; null counts as absent.

use headwater_engine::value::Raw;

use crate::error::{ApiError, ApiResult};
use crate::extract::invalid;
use crate::session::At;

/// A body that is an object of known members.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(Raw<'a>);

impl<'a> Members<'a> {
    /// The members of `body`, which is `what`; each must be one of `known`.
    pub(super) fn of(body: Raw<'a>, what: &str, known: &[&str]) -> ApiResult<Self> {
        let mut members = body.as_object().ok_or_else(|| {
            ApiError::bad_request("not_an_object", format!("{what} must be an object"))
        })?;
        match members.find(|(name, _)| !known.contains(name)) {
            None => Ok(Self(body)),
            Some((name, _)) => {
                let message = format!("{what} has no member `{name}`");
                Err(ApiError::bad_request("unknown_member", message).with("member", name))
            }
        }
    }

    /// A member.
    pub(super) fn get(&self, name: &str) -> Option<Raw<'a>> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A member that must be there.
    pub(super) fn required(&self, name: &'static str) -> ApiResult<Raw<'a>> {
        self.get(name).ok_or_else(|| invalid(name, "given"))
    }

    /// A whole number.
    pub(super) fn number(&self, name: &'static str) -> ApiResult<Option<u64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
        number.map(Some).ok_or_else(|| invalid(name, "a whole number"))
    }

    /// A text.
    pub(super) fn text(&self, name: &'static str) -> ApiResult<Option<&'a str>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| invalid(name, "a text"))
    }

    /// `true` or `false`; absent is false.
    pub(super) fn flag(&self, name: &'static str) -> ApiResult<bool> {
        let Some(value) = self.get(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| invalid(name, "true or false"))
    }

    /// A filter, which may be absent.
    pub(super) fn object(&self, name: &'static str) -> ApiResult<Option<Raw<'a>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let is_object = value.as_object().is_some();
        is_object.then_some(Some(value)).ok_or_else(|| invalid(name, "an object"))
    }

    /// When to look.
    pub(super) fn at(&self) -> ApiResult<At> {
        At::read(self.get("at"))
    }
}
