//! A request as grants look at it: where it came from, how, and to which path.

use std::net::IpAddr;
use std::sync::Arc;

use headwater_engine::limits::Limits;
use http::request::Parts;
use http::{HeaderName, header};

use crate::auth::{FaceRules, Grant, Kind, Principal, RequestFacts, Visit};
use crate::error::ApiError;
use crate::percent;

/// A request, as far as grants look at it. Kept by streams, which are judged again when their caller changes.
#[derive(Debug)]
pub(crate) struct Visitor {
    method: String,
    path: String,
    origin: Option<String>,
    referer: Option<String>,
    /// What the paths of the face's keys leave out.
    face_prefix: Option<&'static str>,
    /// Whether the request is for realtime.
    is_realtime: bool,
    /// The client's address.
    pub(crate) address: IpAddr,
}

impl Visitor {
    /// The visitor of a request.
    pub(crate) fn of(parts: &Parts, address: IpAddr) -> Self {
        let rules = FaceRules::of(parts);
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            origin: text(parts, header::ORIGIN),
            referer: text(parts, header::REFERER),
            face_prefix: rules.prefix,
            is_realtime: rules.realtime,
            address,
        }
    }

    /// The request in one line.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The grant of a principal for this request; refused where the grant does not cover it.
    pub(crate) fn admit(
        &self,
        principal: &Principal,
        limits: &Limits,
    ) -> Result<Arc<Grant>, ApiError> {
        self.check_path(principal, &principal.grant, &self.path)?;
        self.grant(principal, limits)
    }

    /// The grant of a principal for this request, whether it covers the path or not.
    pub(super) fn grant(
        &self,
        principal: &Principal,
        limits: &Limits,
    ) -> Result<Arc<Grant>, ApiError> {
        let facts = || RequestFacts { address: self.address, method: self.method.clone() };
        Ok(principal.grant_for(limits, facts)?)
    }

    /// Whether the grant would cover the same request to another path.
    pub(super) fn check_path(
        &self,
        principal: &Principal,
        grant: &Grant,
        path: &str,
    ) -> Result<(), ApiError> {
        self.check_visit(principal, grant, (&self.method, path))
    }

    /// Whether the grant would cover reading what lies at some segments behind the face's prefix.
    pub(super) fn covers_reading(
        &self,
        principal: &Principal,
        grant: &Grant,
        segments: &[&str],
    ) -> bool {
        let mut path = self.face_prefix.unwrap_or_default().to_owned();
        for segment in segments {
            path.push('/');
            percent::push_segment(segment, &mut path);
        }
        self.check_visit(principal, grant, ("GET", &path)).is_ok()
    }

    fn check_visit(
        &self,
        principal: &Principal,
        grant: &Grant,
        (method, path): (&str, &str),
    ) -> Result<(), ApiError> {
        grant.surface().check(&Visit {
            method,
            path,
            origin: self.origin.as_deref(),
            referer: self.referer.as_deref(),
            address: self.address,
            face_prefix: self.face_prefix,
            is_web: principal.kind == Kind::Web,
            is_listed: self.is_realtime && grant.lists_realtime(),
        })
    }
}

fn text(parts: &Parts, name: HeaderName) -> Option<String> {
    // What is not text is still there, and matches nothing.
    parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
