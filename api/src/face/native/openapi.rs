//! The OpenAPI 3.1 document of the face: `/v1/openapi.json`, made from the table of routes.
//!
//! Guarantees: every route is in it and nothing else is; a route without a description fails a test.

use std::sync::OnceLock;

use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::openapi_table::{Described, Media, OF_OTHER_FACES, find};
use crate::auth::SESSION_COOKIE;
use crate::reply;
use crate::router::{Needs, Route, Routes};
use crate::state::App;

/// The route of the document.
pub(super) fn routes() -> Routes {
    Routes::new().add("get", "/v1/openapi.json", Needs::Nothing, openapi)
}

async fn openapi(State(app): State<App>) -> axum::response::Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let made = DOCUMENT.get_or_init(|| document(&app.routes).to_string().into());
    reply::json(StatusCode::OK, app.engine.position(), made.clone())
}

fn document(table: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in table {
        let described = find(route.method, route.path).unwrap_or(&OF_OTHER_FACES);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route, described);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Headwater, native face",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every success carries Headwater-Position. Writes take Idempotency-Key. \
                            Reads take Headwater-After, or ?after_position=, and wait for it. \
                            Routes of other faces are named with what they need.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-apikey"},
                "parameter": {"type": "apiKey", "in": "query", "name": "apikey"},
                "basic": {"type": "http", "scheme": "basic"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
            "schemas": {"Error": error_schema()},
            "responses": {"Refusal": {
                "description": "A refusal; its status says which kind.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }},
        },
        "security": [
            {"bearer": []}, {"header": []}, {"parameter": []}, {"basic": []}, {"cookie": []},
        ],
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
                "request_id": {"type": "string"},
            },
        }},
    })
}

fn operation(route: &Route, described: &Described) -> Value {
    let in_path = route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
    });
    let in_query = described.parameters.iter().map(|name| {
        json!({"name": name, "in": "query", "required": false, "schema": {"type": "string"}})
    });
    let acls: Vec<&str> = route.needs.acls().iter().map(|acl| acl.as_str()).collect();
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": described.summary,
        "x-headwater-needs": route.needs.describe(),
        "x-headwater-acls": acls,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            described.status.to_string(): answer(described),
            "default": {"$ref": "#/components/responses/Refusal"},
        },
    });
    if described.body {
        let schema = json!({"schema": {}});
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": schema, "application/ejson": schema},
        });
    }
    if route.needs == Needs::Nothing || matches!(route.needs, Needs::Handshake(_)) {
        operation["security"] = json!([]);
    }
    operation
}

fn answer(described: &Described) -> Value {
    let content: Map<String, Value> = described
        .media
        .iter()
        .map(|media| {
            let name = match media {
                Media::Json => "application/json",
                Media::Stream => "text/event-stream",
                Media::Text => "text/plain",
                Media::Tar => "application/x-tar",
            };
            (name.to_owned(), json!({"schema": {}}))
        })
        .collect();
    json!({"description": described.summary, "content": content})
}

/// A name for generated clients: the method and the fixed parts of the path.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.to_owned();
    for segment in route.path.split(['/', '.']).filter(|segment| !segment.is_empty()) {
        id.push('_');
        id.push_str(segment.trim_matches(['{', '}']));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::native::openapi_access::ACCESS;
    use crate::face::native::openapi_collections::COLLECTIONS;
    use crate::face::native::openapi_people::PEOPLE;
    use crate::face::native::openapi_table::TABLE;
    use crate::face::native::routes as all_routes;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let routes = all_routes();
        for route in routes.table() {
            assert!(find(route.method, route.path).is_some(), "{} {}", route.method, route.path);
        }
        for described in TABLE.iter().chain(COLLECTIONS).chain(ACCESS).chain(PEOPLE) {
            let served = routes
                .table()
                .iter()
                .any(|route| (route.method, route.path) == (described.method, described.path));
            assert!(served, "{} {} is described but not served", described.method, described.path);
        }
        assert_eq!(
            routes.table().len(),
            TABLE.len() + COLLECTIONS.len() + ACCESS.len() + PEOPLE.len()
        );
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let routes = all_routes();
        let ids: std::collections::HashSet<_> = routes.table().iter().map(operation_id).collect();
        assert_eq!(ids.len(), routes.table().len());
        let document = document(routes.table());
        assert_eq!(document["openapi"], "3.1.0");
        assert!(document["paths"]["/v1/events"]["get"].is_object());
    }
}
