//! The JavaScript API in a page, as the vendor's document uses it with streams of events.

use serde_json::json;

use super::stage::{Stage, web_key};

#[tokio::test]
async fn s0_the_javascript_api_follows_and_publishes() {
    let stage = Stage::plain().await;
    let fields = json!({"fields": {"Model": {"type": "text"}, "Year": {"type": "number"}}});
    stage.root.put("/v1/collections/motorbikes", &fields).await;
    let page = stage.page("s0-jsapi-realtime.html", &web_key(&stage.root, json!({})).await);
    let wanted = ["connected", "saved Scrambler", "POST Scrambler", "answer {\"name\":42}"];
    page.wait("all that it shows", |found| {
        let items = found["items"].as_array().cloned().unwrap_or_default();
        wanted.iter().all(|line| items.iter().any(|item| item["text"] == *line))
    })
    .await;
}
