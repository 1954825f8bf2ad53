//! hyper as the judge of where requests begin: it must see the same requests, whether their raw bytes were encoded or were
//! never there.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use tokio::io::{AsyncRead, join, sink};

use super::{Pieces, RequestLines, changed, corpus, request, seed};

/// A request as the service gets it; no body: it came to no good end.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    target: String,
    body: Option<Vec<u8>>,
}

/// What hyper gives the service.
async fn seen<R: AsyncRead + Unpin>(reader: R) -> Vec<Seen> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let all = Arc::clone(&all);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
            let (method, target) = (parts.method.to_string(), parts.uri.to_string());
            all.lock().push(Seen { method, target, body });
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let socket = TokioIo::new(join(reader, sink()));
    drop(http1::Builder::new().half_close(true).serve_connection(socket, service).await);
    all.lock().clone()
}

/// One byte for another.
fn replaced(input: &[u8], old: u8, new: u8) -> Vec<u8> {
    input.iter().map(|byte| if *byte == old { new } else { *byte }).collect()
}

/// Of what is refused, only quotes; no apostrophes.
fn quotes_alone(input: &[u8]) -> Vec<u8> {
    b"<>`'".iter().fold(input.to_vec(), |input, byte| replaced(&input, *byte, b'_'))
}

/// What would be seen of a request if its apostrophes had been quotes.
fn quoted(seen: &Seen) -> Seen {
    let (path, query) = seen
        .target
        .split_once('?')
        .map_or((&*seen.target, None), |(path, query)| (path, Some(query)));
    let mut target = path.replace('\'', "\"");
    if let Some(query) = query {
        target = format!("{target}?{}", query.replace('\'', "%22"));
    }
    let body = seen.body.as_ref().map(|body| replaced(body, b'\'', b'"'));
    Seen { method: seen.method.clone(), target, body }
}

/// What is expected of a connection, and what is given through the encoding.
async fn both(raw: &[u8]) -> (Vec<Seen>, Vec<Seen>) {
    let plain = replaced(raw, b'"', b'\'');
    let expected = seen(Pieces::of(&plain, &[plain.len()])).await.iter().map(quoted).collect();
    (expected, seen(RequestLines::new(Pieces::of(raw, &[raw.len(), 1]))).await)
}

#[tokio::test]
async fn hyper_sees_every_request_of_plain_connections() {
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let mut requests = 0;
    let runs = seed::count(1_000, 100_000);
    for _ in 0..runs {
        let raw = generated(&mut random);
        let (expected, given) = both(&raw).await;
        assert_eq!(given, expected, "{}", raw.escape_ascii());
        requests += given.len();
    }
    assert!(requests > runs, "{requests} requests");
}

/// Some requests that are plain, on one connection.
fn generated(random: &mut StdRng) -> Vec<u8> {
    let mut plain = Vec::new();
    (0..4).for_each(|_| request(random, &mut plain, &mut Vec::new()));
    // Apostrophes would become quotes, the others have no stand-in; all have the same length.
    quotes_alone(&plain)
}

#[tokio::test]
async fn hyper_sees_the_same_requests_with_raw_quotes_as_it_does_without() {
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let mut corpus = corpus();
    corpus.extend((0..100).map(|_| generated(&mut random)));
    corpus.iter_mut().for_each(|input| *input = quotes_alone(input));
    let runs = seed::count(5_000, 1_000_000);
    let (mut same, mut requests) = (0, 0);
    for _ in 0..runs {
        let raw = quotes_alone(&changed(&corpus, &mut random));
        let (expected, given) = both(&raw).await;
        let shown = raw.escape_ascii();
        assert!(given.len() <= expected.len(), "{shown}\n{given:?}\n{expected:?}");
        for (at, (given_one, expected_one)) in given.iter().zip(&expected).enumerate() {
            // A quote may not stand in the name of a trailer.
            let failed = given_one.body.is_none() && at + 1 == given.len();
            let body = if failed { None } else { expected_one.body.clone() };
            let expected_one = Seen { body, ..expected_one.clone() };
            assert_eq!(*given_one, expected_one, "{shown}");
        }
        requests += given.len();
        same += usize::from(given.len() == expected.len());
    }
    println!("{runs} connections, {requests} requests; {same} connections to the end");
    assert!(same > runs / 2 && requests > runs / 2, "{same} of {runs}, {requests} requests");
}
