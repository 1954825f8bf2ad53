//! What a grant demands of a request as a whole, whatever it asks for: methods, paths, origin, referer, network.
//!
//! Guarantees: each part refuses by itself, and says which right is missing, not which ones there are.
//! Leaves to others: counting (`rate`), the headers of CORS (`cors`).

use std::net::IpAddr;

use headwater_engine::Result;
use headwater_engine::value::Raw;
use http::StatusCode;
use ipnet::IpNet;

use super::origins::Origin;
use super::paths::PathPattern;
use super::reader::Reader;
use super::referers::Referer;
use crate::auth::address::{covers, parse_network};
use crate::error::ApiError;

/// Most entries of one list.
const ENTRIES_MAX: usize = 100;
/// Longest entry.
const ENTRY_BYTES_MAX: usize = 1024;
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

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
    /// Whether it is for what the grant lists by itself, whatever its methods and paths say.
    pub(crate) is_listed: bool,
}

/// What a grant demands of every request; what is `None` demands nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Surface {
    methods: Option<Vec<&'static str>>,
    paths: Option<Vec<PathPattern>>,
    origins: Option<Vec<Origin>>,
    referers: Option<Vec<Referer>>,
    networks: Option<Vec<IpNet>>,
    per_ip_per_hour: Option<u32>,
}

impl Surface {
    /// Reads a member of a grant; false where it is none of a surface.
    pub(super) fn read(&mut self, reader: Reader, member: &str, value: Raw<'_>) -> Result<bool> {
        let list = || texts(reader, member, value);
        match member {
            "methods" => {
                self.methods = Some(each(list()?, reader, member, "which is no method", method)?);
            }
            "paths" => {
                let what = "which is no pattern of paths: `/a/*/b` or `/a/**`";
                self.paths = Some(each(list()?, reader, member, what, PathPattern::parse)?);
            }
            "origins" => {
                let what = "which is no origin: `https://shop.example`, `https://*.shop.example`";
                self.origins = Some(each(list()?, reader, member, what, Origin::parse)?);
            }
            "referers" => {
                let what = "which is no pattern of referers: `https://shop.example/*`";
                self.referers = Some(each(list()?, reader, member, what, Referer::parse)?);
            }
            "networks" => {
                let what = "which is no network: `10.0.0.0/8`, `2001:db8::1`";
                self.networks = Some(each(list()?, reader, member, what, parse_network)?);
            }
            "rate_limit" => self.per_ip_per_hour = read_rate(reader, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether a method is let in.
    pub(super) fn allows_method(&self, method: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&plain_method(method)))
    }

    /// Whether paths are not demanded, or one of them matches a path as it would be sent to a face with a prefix.
    pub(super) fn leads_to(&self, path: &str, prefix: &str) -> bool {
        let covers = |paths: &Vec<_>| PathPattern::any_matches(paths, path, Some(prefix));
        self.paths.as_ref().is_none_or(covers)
    }

    /// Whether paths are demanded.
    pub(super) fn has_paths(&self) -> bool {
        self.paths.is_some()
    }

    /// Refuses a request that the grant does not cover (403, naming the right that is missing).
    pub(crate) fn check(&self, visit: &Visit<'_>) -> Result<(), ApiError> {
        if let Some(networks) = &self.networks
            && !covers(networks, visit.address)
        {
            let message = "the credential does not allow requests from this address";
            return Err(refusal("address_not_allowed", message.to_owned()));
        }
        if let Some(methods) = &self.methods
            && !visit.is_listed
            && !methods.contains(&plain_method(visit.method))
        {
            let message = format!("the credential does not allow the method {}", visit.method);
            return Err(refusal("method_not_allowed_by_key", message));
        }
        if let Some(paths) = &self.paths
            && !visit.is_listed
            && !PathPattern::any_matches(paths, visit.path, visit.face_prefix)
        {
            let message = "the credential does not allow this path";
            return Err(refusal("path_not_allowed", message.to_owned()));
        }
        if visit.is_web
            && let Some(origin) = visit.origin
            && let Some(origins) = &self.origins
            && !Origin::any_matches(origins, origin)
        {
            let message = "the credential does not allow pages of this origin";
            return Err(refusal("origin_not_allowed", message.to_owned()));
        }
        if let Some(referers) = &self.referers
            && !referers.iter().any(|pattern| pattern.matches(visit.referer))
        {
            let message = match visit.referer {
                Some(_) => "the credential does not allow requests from this referer",
                None => "the credential allows requests with a referer only",
            };
            return Err(refusal("referer_not_allowed", message.to_owned()));
        }
        Ok(())
    }

    /// Whether pages of an origin may use the credential; for CORS. `null` has to be named.
    pub(crate) fn admits_origin(&self, origin: &str) -> bool {
        match &self.origins {
            Some(origins) => Origin::any_matches(origins, origin),
            None => Origin::is_one(origin),
        }
    }

    /// Most requests of one address in an hour.
    pub(crate) fn per_ip_per_hour(&self) -> Option<u32> {
        self.per_ip_per_hour
    }
}

fn texts<'a>(reader: Reader, member: &str, value: Raw<'a>) -> Result<Vec<&'a str>> {
    let entries = reader.texts(member, value, ENTRIES_MAX)?;
    match entries.iter().find(|entry| entry.len() > ENTRY_BYTES_MAX) {
        Some(_) => {
            let what = format!("has an entry of more than {ENTRY_BYTES_MAX} bytes");
            Err(reader.refuse(member, what))
        }
        None => Ok(entries),
    }
}

fn each<T>(
    entries: Vec<&str>,
    reader: Reader,
    member: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    let refuse = |entry: &str| reader.entry(member, entry, what);
    entries.into_iter().map(|entry| parse(entry).ok_or_else(|| refuse(entry))).collect()
}

fn method(name: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == name).map(plain_method)
}

/// HEAD is a GET without its body.
fn plain_method(name: &str) -> &str {
    if name == "HEAD" { "GET" } else { name }
}

fn read_rate(reader: Reader, value: Raw<'_>) -> Result<Option<u32>> {
    let malformed = || reader.refuse("rate_limit", "must be an object of `per_ip_per_hour`");
    let mut rate = None;
    for (name, value) in value.as_object().ok_or_else(malformed)? {
        let member = format!("rate_limit.{name}");
        if name != "per_ip_per_hour" {
            return Err(reader.refuse(&member, "is not known"));
        }
        let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
        let positive = number.filter(|number| *number > 0);
        rate = Some(positive.ok_or_else(|| reader.refuse(&member, "must be a number from 1"))?);
    }
    Ok(rate)
}

fn refusal(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}
