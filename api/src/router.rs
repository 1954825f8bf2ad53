//! The table of routes: the router and the OpenAPI document are both made from it.
//!
//! Guarantees: a route says what it needs, and is served and described, or it does not exist.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use crate::service::{no_method, no_route};
use crate::state::App;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: health and OpenAPI.
    Nothing,
    /// A credential that allows the action on the collection named.
    Action(&'static str),
    /// Full access.
    FullAccess,
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
        self.table.push(Route { method, path, needs });
        self.router = self.router.route(path, on(filter, handler));
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
