//! What is delivered, how, and what follows from the receiver's answer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::support::{Bench, put};
use crate::webhook::feed::Routed;
use crate::webhook::{Status, sign};

const ALL: &str = r#"{"url":"http://a.test/hook","collections":["*"],"headers":{"X-Team":"blue"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn r16_deliveries_are_signed_and_carry_the_event() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    open.put("orders", 1, "\"before\":true").await;
    let webhook = open.register(ALL).await;
    let position = open.put("orders", 1, "\"total\":7").await;
    let received = open.receiver.wait(1).await;
    let delivery = &received[0];
    assert_eq!(delivery.url, "http://a.test/hook");
    assert_eq!(delivery.headers["content-type"], "application/json");
    assert_eq!(delivery.headers["x-team"], "blue");
    let timestamp = &delivery.headers["webhook-timestamp"];
    assert_eq!(*timestamp, (open.now_ms() / 1000).to_string());
    let expected = sign([&webhook.secret], [], delivery.id(), timestamp, &delivery.body);
    assert_eq!(delivery.headers["webhook-signature"], expected);
    let event = delivery.json();
    assert_eq!(event["position"], position);
    assert_eq!(event["kind"], "document.updated");
    assert_eq!(event["document"]["total"], 7);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_and_kinds_choose() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    open.register(r#"{"url":"http://a.test/","collections":["orders"]}"#).await;
    let kinds = r#"{"url":"http://b.test/","collections":["*"],"kinds":["document.updated","event.published"]}"#;
    open.register(kinds).await;
    let published = super::support::json(r#"{"event":"answer","data":42}"#);
    open.write(vec![
        put("orders", 1, "\"n\":1"),
        put("other", 1, "\"n\":1"),
        put("other", 1, "\"n\":2"),
        crate::write::Operation::Publish { body: published.into() },
        put("orders", 1, "\"n\":2"),
    ])
    .await;
    let received = open.receiver.wait(5).await;
    let of = |host: &str| {
        let mut kinds: Vec<_> = received
            .iter()
            .filter(|delivery| delivery.url.contains(host))
            .map(|delivery| {
                let event = delivery.json();
                let kind = event["kind"].as_str().unwrap().to_owned();
                (event["position"].as_u64().unwrap(), kind)
            })
            .collect();
        kinds.sort();
        kinds.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>()
    };
    assert_eq!(of("a.test"), ["document.created", "document.updated"]);
    assert_eq!(of("b.test"), ["document.updated", "event.published", "document.updated"]);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_failing_document_is_retried_on_schedule_and_parks_only_itself() {
    let bench = Bench::new(&[0, 5000, 300_000]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|delivery| if delivery.document() == 1 { 503 } else { 204 });
    open.put("orders", 1, "\"n\":1").await;
    open.receiver.wait(1).await;
    open.put("orders", 1, "\"n\":2").await;
    open.put("orders", 2, "\"n\":1").await;
    let received = open.receiver.wait(2).await;
    assert_eq!(received[1].document(), 2);
    open.pass(4999);
    open.put("orders", 2, "\"n\":2").await;
    assert_eq!(open.receiver.wait(3).await[2].document(), 2);
    open.pass(1001);
    let received = open.receiver.wait(4).await;
    assert_eq!(received[3].id(), received[0].id());
    assert_eq!(received[3].body, received[0].body);
    open.until("a failing delivery with two attempts", || async {
        let page = open.service.deliveries(&webhook.id, Some(Status::Failing), 10, None).await;
        let page = page.unwrap();
        page.deliveries.len() == 1
            && page.deliveries[0].attempts.len() == 2
            && page.deliveries[0]
                .next_attempt_ms
                .is_some_and(|next| (300_000..=360_000).contains(&(next - open.now_ms())))
    })
    .await;
    open.until("one parked delivery, and no other pending", || async {
        let page = open.service.deliveries(&webhook.id, Some(Status::Pending), 10, None).await;
        let pending = page.unwrap().deliveries;
        pending.len() == 1 && pending[0].behind == Some(received[0].position())
    })
    .await;
    open.receiver.answer(|_| 200);
    open.pass(360_000);
    let received = open.receiver.wait(6).await;
    let documents: Vec<_> =
        received[4..].iter().map(|r| r.json()["document"]["n"].clone()).collect();
    assert_eq!(documents, [1, 2]);
    open.until("nothing outstanding", || async {
        open.service.figures(&webhook.id).await.unwrap().outstanding == 0
    })
    .await;
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_gone_disables_with_an_event_and_the_backlog_is_kept_or_skipped() {
    let bench = Bench::new(&[0, 1000]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    let watch =
        r#"{"url":"http://watch.test/","collections":["none"],"kinds":["webhook.disabled"]}"#;
    open.register(watch).await;
    open.receiver.answer(|delivery| if delivery.url.contains("a.test") { 410 } else { 200 });
    open.put("orders", 1, "\"n\":1").await;
    let received = open.receiver.wait(2).await;
    let event = received.iter().find(|r| r.url.contains("watch")).unwrap().json();
    assert_eq!(event["kind"], "webhook.disabled");
    assert_eq!(event["data"]["webhook"], *webhook.id);
    assert!(!open.service.get(&webhook.id).unwrap().active);
    open.put("orders", 2, "\"n\":1").await;
    assert_eq!(open.service.figures(&webhook.id).await.unwrap().state, "disabled");
    open.receiver.answer(|_| 200);
    open.patch(&webhook.id, r#"{"active":true,"backlog":"keep"}"#).await;
    let received = open.receiver.wait(4).await;
    let mut documents: Vec<_> = received[2..].iter().map(|r| r.document()).collect();
    documents.sort_unstable();
    assert_eq!(documents, [1, 2]);
    open.patch(&webhook.id, r#"{"active":false}"#).await;
    open.put("orders", 3, "\"n\":1").await;
    open.patch(&webhook.id, r#"{"active":true,"backlog":"skip"}"#).await;
    open.put("orders", 4, "\"n\":1").await;
    assert_eq!(open.receiver.wait(5).await[4].document(), 4);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_from_the_earliest_in_order_then_live() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    for chunk in 0..30 {
        open.write((0..200).map(|n| put("orders", n, &format!("\"n\":{chunk}"))).collect()).await;
    }
    let given = r#"{"url":"http://a.test/","collections":["orders"],"from":"earliest"}"#;
    let webhook = open.register(given).await;
    open.put("orders", 7, "\"n\":30").await;
    let received = open.receiver.wait(6001).await;
    let mut seen = BTreeMap::new();
    for delivery in &received {
        let event = delivery.json();
        let n = event["document"]["n"].as_i64().unwrap();
        let last = seen.insert(delivery.document(), n);
        assert_eq!(last.unwrap_or(-1) + 1, n, "document {}", delivery.document());
    }
    open.until("no lag", || async {
        open.service.figures(&webhook.id).await.unwrap().lag_events == 0
    })
    .await;
    assert_eq!(open.receiver.all().len(), 6001);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_and_a_rotation() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|_| 418);
    let tested = open.service.test(&webhook.id).await.unwrap();
    assert_eq!((tested.status_code, tested.error), (Some(418), None));
    open.receiver.answer(|_| 200);
    let mut secrets = vec![webhook.secret.clone()];
    for _ in 0..2 {
        let committed = open.write(vec![open.service.rotation(&webhook.id).unwrap()]).await;
        secrets.insert(0, open.service.written(&committed).unwrap().secret);
    }
    open.put("orders", 1, "\"n\":1").await;
    let all = &open.receiver.wait(2).await[1];
    let timestamp = &all.headers["webhook-timestamp"];
    let expected = sign(&secrets, [], all.id(), timestamp, &all.body);
    assert_eq!(all.headers["webhook-signature"], expected, "the first secret, too");
    open.pass(24 * 3600 * 1000);
    open.put("orders", 1, "\"n\":2").await;
    let one = &open.receiver.wait(3).await[2];
    assert!(!one.headers["webhook-signature"].contains(' '));
    assert_eq!(open.service.test("nobody").await.unwrap_err().code(), "webhook_not_found");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_slow_filter_finds_comes_too_and_holds_up_nobody() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let sum =
        r#"{"$reduce":{"input":"$list","initialValue":0,"in":{"$add":["$$value","$$this"]}}}"#;
    let slow = format!(
        r#"{{"url":"http://slow.test/","collections":["*"],"filter":{{"$expr":{{"$gte":[{sum},1]}}}}}}"#
    );
    open.register(&slow).await;
    open.register(r#"{"url":"http://quick.test/","collections":["*"]}"#).await;
    // More steps than the pass that all share may take, and fewer than a read of one's own may.
    let long = vec!["1"; 5000].join(",");
    for round in 0..6 {
        let put = |n: i32| {
            let list = if n % 3 == 0 { long.as_str() } else { "1" };
            put("orders", n, &format!("\"round\":{round},\"list\":[{list}]"))
        };
        open.write((0..10).map(put).collect()).await;
    }
    open.receiver.wait(120).await;
    let slow: Vec<_> =
        open.receiver.all().into_iter().filter(|one| one.url == "http://slow.test/").collect();
    assert_eq!(slow.len(), 60, "each once");
    let mut rounds = BTreeMap::new();
    for delivery in &slow {
        let round = delivery.json()["document"]["round"].as_i64().unwrap();
        let last = rounds.insert(delivery.document(), round).unwrap_or(-1);
        assert_eq!(last + 1, round, "document {}", delivery.document());
    }
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_who_was_not_looked_at_does_not_join_a_step_of_the_pass() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    let position = open.put("orders", 1, "\"n\":1").await;
    let cursor = async || open.service.figures(&webhook.id).await.unwrap().cursor;
    open.until("the cursor at the end", || async { cursor().await == position }).await;
    let one: Arc<HashSet<_>> = Arc::new([Arc::clone(&webhook.id)].into());
    let step =
        || Routed { after: position, to: position + 1, change: u64::MAX, ..Routed::default() };
    let full = Routed { left_out: Arc::clone(&one), ..step() };
    let slow = Routed { slow: (*one).clone(), ..step() };
    for missed in [full, slow] {
        open.service.ask(move |dispatcher| dispatcher.route(&missed)).await.unwrap();
        assert_eq!(cursor().await, position, "what was in the step would be lost");
    }
    open.stop().await;
}
