//! Subscriptions that are begun over and over during writes: each has everything after its beginning (R11).

use rand::RngExt;
use serde_json::json;

use super::{Writers, begun, is_long, log, random};
use crate::harness::Client;

const GROUPS: u64 = 50;
const READERS: usize = 8;

/// A live query as it was told: its group, the position and size of its snapshot, and what entered first.
struct Begun {
    group: u64,
    ready: u64,
    count: u64,
    first: u64,
}

/// A stream from the newest on: what follows its beginning is whatever the log has there.
async fn follow(client: &Client) -> (u64, Vec<u64>) {
    let mut stream = client.stream("/v1/events?collections=orders", &[]).await;
    let from = stream.headers["headwater-position"].to_str().unwrap().parse().unwrap();
    let frames = stream.take(3).await;
    (from, frames.iter().map(|frame| frame.position()).collect())
}

async fn live(client: &Client, group: u64) -> Begun {
    let path = format!("/v1/live/orders?filter={{\"g\":{group}}}");
    let mut stream = client.stream(&path, &[]).await;
    let mut count = 0;
    let ready = loop {
        let frame = stream.next().await.unwrap();
        if frame.event == "ready" {
            assert_eq!(frame.data["count"], count);
            break frame.position();
        }
        assert_eq!(frame.data["document"]["g"], group);
        count += 1;
    };
    let frame = stream.next().await.unwrap();
    assert_eq!(frame.event, "enter", "{frame:?}");
    Begun { group, ready, count, first: frame.position() }
}

#[tokio::test]
async fn r11_every_subscription_has_all_that_comes_after_its_beginning() {
    let cycles = if is_long() { 10_000 } else { 320 };
    let mut random = random();
    let (_server, client) = begun().await;
    let index = json!({"keys": {"g": 1}});
    client.put("/v1/collections/orders/indexes/g", &index).await.expect(201);
    let writers = Writers::start(&client, 2, GROUPS, &mut random);
    let (mut followed, mut begun) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < cycles {
        let groups: Vec<u64> = (0..READERS).map(|_| random.random_range(0..GROUPS)).collect();
        let events = futures_util::future::join_all((0..READERS).map(|_| follow(&client)));
        let lives = futures_util::future::join_all(groups.iter().map(|g| live(&client, *g)));
        let (events, lives) = futures_util::future::join(events, lives).await;
        done += events.len() + lives.len();
        followed.extend(events);
        begun.extend(lives);
    }
    writers.stop().await;
    let log = log(&client).await;
    for (from, seen) in &followed {
        let after = log.iter().map(|(position, _)| *position).filter(|position| position > from);
        assert_eq!(*seen, after.take(3).collect::<Vec<_>>(), "after {from}");
    }
    for Begun { group, ready, count, first } in &begun {
        let of_group = || log.iter().filter(|(_, g)| g == group).map(|(position, _)| *position);
        let within = of_group().filter(|position| position <= ready).count() as u64;
        assert_eq!(*count, within, "the snapshot of group {group} at {ready}");
        let next = of_group().find(|position| position > ready);
        assert_eq!(Some(*first), next, "what follows group {group} at {ready}");
    }
    eprintln!("{done} subscriptions begun during {} writes: missing 0", log.len());
}
