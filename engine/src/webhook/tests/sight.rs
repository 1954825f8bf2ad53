//! What the owner of a webhook may not see does not reach its receiver.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::support::{Bench, Open, json, put};
use crate::event::Event;
use crate::limits::Limits;
use crate::query::{Context, Filter, Trust};
use crate::restrict::{FieldRule, Restriction, Visibility};
use crate::value::Raw;
use crate::webhook::{Registration, ReplayRequest, Sight, Status};
use crate::write::Operation;

const ALL: &str = r#"{"url":"http://a.test/","collections":["*"]}"#;

/// Owners see everything but some collections.
#[derive(Debug, Default)]
struct Hidden {
    collections: Mutex<BTreeSet<&'static str>>,
    standing: AtomicU64,
}

impl Hidden {
    fn hide(&self, collection: &'static str) {
        self.collections.lock().insert(collection);
        self.standing.fetch_add(1, Ordering::SeqCst);
    }
}

impl Sight for Hidden {
    fn visibility(&self, owner: &str, event: &Event<'_>) -> Visibility {
        assert_eq!(owner, "test");
        if self.collections.lock().contains(event.collection) {
            return Visibility::Nothing;
        }
        Visibility::Everything
    }

    fn standing(&self, _owner: &str) -> Option<u64> {
        Some(self.standing.load(Ordering::SeqCst))
    }
}

fn bench(delays_ms: &[u64]) -> (Bench, Arc<Hidden>) {
    let mut bench = Bench::new(delays_ms);
    let sight = Arc::new(Hidden::default());
    bench.options.sight = Arc::clone(&sight) as Arc<dyn Sight>;
    (bench, sight)
}

fn collections(received: &[super::support::Received]) -> Vec<String> {
    received.iter().map(|r| r.json()["collection"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_delivered_and_not_replayed() {
    let (bench, sight) = bench(&[0]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.put("orders", 1, "\"n\":1").await;
    open.receiver.wait(1).await;
    sight.hide("orders");
    open.put("orders", 1, "\"n\":2").await;
    open.put("other", 2, "\"n\":1").await;
    assert_eq!(collections(&open.receiver.wait(2).await), ["orders", "other"]);
    // A replay of what is still under way is the delivery itself.
    open.until("nothing outstanding", || async {
        open.service.figures(&webhook.id).await.unwrap().outstanding == 0
    })
    .await;
    let request = json(&format!(r#"{{"webhook":"{}","from":0}}"#, webhook.id));
    let request = ReplayRequest::parse(Raw::trusted(&request), None).unwrap();
    assert_eq!(open.service.replay(request).await.unwrap().matched, 1);
    assert_eq!(collections(&open.receiver.wait(3).await)[2], "other");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outstanding_is_settled_in_silence_once_it_is_hidden() {
    let (bench, sight) = bench(&[0, 1000, 1000]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|_| 500);
    open.put("orders", 1, "\"n\":1").await;
    let failed = open.receiver.wait(1).await[0].position();
    open.put("orders", 1, "\"n\":2").await;
    sight.hide("orders");
    open.pass(1300);
    open.until("nothing outstanding", || async {
        open.service.figures(&webhook.id).await.unwrap().outstanding == 0
    })
    .await;
    let figures = open.service.figures(&webhook.id).await.unwrap();
    assert_eq!((figures.dead, figures.outcomes.failed), (0, 1));
    let known = open.service.delivery(&webhook.id, &failed.to_string()).await;
    assert_eq!(known.unwrap_err().code(), "delivery_not_found");
    assert!(open.service.retry(&webhook.id, &failed.to_string()).await.is_err());
    assert_eq!(open.receiver.all().len(), 1);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_memory_is_not_sent_after_the_owner_lost_sight() {
    let (bench, sight) = bench(&[0]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    let hiding = Arc::clone(&sight);
    open.receiver.answer(move |_| {
        hiding.hide("orders");
        200
    });
    open.write((0..10).map(|n| put("orders", 1, &format!("\"n\":{n}"))).collect()).await;
    open.receiver.wait(1).await;
    open.put("other", 1, "\"n\":1").await;
    open.until("everything settled", || async {
        let figures = open.service.figures(&webhook.id).await.unwrap();
        figures.outstanding == 0 && figures.lag_events == 0
    })
    .await;
    assert_eq!(collections(&open.receiver.all()), ["orders", "other"]);
    open.stop().await;
}

/// An owner who sees what a filter admits, without some fields; both may change.
#[derive(Debug, Default)]
struct Part {
    restriction: Mutex<Arc<Restriction>>,
    standing: AtomicU64,
}

impl Part {
    fn restrict(&self, filter: &str, hidden: &[&str]) {
        *self.restriction.lock() = restriction(filter, hidden);
        self.standing.fetch_add(1, Ordering::SeqCst);
    }
}

fn restriction(filter: &str, hidden: &[&str]) -> Arc<Restriction> {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let filter = Filter::parse(Raw::trusted(&json(filter)), &context).unwrap();
    let hidden: Vec<String> = hidden.iter().map(|path| (*path).to_owned()).collect();
    let fields = if hidden.is_empty() { None } else { FieldRule::parse(&[], &hidden).unwrap() };
    Arc::new(Restriction {
        filter: Some(Arc::new(filter)),
        fields: fields.map(Arc::new),
        ..Restriction::default()
    })
}

impl Sight for Part {
    fn visibility(&self, _owner: &str, _event: &Event<'_>) -> Visibility {
        Visibility::Restricted(Arc::clone(&self.restriction.lock()))
    }

    fn standing(&self, _owner: &str) -> Option<u64> {
        Some(self.standing.load(Ordering::SeqCst))
    }
}

const HERS: &str = r#"{"owner":"ann"}"#;

fn part(delays_ms: &[u64], hidden: &[&str]) -> (Bench, Arc<Part>) {
    let mut bench = Bench::new(delays_ms);
    let sight = Arc::new(Part::default());
    sight.restrict(HERS, hidden);
    bench.options.sight = Arc::clone(&sight) as Arc<dyn Sight>;
    (bench, sight)
}

fn delete(id: i32) -> Operation {
    let Operation::Replace { collection, id, .. } = put("orders", id, "\"n\":0") else {
        unreachable!("`put` replaces")
    };
    Operation::Delete { collection, id, if_version: None, only_if: None }
}

/// Waits until nothing more is to come, and gives everything that came.
async fn everything(open: &Open) -> Vec<super::support::Received> {
    open.until("everything settled", || async {
        let figures = open.service.all_figures().await.unwrap();
        figures.values().all(|figures| figures.outstanding == 0 && figures.lag_events == 0)
    })
    .await;
    open.receiver.all()
}

/// Waits until so many deliveries failed and wait for another attempt, and has them made.
async fn try_again(open: &Open, webhook: &str, count: usize) {
    open.until("failed attempts", || async {
        let page = open.service.deliveries(webhook, Some(Status::Failing), 10, None).await;
        let now_ms = open.now_ms();
        let waiting = |next: Option<u64>| next.is_some_and(|next| next > now_ms);
        let failing = page.unwrap().deliveries;
        failing.len() == count && failing.iter().all(|one| waiting(one.next_attempt_ms))
    })
    .await;
    open.pass(1300);
}

/// Kind and document of each delivery, by position.
fn kinds(received: &[super::support::Received]) -> Vec<(String, i64)> {
    let mut kinds: Vec<_> = received
        .iter()
        .map(|r| (r.position(), (r.json()["kind"].as_str().unwrap().to_owned(), r.document())))
        .collect();
    kinds.sort();
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restriction_admits_is_delivered_and_what_leaves_it_is_said_once() {
    let (bench, _) = part(&[0], &[]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.put("orders", 1, r#""owner":"ann","n":1"#).await;
    open.put("orders", 2, r#""owner":"bob","n":1"#).await;
    let left = open.put("orders", 1, r#""owner":"bob","n":2"#).await;
    open.put("orders", 1, r#""owner":"bob","n":3"#).await;
    open.write(vec![delete(1)]).await;
    open.put("orders", 2, r#""owner":"ann","n":2"#).await;
    open.write(vec![delete(2)]).await;
    let published = json(r#"{"event":"answer","data":42}"#);
    open.write(vec![Operation::Publish { body: published.into() }]).await;
    open.put("orders", 3, r#""owner":"ann","n":1"#).await;
    let received = everything(&open).await;
    let expected = [
        ("document.created", 1),
        ("document.hidden", 1),
        ("document.updated", 2),
        ("document.deleted", 2),
        ("document.created", 3),
    ];
    let expected = expected.map(|(kind, id)| (kind.to_owned(), id));
    assert_eq!(kinds(&received), expected);
    let hidden = received.iter().find(|r| r.position() == left).unwrap();
    let json = hidden.json();
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let members = BTreeSet::from(["position", "kind", "collection", "id"]);
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), members);
    // A replay judges by the same states and sends the same.
    let request = super::support::json(&format!(r#"{{"webhook":"{}","from":0}}"#, webhook.id));
    let request = ReplayRequest::parse(Raw::trusted(&request), None).unwrap();
    assert_eq!(open.service.replay(request).await.unwrap().matched, 5);
    open.receiver.wait(10).await;
    let again = everything(&open).await;
    assert_eq!(kinds(&again[5..]), expected);
    let resent = again[5..].iter().find(|r| r.position() == left).unwrap();
    assert_eq!((resent.id(), &resent.body), (hidden.id(), &hidden.body));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_asks_only_about_what_is_seen() {
    let (bench, _) = part(&[0], &["secret"]);
    let open = bench.open();
    let asks = |host: &str, filter: &str| {
        format!(r#"{{"url":"http://{host}/","collections":["*"],"filter":{filter}}}"#)
    };
    open.register(&asks("n.test", r#"{"n":1}"#)).await;
    open.register(&asks("secret.test", r#"{"secret":7}"#)).await;
    open.put("orders", 1, r#""owner":"bob","n":1,"secret":7"#).await;
    open.put("orders", 1, r#""owner":"ann","n":2,"secret":7"#).await;
    open.put("orders", 2, r#""owner":"ann","n":1,"secret":7"#).await;
    open.put("orders", 2, r#""owner":"ann","n":2,"secret":8"#).await;
    open.put("orders", 2, r#""owner":"bob","n":1,"secret":7"#).await;
    open.put("orders", 3, r#""owner":"ann","n":1,"secret":7"#).await;
    let received = everything(&open).await;
    assert!(received.iter().all(|r| r.url == "http://n.test/"), "{received:?}");
    // The document of the second one left without being what was asked for.
    let expected = [("document.created", 2), ("document.updated", 2), ("document.created", 3)];
    assert_eq!(kinds(&received), expected.map(|(kind, id)| (kind.to_owned(), id)));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_obeys_a_restriction_that_became_narrower() {
    let (bench, sight) = part(&[0, 1000, 1000, 1000], &[]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|_| 500);
    open.put("orders", 1, r#""owner":"ann","level":1,"secret":7"#).await;
    open.put("orders", 2, r#""owner":"ann","level":2,"secret":7"#).await;
    let first = open.receiver.wait(2).await;
    assert!(first.iter().all(|r| r.json()["document"]["secret"] == 7));
    sight.restrict(r#"{"owner":"ann","level":2}"#, &["secret"]);
    try_again(&open, &webhook.id, 2).await;
    let second = open.receiver.wait(3).await.remove(2);
    assert_eq!(second.document(), 2);
    assert_eq!(second.json()["document"], serde_json::json!({"_id":2,"owner":"ann","level":2}));
    let before = first.iter().find(|r| r.document() == 2).unwrap();
    assert_eq!(second.id(), before.id());
    // What was said to have left comes as the update that it is, once the state after it is seen, too.
    open.receiver.answer(|_| 200);
    try_again(&open, &webhook.id, 1).await;
    open.receiver.wait(4).await;
    open.receiver.answer(|_| 500);
    open.put("orders", 2, r#""owner":"ann","level":3"#).await;
    open.receiver.wait(5).await;
    open.receiver.answer(|_| 200);
    sight.restrict(r#"{"level":{"$in":[2,3]}}"#, &[]);
    try_again(&open, &webhook.id, 1).await;
    let updated = open.receiver.wait(6).await.remove(5);
    assert_eq!(updated.json()["kind"], "document.updated");
    assert_eq!(open.receiver.all()[4].json()["kind"], "document.hidden");
    assert_eq!(updated.id(), open.receiver.all()[4].id());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_fields_are_not_in_payloads_nor_among_the_paths() {
    let (bench, _) = part(&[0], &["secret"]);
    let open = bench.open();
    open.register(ALL).await;
    open.put("orders", 1, r#""owner":"ann","secret":"s1","n":1"#).await;
    open.put("orders", 1, r#""owner":"ann","secret":"s2","n":2"#).await;
    open.put("orders", 1, r#""owner":"ann""#).await;
    let received = everything(&open).await;
    for delivery in &received {
        assert!(!String::from_utf8_lossy(&delivery.body).contains("secret"), "{delivery:?}");
    }
    let document = serde_json::json!({"_id":1,"owner":"ann","n":2});
    assert_eq!(received[1].json()["document"], document);
    assert_eq!(received[1].json()["changed"], serde_json::json!(["n"]));
    assert_eq!(received[2].json()["removed"], serde_json::json!(["n"]));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_of_different_sight_get_different_payloads_of_one_event() {
    #[derive(Debug)]
    struct ByOwner;
    impl Sight for ByOwner {
        fn visibility(&self, owner: &str, _event: &Event<'_>) -> Visibility {
            match owner {
                "test" => Visibility::Everything,
                "left" => Visibility::Restricted(restriction(r#"{"n":1}"#, &[])),
                _ => Visibility::Restricted(restriction(r#"{"n":2}"#, &[])),
            }
        }

        fn standing(&self, _owner: &str) -> Option<u64> {
            Some(1)
        }
    }
    let mut bench = Bench::new(&[0]);
    bench.options.sight = Arc::new(ByOwner);
    let open = bench.open();
    for owner in ["test", "left", "other"] {
        let given = json(&format!(r#"{{"url":"http://{owner}/","collections":["*"]}}"#));
        let registration = Registration::create(
            &open.engine,
            Raw::trusted(&given),
            owner,
            &crate::webhook::Formats::default(),
        )
        .unwrap();
        let operation = Operation::Create {
            collection: "_webhooks".into(),
            id: registration.document_id(),
            body: registration.to_bytes(open.service.registry().vault()).into(),
        };
        open.write(vec![operation]).await;
    }
    // From here on one pass reads for all of them.
    assert!(everything(&open).await.is_empty());
    open.write(vec![put("orders", 1, "\"n\":1"), put("orders", 1, "\"n\":2")]).await;
    let received = everything(&open).await;
    let of = |owner: &str| {
        let url = format!("http://{owner}/");
        let of: Vec<_> = received.iter().filter(|r| r.url == url).cloned().collect();
        kinds(&of).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(of("test"), ["document.created", "document.updated"]);
    assert_eq!(of("left"), ["document.created", "document.hidden"]);
    assert_eq!(of("other"), ["document.updated"]);
    open.stop().await;
}
