//! Readers that stop reading: memory stays bounded, others go on, and whoever reads on has no gap (R13).

use serde_json::json;

use super::{ORDERS, begun, is_long};
use crate::harness::Client;
use crate::harness::wire::Wire;

const PATH: &str = "/v1/events?collections=orders";
const MIB: f64 = 1_048_576.0;

async fn resident(client: &Client) -> f64 {
    let figures = client.get("/metrics").await.expect(200).text;
    let name = "process_resident_memory_bytes ";
    let value = figures.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().parse().unwrap()
}

/// Reads events until a position; each once, in order.
async fn read_on(mut wire: Wire, mut last: u64, end: u64) {
    let mut text = String::new();
    while last < end {
        text.push_str(&wire.chunk().await);
        while let Some(at) = text.find("\n\n") {
            let frame: String = text.drain(..at + 2).collect();
            let Some(rest) = frame.strip_prefix("id: ") else { continue };
            let position: u64 = rest.lines().next().unwrap().parse().unwrap();
            assert_eq!(position, last + 1, "a reader that was stalled");
            last = position;
        }
    }
}

#[tokio::test]
async fn r13_stalled_readers_hold_no_memory_and_nobody_up_and_miss_nothing() {
    let (sockets, events) = if is_long() { (1000, 1000) } else { (16, 800) };
    let (server, client) = begun().await;
    let mut healthy = client.stream(PATH, &[]).await;
    let mut stalled = Vec::new();
    for _ in 0..sockets {
        stalled.push(Wire::stalled(&server, PATH).await);
    }
    let begin = client.get(PATH).await.expect(200).body["last"].as_u64().unwrap();
    let before = resident(&client).await;
    let filler = "x".repeat(8 << 10);
    let mut last = begin;
    let mut slowest = std::time::Duration::ZERO;
    for n in 0..events {
        let sent = std::time::Instant::now();
        last = client.post(ORDERS, &json!({"n": n, "filler": filler})).await.expect(201).position();
        assert_eq!(healthy.next().await.unwrap().position(), last);
        slowest = slowest.max(sent.elapsed());
    }
    let rise = (resident(&client).await - before) / MIB;
    assert!(rise < f64::from(sockets).max(64.0), "{rise:.0} MiB for {sockets} stalled readers");
    let page = client.get("/v1/admin/subscriptions?limit=1000").await.expect(200);
    let behind = page.list("subscriptions").iter().filter(|one| one["lag"].as_u64() > Some(0));
    assert!(behind.count() > 0, "nobody was stalled");
    futures_util::future::join_all(stalled.into_iter().map(|one| read_on(one, begin, last))).await;
    eprintln!(
        "{sockets} stalled readers, {events} events of 8 KiB: {rise:.1} MiB more resident; \
         the slowest write with its delivery to the healthy reader took {slowest:?}"
    );
}
