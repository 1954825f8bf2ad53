//! Every route by every kind of credential: who may not is refused, who may is not (promise S1).
//!
//! The routes and what they need are read from the server's own OpenAPI document, so a new route is here without being
//! written down. A plain model says who may be let in; it knows the contract, not the code.

mod callers;
mod fixture;
mod model;
mod others;

use serde_json::Value;

use crate::harness::{Client, Server};
use callers::Caller;
use fixture::Fixture;
use model::{Expected, expected};

/// A route, as the server describes it.
#[derive(Clone, Debug)]
struct Route {
    method: String,
    path: String,
    needs: String,
    acls: Vec<String>,
}

/// The routes of the server's own description.
async fn routes(client: &Client) -> Vec<Route> {
    let described = client.get("/v1/openapi.json").await.expect(200).body;
    let mut routes = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let acls = operation["x-headwater-acls"].as_array().unwrap();
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                needs: operation["x-headwater-needs"].as_str().unwrap().to_owned(),
                acls: acls.iter().map(|acl| acl.as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    routes
}

/// What makes a request the handshake of a WebSocket.
const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Sends the request of a route as a caller; its status and what it was answered.
async fn ask(client: &Client, fixture: &Fixture, route: &Route, caller: &Caller) -> (u16, String) {
    let mut path = fixture.path(route);
    if let Some((name, value)) = &caller.parameter {
        let mark = if path.contains('?') { '&' } else { '?' };
        path = format!("{path}{mark}{name}={value}");
    }
    let mut request = client.request(&route.method, &path);
    for (name, value) in &caller.headers {
        request = request.header(*name, value);
    }
    if route.path == "/v1/ws" {
        for (name, value) in HANDSHAKE {
            request = request.header(name, value);
        }
    }
    if let Some(body) = fixture.body(route) {
        request = request.json(&body);
    }
    if ["/v1/ws", "/v1/live/{collection}"].contains(&route.path.as_str()) {
        return client.status(request).await;
    }
    let answer = client.send(request).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn s1_every_route_lets_in_whom_it_should_and_nobody_else() {
    let server = Server::with(&[("HEADWATER_AUTH__ANONYMOUS", "true")]);
    let root = server.client();
    let nobody = root.without_key();
    let routes = routes(&root).await;
    let mut fixture = Fixture::new(&root).await;
    let callers = callers::all(&root).await;
    assert!(callers.len() > 70, "{} kinds of callers", callers.len());
    let (mut let_in, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for route in &routes {
        let (mut some_in, mut some_out) = (false, false);
        for caller in &callers {
            let wanted = expected(route, caller);
            let (status, text) = ask(&nobody, &fixture, route, caller).await;
            let right = match wanted {
                // Nothing less than the upgrade itself.
                Expected::In if route.path == "/v1/ws" => status == 101,
                Expected::In => status != 401 && status != 403 && status < 500,
                // RestDB's clients know one that is none by 403.
                Expected::Unknown if fixture::is_restdb(route) => matches!(status, 401 | 403),
                Expected::Unknown => status == 401,
                Expected::Refused => status == 403,
                Expected::Hidden => status == 404,
            };
            if !right {
                let Route { method, path, .. } = route;
                wrong.push(format!(
                    "{method} {path} as {}: {wanted:?}, {status} {text}",
                    caller.name
                ));
            }
            some_in |= wanted == Expected::In;
            some_out |= wanted != Expected::In;
            if status < 400 {
                fixture.mend(&root, route).await;
            }
            *(if wanted == Expected::In { &mut let_in } else { &mut refused }) += 1;
        }
        assert!(some_in, "nobody was to be let in to {route:?}");
        assert!(some_out || route.needs == "nothing", "everybody was to be let in to {route:?}");
    }
    eprintln!(
        "{} routes, {} callers: {let_in} let in, {refused} refused",
        routes.len(),
        callers.len()
    );
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    // What the table had when this was written; a route that is gone is no route that was tried.
    assert!(routes.len() >= 92, "{} routes", routes.len());
    assert!(refused > 2000 && let_in > 500, "{let_in} let in, {refused} refused");
}

/// The text of a member.
fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member}: {value}")).to_owned()
}
