//! Bad input and limits: refused by name, in the face's shape.

use headwater_engine::limits::Limits;
use serde_json::json;

use crate::support::{Face, ROOT, request};

const ORDERS: &str = "/v1/collections/orders/documents";

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_by_name() {
    let face = Face::new();
    let malformed = face.post(ORDERS, "{\n \"a\": }").await;
    assert_eq!((malformed.status.as_u16(), malformed.code()), (400, "malformed_json"));
    let details = &malformed.body["error"]["details"];
    assert_eq!(details["line"], 2);
    assert!(details["column"].as_u64().unwrap() > 0);
    assert!(!malformed.body["error"]["request_id"].as_str().unwrap().is_empty());

    let deep = format!("{{\"a\":{}{}}}", "[".repeat(101), "]".repeat(101));
    let deep = face.post(ORDERS, &deep).await;
    assert_eq!(
        (deep.code(), &deep.body["error"]["details"]["limit"]),
        ("limit_exceeded", &json!("limits.nesting"))
    );
    let long = json!({"k".repeat(2000): 1}).to_string();
    assert_eq!(
        face.post(ORDERS, &long).await.body["error"]["details"]["limit"],
        "limits.member_name_bytes"
    );
    let id = json!({"_id": "i".repeat(2000)}).to_string();
    assert_eq!(face.post(ORDERS, &id).await.body["error"]["details"]["limit"], "limits.id_bytes");
    assert_eq!(face.post(ORDERS, r#"{"_id":[1]}"#).await.code(), "invalid_id");
    assert_eq!(face.post(ORDERS, "7").await.status, 400);

    for name in ["a%20b", ".", "..", "%C3%A9", &"x".repeat(121)] {
        let refused = face.get(&format!("/v1/collections/{name}/documents")).await;
        assert_eq!(refused.code(), "invalid_collection_name", "{name}");
    }
    let wrong = [("x-apikey", ROOT), ("content-type", "text/plain")];
    assert_eq!(face.ask_with("POST", ORDERS, "{}", &wrong).await.status, 415);
    let encoded = [("x-apikey", ROOT), ("content-encoding", "gzip")];
    assert_eq!(face.ask_with("POST", ORDERS, "{}", &encoded).await.status, 415);
    let operator = face.ask("PATCH", &format!("{ORDERS}/x"), r#"{"$fly":{"a":1}}"#).await;
    assert_eq!(operator.status, 400);
    assert!(operator.body["error"]["message"].as_str().unwrap().contains("$fly"));
    for name in ["filter", "sort", "projection"] {
        let refused = face.get(&format!("{ORDERS}?{name}=%7B%22a%22")).await;
        assert_eq!(refused.code(), "malformed_json");
        assert_eq!(refused.body["error"]["details"]["parameter"], name);
    }
    let unknown = face.get(&format!("{ORDERS}?fliter=x")).await;
    assert_eq!(unknown.code(), "unknown_parameter");
    assert_eq!(face.get("/v1/nothing").await.code(), "route_not_found");
    assert_eq!(face.ask("PATCH", "/v1/collections", "").await.code(), "method_not_allowed");
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_headers_are_bounded() {
    let face = Face::with(Limits { body_bytes: 1000, ..Limits::default() });
    let large = json!({"a": "x".repeat(1000)}).to_string();
    let refused = face.post(ORDERS, &large).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["details"]["limit"]),
        (413, &json!("limits.body_bytes"))
    );
    let long = "h".repeat(20_000);
    let refused = face.ask_with("GET", ORDERS, "", &[("x-apikey", ROOT), ("x-long", &long)]).await;
    assert_eq!(refused.status, 431);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_wait_for_a_position() {
    let face = Face::with(Limits { read_wait_ms: 50, ..Limits::default() });
    let made = face.post(ORDERS, r#"{"_id":"a"}"#).await;
    let path = format!("{ORDERS}/a?after_position={}", made.position());
    assert_eq!(face.get(&path).await.status, 200);
    let ahead = [("x-apikey", ROOT), ("headwater-after", "99999")];
    let late = face.ask_with("GET", ORDERS, "", &ahead).await;
    assert_eq!((late.status.as_u16(), late.code()), (503, "position_not_reached"));
    assert!(late.headers.contains_key("retry-after"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_use_it() {
    let face = Face::new();
    let headers = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-apikey,content-type"),
    ];
    let preflight = face.send(request("OPTIONS", ORDERS, "", &headers)).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.headers["access-control-allow-headers"], "x-apikey,content-type");
    let cross = [("x-apikey", ROOT), ("origin", "https://a.example")];
    let answer = face.ask_with("GET", ORDERS, "", &cross).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_told_to_full_access() {
    let face = Face::new();
    face.post(ORDERS, "{}").await;
    let metrics = face.get("/metrics").await;
    let text = metrics.body.as_str().unwrap();
    assert!(
        text.contains("headwater_http_requests_total{route=\"documents_write\",status=\"201\"} 1")
    );
    for name in ["commit_groups_total", "subscribers", "resident_bytes", "view_bytes", "position"] {
        assert!(text.contains(&format!("\nheadwater_{name} ")), "{name}");
    }
    for name in ["resident_memory_bytes", "open_fds"] {
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("process_{name} ")));
        let value = value.map(|value| value.parse::<u64>().unwrap());
        // Where the system does not tell, there is no figure.
        let expected = cfg!(target_os = "linux");
        assert_eq!(value.is_some_and(|value| value > 0), expected, "{name}: {value:?}");
    }
    let stats = face.get("/v1/admin/stats").await;
    assert_eq!(stats.body["documents"], 1);
    face.stop().await;
}
