//! HTTP/1.1 by hand on one kept-alive connection: bytes out, status and length in.
//!
//! Guarantees: an answer is read to its end before the next request; nothing of it is copied or parsed that is not
//! needed. Leaves to others: TLS, redirects, and everything else that a client for the open network needs.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::ServerArgs;

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Target {
    address: String,
    prefix: String,
    key: Option<String>,
}

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer; its body is in the connection's buffer until the next request.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    body: Range<usize>,
}

/// What the head of a message says about its body.
pub(super) struct Head {
    /// Bytes of the head, with the empty line.
    pub(super) bytes: usize,
    /// Bytes of the body, if the head says so.
    pub(super) length: Option<usize>,
    /// Whether the body comes in chunks.
    pub(super) chunked: bool,
    /// Whether the connection ends after this message.
    pub(super) close: bool,
}

impl Target {
    /// The server of `args`.
    pub(crate) fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let url = reqwest::Url::parse(&args.url).with_context(|| format!("--url {}", args.url))?;
        anyhow::ensure!(url.scheme() == "http", "bench speaks plain HTTP only");
        let host = url.host_str().context("--url names no host")?;
        let port = url.port_or_known_default().unwrap_or(80);
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { address: format!("{host}:{port}"), prefix, key: args.key.clone() })
    }

    /// The head of a request; `length` is that of a JSON body.
    pub(super) fn head(
        &self,
        method: &str,
        path: &str,
        length: Option<usize>,
        more: &str,
    ) -> Vec<u8> {
        let mut head =
            format!("{method} {}{path} HTTP/1.1\r\nhost: {}\r\n", self.prefix, self.address);
        if let Some(key) = &self.key {
            head.push_str(&format!("x-apikey: {key}\r\n"));
        }
        if let Some(length) = length {
            head.push_str(&format!(
                "content-type: application/json\r\ncontent-length: {length}\r\n"
            ));
        }
        head.push_str(more);
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// A new stream to the server.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Connection {
    /// Connects to `target`.
    pub(super) async fn open(target: &Target) -> Result<Self> {
        Ok(Self { stream: target.connect().await?, buffer: vec![0; 16 << 10], filled: 0 })
    }

    /// Sends `request` and reads its answer to the end.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.filled = 0;
        self.stream.write_all(request).await?;
        let head = loop {
            self.fill().await?;
            if let Some(head) = head_of(&self.buffer[..self.filled])? {
                break head;
            }
        };
        let status = status_of(&self.buffer)?;
        let end = if head.chunked {
            while !self.buffer[head.bytes..self.filled].ends_with(b"0\r\n\r\n") {
                self.fill().await?;
            }
            self.filled
        } else {
            let length = match status {
                204 | 304 => 0,
                _ => head.length.ok_or_else(|| wrong("an answer without a length"))?,
            };
            while self.filled < head.bytes + length {
                self.fill().await?;
            }
            head.bytes + length
        };
        if head.close {
            return Err(Error::new(ErrorKind::ConnectionAborted, "the server closes connections"));
        }
        Ok(Answer { status, body: head.bytes..end })
    }

    /// The start of an answer's body, for a message.
    pub(super) fn words(&self, answer: &Answer) -> String {
        let body = &self.buffer[answer.body.clone()];
        let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
        format!("{} {text}", answer.status)
    }

    async fn fill(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }
}

/// The status of an answer whose head is complete.
pub(super) fn status_of(answer: &[u8]) -> Result<u16> {
    answer
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .ok_or_else(|| wrong("an answer without a status"))
}

/// The head at the start of `message`, once it is complete.
pub(super) fn head_of(message: &[u8]) -> Result<Option<Head>> {
    let Some(end) = memchr::memmem::find(message, b"\r\n\r\n") else { return Ok(None) };
    let mut head = Head { bytes: end + 4, length: None, chunked: false, close: false };
    for line in message[..end].split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            head.length = Some(length.ok_or_else(|| wrong("a length that is no number"))?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            head.chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Some(head))
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{}";
        assert!(head_of(&answer[..40]).unwrap().is_none());
        let head = head_of(answer).unwrap().unwrap();
        assert_eq!((head.length, head.chunked, head.close), (Some(12), false, true));
        assert_eq!(&answer[head.bytes..], b"{}");
        assert_eq!(status_of(answer).unwrap(), 201);
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(head_of(chunked).unwrap().unwrap().chunked);
        assert!(head_of(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }
}
