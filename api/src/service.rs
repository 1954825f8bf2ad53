//! The outermost service: what holds for every request, whatever its route.
//!
//! Guarantees: every request is counted; every refusal has the native face's body and an id, by which the log names it;
//! a handler that panics answers 500; pages of any origin may use the server, without cookies.
//! Leaves to others: routing, access, limits of bodies.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use tower_service::Service as _;

use crate::error::ApiError;
use crate::figures::RouteClass;
use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXPOSED: &str = "headwater-position, headwater-epoch, etag, retry-after, x-request-id, \
                       idempotency-replayed";
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// The whole of the faces as one service; cheap to clone.
#[derive(Clone)]
pub struct Service {
    app: App,
    router: Router,
}

impl Service {
    /// The service over the routes.
    pub(crate) fn new(app: App, router: Router) -> Self {
        Self { app, router }
    }

    /// Answers one request.
    pub async fn call(&self, request: Request<Body>) -> Response {
        let clock = self.app.engine.clock();
        let start = clock.monotonic();
        let class = RouteClass::of(request.method(), request.uri().path());
        let cross_origin = request.headers().contains_key(header::ORIGIN);
        let mut response = match self.refusal(&request) {
            Some(early) => early,
            None => self.routed(request).await,
        };
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            self.fill_in(&error, &mut response);
        }
        if cross_origin {
            allow_any_origin(response.headers_mut());
        }
        let took = clock.monotonic().saturating_sub(start);
        self.app.figures.count(class, response.status().as_u16(), took);
        response
    }

    /// What is answered without a route: preflights and oversized headers.
    fn refusal(&self, request: &Request<Body>) -> Option<Response> {
        let headers = request.headers();
        if request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Some(preflight(headers));
        }
        let bytes: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let bytes = bytes + request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        let limit = self.app.engine.limits().header_bytes;
        (bytes > limit as usize).then(|| {
            let message = format!("the headers are larger than limits.header_bytes ({limit})");
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            ApiError::new(status, "limit_exceeded", message)
                .with("limit", "limits.header_bytes")
                .with("value", u64::from(limit))
                .into_response()
        })
    }

    async fn routed(&self, request: Request<Body>) -> Response {
        let mut router = self.router.clone();
        match AssertUnwindSafe(router.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let error = headwater_engine::Error::internal("a handler panicked");
                ApiError::from(error).into_response()
            }
        }
    }

    /// Writes the body of a refusal.
    fn fill_in(&self, error: &ApiError, response: &mut Response) {
        let mut random = [0; 12];
        self.app.engine.clock().fill_random(&mut random);
        let request_id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(internal) = error.internal() {
            tracing::error!(request_id, error = internal, "request failed");
        } else if error.status().is_server_error() {
            tracing::warn!(request_id, status = error.status().as_u16(), "request refused");
        }
        *response.body_mut() = Body::from(error.body(&request_id));
        let headers = response.headers_mut();
        // It was said of the empty body.
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
    }
}

fn allow_any_origin(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    let exposed = HeaderValue::from_static(EXPOSED);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

fn preflight(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    allow_any_origin(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED_METHODS));
    if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers
        .insert(header::VARY, HeaderValue::from_static("origin, access-control-request-headers"));
    response
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// What every unknown path answers.
pub(crate) async fn no_route(request: Request<Body>) -> ApiError {
    ApiError::not_found("route_not_found", format!("there is no {}", request.uri().path()))
}

/// What a known path answers to another method.
pub(crate) async fn no_method(request: Request<Body>) -> ApiError {
    let message = format!("{} is not answered at {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The plain hint at the root.
pub(crate) async fn hint() -> Response {
    let body = "headwater\nhealth: /healthz  API: /v1/openapi.json\n".to_owned();
    text(StatusCode::OK, "text/plain; charset=utf-8", body)
}
