//! Receivers that are dead: a third never answer, a third answer 500, a third refuse connections.
//!
//! Guarantees: their ports stay theirs while they are held; every attempt that reaches one of the first two kinds counts.

use std::cell::Cell;
use std::io::{Error, Result};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::unconstrained;

use super::super::Plan;
use super::conversation::{Conversation, serve};
use super::registered::with_webhooks;

const ANSWER: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

/// The dead receivers.
struct Dead {
    listening: Vec<(TcpListener, Kind)>,
    /// Bound, but not listening: a connection is refused, and nobody else gets the port.
    closed: Vec<TcpSocket>,
    attempts: Cell<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Silent,
    Failing,
}

/// What a dead receiver does with a delivery.
struct Reply<'a> {
    kind: Kind,
    attempts: &'a Cell<u64>,
}

impl Conversation for Reply<'_> {
    async fn take(&self, _delivery: &[u8]) -> &'static [u8] {
        self.attempts.set(self.attempts.get() + 1);
        match self.kind {
            Kind::Failing => ANSWER,
            Kind::Silent => std::future::pending().await,
        }
    }
}

impl Dead {
    async fn open(count: usize) -> Result<Self> {
        let mut dead = Self { listening: Vec::new(), closed: Vec::new(), attempts: Cell::new(0) };
        for index in 0..count {
            let kind = match index % 3 {
                0 => Kind::Silent,
                1 => Kind::Failing,
                _ => {
                    let socket = TcpSocket::new_v4()?;
                    socket.bind(([127, 0, 0, 1], 0).into())?;
                    dead.closed.push(socket);
                    continue;
                }
            };
            dead.listening.push((TcpListener::bind("127.0.0.1:0").await?, kind));
        }
        Ok(dead)
    }

    fn urls(&self) -> Result<Vec<String>> {
        let listening = self.listening.iter().map(|(listener, _)| listener.local_addr());
        let closed = self.closed.iter().map(TcpSocket::local_addr);
        listening.chain(closed).map(|address| Ok(format!("http://{}/", address?))).collect()
    }

    async fn serve(&self) -> Error {
        let reply = |(listener, kind)| async move {
            serve(listener, &Reply { kind, attempts: &self.attempts }).await
        };
        let listening = self.listening.iter().map(|(listener, kind)| (listener, *kind));
        let mut serving: FuturesUnordered<_> =
            listening.map(|each| unconstrained(reply(each))).collect();
        match serving.next().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }
}

/// Does work beside `plan.webhook.dead` webhooks to dead receivers; also gives how many attempts reached these. The
/// webhooks have the server's own settings.
pub(super) async fn beside_dead<T>(
    plan: &Plan,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, u64)> {
    let dead = Dead::open(plan.webhook.dead).await?;
    let urls = dead.urls()?;
    let done = with_webhooks(plan, async |registered| {
        let work = async {
            for url in urls {
                let wish = json!({
                    "url": url, "collections": [plan.collection], "kinds": ["document.created"],
                });
                registered.register(&wish).await?;
            }
            work.await
        };
        tokio::select! {
            error = dead.serve() => Err(anyhow::Error::new(error).context("a dead receiver ended")),
            done = work => done,
        }
    });
    let done = done.await?;
    let attempts = dead.attempts.get();
    anyhow::ensure!(attempts > 0, "no attempt reached a dead receiver; nothing was compared");
    Ok((done, attempts))
}
