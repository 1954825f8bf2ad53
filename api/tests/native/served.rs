//! Over a socket: a slow client is closed, a stop lets requests finish and ends streams.

use std::time::{Duration, Instant};

use headwater_engine::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Face, ROOT};

async fn serve(face: &Face) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    face.api.serve(listener, None);
    TcpStream::connect(address).await.unwrap()
}

async fn read_until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&text).contains(wanted) {
        let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut buffer));
        let read = read.await.expect("nothing came").unwrap();
        assert!(read > 0, "closed early: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_and_a_stop_ends_streams() {
    let face = Face::new();
    let mut socket = serve(&face).await;
    let body = r#"{"_id":"a"}"#;
    let post = format!(
        "POST /v1/collections/c/documents HTTP/1.1\r\nhost: x\r\nx-apikey: {ROOT}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(post.as_bytes()).await.unwrap();
    let answer = read_until(&mut socket, "\"position\":").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let stream = format!(
        "GET /v1/events?from=earliest HTTP/1.1\r\nhost: x\r\nx-apikey: {ROOT}\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    socket.write_all(stream.as_bytes()).await.unwrap();
    read_until(&mut socket, "event: document.created\ndata: {\"position\":2").await;
    let start = Instant::now();
    let (stopped, ended) = tokio::join!(
        face.api.stop(Duration::from_secs(5)),
        read_until(&mut socket, "the server is stopping")
    );
    let ((), _) = (stopped, ended);
    assert!(start.elapsed() < Duration::from_secs(4));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dribbles_is_closed() {
    let face = Face::with(Limits { header_timeout_ms: 200, ..Limits::default() });
    for beginning in ["", "PRI * HT", "GET / HTTP/1.1\r\nhos"] {
        let mut socket = serve(&face).await;
        socket.write_all(beginning.as_bytes()).await.unwrap();
        let mut buffer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(3), socket.read_to_end(&mut buffer));
        closed.await.unwrap_or_else(|_| panic!("{beginning:?} stayed open")).ok();
    }
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_pauses_is_refused() {
    let face = Face::with(Limits { body_timeout_ms: 100, ..Limits::default() });
    let mut socket = serve(&face).await;
    let post = format!(
        "POST /v1/collections/c/documents HTTP/1.1\r\nhost: x\r\nx-apikey: {ROOT}\r\n\
         content-length: 100\r\n\r\n{{\"a\":"
    );
    socket.write_all(post.as_bytes()).await.unwrap();
    let answer = read_until(&mut socket, "body_timeout").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    drop(socket);
    face.stop().await;
}
