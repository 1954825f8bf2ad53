//! A WebSocket, as a client of the contract uses it.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Frame, PATIENCE};

/// A connection under way.
pub(crate) struct Socket {
    inner: WebSocketStream<TcpStream>,
    /// Messages of other subscriptions than the one that was asked for.
    waiting: VecDeque<Value>,
    /// How the server closed it, once it did.
    pub(crate) closed: Option<(u16, String)>,
    /// Pings that came.
    pub(crate) pings: usize,
    /// Answers to pings of ours.
    pub(crate) pongs: usize,
}

impl Socket {
    /// Connects to a path of `http://address`; the status and body of a refusal.
    pub(crate) async fn open(
        url: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        Self::over(TcpSocket::new_v4().unwrap(), url, path, headers).await
    }

    /// The same over a socket with options.
    pub(crate) async fn over(
        socket: TcpSocket,
        url: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let address = url.strip_prefix("http://").unwrap();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let opened = tokio::time::timeout(PATIENCE, client_async(request, stream)).await.unwrap();
        match opened {
            Ok((inner, _)) => Ok(Self::new(inner)),
            Err(Error::Http(refused)) => {
                let body = refused.body().as_deref().unwrap_or_default();
                let body = serde_json::from_slice(body).unwrap_or_default();
                Err((refused.status().as_u16(), body))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// A connection that was upgraded by hand, and what was read of it behind the answer.
    pub(crate) async fn upgraded(stream: TcpStream, read: Vec<u8>) -> Self {
        Self::new(WebSocketStream::from_partially_read(stream, read, Role::Client, None).await)
    }

    fn new(inner: WebSocketStream<TcpStream>) -> Self {
        Self { inner, waiting: VecDeque::new(), closed: None, pings: 0, pongs: 0 }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends a text as it is.
    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends any message.
    pub(crate) async fn send_message(&mut self, message: Message) {
        tokio::time::timeout(PATIENCE, self.inner.send(message)).await.unwrap().unwrap();
    }

    /// Sends bytes, past the client library.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.inner.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next message; `None` at the end, however it came.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        if let Some(message) = self.waiting.pop_front() {
            return Some(message);
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Option<Value> {
        // Pings are no answer.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(deadline, self.inner.next()).await;
            match next.expect("the connection is silent") {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Ping(_))) => self.pings += 1,
                Some(Ok(Message::Pong(_))) => self.pongs += 1,
                // The answer to a goodbye of ours may have no code.
                Some(Ok(Message::Close(None))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    self.closed = Some((frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(other)) => panic!("unexpected: {other:?}"),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message about a subscription; those of others stay.
    pub(crate) async fn next_of(&mut self, reference: &str) -> Option<Value> {
        let known = self.waiting.iter().position(|message| message["ref"] == reference);
        if let Some(known) = known {
            return self.waiting.remove(known);
        }
        loop {
            let message = self.receive().await?;
            if message["ref"] == reference {
                return Some(message);
            }
            self.waiting.push_back(message);
        }
    }

    /// The next events of a subscription.
    pub(crate) async fn take_of(&mut self, reference: &str, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            let message = self.next_of(reference).await.expect("the connection ended early");
            frames.push(frame(&message));
        }
        frames
    }

    /// Sends a message; what is answered about a subscription.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(&message).await;
        if let Some(reference) = message["ref"].as_str() {
            return self.next_of(reference).await.expect("an answer");
        }
        loop {
            let answer = self.receive().await.expect("an answer");
            if answer["op"] != "event" {
                return answer;
            }
            self.waiting.push_back(answer);
        }
    }

    /// Subscribes; the position.
    #[track_caller]
    pub(crate) fn subscribe(
        &mut self,
        reference: &str,
        more: Value,
    ) -> impl Future<Output = u64> + use<'_> {
        let mut message = json!({"op": "subscribe", "ref": reference, "type": "events"});
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.ask(message).await;
            assert_eq!(answer["op"], "subscribed", "{caller}: {answer}");
            answer["position"].as_u64().unwrap()
        }
    }

    /// The code of a refusal.
    pub(crate) async fn refused(&mut self, message: Value) -> String {
        let answer = self.ask(message).await;
        assert_eq!(answer["op"], "error", "{answer}");
        assert!(answer["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    }

    /// Reads to the end; with which code the server closed it.
    pub(crate) async fn ending(&mut self) -> u16 {
        while self.receive().await.is_some() {}
        self.closed.clone().expect("it ended without a word").0
    }

    /// All bytes that still come, while nothing is answered.
    pub(crate) async fn unanswered(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut stream = self.inner.into_inner();
        let all = stream.read_to_end(&mut bytes);
        tokio::time::timeout(PATIENCE, all).await.expect("it does not end").unwrap();
        bytes
    }

    /// Ends the connection properly.
    pub(crate) async fn close(mut self) {
        self.inner.close(None).await.unwrap();
        while self.receive().await.is_some() {}
    }
}

/// An event of a subscription as a frame; `closed` is one, too, as it is among server-sent events.
fn frame(message: &Value) -> Frame {
    if message["op"] == "closed" {
        let data = json!({"reason": message["reason"]});
        return Frame { id: None, event: "closed".to_owned(), data };
    }
    assert_eq!(message["op"], "event", "{message}");
    let id = match &message["id"] {
        Value::Null => None,
        Value::String(id) => Some(id.clone()),
        id => Some(id.to_string()),
    };
    let event = message["event"].as_str().unwrap().to_owned();
    Frame { id, event, data: message["data"].clone() }
}
