//! A receiver of webhooks, and a server of pages, that records what comes and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use super::eventually;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// What it was answered with.
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `webhook-id`.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The position of the event.
    pub(crate) fn position(&self) -> u64 {
        self.json()["position"].as_u64().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// A status alone.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

type Answering = Box<dyn FnMut(&Received) -> Reply + Send>;

struct Shared {
    received: Mutex<Vec<Received>>,
    answering: Mutex<Answering>,
    stopping: AtomicBool,
}

/// A receiver on a port of its own.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that takes everything.
    pub(crate) fn start() -> Self {
        Self::answering(|_| Reply::status(204))
    }

    /// One that answers as it is told.
    pub(crate) fn answering(answer: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            answering: Mutex::new(Box::new(answer)),
            stopping: AtomicBool::new(false),
        });
        let held = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if held.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let held = Arc::clone(&held);
                // It ends with its connection.
                std::thread::spawn(move || drop(converse(&stream, &held)));
            }
        });
        Self { shared, address, accepting: Some(accepting) }
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answer: impl FnMut(&Received) -> Reply + Send + 'static) {
        *self.shared.answering.lock().unwrap() = Box::new(answer);
    }

    /// Answers this status from now on.
    pub(crate) fn answer_status(&self, status: u16) {
        self.answer(move |_| Reply::status(status));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All that came.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// All that was taken, which is to say answered with 2xx.
    pub(crate) fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|one| (200..300).contains(&one.status)).collect()
    }

    /// Forgets what came.
    pub(crate) fn clear(&self) {
        self.shared.received.lock().unwrap().clear();
    }

    /// Waits until so many requests came; all of them.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} requests"), async || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

/// Answers the requests of a connection.
fn converse(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).map_err(std::io::Error::other)?;
        let mut received = Received { method, path, headers, body, status: 0 };
        let reply = (shared.answering.lock().unwrap())(&received);
        received.status = reply.status;
        shared.received.lock().unwrap().push(received);
        write_reply(stream, &reply)?;
    }
}

fn write_reply(mut stream: &TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Told\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n{}", reply.body.len(), reply.body));
    stream.write_all(head.as_bytes())
}
