//! A browser's own `EventSource`: Debian's Chromium, without a window.

use serde_json::{Value, json};

use crate::harness::{Browser, ROOT, Receiver, Reply, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";

/// The page: everything that the `EventSource` tells it goes back to the server of the page, in order.
const PAGE: &str = r#"<!doctype html><script>
let queue = Promise.resolve();
const tell = (what) => {
  queue = queue.then(() => fetch("/told", {method: "POST", body: JSON.stringify(what)}));
};
const source = new EventSource("URL/v1/events?collections=orders&apikey=KEY");
source.onopen = () => tell({open: true});
source.onerror = () => tell({error: source.readyState});
source.addEventListener("document.created", (event) =>
  tell({id: event.lastEventId, event: JSON.parse(event.data)}));
</script>"#;

#[tokio::test]
async fn r12_an_eventsource_gets_events_at_once_and_resumes_by_itself_after_a_kill() {
    let mut server = Server::start();
    let client = server.client();
    let html = PAGE.replace("URL", &server.url()).replace("KEY", ROOT);
    let pages = Receiver::answering(move |asked| Reply {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: if asked.path == "/" { html.clone() } else { String::new() },
    });
    let profile = tempfile::TempDir::new().unwrap();
    let browser = Browser::open(&pages.url("/"), profile.path());
    let told = || -> Vec<Value> {
        let received = pages.received();
        received
            .iter()
            .filter(|one| one.path == "/told")
            .map(crate::harness::Received::json)
            .collect()
    };
    let opened = || told().iter().filter(|what| what["open"] == true).count();
    let ids = || -> Vec<String> {
        let told = told();
        told.iter().filter_map(|what| Some(what["id"].as_str()?.to_owned())).collect()
    };
    eventually("an open EventSource", async || (opened() == 1).then_some(())).await;
    // Cut before its first event: it began at the newest, and goes on from there.
    server.kill();
    server.restart();
    let mut expected = Vec::new();
    for n in 0..3 {
        let position = client.post(ORDERS, &json!({"n": n})).await.expect(201).position();
        expected.push(position.to_string());
    }
    eventually("the first events", async || (ids() == expected).then_some(())).await;
    server.kill();
    server.restart();
    for n in 3..6 {
        let position = client.post(ORDERS, &json!({"n": n})).await.expect(201).position();
        expected.push(position.to_string());
    }
    eventually("a third opening", async || (opened() >= 3).then_some(())).await;
    eventually("the events meanwhile", async || (ids().len() >= expected.len()).then_some(()))
        .await;
    let last = client.post(ORDERS, &json!({"n": 6})).await.expect(201).position();
    expected.push(last.to_string());
    eventually("an event after that", async || ids().contains(&last.to_string()).then_some(()))
        .await;
    assert_eq!(ids(), expected, "no gap and no double");
    let documents: Vec<Value> =
        told().iter().map(|what| what["event"]["document"]["n"].clone()).collect();
    assert_eq!(documents.iter().filter(|n| n.is_number()).count(), 7);
    drop(browser);
}
