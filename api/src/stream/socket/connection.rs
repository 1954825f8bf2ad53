//! One WebSocket connection, from its handshake to its end.
//!
//! Guarantees: reading and writing go on beside each other, so a slow reader's messages are still heard; what ends it ends
//! all its subscriptions; at a stop they say their last word first, in a bounded time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::ending::{self, End};
use super::pulse::{Pulse, Watched};
use super::subscription::Table;
use super::writer::{self, Outgoing, QUEUE};
use crate::server::Admission;
use crate::session::Guest;
use crate::state::App;

/// How long subscriptions may take for their last words when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody who says nothing may still be here.
const IDLE: Duration = Duration::from_secs(5);

/// Who comes in by a handshake.
pub(crate) struct Entrance {
    /// The application.
    pub(crate) app: App,
    /// The caller.
    pub(crate) guest: Guest,
    /// The place of its connection among those that are open.
    pub(crate) admission: Option<Arc<Admission>>,
}

impl Entrance {
    /// Runs the connection to its end.
    pub(super) async fn run(self, upgraded: Upgraded) {
        let Self { app, guest, admission: _admission } = self;
        let limits = app.engine.limits();
        let pulse = Pulse::new();
        let io = Watched::new(TokioIo::new(upgraded), &pulse);
        let message_bytes = usize::try_from(limits.message_bytes).unwrap_or(usize::MAX);
        let config = writer::config(message_bytes);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let (mut sink, mut stream) = socket.split();
        let (queue, waiting) = mpsc::channel(QUEUE);
        let gone = CancellationToken::new();
        let subscriptions = gone.clone().drop_guard();
        let patience = Duration::from_millis(limits.header_timeout_ms);
        let (stopping, heartbeat) = (app.stopping.clone(), app.options.heartbeat);
        let table = Table::new(limits.subscriptions_per_connection);
        let asking = queue.clone();
        let ping = move || drop(asking.try_send(Outgoing::Ping));
        let desk = Desk { app, guest, table, queue, gone };
        let end = {
            let mut writing = pin!(writer::write(&mut sink, waiting));
            let end = tokio::select! {
                biased;
                () = stopping.cancelled() => End::Stopping,
                _ = writing.as_mut() => End::Broken,
                end = read(&mut stream, desk, patience) => end,
                () = pulse.lost(heartbeat, ping) => End::Lost,
            };
            if end == End::Stopping {
                // The queue closes once every subscription has said its last word.
                drop(tokio::time::timeout(LAST_WORDS, writing).await);
            }
            end
        };
        tracing::debug!(?end, "a WebSocket ends");
        drop(subscriptions);
        if let Ok(socket) = sink.reunite(stream) {
            ending::end(socket, end).await;
        }
    }
}

/// Reads messages until the end; whoever does not say in time who it is, is not heard any longer.
async fn read(
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
    mut desk: Desk,
    patience: Duration,
) -> End {
    let deadline = Instant::now() + patience;
    loop {
        let is_known = desk.is_known();
        let step = step(stream, &mut desk);
        let end = match is_known {
            true => step.await,
            false => {
                let end = tokio::time::timeout_at(deadline, step).await;
                end.unwrap_or(Some(End::Unauthorized))
            }
        };
        if let Some(end) = end {
            return end;
        }
    }
}

/// Reads a message and answers it.
async fn step(
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
    desk: &mut Desk,
) -> Option<End> {
    let Ok(next) = tokio::time::timeout(IDLE, stream.next()).await else {
        return desk.is_over().await.then_some(End::Unauthorized);
    };
    match next {
        None => Some(End::Closed),
        Some(Err(error)) => Some(End::of(&error)),
        Some(Ok(Message::Close(_))) => Some(End::Closed),
        Some(Ok(Message::Binary(_))) => Some(End::Binary),
        Some(Ok(Message::Text(text))) => desk.handle(text).await.err().map(|_| End::Broken),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
    }
}
