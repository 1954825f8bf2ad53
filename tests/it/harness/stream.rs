//! Server-sent events, read as a browser reads them.

use std::pin::Pin;

use futures_util::{Stream as Chunks, StreamExt};
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

use super::PATIENCE;

/// A stream under way.
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    chunks: Pin<Box<dyn Chunks<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

/// A frame with data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Frame {
    /// The position that its id says.
    pub(crate) fn position(&self) -> u64 {
        let id = self.id.as_deref().unwrap();
        id.split('@').next().unwrap().parse().unwrap()
    }
}

impl Stream {
    /// The stream of an answer.
    pub(super) fn new(response: reqwest::Response) -> Self {
        let headers = response.headers().clone();
        Self { headers, chunks: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next block as it stands, without its empty line; `None` at the end, however it came.
    pub(crate) async fn block(&mut self) -> Option<String> {
        self.block_until(Instant::now() + PATIENCE).await
    }

    /// The same, with a deadline for what a caller waits for, however many other blocks come.
    pub(crate) async fn block_until(&mut self, deadline: Instant) -> Option<String> {
        assert!(Instant::now() < deadline, "what was waited for does not come: {:?}", self.text);
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return Some(block);
            }
            let chunk = tokio::time::timeout_at(deadline, self.chunks.next()).await;
            let chunk = chunk.expect("what was waited for does not come").and_then(Result::ok)?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next frame with data. Heartbeats do not make the wait longer.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(frame) = parse(&self.block_until(deadline).await?) {
                return Some(frame);
            }
        }
    }

    /// The next frames with data.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await.expect("the stream ended early"));
        }
        frames
    }

    /// Everything up to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

fn parse(block: &str) -> Option<Frame> {
    let mut frame = Frame { id: None, event: "message".to_owned(), data: Value::Null };
    let mut data = None;
    for line in block.lines() {
        let (name, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => frame.id = Some(value.to_owned()),
            "event" => frame.event = value.to_owned(),
            "data" => assert!(data.replace(value).is_none(), "data of two lines: {block}"),
            "" | "retry" => {}
            other => panic!("a field {other}: {block}"),
        }
    }
    frame.data = serde_json::from_str(data?).unwrap();
    Some(frame)
}
