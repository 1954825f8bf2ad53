//! Framings that are not plain: what follows them passes as it is, whatever it looks like.

use super::encoded;

/// A request that would be changed if it were taken for one.
const BAIT: &str = "GET /?\"<>\" HTTP/1.1\r\n\r\n";

/// What may stand between a head and the bait, so that some reading of the head takes the bait for a request.
const BETWEEN: [&str; 8] = [
    "",
    "AAAAA",
    "AAAAAA",
    "\r\n",
    "0\r\n\r\n",
    "5\r\nAAAAA\r\n0\r\n\r\n",
    "\r\n0\r\n\r\n",
    "AA\r\n0\r\n\r\n",
];

/// What follows a first request whose line is `line` is not looked at.
fn untouched(line: &str, rest: &str) {
    for between in BETWEEN {
        let input = format!("{line}{rest}{between}{BAIT}{BAIT}");
        assert_eq!(encoded(&input), input, "{}", rest.escape_debug());
    }
}

#[test]
fn a_head_that_is_not_plain_ends_the_rewriting() {
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length: \r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 000000000000000000000000000000000000000000000000\r\n",
        "content-length : 0\r\n",
        "content-length\t: 0\r\n",
        "x: y\r\n content-length: 0\r\n",
        "x: y\r\n\tcontent-length: 0\r\n",
        " content-length: 0\r\n",
        "content-length: 0\n",
        "x: y\n",
        "\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "transfer-encoding:                                   chunked\r\n",
        "Upgrade: websocket\r\nconnection: upgrade\r\n",
        "connection: upgrade\r\nUPGRADE: h2c\r\n",
    ] {
        untouched("POST / HTTP/1.1\r\n", &format!("{headers}\r\n"));
    }
    untouched("POST / HTTP/1.0\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
}

#[test]
fn a_request_line_that_is_not_plain_ends_the_rewriting() {
    for line in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT /x HTTP/1.1\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "GET http://x/ HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /  HTTP/1.1\r\n\r\n",
        "GET / x HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\n\r\n",
        "GET / HTTP/1.1\r\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "GET\t/ HTTP/1.1\r\n\r\n",
        "\n",
        "\r\r\n",
        "\x16\x03\x01",
    ] {
        untouched(line, "");
    }
}

#[test]
fn chunks_that_are_not_plain_end_the_rewriting() {
    for chunks in [
        "\r\n",
        ";x\r\n",
        " 5\r\n\"<>\"`\r\n0\r\n\r\n",
        "0x5\r\n\"<>\"`\r\n0\r\n\r\n",
        "-5\r\n",
        "5\n\"<>\"`\r\n0\r\n\r\n",
        "5\r\n\"<>\"`0\r\n\r\n",
        "5\r\n\"<>\"`\n0\r\n\r\n",
        "5\r\n\"<>\"`x\r\n0\r\n\r\n",
        "10000000000000005\r\n\"<>\"`\r\n0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\nx: y\n\r\n",
        "5,5\r\n\"<>\"`\r\n0\r\n\r\n",
    ] {
        untouched("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", chunks);
    }
}

#[test]
fn a_body_that_looks_like_a_request_passes_and_the_next_request_does_not() {
    let length = BAIT.len();
    let after = "GET /?%22%3C%3E%22 HTTP/1.1\r\n\r\n";
    for message in [
        format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{BAIT}"),
        format!("GET / HTTP/1.0\r\nCONTENT-LENGTH:{length}\r\n\r\n{BAIT}"),
        format!(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{length:X}\r\n{BAIT}\r\n0\r\n\r\n"
        ),
        format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{BAIT}"),
        "POST / HTTP/1.1\r\ncontent-lengthy: 5\r\nx-upgrade: 1\r\n\r\n".to_owned(),
    ] {
        assert_eq!(encoded(&format!("{message}{BAIT}")), format!("{message}{after}"));
    }
}
