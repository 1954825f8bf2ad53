//! Jobs, erasure, figures, health, the description of the face.

use serde_json::{Value, json};

use crate::harness::{Client, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";

/// Runs a job to its end.
pub(crate) async fn job(client: &Client, kind: &str) -> Value {
    let path = format!("/v1/admin/{kind}");
    let started = client.send(client.request("POST", &path)).await.expect(202);
    let path = format!("/v1/admin/jobs/{}", started.body["job"].as_str().unwrap());
    let ended = eventually(kind, async || {
        let job = client.get(&path).await.expect(200).body;
        (job["status"] != "running").then_some(job)
    })
    .await;
    assert_eq!(ended["status"], "done", "{ended}");
    ended
}

#[tokio::test]
async fn r8_a_rebuild_changes_nothing_that_is_seen_and_verify_agrees() {
    let server = Server::start();
    let client = server.client();
    for n in 0..5 {
        client.post(ORDERS, &json!({"_id": n})).await.expect(201);
    }
    client.delete(&format!("{ORDERS}/3")).await.expect(200);
    let before = client.get(ORDERS).await.expect(200).body["documents"].clone();
    let verified = job(&client, "verify").await;
    assert_eq!(verified["result"]["ok"], true);
    job(&client, "rebuild").await;
    assert_eq!(client.get(ORDERS).await.expect(200).body["documents"], before);
    assert_eq!(job(&client, "verify").await["result"]["ok"], true);
    client.get("/v1/admin/jobs/none").await.expect(404);
}

#[tokio::test]
async fn an_erased_document_leaves_its_positions_and_nothing_else() {
    let server = Server::start();
    let client = server.client();
    let secret = "the-secret-of-the-erased";
    client.post(ORDERS, &json!({"_id": "a", "text": secret})).await.expect(201);
    client.patch(&format!("{ORDERS}/a"), &json!({"n": 1})).await.expect(200);
    client.post(ORDERS, &json!({"_id": "b"})).await.expect(201);
    let erase = json!({"collection": "orders", "id": "a"});
    let erased = client.post("/v1/admin/erase", &erase).await.expect(200);
    assert!(erased.body["erased_events"].as_u64().unwrap() >= 2, "{}", erased.text);
    assert_eq!(erased.body["position"], erased.position());
    client.get(&format!("{ORDERS}/a")).await.expect(404);
    client.get(&format!("{ORDERS}/b")).await.expect(200);
    let all = format!("/v1/events?to={}", erased.position());
    let page = client.get(&all).await.expect(200);
    assert!(!page.text.contains(secret));
    let events = page.list("events");
    assert_eq!(events.len() as u64, erased.position(), "every position is still there");
    assert_eq!((&events[1]["erased"], &events[1]["document"]), (&json!(true), &Value::Null));
    assert_eq!(job(&client, "verify").await["result"]["ok"], true);
    let mut directories = vec![server.data().join("log")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none());
        }
    }
}

#[tokio::test]
async fn health_readiness_and_figures_are_told() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({})).await.expect(201);
    let open = client.without_key();
    assert_eq!(open.get("/healthz").await.expect(200).body["durability"], "sync");
    open.get("/readyz").await.expect(200);
    let stats = client.get("/v1/admin/stats").await.expect(200).body;
    assert_eq!((&stats["position"], &stats["documents"]), (&json!(2), &json!(1)));
    let metrics = client.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    for line in metrics.text.lines() {
        let good = line.starts_with('#') || line.rsplit(' ').next().unwrap().parse::<f64>().is_ok();
        assert!(good, "no Prometheus text: {line}");
    }
    assert!(metrics.text.contains("headwater_http_requests_total"));
}

#[tokio::test]
async fn relaxed_durability_is_said_aloud() {
    let server = Server::with(&[("HEADWATER_LOG__DURABILITY", "relaxed")]);
    let health = server.client().get("/healthz").await.expect(200);
    assert_eq!(health.body["durability"], "relaxed");
    assert!(server.log().contains("relaxed"), "{}", server.log());
}

#[tokio::test]
async fn open_streams_are_listed() {
    let server = Server::start();
    let client = server.client();
    let stream = client.stream("/v1/events?collections=orders", &[]).await;
    let of = async || client.get("/v1/admin/subscriptions").await.expect(200);
    assert_eq!(of().await.list("subscriptions").len(), 1);
    drop(stream);
    eventually("the end of the stream", async || {
        // A broken connection is noticed by writing to it.
        client.post(ORDERS, &json!({})).await.expect(201);
        of().await.list("subscriptions").is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn openapi_names_every_route_that_answers() {
    let server = Server::start();
    let client = server.client();
    let described = client.get("/v1/openapi.json").await.expect(200).body;
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = described["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let concrete: String = path
            .split('/')
            .map(|segment| if segment.starts_with('{') { "orders" } else { segment })
            .collect::<Vec<_>>()
            .join("/");
        for method in methods.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            // A stream's answer has no end.
            let request = client.request(&method.to_uppercase(), &concrete);
            let (status, text) = client.status(request).await;
            assert_ne!(status, 405, "{method} {path}");
            assert!(!text.contains("route_not_found"), "{method} {path}: {text}");
        }
    }
    assert!(paths.contains_key("/v1/collections/{c}/documents") || paths.len() > 20, "{paths:?}");
}

#[tokio::test]
async fn pages_of_any_origin_may_call() {
    let server = Server::start();
    let client = server.client();
    let request = client.without_key().request("OPTIONS", ORDERS);
    let request = request.header("origin", "https://shop.example");
    let request = request.header("access-control-request-method", "POST");
    let request = request.header("access-control-request-headers", "x-apikey,content-type");
    let preflight = client.send(request).await.expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    assert!(preflight.header("access-control-allow-headers").contains("x-apikey"));
    let answer = client.send(client.request("GET", ORDERS).header("origin", "null")).await;
    let exposed = answer.expect(200).header("access-control-expose-headers").to_owned();
    assert!(exposed.contains("headwater-position"), "{exposed}");
}
