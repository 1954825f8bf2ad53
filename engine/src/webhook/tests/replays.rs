//! Replays, dead letters, single retries.

use std::collections::BTreeMap;

use super::support::{Bench, Open, json, put};
use crate::error::Detail;
use crate::value::Raw;
use crate::webhook::{ReplayAnswer, ReplayRequest, Status};

async fn replay(open: &Open, given: &str) -> crate::Result<ReplayAnswer> {
    let given = json(given);
    open.service.replay(ReplayRequest::parse(Raw::trusted(&given), None)?).await
}

async fn done(open: &Open, id: &str) {
    open.until("the replay's end", || async {
        open.service.saved().await.unwrap();
        open.service.replay_status(id).await.unwrap().status == "done"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_replay_is_counted_and_sends_the_same_ids() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["orders"]}"#).await;
    open.write((0..50).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    open.write((0..50).map(|n| put("other", n, "\"n\":1")).collect()).await;
    let first = open.receiver.wait(50).await;
    let id = &webhook.id;
    let dry = replay(&open, &format!(r#"{{"webhook":"{id}","from":0,"dry_run":true}}"#)).await;
    let dry = dry.unwrap();
    let (low, high) =
        (first.iter().map(|r| r.position()).min(), first.iter().map(|r| r.position()).max());
    assert_eq!((dry.id, dry.matched, dry.first, dry.last), (None, 50, low, high));
    let started = replay(&open, &format!(r#"{{"webhook":"{id}","from":0}}"#)).await.unwrap();
    let again = open.receiver.wait(100).await.split_off(50);
    let ids = |received: &[super::support::Received]| {
        received.iter().map(|r| (r.position(), r.id().to_owned())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(ids(&again), ids(&first));
    let replay_id = started.id.unwrap();
    done(&open, &replay_id).await;
    let view = open.service.replay_status(&replay_id).await.unwrap();
    assert_eq!((view.matched, view.sent, view.succeeded, view.failed), (50, 50, 50, 0));
    let part = format!(
        r#"{{"webhook":"{id}","from":{},"to":{},"collections":["orders"]}}"#,
        low.unwrap(),
        low.unwrap() + 3
    );
    assert_eq!(replay(&open, &part).await.unwrap().matched, 3);
    assert_eq!(open.receiver.wait(103).await.len(), 103);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_history_goes_to_a_webhook_of_today() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    open.write((0..3000).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    let started = replay(&open, &format!(r#"{{"webhook":"{}","from":0}}"#, webhook.id)).await;
    let started = started.unwrap();
    assert_eq!(started.matched, 3000);
    open.receiver.wait(3000).await;
    done(&open, &started.id.unwrap()).await;
    assert_eq!(open.receiver.all().len(), 3000);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_dead_letters_are_listed_and_sent_again() {
    let bench = Bench::new(&[0, 100]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    open.receiver.answer(|delivery| if delivery.document() < 3 { 500 } else { 200 });
    open.write((0..6).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let dead = || async {
        open.pass(120);
        let page = open.service.deliveries(&webhook.id, Some(Status::Dead), 100, None).await;
        page.unwrap().deliveries
    };
    open.until("three dead letters", || async { dead().await.len() == 3 }).await;
    assert!(dead().await.iter().all(|delivery| delivery.attempts.len() == 2));
    let figures = open.service.figures(&webhook.id).await.unwrap();
    assert_eq!((figures.dead, figures.outstanding), (3, 0));
    let page = open.service.deliveries(&webhook.id, Some(Status::Dead), 2, None).await.unwrap();
    assert_eq!(page.deliveries.len(), 2);
    let rest =
        open.service.deliveries(&webhook.id, Some(Status::Dead), 2, page.next).await.unwrap();
    assert_eq!((rest.deliveries.len(), rest.next), (1, None));
    open.receiver.answer(|_| 200);
    // One by hand, after a restart, the others by a replay.
    let one = rest.deliveries[0].position.to_string();
    open.service.retry(&webhook.id, &one).await.unwrap();
    open.until("one less", || async { dead().await.len() == 2 }).await;
    open.stop().await;
    let open = bench.open();
    let all = format!(r#"{{"webhook":"{}","from":0,"statuses":["dead"]}}"#, webhook.id);
    let started = replay(&open, &all).await.unwrap();
    assert_eq!(started.matched, 2);
    open.receiver.wait(2).await;
    done(&open, &started.id.unwrap()).await;
    assert_eq!(open.service.figures(&webhook.id).await.unwrap().dead, 0);
    // And one that was delivered long ago.
    open.service.retry(&webhook.id, &one).await.unwrap();
    assert_eq!(open.receiver.wait(3).await[2].position().to_string(), one);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_replay_goes_on_after_a_restart_and_can_be_cancelled() {
    let bench = Bench::new(&[0, 1000]);
    let open = bench.open();
    open.write((0..40).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    let all = format!(r#"{{"webhook":"{}","from":0,"rate_per_second":10}}"#, webhook.id);
    let id = replay(&open, &all).await.unwrap().id.unwrap();
    let second = replay(&open, &all).await.unwrap_err();
    assert_eq!(second.code(), "replay_running");
    open.receiver.wait(1).await;
    open.stop().await;
    let open = bench.open();
    assert_eq!(open.service.replay_status(&id).await.unwrap().status, "running");
    open.pass(200);
    open.receiver.wait(1).await;
    let view = open.service.cancel_replay(&id).await.unwrap();
    assert_eq!(view.status, "cancelled");
    assert!(view.succeeded < 40);
    open.patch(&webhook.id, r#"{"active":false}"#).await;
    assert_eq!(replay(&open, &all).await.unwrap_err().code(), "webhook_inactive");
    let missing = replay(&open, r#"{"webhook":"x","from":0}"#).await.unwrap_err();
    assert_eq!(missing.code(), "webhook_not_found");
    for wrong in [r#"{"from":0}"#, r#"{"webhook":"x"}"#, r#"{"webhook":"x","from":"y"}"#] {
        assert_eq!(replay(&open, wrong).await.unwrap_err().code(), "invalid_replay", "{wrong}");
    }
    for (wrong, field) in [
        (r#""filter":{"a":{"$nope":1}}"#, "filter"),
        (r#""filter":7"#, "filter"),
        (r#""filter":{"$text":{"$search":"a"}}"#, "filter"),
        (r#""deliveries":["1"]"#, "from"),
        (r#""source":"y""#, "source"),
        (r#""overtake":1"#, "overtake"),
        (r#""limit":1001"#, "limit"),
        (r#""statuses":["succeeded"]"#, "statuses"),
        (r#""statuses":["dead","eaten"]"#, "statuses"),
        (r#""statuses":"dead""#, "statuses"),
        (r#""statuses":[]"#, "statuses"),
        (r#""limit":5"#, "limit"),
    ] {
        let given = format!(r#"{{"webhook":"x","from":0,{wrong}}}"#);
        let error = replay(&open, &given).await.unwrap_err();
        assert_eq!(error.detail("field"), Some(&Detail::from(field)), "{wrong}: {error}");
    }
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_replay_with_a_filter_goes_on_with_it_after_a_restart() {
    let bench = Bench::new(&[0, 1000]);
    let open = bench.open();
    open.write((0..40).map(|n| put("orders", n, &format!("\"n\":{n}"))).collect()).await;
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    let asked = |more: &str| {
        let filter = r#""filter":{"n":{"$gte":30}}"#;
        format!(r#"{{"webhook":"{}","from":0,{filter}{more}}}"#, webhook.id)
    };
    let dry = replay(&open, &asked(r#","dry_run":true"#)).await.unwrap();
    assert_eq!((dry.matched, dry.last.unwrap() - dry.first.unwrap()), (10, 9));
    let id = replay(&open, &asked(r#","rate_per_second":10"#)).await.unwrap().id.unwrap();
    let mut documents: Vec<i64> =
        open.receiver.wait(1).await.iter().map(|r| r.document()).collect();
    open.stop().await;
    let open = bench.open();
    open.until("the replay's end", || async {
        open.pass(200);
        open.service.replay_status(&id).await.unwrap().status == "done"
    })
    .await;
    documents.extend(open.receiver.all().iter().map(|received| received.document()));
    documents.sort_unstable();
    documents.dedup();
    assert_eq!(documents, (30..40).collect::<Vec<_>>());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_dry_run_lists_what_it_counts() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["orders"]}"#).await;
    open.write((0..5).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let received = open.receiver.wait(5).await;
    let asked =
        |more: &str| format!(r#"{{"webhook":"{}","from":0,"dry_run":true{more}}}"#, webhook.id);
    let all = replay(&open, &asked(r#","limit":1000"#)).await.unwrap();
    let mut positions: Vec<u64> = received.iter().map(|one| one.position()).collect();
    positions.sort_unstable();
    assert_eq!(all.listed.iter().map(|one| one.position).collect::<Vec<_>>(), positions);
    assert_eq!(
        (&*all.listed[0].collection, all.listed[0].kind.as_str()),
        ("orders", "document.created")
    );
    let two = replay(&open, &asked(r#","limit":2"#)).await.unwrap();
    assert_eq!((two.matched, two.listed.len()), (5, 2));
    assert!(replay(&open, &asked("")).await.unwrap().listed.is_empty());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_what_is_dead_at_one_webhook_goes_to_another() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let first = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    open.receiver.answer(|delivery| if delivery.document() % 2 == 1 { 500 } else { 200 });
    open.write((0..600).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    open.write((600..610).map(|n| put("other", n, "\"n\":1")).collect()).await;
    open.until("the dead", || async {
        open.pass(10);
        open.service.figures(&first.id).await.unwrap().dead == 305
    })
    .await;
    open.receiver.answer(|_| 200);
    let second = open.register(r#"{"url":"http://b.test/","collections":["orders"]}"#).await;
    let given =
        format!(r#"{{"webhook":"{}","source":"{}","statuses":["dead"]}}"#, second.id, first.id);
    let answer = replay(&open, &given).await.unwrap();
    assert_eq!(answer.matched, 300, "of them, what the other one wants");
    done(&open, &answer.id.unwrap()).await;
    let to_second: Vec<_> =
        open.receiver.all().into_iter().filter(|one| one.url == "http://b.test/").collect();
    assert_eq!(to_second.len(), 300);
    assert!(to_second.iter().all(|one| one.document() % 2 == 1));
    assert_eq!(open.service.figures(&first.id).await.unwrap().dead, 305, "they stay dead there");
    let gone = given.replace(&*first.id, "none");
    assert_eq!(replay(&open, &gone).await.unwrap_err().code(), "webhook_not_found");
    assert_eq!(open.service.replays(Some(&second.id)).await.unwrap().len(), 1);
    assert!(open.service.replays(Some(&first.id)).await.unwrap().is_empty());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_single_deliveries_are_sent_again() {
    let bench = Bench::new(&[0]);
    let open = bench.open();
    let webhook = open.register(r#"{"url":"http://a.test/","collections":["*"]}"#).await;
    open.write((0..9).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let received = open.receiver.wait(9).await;
    let mut chosen: Vec<u64> = received[..3].iter().map(|one| one.position()).collect();
    chosen.sort_unstable();
    let given = format!(
        r#"{{"webhook":"{}","deliveries":["{}","{}","{}","{1}"]}}"#,
        webhook.id, chosen[2], chosen[0], chosen[1]
    );
    let answer = replay(&open, &given).await.unwrap();
    assert_eq!((answer.matched, answer.first, answer.last), (3, Some(chosen[0]), Some(chosen[2])));
    done(&open, &answer.id.unwrap()).await;
    let mut again: Vec<u64> = open.receiver.all()[9..].iter().map(|one| one.position()).collect();
    again.sort_unstable();
    assert_eq!(again, chosen);
    for (wrong, code) in [
        (r#"["1000000"]"#, "delivery_not_found"),
        (r#"["x"]"#, "delivery_not_found"),
        ("[]", "invalid_replay"),
        ("7", "invalid_replay"),
    ] {
        let given = format!(r#"{{"webhook":"{}","deliveries":{wrong}}}"#, webhook.id);
        assert_eq!(replay(&open, &given).await.unwrap_err().code(), code, "{wrong}");
    }
    open.stop().await;
}
