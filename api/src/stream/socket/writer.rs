//! What is sent on a connection: answers, and the chunks of all its subscriptions, in the order in which they came.
//!
//! Guarantees: little is held here. Frames that are there together go out in few writes; nothing that was given waits for
//! more. A long message goes in pieces, so that what is buffered stays small.

use bytes::Bytes;
use futures_util::{Sink, SinkExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::stream::wire::Wire;

/// Chunks and answers that may wait.
pub(super) const QUEUE: usize = 4;
/// What is gathered before it is written, bytes.
const GATHERED: usize = 64 << 10;
/// Longest piece of a message, bytes.
const PIECE: usize = 128 << 10;
/// What is read at once, bytes: every connection holds so much.
const READ: usize = 4 << 10;

/// Something to send.
pub(super) enum Outgoing {
    /// Messages of a subscription.
    Chunk(Bytes),
    /// One message.
    Message(Bytes),
    /// A question whether the peer is there.
    Ping,
}

/// The buffers of a connection whose peer may send messages of so many bytes.
pub(super) fn config(message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(GATHERED)
        .max_write_buffer_size(GATHERED + 2 * PIECE)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes))
}

/// Sends until nobody has anything to say any more, or the connection is broken.
pub(super) async fn write(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    mut queue: mpsc::Receiver<Outgoing>,
) -> Result<(), Error> {
    while let Some(first) = queue.recv().await {
        feed(sink, first).await?;
        while let Ok(more) = queue.try_recv() {
            feed(sink, more).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

async fn feed(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    outgoing: Outgoing,
) -> Result<(), Error> {
    match outgoing {
        Outgoing::Ping => sink.feed(Message::Ping(Bytes::new())).await,
        Outgoing::Message(message) => text(sink, message).await,
        Outgoing::Chunk(chunk) => {
            for message in Wire::messages(chunk) {
                text(sink, message).await?;
            }
            Ok(())
        }
    }
}

async fn text(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    mut rest: Bytes,
) -> Result<(), Error> {
    let mut kind = Data::Text;
    loop {
        let piece = rest.split_to(rest.len().min(PIECE));
        let frame = Frame::message(piece, OpCode::Data(kind), rest.is_empty());
        sink.feed(Message::Frame(frame)).await?;
        if rest.is_empty() {
            return Ok(());
        }
        kind = Data::Continue;
    }
}
