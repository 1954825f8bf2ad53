//! The authorization table: every route with what it needs. The router, the check before each handler, the OpenAPI document
//! and the tests of access are all made from it.
//!
//! Guarantees: a route says what it needs, and is served and described, or it does not exist. What it needs is checked when
//! the session is made, before a body is read; a handler that takes no session can reach no data.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use crate::auth::{Acl, Action};
use crate::service::{no_method, no_route};
use crate::state::App;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: health, OpenAPI, logging in.
    Nothing,
    /// A credential; whose it is decides what is answered.
    Credential,
    /// A credential, in the request or in a message that follows on its connection, and one of the kinds of requests.
    Handshake(&'static [Acl]),
    /// A credential, and one of the kinds of requests; what it may do decides what is answered.
    Any(&'static [Acl]),
    /// A credential that allows the action on the collection in the path, and one of the kinds of requests.
    Collection(Action, &'static [Acl]),
    /// A credential that allows the action on what the request names, and one of the kinds of requests.
    Somewhere(Action, &'static [Acl]),
    /// The same, where a list of realtime may say it instead, and one of the kinds of requests.
    Realtime(Action, &'static [Acl]),
    /// A credential that allows what each operation of the request does.
    Operations(&'static [Acl]),
    /// Full access.
    FullAccess,
}

impl Needs {
    /// In words, for the OpenAPI document.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Handshake(_) => "a credential, now or in a message".to_owned(),
            Self::Credential | Self::Any(_) => "a credential".to_owned(),
            Self::Collection(action, _) => action.as_str().to_owned(),
            Self::Somewhere(action, _) | Self::Realtime(action, _) => {
                format!("{} on what it names", action.as_str())
            }
            Self::Operations(_) => "create, update or delete, as the operations do".to_owned(),
            Self::FullAccess => "full access".to_owned(),
        }
    }

    /// The kinds of requests of which one must be open; none: it does not matter.
    pub(crate) fn acls(self) -> &'static [Acl] {
        match self {
            Self::Handshake(acls)
            | Self::Any(acls)
            | Self::Collection(_, acls)
            | Self::Somewhere(_, acls)
            | Self::Realtime(_, acls)
            | Self::Operations(acls) => acls,
            Self::Nothing | Self::Credential | Self::FullAccess => &[],
        }
    }
}

/// One route: a method on a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// The method, in small letters.
    pub(crate) method: &'static str,
    /// The path, with parameters in braces.
    pub(crate) path: &'static str,
    /// What it asks of its caller.
    pub(crate) needs: Needs,
}

/// Routes with their handlers.
pub(crate) struct Routes {
    router: Router<App>,
    table: Vec<Route>,
}

impl Routes {
    /// No routes.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    /// Adds a route.
    pub(crate) fn add<H, T>(
        mut self,
        method: &'static str,
        path: &'static str,
        needs: Needs,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            "get" => MethodFilter::GET,
            "put" => MethodFilter::PUT,
            "patch" => MethodFilter::PATCH,
            "delete" => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        };
        let route = Route { method, path, needs };
        self.table.push(route);
        self.router = self.router.route(path, on(filter, Gated { route, handler }));
        self
    }

    /// Adds the routes of another table.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.router = self.router.merge(other.router);
        self
    }

    /// The table.
    pub(crate) fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router over the application.
    pub(crate) fn into_router(self, app: App) -> Router {
        self.router.fallback(no_route).method_not_allowed_fallback(no_method).with_state(app)
    }
}

/// A handler behind its entry of the table: the session that it takes finds the entry among the request's extensions.
#[derive(Clone)]
struct Gated<H> {
    route: Route,
    handler: H,
}

impl<H, T> Handler<T, App> for Gated<H>
where
    H: Handler<T, App>,
{
    type Future = H::Future;

    fn call(self, mut request: Request, app: App) -> Self::Future {
        request.extensions_mut().insert(self.route);
        self.handler.call(request, app)
    }
}
