//! The outermost service: what holds for every request, whatever its route.
//!
//! Guarantees: every request is counted; every refusal has an id, by which the log names it, and the body of its face;
//! a handler that panics answers 500. Pages of any origin may use the server with keys and tokens that they send
//! themselves; a web key answers to its origins, a cookie to the server's own and those of `auth.cookie_origins`. Refusals
//! for want of a right go into the audit trail, sampled.
//! Leaves to others: routing, access, limits of bodies.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use tower_service::Service as _;

use crate::auth::{Kind, Offered, client_address, cors};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::face::Face;
use crate::figures::RouteClass;
use crate::server::Peer;
use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXPOSED: &str = "headwater-position, headwater-epoch, etag, retry-after, x-request-id, \
                       idempotency-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset";
/// Characters of a path that an entry of the audit trail shows.
const PATH_NOTED: usize = 200;
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
        let path = request.uri().path();
        let class = RouteClass::of(request.method(), Face::of(path).plain(path));
        let head = Head::of(&request);
        let mut request = request;
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let trusted = &self.app.options.trusted_proxies;
        let caller = Caller::at(client_address(peer, request.headers(), trusted));
        request.extensions_mut().insert(caller.clone());
        let mut response = match self.refusal(&request, &caller) {
            Some(early) => early,
            None => match head.face.enter(&mut request) {
                Ok(()) => self.routed(request).await,
                Err(refused) => refused.into_response(),
            },
        };
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            self.fill_in(&error, &head, &mut response);
            self.note_refusal(&error, &head, &caller);
        }
        if let Some(taken) = caller.taken() {
            taken.write_headers(response.headers_mut());
        }
        if let Some(origin) = &head.origin {
            self.let_read(origin, &head, &caller, response.headers_mut());
        }
        let took = clock.monotonic().saturating_sub(start);
        self.app.figures.count(class, response.status().as_u16(), took);
        response
    }

    /// What is answered without a route: preflights, addresses that ask too often, oversized headers.
    fn refusal(&self, request: &Request<Body>, caller: &Caller) -> Option<Response> {
        let headers = request.headers();
        let is_asking = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            || Face::of(request.uri().path()).answers_options();
        if request.method() == Method::OPTIONS && is_asking {
            return Some(self.preflight(headers));
        }
        let now_ms = self.app.engine.clock().now_ms();
        if let Err(error) = self.app.rates.request(caller.address(), now_ms) {
            return Some(error.into_response());
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

    /// Lets pages of an origin read the answer, as far as the caller's credential does.
    fn let_read(&self, origin: &str, head: &Head, caller: &Caller, headers: &mut HeaderMap) {
        let own = head.own_origin(origin);
        let how = match caller.principal() {
            Some(principal) if principal.kind == Kind::Web => {
                head.face.cors(Some(&principal.grant))
            }
            Some(principal) if principal.kind == Kind::Cookie => self.by_cookie(own.as_deref()),
            // Logging in sets the cookie: pages that may use it have to be able to.
            None if self.is_cookie_origin(origin) => self.by_cookie(own.as_deref()),
            _ => head.face.cors(None),
        };
        cors::write(headers, cors::answer(Some(origin), how));
        let exposed = HeaderValue::try_from(format!("{EXPOSED}{}", head.face.exposed()));
        if let Ok(exposed) = exposed {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    fn by_cookie<'a>(&'a self, own: Option<&'a str>) -> cors::How<'a> {
        cors::How::Cookie { own, others: &self.app.access.options().cookie_origins }
    }

    fn is_cookie_origin(&self, origin: &str) -> bool {
        cors::admits_cookie(origin, None, &self.app.access.options().cookie_origins)
    }

    /// The answer to a preflight, which cannot say what credential will be sent: the request itself is checked.
    fn preflight(&self, request: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        let methods = HeaderValue::from_static(ALLOWED_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        let vary = HeaderValue::from_static("origin, access-control-request-headers");
        headers.insert(header::VARY, vary);
        response
    }

    /// Puts a refusal for want of a right into the audit trail.
    fn note_refusal(&self, error: &ApiError, head: &Head, caller: &Caller) {
        let principal = caller.principal().map(|principal| &**principal);
        let now_ms = self.app.engine.clock().now_ms();
        self.app.audit.refusal(error, principal, caller.address(), &head.line(), now_ms);
    }

    /// Writes the body of a refusal.
    fn fill_in(&self, error: &ApiError, head: &Head, response: &mut Response) {
        let mut random = [0; 12];
        self.app.engine.clock().fill_random(&mut random);
        let request_id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(internal) = error.internal() {
            tracing::error!(request_id, error = internal, "request failed");
        } else if error.status().is_server_error() {
            tracing::warn!(request_id, status = error.status().as_u16(), "request refused");
        }
        let about = (head.path.as_str(), head.offered);
        let refusal = head.face.refusal(&self.app, error, about, &request_id);
        *response.status_mut() = refusal.status;
        *response.body_mut() = Body::from(refusal.body);
        let headers = response.headers_mut();
        // It was said of the empty body.
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
    }
}

/// What is kept of a request's head for its answer.
struct Head {
    face: Face,
    /// What sort of credential was presented; looked at where the face's refusals tell.
    offered: Offered,
    method: Method,
    path: String,
    origin: Option<String>,
    host: Option<String>,
}

impl Head {
    fn of(request: &Request<Body>) -> Self {
        let text = |name: HeaderName| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let origin = text(header::ORIGIN);
        // Over HTTP/2 the host stands in the request's target.
        let authority = || request.uri().authority().map(|authority| authority.to_string());
        let host = origin.as_ref().and_then(|_| text(header::HOST).or_else(authority));
        let face = Face::of(request.uri().path());
        let path = face.plain(request.uri().path()).chars().take(PATH_NOTED).collect();
        let offered = face.offered(request);
        Self { face, offered, method: request.method().clone(), path, origin, host }
    }

    /// The server's own origin as a page would name it, by the scheme that the page itself has.
    fn own_origin(&self, origin: &str) -> Option<String> {
        let (scheme, _) = origin.split_once("://")?;
        Some(format!("{scheme}://{}", self.host.as_deref()?))
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
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
