//! The way in: from a request to a session, by the route's entry of the authorization table.
//!
//! Guarantees: no session without an entry; what the entry asks for is checked here, before a body is read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::StatusCode;
use http::request::Parts;

use super::Session;
use super::visitor::Visitor;
use crate::auth::{Acl, Grant, Kind, Principal, Taken, check_cookie_origin};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::router::{Needs, Route};
use crate::state::App;

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let route = route_of(parts)?;
        let caller = caller_of(parts);
        let found = app.access.authenticate(parts).await;
        let principal = counted(app, caller.address(), found)?;
        caller.is(&principal);
        if principal.kind == Kind::Cookie {
            check_cookie_origin(parts, app.access.options())?;
        }
        let visitor = Arc::new(Visitor::of(parts, caller.address()));
        let session = Self::admitted(app, principal, visitor, |taken| caller.took(taken))?;
        session.check_needs(route.needs, parts).await?;
        if let Some(position) = awaited_position(parts)? {
            session.engine.wait_for(position).await?;
        }
        Ok(session)
    }
}

/// The entry of the authorization table that a request is for.
pub(super) fn route_of(parts: &Parts) -> Result<Route, ApiError> {
    let route = parts.extensions.get::<Route>().copied();
    let missing = "a route has no entry in the authorization table";
    Ok(route.ok_or_else(|| headwater_engine::Error::internal(missing))?)
}

/// Counts a credential that is not valid; the refusal, or a harder one.
pub(super) fn counted(
    app: &App,
    address: IpAddr,
    found: Result<Arc<Principal>, ApiError>,
) -> Result<Arc<Principal>, ApiError> {
    found.map_err(|error| {
        if error.status() != StatusCode::UNAUTHORIZED {
            return error;
        }
        app.rates.failure(address, error, app.engine.clock().now_ms())
    })
}

/// What is known of the caller before it has said who it is.
pub(super) fn caller_of(parts: &Parts) -> Caller {
    let known = parts.extensions.get::<Caller>().cloned();
    known.unwrap_or_else(|| Caller::at(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

impl Session {
    /// The session of a principal, where its grant covers the visitor's request and was not used too often; `took` is told
    /// how often it still may.
    pub(super) fn admitted(
        app: &App,
        principal: Arc<Principal>,
        visitor: Arc<Visitor>,
        took: impl FnOnce(Taken),
    ) -> Result<Self, ApiError> {
        let grant = visitor.admit(&principal, app.engine.limits())?;
        Self::counted_use(app, (principal, grant), visitor, took)
    }

    /// The same without a look at the path: for what asks of each collection whether the grant leads there, and nothing else.
    pub(super) fn looking_on(
        app: &App,
        principal: Arc<Principal>,
        visitor: Arc<Visitor>,
        took: impl FnOnce(Taken),
    ) -> Result<Self, ApiError> {
        let grant = visitor.grant(&principal, app.engine.limits())?;
        Self::counted_use(app, (principal, grant), visitor, took)
    }

    fn counted_use(
        app: &App,
        (principal, grant): (Arc<Principal>, Arc<Grant>),
        visitor: Arc<Visitor>,
        took: impl FnOnce(Taken),
    ) -> Result<Self, ApiError> {
        if let Some(limit) = grant.surface().per_ip_per_hour() {
            let now_ms = app.engine.clock().now_ms();
            let taken = app.rates.key(&principal.id, visitor.address, limit, now_ms);
            took(taken);
            taken.check()?;
        }
        let (engine, actors) = (app.engine.clone(), Arc::clone(app.access.actors()));
        Ok(Self { engine, principal, grant, visitor, actors, metadata: None })
    }

    /// Checks what a route needs.
    async fn check_needs(&self, needs: Needs, parts: &mut Parts) -> Result<(), ApiError> {
        self.check_acls(needs.acls())?;
        match needs {
            Needs::Nothing
            | Needs::Credential
            | Needs::Handshake(_)
            | Needs::Any(_)
            | Needs::Operations(_) => Ok(()),
            Needs::FullAccess => {
                self.full_access()?;
                // What governs the server is none of the kinds of requests that `acls` name.
                Acl::ALL.into_iter().try_for_each(|acl| self.check_acl(acl))
            }
            Needs::Somewhere(action, _) => self.check_somewhere(action),
            Needs::Realtime(action, _) => self.check_realtime(action),
            Needs::Collection(action, _) => {
                let parameters = RawPathParams::from_request_parts(parts, &()).await;
                let parameters = parameters.map_err(|_| {
                    ApiError::bad_request("invalid_path", "the path is not valid UTF-8")
                })?;
                let collection = parameters.iter().find(|(name, _)| *name == "collection");
                let (_, collection) = collection.ok_or_else(|| {
                    headwater_engine::Error::internal("a route of a collection names none")
                })?;
                self.check(collection, action)
            }
        }
    }
}

/// The position that the views must have reached before the request is answered.
fn awaited_position(parts: &Parts) -> Result<Option<u64>, ApiError> {
    let malformed =
        || ApiError::bad_request("invalid_position", "Headwater-After must be a position");
    if let Some(value) = parts.headers.get("headwater-after") {
        let text = value.to_str().map_err(|_| malformed())?;
        return text.trim().parse().map(Some).map_err(|_| malformed());
    }
    match parts.uri.query() {
        Some(query) if query.contains("after_position=") => {
            Parameters::parse(Some(query)).number("after_position")
        }
        _ => Ok(None),
    }
}
