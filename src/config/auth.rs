//! The section `auth`: people, their sessions, and what is done against guessing.

use headwater_api::{AccessOptions, SignUp};
use serde::Deserialize;

use super::field;

/// The section `auth`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// Who may make users.
    pub(crate) sign_up: Who,
    /// Whether anybody may begin a session without a name.
    pub(crate) anonymous: bool,
    /// Roles of users who have none of their own.
    #[serde(deserialize_with = "field::texts")]
    pub(crate) default_roles: Vec<String>,
    /// Roles of anonymous users.
    #[serde(deserialize_with = "field::texts")]
    pub(crate) anonymous_roles: Vec<String>,
    /// Life of an access token, seconds.
    pub(crate) token_seconds: u64,
    /// Life of a session since it was last refreshed, seconds.
    pub(crate) session_seconds: u64,
    /// Life of a one-time token, seconds.
    pub(crate) reset_seconds: u64,
    /// Passwords hashed at a time.
    pub(crate) password_hashes: usize,
    /// Passwords that may wait for that.
    pub(crate) password_queue: usize,
    /// Origins whose pages may use a session's cookie.
    #[serde(deserialize_with = "field::texts")]
    pub(crate) cookie_origins: Vec<String>,
    /// Refused credentials of one address in a minute.
    pub(crate) failures_per_address_per_minute: u32,
    /// Wrong passwords of one account in a quarter of an hour.
    pub(crate) failures_per_account: u32,
    /// Requests of one address in a minute; 0: any number.
    pub(crate) requests_per_address_per_minute: u32,
}

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// Full access alone.
    Closed,
    /// Everybody.
    Open,
}

impl Auth {
    /// The settings as the faces take them.
    pub(crate) fn options(&self) -> AccessOptions {
        AccessOptions {
            sign_up: match self.sign_up {
                Who::Closed => SignUp::Closed,
                Who::Open => SignUp::Open,
            },
            anonymous: self.anonymous,
            default_roles: self.default_roles.clone(),
            anonymous_roles: self.anonymous_roles.clone(),
            token_seconds: self.token_seconds,
            session_seconds: self.session_seconds,
            reset_seconds: self.reset_seconds,
            password_hashes: self.password_hashes,
            password_queue: self.password_queue,
            cookie_origins: self.cookie_origins.clone(),
            failures_per_address_per_minute: self.failures_per_address_per_minute,
            failures_per_account: self.failures_per_account,
            requests_per_address_per_minute: self.requests_per_address_per_minute,
            ..AccessOptions::default()
        }
    }
}
