//! A stream of server-sent events, read as cheaply as possible: whole frames as bytes, not one allocation each.
//!
//! Guarantees: any split of the bytes gives the same frames. Leaves to others: what the frames say.

use std::io::{Error, ErrorKind, Result};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connection::{Target, head_of, status_of};

/// An open stream.
pub(super) struct EventStream {
    stream: TcpStream,
    raw: Vec<u8>,
    chunks: Chunks,
    text: Vec<u8>,
    complete: usize,
}

impl EventStream {
    /// Opens the stream at `path`.
    pub(super) async fn open(target: &Target, path: &str) -> Result<Self> {
        let mut stream = target.connect().await?;
        let request = target.head("GET", path, None, "accept: text/event-stream\r\n");
        stream.write_all(&request).await?;
        let mut raw = Vec::with_capacity(16 << 10);
        let head = loop {
            if stream.read_buf(&mut raw).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head_of(&raw)? {
                break head;
            }
        };
        if status_of(&raw)? != 200 {
            return Err(Error::other(String::from_utf8_lossy(&raw).into_owned()));
        }
        raw.drain(..head.bytes);
        let chunks = if head.chunked { Chunks::Size(0) } else { Chunks::None };
        let mut opened = Self { stream, raw, chunks, text: Vec::new(), complete: 0 };
        opened.decode()?;
        Ok(opened)
    }

    /// The frames that have come since the last call, each ended by an empty line; waits for at least one.
    pub(super) async fn frames(&mut self) -> Result<&[u8]> {
        self.text.drain(..self.complete);
        let mut searched: usize = 0;
        loop {
            // The last empty line may lie across what was searched before.
            let from = searched.saturating_sub(1);
            if let Some(end) = memmem::rfind(&self.text[from..], b"\n\n") {
                self.complete = from + end + 2;
                return Ok(&self.text[..self.complete]);
            }
            searched = self.text.len();
            self.complete = 0;
            self.raw.clear();
            if self.stream.read_buf(&mut self.raw).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.decode()?;
        }
    }

    fn decode(&mut self) -> Result<()> {
        self.chunks.decode(&self.raw, &mut self.text)
    }
}

/// Where a chunked body is.
enum Chunks {
    /// The body is not chunked.
    None,
    /// In a chunk's size line, with the digits so far.
    Size(usize),
    /// After a size line's first CR or extension.
    SizeEnd(usize),
    /// In a chunk, with bytes to come.
    Data(usize),
    /// Between a chunk and its line's end.
    DataEnd,
}

impl Chunks {
    /// Adds the body's bytes of `raw` to `text`.
    fn decode(&mut self, mut raw: &[u8], text: &mut Vec<u8>) -> Result<()> {
        while let Some(&byte) = raw.first() {
            match *self {
                Self::None => {
                    text.extend_from_slice(raw);
                    return Ok(());
                }
                Self::Data(left) => {
                    let taken = left.min(raw.len());
                    text.extend_from_slice(&raw[..taken]);
                    raw = &raw[taken..];
                    *self = if taken == left { Self::DataEnd } else { Self::Data(left - taken) };
                    continue;
                }
                Self::DataEnd if byte == b'\n' => *self = Self::Size(0),
                Self::DataEnd => {}
                Self::Size(size) | Self::SizeEnd(size) if byte == b'\n' => {
                    if size == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    *self = Self::Data(size);
                }
                Self::Size(size) => {
                    *self = match char::from(byte).to_digit(16) {
                        Some(digit) if size < 1 << 32 => Self::Size(size * 16 + digit as usize),
                        Some(_) => return Err(ErrorKind::InvalidData.into()),
                        None => Self::SizeEnd(size),
                    };
                }
                Self::SizeEnd(_) => {}
            }
            raw = &raw[1..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_of_chunks_gives_the_same_text() {
        let raw = b"5\r\nid: 1\r\nC;x=y\r\n\ndata: {}\n\n\n\r\n1\r\nz\r\n";
        for size in 1..raw.len() {
            let (mut chunks, mut text) = (Chunks::Size(0), Vec::new());
            for part in raw.chunks(size) {
                chunks.decode(part, &mut text).unwrap();
            }
            assert_eq!(text, b"id: 1\ndata: {}\n\n\nz", "split into parts of {size}");
        }
    }

    #[test]
    fn the_last_chunk_ends_the_stream() {
        let outcome = Chunks::Size(0).decode(b"1\r\nx\r\n0\r\n\r\n", &mut Vec::new());
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
