//! Restarts, crashes, and stores that are missing or wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::support::{Bench, copy, put};
use crate::vault::OperatorKey;
use crate::webhook::MissingStore;

const ALL: &str = r#"{"url":"http://a.test/","collections":["*"]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn r15_what_failed_before_a_restart_comes_after_it_with_the_same_id() {
    let bench = Bench::new(&[0, 1000, 1000]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|delivery| if delivery.document() == 1 { 500 } else { 200 });
    open.put("orders", 1, "\"n\":1").await;
    let failed = open.receiver.wait(1).await[0].clone();
    open.put("orders", 1, "\"n\":2").await;
    open.put("orders", 2, "\"n\":1").await;
    open.receiver.wait(2).await;
    assert_eq!(open.service.needs_from().min(failed.position()), failed.position());
    open.stop().await;
    let open = bench.open();
    open.pass(1200);
    let received = open.receiver.wait(2).await;
    assert_eq!(received[0].id(), failed.id());
    assert_eq!(received[0].body, failed.body);
    assert_eq!(received[1].json()["document"]["n"], 2);
    open.service.saved().await.unwrap();
    open.until("nothing outstanding", || async {
        open.service.figures(&webhook.id).await.unwrap().outstanding == 0
    })
    .await;
    assert_eq!(open.receiver.all().len(), 2);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_a_crash_repeats_with_the_same_ids_and_loses_nothing() {
    let mut bench = Bench::new(&[0, 1000]);
    bench.options.commit_interval = Duration::from_secs(3600);
    let open = bench.open();
    open.register(ALL).await;
    open.service.saved().await.unwrap();
    open.write((0..100).map(|n| put("orders", n, "\"n\":1")).collect()).await;
    let before = open.receiver.wait(100).await;
    // The process is killed here: nothing of the hundred was saved.
    let killed = tempfile::tempdir().unwrap();
    let data = killed.path().join("data");
    copy(bench.dir.path(), &data);
    open.stop().await;
    let again = bench.open_at(&data).unwrap();
    let after = again.receiver.wait(100).await;
    let ids = |received: &[super::support::Received]| {
        received.iter().map(|r| (r.position(), r.id().to_owned())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(ids(&before), ids(&after));
    again.stop().await;
    // A clean stop saves everything: nothing comes again.
    let open = bench.open();
    open.put("orders", 1000, "\"n\":1").await;
    assert_eq!(open.receiver.wait(1).await[0].document(), 1000);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_store_is_refused_until_the_operator_chooses() {
    let mut bench = Bench::new(&[0]);
    let open = bench.open();
    open.register(ALL).await;
    open.put("orders", 1, "\"n\":1").await;
    open.receiver.wait(1).await;
    open.stop().await;
    std::fs::remove_dir_all(bench.dir.path().join("deliveries")).unwrap();
    let refused = bench.open_at(bench.dir.path()).err().unwrap();
    assert_eq!(refused.code(), "deliveries_missing");
    bench.options.missing_store = MissingStore::FromStart;
    let open = bench.open();
    assert_eq!(open.receiver.wait(1).await[0].document(), 1);
    open.stop().await;
    std::fs::remove_dir_all(bench.dir.path().join("deliveries")).unwrap();
    bench.options.missing_store = MissingStore::FromEnd;
    let open = bench.open();
    open.put("orders", 2, "\"n\":1").await;
    assert_eq!(open.receiver.wait(1).await[0].document(), 2);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_webhook_gets_nothing_and_is_forgotten() {
    let bench = Bench::new(&[0, 1000]);
    let open = bench.open();
    let webhook = open.register(ALL).await;
    open.receiver.answer(|_| 500);
    open.put("orders", 1, "\"n\":1").await;
    open.receiver.wait(1).await;
    let operation = crate::write::Operation::Delete {
        collection: "_webhooks".into(),
        id: webhook.document_id(),
        if_version: None,
        only_if: None,
    };
    open.write(vec![operation]).await;
    open.put("orders", 2, "\"n\":1").await;
    open.until("forgotten", || async {
        open.pass(20);
        open.service.figures(&webhook.id).await.is_err_and(|e| e.code() == "webhook_not_found")
    })
    .await;
    assert_eq!(open.receiver.all().len(), 1);
    open.service.saved().await.unwrap();
    assert_eq!(open.service.needs_from(), u64::MAX);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_random_failures_with_restarts_end_in_everything_delivered() {
    let seed = 20_240_501_u64;
    let bench = Bench::new(&[10; 200]);
    let mut sent = BTreeSet::new();
    let mut delivered: Vec<super::support::Received> = Vec::new();
    for round in 0..6_u8 {
        let open = bench.open();
        if round == 0 {
            open.register(ALL).await;
        }
        let calm = round == 5;
        open.receiver.answer(move |delivery| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes());
            hasher.update(delivery.id().as_bytes());
            hasher.update(&[round]);
            let lucky = !hasher.finalize().as_bytes()[0].is_multiple_of(3);
            if calm || lucky { 200 } else { 500 }
        });
        for n in 0..20 {
            sent.insert(
                open.put("orders", n % 5, &format!("\"n\":{}", i32::from(round) * 100 + n)).await,
            );
        }
        let target = if calm { sent.len() } else { 0 };
        open.until("the round's deliveries", || async {
            open.pass(12);
            // One turn for each step of the clock, or it would run days ahead.
            open.service.saved().await.unwrap();
            let done = open.receiver.all();
            let so_far = delivered.iter().chain(&done).filter(|r| r.status == 200);
            let positions: BTreeSet<_> = so_far.map(|r| r.position()).collect();
            positions.len() >= target && (calm || done.len() >= 15)
        })
        .await;
        // Attempts under way end with the stop.
        let receiver = std::sync::Arc::clone(&open.receiver);
        open.stop().await;
        delivered.extend(receiver.all());
    }
    let taken: Vec<_> = delivered.iter().filter(|r| r.status == 200).collect();
    let positions: BTreeSet<_> = taken.iter().map(|r| r.position()).collect();
    assert_eq!(positions, sent, "seed {seed}");
    let mut newest = BTreeMap::new();
    for delivery in taken {
        let last = newest.insert(delivery.document(), delivery.position());
        assert!(last.unwrap_or(0) <= delivery.position(), "seed {seed}: out of order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_operator_key_is_refused_by_name() {
    let mut bench = Bench::new(&[0]);
    let open = bench.open();
    open.register(ALL).await;
    open.stop().await;
    let file = bench.dir.path().join("operator-key");
    let key = std::fs::read_to_string(&file).unwrap();
    bench.operator_key = OperatorKey::parse(&"ab".repeat(32));
    assert_eq!(bench.open_at(bench.dir.path()).err().unwrap().code(), "operator_key_wrong");
    bench.operator_key = None;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(bench.open_at(bench.dir.path()).err().unwrap().code(), "operator_key_missing");
    assert!(!file.exists(), "no key was made over secrets that need another");
    // The key does as well from the configuration.
    bench.operator_key = OperatorKey::parse(&key);
    let open = bench.open();
    open.put("orders", 1, "\"n\":1").await;
    open.receiver.wait(1).await;
    open.stop().await;
    assert!(!file.exists());
}
