//! A stream of HTTP/1.1 read from the socket itself, byte by byte, so that nothing is forgiven.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{PATIENCE, ROOT, Server};

/// What every stream begins with, before the position after which it begins.
pub(crate) const RETRY: &str = "retry: 1000\nid: ";

/// A socket and what was read from it but not looked at yet.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    pub(crate) read: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(server: &Server) -> Self {
        let address = server.url().replace("http://", "");
        Self { socket: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// A connection that holds little before the peer must wait.
    pub(crate) async fn narrow(server: &Server) -> Self {
        let address = server.url().replace("http://", "").parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self { socket: socket.connect(address).await.unwrap(), read: Vec::new() }
    }

    /// A stream whose head and first chunk were read.
    pub(crate) async fn following(server: &Server, path: &str) -> Self {
        let mut wire = Self::open(server).await;
        wire.send(&follow(path)).await;
        wire.until("\r\n\r\n").await;
        assert!(wire.chunk().await.starts_with(RETRY));
        wire
    }

    /// A stream whose head and first chunk were read, on a connection that holds little more.
    pub(crate) async fn stalled(server: &Server, path: &str) -> Self {
        let mut wire = Self::narrow(server).await;
        wire.send(&follow(path)).await;
        wire.until("\r\n\r\n").await;
        assert!(wire.chunk().await.starts_with(RETRY));
        wire
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.socket.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads more; `false` at the end.
    pub(crate) async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.socket.read_buf(&mut self.read)).await;
        read.expect("nothing came").unwrap() > 0
    }

    /// Everything up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, end.as_bytes()) {
                return self.taken(at + end.len());
            }
            assert!(self.more().await, "closed early: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The next chunk, held to the grammar; empty: the last one.
    pub(crate) async fn chunk(&mut self) -> String {
        let line = self.until("\r\n").await;
        let size = line.trim_end();
        assert!(!size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line:?}");
        let size = usize::from_str_radix(size, 16).unwrap();
        while self.read.len() < size + 2 {
            assert!(self.more().await, "closed within a chunk");
        }
        let chunk = self.taken(size);
        assert_eq!(self.taken(2), "\r\n", "the end of a chunk of {size}");
        chunk
    }

    /// The end of the connection, with nothing before it.
    pub(crate) async fn end(&mut self) {
        while self.more().await {}
        assert_eq!(String::from_utf8_lossy(&self.read), "");
    }

    fn taken(&mut self, count: usize) -> String {
        String::from_utf8(self.read.drain(..count).collect()).unwrap()
    }
}

/// A request without a body, as full access.
pub(crate) fn request(method: &str, path: &str, version: &str, more: &str) -> String {
    format!("{method} {path} HTTP/{version}\r\nhost: x\r\nx-apikey: {ROOT}\r\n{more}\r\n")
}

/// The request of a stream.
pub(crate) fn follow(path: &str) -> String {
    request("GET", path, "1.1", "accept: text/event-stream\r\n")
}
