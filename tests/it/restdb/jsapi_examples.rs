//! The JavaScript API in a page, as the vendor's document uses it with streams of events: with a key, with one that has a list
//! of what it hears, and with the token of a user.

use serde_json::{Value, json};

use super::stage::{Stage, web_key};
use super::{asked, id, provider};
use crate::harness::Page;

const EXAMPLE: &str = "s0-jsapi-realtime.html";
/// What it shows of itself.
const WANTED: [&str; 4] =
    ["connected", "saved Scrambler", "POST Scrambler", "answer {\"name\":42}"];

/// A server whose JavaScript API has a class for motorbikes.
async fn stage() -> Stage {
    let stage = Stage::plain().await;
    let fields = json!({"fields": {"Model": {"type": "text"}, "Year": {"type": "number"}}});
    stage.root.put("/v1/collections/motorbikes", &fields).await.expect(200);
    stage
}

async fn shows(page: &Page, wanted: &[&str]) {
    page.wait(&format!("{wanted:?}"), |found| {
        let items = found["items"].as_array().cloned().unwrap_or_default();
        wanted.iter().all(|line| items.iter().any(|item| item["text"] == *line))
    })
    .await;
}

/// The motorbike that the page has saved.
async fn scrambler(stage: &Stage) -> Value {
    let path = asked("/rest/motorbikes", &[("q", r#"{"Model":"Scrambler"}"#)]);
    stage.root.get(&path).await.expect(200).body[0].clone()
}

/// Whoever hears new motorbikes and answers alone hears of nothing else.
async fn new_bikes_alone_are_heard(stage: &Stage, page: &Page) {
    let root = &stage.root;
    let path = format!("/rest/motorbikes/{}", id(&scrambler(stage).await));
    root.post("/rest/customers", &json!({"Model": "of another collection"})).await.expect(201);
    root.put(&path, &json!({"Year": 1972})).await.expect(200);
    root.post("/rest/motorbikes", &json!({"Model": "Mito"})).await.expect(201);
    shows(page, &["POST Mito"]).await;
    let mut lines = page.lines();
    lines.sort_unstable();
    let mut wanted: Vec<&str> = WANTED.into_iter().chain(["POST Mito"]).collect();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn s0_the_javascript_api_follows_and_publishes() {
    let stage = stage().await;
    let page = stage.page(EXAMPLE, &web_key(&stage.root, json!({})).await);
    shows(&page, &WANTED).await;
    let bike = scrambler(&stage).await;
    let path = format!("/rest/motorbikes/{}", id(&bike));
    stage.root.put(&path, &json!({"Year": 1972})).await.expect(200);
    shows(&page, &[&format!("PUT {}", id(&bike))]).await;
}

#[tokio::test]
async fn s0_a_key_with_a_list_hears_what_is_listed() {
    let stage = stage().await;
    let list = json!({"realtime": ["POST:motorbikes", "answer"]});
    let page = stage.page(EXAMPLE, &web_key(&stage.root, list).await);
    shows(&page, &WANTED).await;
    new_bikes_alone_are_heard(&stage, &page).await;
}

#[tokio::test]
async fn s0_a_user_with_a_token_hears_what_the_record_lists() {
    let stage = stage().await;
    let rights = json!({"read": true, "create": true});
    let collections = json!({"motorbikes": rights, "customers": rights});
    let realtime = json!({"sub": ["POST:motorbikes", "answer"], "pub": ["answer"]});
    let token = provider::token(&stage.root, collections, realtime).await;
    let html = stage.example(EXAMPLE, &token);
    let by_token = html.replace("realtime: true", "realtime: true, jwt: true");
    assert_ne!(html, by_token);
    let page = stage.page_with(&by_token);
    shows(&page, &WANTED).await;
    new_bikes_alone_are_heard(&stage, &page).await;
}
