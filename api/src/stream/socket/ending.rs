//! Why a connection ends, and how it is told.
//!
//! Guarantees: the last frame says why, and reaches a peer that reads: what that still sends is read and thrown away, so
//! that the system does not answer it with a reset that takes the frame with it. All of it in a bounded time.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer closed it.
    Closed,
    /// It broke.
    Broken,
    /// A frame is malformed.
    Protocol,
    /// A message is no text.
    Binary,
    /// A text is not UTF-8.
    Text,
    /// A message is larger than this limit.
    TooLarge(usize),
    /// No credential came in time.
    Unauthorized,
    /// Nothing came from the peer any more.
    Lost,
    /// The server is stopping.
    Stopping,
}

impl End {
    /// What an error of reading means.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                Self::TooLarge(*max_size)
            }
            Error::Utf8(_) => Self::Text,
            Error::ConnectionClosed => Self::Closed,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Broken,
            Error::Protocol(_) | Error::Capacity(_) => Self::Protocol,
            _ => Self::Broken,
        }
    }

    fn frame(self) -> Option<CloseFrame> {
        let (code, reason): (_, Cow<'static, str>) = match self {
            Self::Closed | Self::Broken => return None,
            Self::Protocol => (CloseCode::Protocol, "a frame is malformed".into()),
            Self::Binary => (CloseCode::Unsupported, "messages are text".into()),
            Self::Text => (CloseCode::Invalid, "a text is not UTF-8".into()),
            Self::TooLarge(limit) => {
                let reason = format!("a message is larger than limits.message_bytes ({limit})");
                (CloseCode::Size, reason.into())
            }
            Self::Unauthorized => (CloseCode::Policy, "no credential came in time".into()),
            Self::Lost => (CloseCode::Away, "no sign of life; resume at the last ids".into()),
            Self::Stopping => {
                (CloseCode::Away, "the server is stopping; resume at the last ids".into())
            }
        };
        Some(CloseFrame { code, reason: reason.into_owned().into() })
    }
}

/// Ends a connection.
pub(super) async fn end<S>(mut socket: WebSocketStream<S>, end: End)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if end == End::Broken {
        return;
    }
    let goodbye = async {
        let said = match end.frame() {
            Some(frame) => socket.send(Message::Close(Some(frame))).await,
            // The answer to the peer's own goodbye.
            None => socket.flush().await,
        };
        if said.is_err() {
            return;
        }
        let io = socket.get_mut();
        if io.shutdown().await.is_err() {
            return;
        }
        let mut rest = [0; 4096];
        while io.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    };
    // One that does not read is left.
    drop(tokio::time::timeout(GOODBYE, goodbye).await);
}
