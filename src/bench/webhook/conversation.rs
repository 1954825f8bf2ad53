//! A receiver's side of HTTP/1.1: connections accepted, each delivery handed on and answered.
//!
//! Guarantees: one read and one write a delivery where it comes in one piece; ends only when accepting fails.

use std::io::Error;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;

use super::super::connection::head_of;

/// What to do with a delivery.
pub(super) trait Conversation {
    /// Takes one delivery, head and body, and gives the answer's bytes.
    async fn take(&self, delivery: &[u8]) -> &'static [u8];
}

/// Accepts connections and answers every delivery.
pub(super) async fn serve(listener: &TcpListener, conversation: &impl Conversation) -> Error {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.push(unconstrained(answer(stream, conversation))),
                Err(error) => return error,
            },
            // A connection that ends was closed by the server, or broke; its deliveries come again.
            Some(_) = connections.next() => {}
        }
    }
}

async fn answer(mut stream: TcpStream, conversation: &impl Conversation) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let end = match head_of(&buffer)? {
            Some(head) => head.bytes + head.length.unwrap_or_default(),
            None => usize::MAX,
        };
        if buffer.len() < end {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        }
        let answer = conversation.take(&buffer[..end]).await;
        buffer.drain(..end);
        stream.write_all(answer).await?;
    }
}
