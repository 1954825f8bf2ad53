//! A receiver that misbehaves as it is told, and records what came in the order in which it was sent.
//!
//! The order is that of accepting: the kernel hands connections over in the order in which they were made, and unless it
//! is told otherwise this receiver takes one request from each. So what a thread reads late still has its right place.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Enough for a request, and little, since hundreds of threads wait.
const STACK_BYTES: usize = 256 << 10;
/// The method of a request of the test itself.
const MARK: &str = "MARK";

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Its place in the order of everything that happened here.
    pub(super) at: u64,
    /// When its connection came, UTC ms.
    pub(super) came_ms: u64,
    pub(super) path: String,
    /// `webhook-id`.
    pub(super) id: String,
    pub(super) body: String,
    /// When 2xx was decided on, in the order of `at`; the server may not have seen it.
    pub(super) taken_at: Option<u64>,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The position of the event.
    pub(super) fn position(&self) -> u64 {
        self.json()["position"].as_u64().unwrap()
    }
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// A status with headers, after a time.
    Answer { status: u16, headers: String, after: Duration },
    /// Nothing, until the other side has enough of it.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// The connection is closed within the head of an answer.
    CloseInHead,
    /// 200, and the connection is closed within the body.
    CloseInBody,
    /// What is no HTTP.
    Garbage,
    /// 200, and a body that never ends.
    Endless,
}

impl Behaviour {
    /// A status at once.
    pub(super) fn status(status: u16) -> Self {
        Self::Answer { status, headers: String::new(), after: Duration::ZERO }
    }

    /// 204 after a time.
    pub(super) fn slow(after: Duration) -> Self {
        Self::Answer { status: 204, headers: String::new(), after }
    }

    fn is_success(&self) -> bool {
        match self {
            Self::Answer { status, .. } => (200..300).contains(status),
            Self::CloseInBody | Self::Endless => true,
            Self::Hang | Self::Close | Self::CloseInHead | Self::Garbage => false,
        }
    }
}

type Behave = Box<dyn Fn(&Request) -> Behaviour + Send + Sync>;

struct Shared {
    ticks: AtomicU64,
    requests: Mutex<Vec<Request>>,
    marks: Mutex<Vec<u64>>,
    behave: Behave,
    stopping: AtomicBool,
    /// Whether a connection carries several requests.
    keep_alive: bool,
}

impl Shared {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }
}

/// A receiver on a port of its own.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that takes one request from each connection.
    pub(super) fn start(behave: impl Fn(&Request) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::begin(behave, false)
    }

    /// One whose connections are used again, so that the order is not known.
    pub(super) fn keeping_alive(
        behave: impl Fn(&Request) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        Self::begin(behave, true)
    }

    fn begin(
        behave: impl Fn(&Request) -> Behaviour + Send + Sync + 'static,
        keep_alive: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            ticks: AtomicU64::new(1),
            requests: Mutex::default(),
            marks: Mutex::default(),
            behave: Box::new(behave),
            stopping: AtomicBool::new(false),
            keep_alive,
        });
        let held = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &held));
        Self { shared, address, accepting: Some(accepting) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came.
    pub(super) fn count(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// How many requests to a path were taken.
    pub(super) fn taken(&self, path: &str) -> usize {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|one| one.path == path && one.taken_at.is_some()).count()
    }

    /// All that came, in the order in which it was sent.
    pub(super) fn requests(&self) -> Vec<Request> {
        let mut requests = self.shared.requests.lock().unwrap().clone();
        requests.sort_unstable_by_key(|one| one.at);
        requests
    }

    /// Everything that was sent before this call stands before the mark, everything after it behind.
    pub(super) fn mark(&self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(format!("{MARK} / HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
    }

    /// The marks, in the order of `at`.
    pub(super) fn marks(&self) -> Vec<u64> {
        self.shared.marks.lock().unwrap().clone()
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

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let (at, came_ms, shared) = (shared.tick(), now_ms(), Arc::clone(shared));
        let thread = Builder::new().stack_size(STACK_BYTES);
        // It ends with its connection.
        drop(thread.spawn(move || drop(converse(&stream, at, came_ms, &shared))).unwrap());
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// Reads requests and does with them what it is told.
fn converse(
    stream: &TcpStream,
    mut at: u64,
    mut came_ms: u64,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Some((method, path, headers)) = read_head(&mut reader)? else { return Ok(()) };
        if method == MARK {
            shared.marks.lock().unwrap().push(at);
            return Ok(());
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).map_err(std::io::Error::other)?;
        let id = header("webhook-id");
        let request = Request { at, came_ms, path, id, body, taken_at: None };
        shared.requests.lock().unwrap().push(request.clone());
        let behaviour = (shared.behave)(&request);
        if let Behaviour::Answer { after, .. } = &behaviour {
            // Part of what a receiver does, not a way to wait for anything.
            std::thread::sleep(*after);
        }
        if behaviour.is_success() {
            note_taken(shared, &request);
        }
        if !answer(stream, &mut reader, &behaviour, shared.keep_alive)? {
            return Ok(());
        }
        (at, came_ms) = (shared.tick(), now_ms());
    }
}

fn note_taken(shared: &Shared, request: &Request) {
    let mut requests = shared.requests.lock().unwrap();
    let taken_at = shared.tick();
    let one = requests.iter_mut().rev().find(|one| one.at == request.at).unwrap();
    one.taken_at = Some(taken_at);
}

type Head = (String, String, BTreeMap<String, String>);

/// The method, the path and the headers by lower-case name.
fn read_head(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Head>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some((method, path, headers)))
}

/// Does it; whether another request may come on the connection.
fn answer(
    mut stream: &TcpStream,
    reader: &mut BufReader<&TcpStream>,
    behaviour: &Behaviour,
    keep_alive: bool,
) -> std::io::Result<bool> {
    match behaviour {
        Behaviour::Answer { status, headers, .. } => {
            let connection = if keep_alive { "keep-alive" } else { "close" };
            let head = format!(
                "HTTP/1.1 {status} Told\r\n{headers}connection: {connection}\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(head.as_bytes())?;
            return Ok(keep_alive);
        }
        Behaviour::Hang => wait_for_end(reader)?,
        Behaviour::Close => {}
        Behaviour::CloseInHead => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le")?,
        Behaviour::CloseInBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart of it")?;
        }
        Behaviour::Garbage => stream.write_all(b"\x16\x03\x01 204 what is this\r\n\r\n")?,
        Behaviour::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")?;
            wait_for_end(reader)?;
        }
    }
    Ok(false)
}

/// Waits until the other side closes the connection.
fn wait_for_end(reader: &mut BufReader<&TcpStream>) -> std::io::Result<()> {
    let mut rest = [0; 64];
    while reader.read(&mut rest)? > 0 {}
    Ok(())
}
