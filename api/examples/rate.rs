//! Scratch: serves on 127.0.0.1:7999 with key "k" and measures itself.
use headwater_api::*;
use headwater_engine::*;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
#[tokio::main]
async fn main() {
    let clock = clock::SystemClock::shared();
    let access = Access::new(Some("k"), clock.clone());
    let dir = std::path::PathBuf::from("/tmp/rate-data");
    std::fs::remove_dir_all(&dir).ok();
    let settings = Settings {
        data: dir,
        log: Default::default(),
        limits: Default::default(),
        strictness: write::Strictness::Implicit,
        store: Default::default(),
        maintenance: Default::default(),
        retention: Default::default(),
    };
    let components = Components {
        fs: fs::SystemFileSystem::shared(),
        clock,
        tasks: tasks::Tasks::new(tokio::runtime::Handle::current()),
        followers: access.followers(),
    };
    let engine = tokio::task::block_in_place(|| Engine::open(settings, components)).unwrap();
    let api = Api::new(engine.clone(), access, ApiOptions::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    api.serve(listener, None);
    let body = format!("{{\"name\":\"a name\",\"n\":17,\"text\":\"{}\"}}", "x".repeat(200));
    let post = format!(
        "POST /v1/collections/c/documents HTTP/1.1\r\nhost: x\r\nx-apikey: k\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let put = body.replace("{\"name\"", "{\"_id\":\"one\",\"name\"");
    let first = format!(
        "POST /v1/collections/c/documents HTTP/1.1\r\nhost: x\r\nx-apikey: k\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{put}",
        put.len()
    );
    drive(address, &first, 1, Duration::from_millis(1)).await;
    drive(address, &post, 64, Duration::from_secs(5)).await;
    drive(
        address,
        "GET /v1/collections/c/documents/one HTTP/1.1\r\nhost: x\r\nx-apikey: k\r\n\r\n",
        64,
        Duration::from_secs(4),
    )
    .await;
    drive(address, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", 64, Duration::from_secs(4)).await;
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let end = engine.position();
    let start = Instant::now();
    socket.write_all(b"GET /v1/events?from=earliest&collections=c HTTP/1.1\r\nhost: x\r\nx-apikey: k\r\naccept: text/event-stream\r\n\r\n").await.unwrap();
    let (mut buf, mut total) = (vec![0; 1 << 20], 0usize);
    let last = format!("id: {end}\n");
    let mut carry = Vec::new();
    loop {
        let n = socket.read(&mut buf).await.unwrap();
        total += n;
        carry.extend_from_slice(&buf[..n]);
        if carry.windows(last.len()).any(|w| w == last.as_bytes()) {
            break;
        }
        let keep = carry.len().saturating_sub(64);
        carry.drain(..keep);
    }
    println!(
        "sse {} events in {:?}: {:.0}/s, {} MB",
        end,
        start.elapsed(),
        end as f64 / start.elapsed().as_secs_f64(),
        total >> 20
    );
    std::process::exit(0);
}
async fn drive(address: std::net::SocketAddr, request: &str, n: usize, time: Duration) {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let (request, count) = (request.to_owned(), count.clone());
            tokio::spawn(async move {
                let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
                socket.set_nodelay(true).unwrap();
                let mut buf = vec![0; 16384];
                let mut shown = false;
                loop {
                    socket.write_all(request.as_bytes()).await.unwrap();
                    let n = socket.read(&mut buf).await.unwrap();
                    if n == 0 || !buf.starts_with(b"HTTP/1.1 2") {
                        if !shown {
                            println!("{}", String::from_utf8_lossy(&buf[..n]));
                            shown = true;
                        }
                    }
                    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if start.elapsed() > time {
                        break;
                    }
                }
            })
        })
        .collect();
    for t in tasks {
        t.await.unwrap();
    }
    let c = count.load(std::sync::atomic::Ordering::Relaxed);
    println!(
        "{}: {} in {:?}: {:.0}/s",
        &request[..30],
        c,
        start.elapsed(),
        c as f64 / start.elapsed().as_secs_f64()
    );
}
