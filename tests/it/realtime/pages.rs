//! The pages of the document, in a browser.

use serde_json::{Value, json};

use super::{ORDERS, change, create, delete, logged, page, web_key};
use crate::harness::Server;

fn reading() -> Value {
    json!({"collections": {"orders": ["read", "subscribe"]}, "methods": ["GET"]})
}

#[tokio::test]
async fn a_page_follows_events_and_goes_on() {
    let mut server = Server::start();
    let client = server.client();
    let key = web_key(&client, reading()).await;
    let before = create(&client, json!({"_id": "before"})).await;
    let page = page(&server, &key, "follow.html", "");
    page.wait("a connection", |shown| shown["items"][0]["text"] == "connected").await;
    let told = || -> Vec<String> {
        page.lines()
            .into_iter()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
            .collect()
    };
    create(&client, json!({"_id": "a", "text": "\u{2028}\u{85}\r\n ä \u{1f600}"})).await;
    change(&client, "a", json!({"total": 1})).await;
    let expected = logged(&client, "orders", before).await;
    page.wait("what happens from now on", |_| told() == expected).await;
    server.kill();
    server.restart();
    delete(&client, "a").await;
    let expected = logged(&client, "orders", before).await;
    page.wait("what happens after a restart", |_| told() == expected).await;
}

#[tokio::test]
async fn a_page_that_is_refused_says_so() {
    let server = Server::start();
    let page = page(&server, "hw_wrong", "follow.html", "");
    page.wait("a refusal", |shown| shown["items"][0]["text"] == "refused: 401").await;
}

#[tokio::test]
async fn a_page_keeps_a_live_query() {
    let mut server = Server::start();
    let client = server.client();
    let key = web_key(&client, reading()).await;
    create(&client, json!({"_id": "a", "status": "open", "total": 5})).await;
    create(&client, json!({"_id": "b", "status": "paid", "total": 7})).await;
    let page = page(&server, &key, "live.html", "");
    page.wait("the snapshot", |_| page.lines() == ["a: 5"]).await;
    change(&client, "b", json!({"status": "open"})).await;
    change(&client, "a", json!({"total": 6})).await;
    page.wait("what enters and changes", |_| page.lines() == ["a: 6", "b: 7"]).await;
    server.kill();
    server.restart();
    change(&client, "a", json!({"status": "paid"})).await;
    page.wait("what leaves", |_| page.lines() == ["b: 7"]).await;
    client.delete("/v1/collections/orders").await.expect(200);
    page.wait("nothing, once the collection is dropped", |_| page.lines().is_empty()).await;
    create(&client, json!({"_id": "c", "status": "open", "total": 1})).await;
    page.wait("what comes after it", |_| page.lines() == ["c: 1"]).await;
    let found = client.get(&format!("{ORDERS}?filter=%7B%22status%22%3A%22open%22%7D")).await;
    assert_eq!(found.expect(200).list("documents").len(), 1);
}

#[tokio::test]
async fn pages_in_a_room_see_each_other() {
    let server = Server::start();
    let client = server.client();
    let room = json!({"collections": {}, "channels": {"room-*": ["publish", "subscribe"]}});
    let key = web_key(&client, room).await;
    let ann = page(&server, &key, "room.html", "?name=ann");
    ann.wait("ann alone", |shown| shown["texts"]["here"] == "ann").await;
    let bob = page(&server, &key, "room.html", "?name=bob");
    for page in [&ann, &bob] {
        page.wait("both", |shown| shown["texts"]["here"] == "ann, bob").await;
    }
    bob.run(
        "const input = document.getElementById('text');
         input.value = 'good morning';
         input.dispatchEvent(new Event('input'));",
    );
    ann.wait("what bob types", |shown| shown["texts"]["typing"] == "bob is typing: good morning")
        .await;
    assert_eq!(bob.shown()["texts"]["typing"], "", "one's own typing is not shown");
    drop(bob);
    ann.wait("ann alone again", |shown| shown["texts"]["here"] == "ann").await;
    let kept = client.get("/v1/events?kinds=event.published").await.expect(200);
    assert_eq!(kept.list("events").len(), 0, "none of it is in the log");
}
