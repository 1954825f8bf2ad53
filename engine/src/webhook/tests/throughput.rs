//! How fast the dispatcher is with a receiver that answers at once. Run it alone, in release:
//! `cargo test --release -p headwater-engine --lib webhook::tests::throughput -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::support::{Bench, put};

const EVENTS: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn deliveries_per_second() {
    let mut bench = Bench::new(&[0]);
    bench.options.commit_interval = Duration::from_millis(50);
    let open = bench.open();
    for chunk in 0..EVENTS / 500 {
        let documents = (0..500).map(|n| {
            put(
                "orders",
                (chunk * 500 + n) as i32,
                "\"customer\":\"somebody\",\"total\":12345,\"lines\":[1,2,3]",
            )
        });
        open.write(documents.collect()).await;
    }
    let began = Instant::now();
    open.register(r#"{"url":"http://a.test/","collections":["*"],"from":"earliest"}"#).await;
    open.receiver.wait_long(EVENTS).await;
    let seconds = began.elapsed().as_secs_f64();
    println!("catch-up: {EVENTS} deliveries in {seconds:.2} s: {:.0}/s", EVENTS as f64 / seconds);
    assert_eq!(open.receiver.count(), EVENTS);
    open.stop().await;
}
