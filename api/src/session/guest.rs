//! One who may say who it is after the request: the caller of a WebSocket's handshake, and of the messages on it.
//!
//! Guarantees: a session for a message is made as one for a request is: the credential is looked up as it stands now, rates
//! count, the grant has to cover the handshake and to open the route's kind of requests.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use headwater_engine::Error;
use http::request::Parts;

use super::Session;
use super::gate::{caller_of, counted, route_of};
use super::visitor::Visitor;
use crate::auth::{Access, Acl, Principal};
use crate::error::ApiError;
use crate::router::Needs;
use crate::state::App;

/// A caller that may present its credential later.
pub(crate) struct Guest {
    app: App,
    visitor: Arc<Visitor>,
    acls: &'static [Acl],
    /// Who it was in the request, if it said so.
    pub(crate) session: Option<Session>,
}

impl FromRequestParts<App> for Guest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Needs::Handshake(acls) = route_of(parts)?.needs else {
            return Err(Error::internal("a route that needs a session takes a guest").into());
        };
        // What is presented must be valid.
        let session = match Access::is_presented(parts)? {
            true => Some(Session::from_request_parts(parts, app).await?),
            false => None,
        };
        let visitor = Arc::new(Visitor::of(parts, caller_of(parts).address()));
        Ok(Self { app: app.clone(), visitor, acls, session })
    }
}

impl Guest {
    /// The session of a key or token that a message presents; counts as a request.
    pub(crate) async fn by_token(&self, token: &str) -> Result<Session, ApiError> {
        self.count()?;
        self.admit(self.app.access.by_token(token).await)
    }

    /// A session as the same credential would have it now; counts as a request.
    pub(crate) async fn again(&self, session: &Session) -> Result<Session, ApiError> {
        self.count()?;
        self.admit(self.app.access.again(&session.principal).await)
    }

    /// Notes in the audit trail that a message was refused, if it was for want of a right.
    pub(crate) fn note(&self, error: &ApiError) {
        let who = self.session.as_ref().map(|session| &*session.principal);
        let now_ms = self.app.engine.clock().now_ms();
        let line = self.visitor.line();
        self.app.audit.refusal(error, who, self.visitor.address, &line, now_ms);
    }

    fn count(&self) -> Result<(), ApiError> {
        self.app.rates.request(self.visitor.address, self.app.engine.clock().now_ms())
    }

    fn admit(&self, found: Result<Arc<Principal>, ApiError>) -> Result<Session, ApiError> {
        let principal = counted(&self.app, self.visitor.address, found)?;
        // What is left of the rate has no place in a message.
        let session = Session::admitted(&self.app, principal, Arc::clone(&self.visitor), drop)?;
        session.check_acls(self.acls)?;
        Ok(session)
    }
}
