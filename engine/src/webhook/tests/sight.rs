//! What the owner of a webhook may not see does not reach its receiver.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::support::{Bench, json, put};
use crate::event::Event;
use crate::restrict::Visibility;
use crate::value::Raw;
use crate::webhook::{ReplayRequest, Sight};

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
    assert!(open.service.delivery(&webhook.id, &failed.to_string()).await.unwrap().is_none());
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
