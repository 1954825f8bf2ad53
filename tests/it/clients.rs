//! Real clients, with part of the rights, over kills of the server: what they receive is the log, filtered by the rights.
//!
//! The clients are the programs and pages of `docs/realtime.md`: a browser's `EventSource` and `WebSocket`, npm's
//! `eventsource` and `ws`, Python's `httpx` and `websockets`. The rights are modelled anew, from their plain definition.

mod model;
mod sockets;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::harness::{Client, Page, Server, eventually};
use crate::realtime::{Example, page, web_key};
use model::Model;

/// How often the server is killed while the client follows, and how often in a long run.
const KILLS: usize = 3;
const KILLS_LONG: usize = 40;
/// Requests before the client starts, and between two kills.
const REQUESTS: usize = 25;

/// A client under way.
enum Following {
    Program(Example),
    Page(Page),
}

impl Following {
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Program(example) => example.program.lines(),
            Self::Page(page) => page.lines(),
        }
    }
}

/// Starts a program or page of the document, from the beginning of the log.
async fn start(server: &Server, name: &str) -> Following {
    let root = server.client();
    let grant = json!({
        "collections": {"orders": ["read", "subscribe"], "customers": ["read", "subscribe"]},
        "read_filter": {"owner": "ann"},
        "fields": {"exclude": ["cost", "address.street"]},
    });
    if name.ends_with(".html") {
        return Following::Page(page(server, &web_key(&root, grant).await, name, "#earliest"));
    }
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = issued.body["key"].as_str().unwrap().to_owned();
    Following::Program(Example::start(server, &key, name, &[]))
}

/// A request that writes something; some of them are refused.
fn write(random: &mut StdRng) -> Value {
    let operations: Vec<Value> =
        (0..random.random_range(1..3)).map(|_| operation(random)).collect();
    json!({"operations": operations})
}

fn operation(random: &mut StdRng) -> Value {
    let collection = ["orders", "customers"][random.random_range(0..2)];
    let id = format!("d{}", random.random_range(0..8));
    let owner = ["ann", "bob"][random.random_range(0..2)];
    let status = ["open", "paid"][random.random_range(0..2)];
    let document = json!({
        "_id": id, "owner": owner, "status": status, "total": random.random_range(0..100),
        "cost": random.random_range(0..100), "text": "\u{2028}\u{2029}\u{85}\u{c}\r\n \"ä\" \u{1f600}",
        "address": {"city": "Kiel", "street": random.random_range(0..100)},
    });
    let change = match random.random_range(0..6) {
        0 => json!({"owner": owner}),
        1 => json!({"cost": random.random_range(0..100)}),
        2 => json!({"address": {"street": random.random_range(0..100)}}),
        3 => json!({"$unset": {"text": ""}, "$inc": {"cost": 1}}),
        4 => json!({"status": status}),
        _ => json!({"total": random.random_range(0..100), "address": {"city": "Bonn"}}),
    };
    match random.random_range(0..10) {
        0..5 => {
            json!({"op": "replace", "collection": collection, "id": id, "document": document, "upsert": true})
        }
        5 => json!({"op": "create", "collection": collection, "document": document}),
        6 => json!({"op": "delete", "collection": collection, "id": id}),
        _ => json!({"op": "update", "collection": collection, "id": id, "update": change}),
    }
}

/// Writes until the client has seen some of it, and kills the server with a request under way.
async fn write_and_kill(server: &mut Server, random: &mut StdRng, following: &Following) {
    let client = server.client();
    let seen = following.lines().len();
    write_every_kind(&client).await;
    write_some(&client, random).await;
    eventually("a connection", async || (following.lines().len() > seen).then_some(())).await;
    let (client, last) = (server.client(), write(random));
    let under_way = tokio::spawn(async move { client.try_post("/v1/transactions", &last).await });
    tokio::task::yield_now().await;
    server.kill();
    drop(under_way.await);
    server.restart();
}

/// One document that is told of in every way: it comes, changes, leaves sight, comes back and is deleted.
async fn write_every_kind(client: &Client) {
    let path = "/v1/collections/orders/documents";
    let document = json!({"_id": "turn", "owner": "ann", "status": "open", "cost": 1});
    client.post(path, &document).await.expect(201);
    for change in [json!({"cost": 2}), json!({"owner": "bob"}), json!({"owner": "ann"})] {
        client.patch(&format!("{path}/turn"), &change).await.expect(200);
    }
    client.delete(&format!("{path}/turn")).await.expect(200);
}

async fn write_some(client: &Client, random: &mut StdRng) {
    for _ in 0..REQUESTS {
        let answer = client.post("/v1/transactions", &write(random)).await;
        assert!([200, 404, 409].contains(&answer.status), "{}", answer.text);
    }
}

/// All that was logged of both collections.
async fn logged(client: &Client) -> Vec<Value> {
    let (mut events, mut from) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/events?collections=orders,customers&from={from}&limit=1000");
        let page = client.get(&path).await.expect(200);
        events.extend(page.list("events").iter().cloned());
        from = page.body["next"].as_u64().unwrap();
        if page.body["next"] == page.body["last"] {
            return events;
        }
    }
}

/// Follows with a client while the server is killed. Gives its lines, once those that begin with each of the prefixes have
/// come to the last event, which it may see; and the log.
async fn follow(server: &mut Server, name: &str, prefixes: &[&str]) -> (Vec<String>, Vec<Value>) {
    let seed = match std::env::var("HEADWATER_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("HEADWATER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let client = server.client();
    write_every_kind(&client).await;
    write_some(&client, &mut random).await;
    let following = start(server, name).await;
    let says = |what: &str| following.lines().iter().any(|line| line.starts_with(what));
    eventually("the first lines", async || {
        prefixes.iter().all(|prefix| says(prefix)).then_some(())
    })
    .await;
    let long = std::env::var_os("HEADWATER_LONG").is_some();
    for _ in 0..if long { KILLS_LONG } else { KILLS } {
        write_and_kill(server, &mut random, &following).await;
    }
    write_some(&client, &mut random).await;
    write_every_kind(&client).await;
    // One that it will be shown, in either collection.
    for collection in ["customers", "orders"] {
        let path = format!("/v1/collections/{collection}/documents");
        client
            .post(&path, &json!({"_id": "last", "owner": "ann", "status": "open"}))
            .await
            .expect(201);
    }
    let log = logged(&client).await;
    let last = &log.last().unwrap()["position"];
    eventually("the last event", async || {
        prefixes.iter().all(|prefix| says(&format!("{prefix}{last} "))).then_some(())
    })
    .await;
    (following.lines(), log)
}

/// What was received, in its order. Each position came once, over all connections: these clients go on after the last id
/// that they dealt with.
fn received(lines: &[String], prefix: &str) -> Vec<(u64, String, Value)> {
    let mut all: Vec<(u64, String, Value)> = Vec::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix(prefix)) {
        let mut parts = line.splitn(3, ' ');
        let Ok(position) = parts.next().unwrap().parse() else { continue };
        let kind = parts.next().unwrap().to_owned();
        let data = serde_json::from_str(parts.next().unwrap()).unwrap();
        assert!(all.last().is_none_or(|last| last.0 < position), "{position} came late or again");
        all.push((position, kind, data));
    }
    all
}

/// A client of `/v1/events` receives what the model of its rights shows.
async fn receives_what_the_rights_show(name: &str) {
    let mut server = Server::start();
    let (lines, log) = follow(&mut server, name, &[""]).await;
    let mut model = Model::default();
    let told = log.iter().filter_map(|event| model.told(event));
    let expected: Vec<_> = told.filter(|(_, _, data)| data["collection"] == "orders").collect();
    let kinds = ["document.created", "document.updated", "document.deleted", "document.hidden"];
    for kind in kinds {
        assert!(expected.iter().any(|one| one.1 == kind), "the run has no {kind}");
    }
    let received = received(&lines, "");
    assert_eq!(received.len(), expected.len());
    for (received, expected) in received.iter().zip(&expected) {
        assert_eq!(received, expected);
    }
}

#[tokio::test]
async fn a_browsers_eventsource_receives_what_the_rights_show() {
    receives_what_the_rights_show("follow.html").await;
}

#[tokio::test]
async fn npm_eventsource_receives_what_the_rights_show() {
    receives_what_the_rights_show("follow.mjs").await;
}

#[tokio::test]
async fn python_httpx_receives_what_the_rights_show() {
    receives_what_the_rights_show("follow.py").await;
}
