//! Names that change their mind, connections that are kept, redirects: nothing refused is ever connected to.
//!
//! What stands for a public address is 127.0.0.2 or 127.0.0.3, allowed by its network; what is refused is 127.0.0.1, with a
//! listener that counts.

use std::io::Result;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_engine::clock::SystemClock;
use headwater_engine::webhook::Transport;
use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::request;
use crate::outbound::resolver::{Lookup, Resolver};
use crate::outbound::seed;
use crate::webhook_transport::WebhookTransport;

type Answering = Box<dyn FnMut(&str) -> Vec<IpAddr> + Send>;

/// A resolver that does what it is told.
struct Told(Mutex<Answering>);

impl Resolver for Told {
    fn lookup(&self, name: &str) -> Lookup {
        let found = (self.0.lock())(name);
        let found = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Box::pin(std::future::ready(Result::Ok(found)))
    }
}

fn transport(
    allowed: &[&str],
    answer: impl FnMut(&str) -> Vec<IpAddr> + Send + 'static,
) -> WebhookTransport {
    let allowed = allowed.iter().map(|network| network.parse().unwrap()).collect();
    let resolver = Arc::new(Told(Mutex::new(Box::new(answer))));
    WebhookTransport::with_resolver(allowed, SystemClock::shared(), resolver).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A host that answers every request alike and counts connections.
struct Host {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Host {
    #[expect(clippy::disallowed_methods, reason = "a test has no tasks of an engine")]
    fn on(listener: TcpListener, answer: &str) -> Self {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&connections), answer.to_owned());
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                open.spawn(converse(socket, answer.clone()));
            }
        });
        Self { address, connections, task }
    }

    /// Connections so far: one of our own comes after them all.
    async fn counted(&self) -> usize {
        let mut own = TcpStream::connect(self.address).await.unwrap();
        own.write_all(b"{\"a\":1}").await.unwrap();
        assert!(own.read(&mut [0; 16]).await.unwrap() > 0);
        self.connections.fetch_sub(1, Ordering::SeqCst) - 1
    }

    /// Stops listening and closes what is open.
    async fn stop(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

/// Answers each request, by the end of its body.
async fn converse(mut socket: TcpStream, answer: String) {
    let mut sent = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = socket.read(&mut buffer).await
        && read > 0
    {
        sent.extend_from_slice(&buffer[..read]);
        if sent.ends_with(b"{\"a\":1}") {
            sent.clear();
            if socket.write_all(answer.as_bytes()).await.is_err() || answer.contains("close") {
                return;
            }
        }
    }
}

fn answer(status: u16, more: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{more}\r\n")
}

/// Hosts at 127.0.0.1 and others of loopback, on one port.
async fn hosts<const N: usize>(answers: [(&str, String); N]) -> (u16, [Host; N]) {
    loop {
        let mut listeners = Vec::new();
        let mut port = 0;
        for (address, _) in &answers {
            // Another's port may be taken there.
            let Ok(listener) = TcpListener::bind((*address, port)).await else { break };
            port = listener.local_addr().unwrap().port();
            listeners.push(listener);
        }
        if let Ok(listeners) = <[TcpListener; N]>::try_from(listeners) {
            let mut answers = answers.into_iter();
            let all = listeners.map(|listener| Host::on(listener, &answers.next().unwrap().1));
            return (port, all);
        }
    }
}

#[tokio::test]
async fn s8_a_name_that_turns_to_a_refused_address_is_not_connected_to() {
    const REFUSED: [&[&str]; 6] = [
        &["127.0.0.1"],
        &["127.0.0.1", "::1"],
        &["10.0.0.1", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["0.0.0.0", "127.0.0.1"],
        &["169.254.169.254", "::", "127.0.0.1"],
    ];
    let (port, [refused]) = hosts([("127.0.0.1", answer(204, ""))]).await;
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let mut asked = 0;
    let transport = transport(&[], move |name| {
        assert_eq!(name, "rebind.test");
        asked += 1;
        let now: &[&str] =
            if asked == 1 { &["8.8.8.8"] } else { REFUSED.choose(&mut random).unwrap() };
        now.iter().map(|address| ip(address)).collect()
    });
    let url = format!("http://rebind.test:{port}/hook");
    transport.vet(&url).await.expect("a public address when it is registered");
    for _ in 0..200 {
        let result = transport.deliver(request(&url)).await;
        assert_eq!(result.status, None);
        let error = result.error.unwrap();
        assert!(error.contains("allow_networks"), "{error}");
    }
    assert!(matches!(
        transport.vet(&url).await,
        Err(headwater_engine::webhook::Vetted::Refused(_))
    ));
    assert_eq!(refused.counted().await, 0);
}

fn mixed(random: &mut StdRng) -> Vec<IpAddr> {
    const REFUSED: [&str; 5] = ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::1", "10.0.0.1"];
    let mut all: Vec<IpAddr> =
        (0..random.random_range(1..6)).map(|_| ip(REFUSED.choose(random).unwrap())).collect();
    all.push(ip("127.0.0.2"));
    all.shuffle(random);
    all
}

#[tokio::test]
async fn s8_of_mixed_addresses_only_vetted_ones_are_tried_even_if_they_fail() {
    let (port, [refused, good]) = hosts([
        ("127.0.0.1", answer(500, "")),
        ("127.0.0.2", answer(204, "connection: close\r\n")),
    ])
    .await;
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let transport = transport(&["127.0.0.2/32"], move |_| mixed(&mut random));
    let url = format!("http://mixed.test:{port}/");
    for _ in 0..100 {
        transport.vet(&url).await.unwrap();
        let result = transport.deliver(request(&url)).await;
        assert_eq!(result.status, Some(204), "{:?}", result.error);
    }
    assert_eq!(good.counted().await, 100, "each attempt resolved anew");
    good.stop().await;
    for _ in 0..100 {
        let result = transport.deliver(request(&url)).await;
        assert!(result.error.unwrap().contains("connection failed"));
    }
    assert_eq!(refused.counted().await, 0);
}

#[tokio::test]
async fn s8_a_kept_connection_serves_no_other_name() {
    let (port, [refused, one, two]) = hosts([
        ("127.0.0.1", answer(500, "")),
        ("127.0.0.2", answer(202, "")),
        ("127.0.0.3", answer(203, "")),
    ])
    .await;
    let transport = transport(&["127.0.0.2/31"], |name| match name {
        "one.test" => vec![ip("127.0.0.2")],
        "two.test" => vec![ip("127.0.0.3")],
        _ => vec![ip("127.0.0.1")],
    });
    for _ in 0..50 {
        for (name, status) in [("one", Some(202)), ("refused", None), ("two", Some(203))] {
            let url = format!("http://{name}.test:{port}/");
            let result = transport.deliver(request(&url)).await;
            assert_eq!(result.status, status, "{name}: {:?}", result.error);
        }
    }
    assert_eq!(refused.counted().await, 0);
    assert!(one.counted().await < 50 && two.counted().await < 50, "connections were kept");
}

#[tokio::test]
async fn s8_redirects_lead_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let (_, [refused]) = hosts([("127.0.0.1", answer(204, ""))]).await;
        for location in ["127.0.0.1", "localhost", "other.test"] {
            let location = format!("location: http://{location}:{}/\r\n", refused.address.port());
            let (port, [_first]) = hosts([("127.0.0.2", answer(status, &location))]).await;
            let transport = transport(&["127.0.0.2/32"], |_| vec![ip("127.0.0.1")]);
            let url = format!("http://127.0.0.2:{port}/");
            let result = transport.deliver(request(&url)).await;
            assert_eq!(result.status, Some(status));
        }
        assert_eq!(refused.counted().await, 0);
    }
}
