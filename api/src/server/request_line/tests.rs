//! Encoding held to a table, to a model that is written apart from it, and to hyper itself: over every cut, over generated
//! connections, over changes of a corpus. `HEADWATER_SEED` replays them.

#[path = "../../../tests/fuzz/request_line.rs"]
mod body;
mod judged;
mod smuggling;

use rand::RngExt;
use rand::rngs::StdRng;

use super::RequestLines;
use crate::outbound::{mutate, seed};
use body::{Pieces, drained, holds};

/// What comes out in one piece.
fn encoded(input: &str) -> String {
    let out = drained(RequestLines::new(Pieces::of(input.as_bytes(), &[1 << 20])), 1 << 20);
    String::from_utf8(out).unwrap()
}

/// The inputs that the fuzz target begins with.
fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/request_line");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 16, "the corpus is gone");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn what_the_parser_refuses_in_a_target_is_encoded_and_nothing_else() {
    for (target, expected) in [
        ("/", "/"),
        (r#"/?q={"a":"b<c>"}"#, "/?q={%22a%22:%22b%3Cc%3E%22}"),
        ("/a<b>`c\"d", "/a%3Cb%3E%60c\"d"),
        ("/?`{}|^[]\\'~%22?\"?", "/?`{}|^[]\\'~%22?%22?"),
        ("/ä?ö=\"ü\"", "/ä?ö=%22ü%22"),
        ("/?a#\"", "/?a#%22"),
    ] {
        let request = |target: &str| format!("GET {target} HTTP/1.1\r\nx: \"<>`\"\r\n\r\n");
        assert_eq!(encoded(&request(target)), request(expected));
        let parsed: Result<http::Uri, _> = expected.parse();
        parsed.unwrap_or_else(|error| panic!("{expected}: {error}"));
    }
}

#[test]
fn every_printable_byte_is_taken_by_the_parser_in_path_and_query() {
    for byte in (0x21..=0x7e_u8).chain(0x80..=0xff).map(char::from) {
        for target in [format!("/{byte}"), format!("/?{byte}")] {
            let passed = encoded(&format!("GET {target} HTTP/1.1\r\n\r\n"));
            let target = passed.split(' ').nth(1).unwrap();
            assert!(target.parse::<http::Uri>().is_ok(), "{target}");
        }
    }
}

#[test]
fn every_cut_and_every_room_gives_the_same() {
    for input in corpus() {
        let expected = body::model(&input);
        for cut in 0..=input.len() {
            for room in [1, 2, 3, 64, 1 << 13] {
                let pieces = Pieces::of(&input, &[cut, input.len()]);
                let given = drained(RequestLines::new(pieces), room);
                assert_eq!(
                    given.escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "cut at {cut}, room {room}"
                );
            }
        }
    }
}

#[test]
fn generated_connections_come_out_as_they_were_meant() {
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    for _ in 0..seed::count(2_000, 500_000) {
        let (mut input, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..random.random_range(1..6) {
            request(&mut random, &mut input, &mut expected);
        }
        // The model is held to it as well.
        assert_eq!(
            body::model(&input).escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let lengths = [(); 7].map(|()| random.random_range(1..60));
        let given =
            drained(RequestLines::new(Pieces::of(&input, &lengths)), random.random_range(1..90));
        assert_eq!(given.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

#[test]
fn changes_of_the_corpus_come_out_as_the_model_says() {
    let corpus = corpus();
    assert!(corpus.iter().filter(|input| holds(input, RequestLines::new)).count() >= 8);
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let runs = seed::count(20_000, 5_000_000);
    let mut encoded = 0;
    for _ in 0..runs {
        let changed = changed(&corpus, &mut random);
        encoded += usize::from(holds(&changed, RequestLines::new));
    }
    println!("{runs} changes of {} connections, {encoded} with something to encode", corpus.len());
    assert!(encoded > runs / 4, "hardly anything was encoded: {encoded} of {runs}");
}

/// Pieces that mean something to parsers of HTTP.
const WORDS: [&str; 26] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "\r\n\r\n",
    "\"",
    "?",
    "/",
    ":",
    "0\r\n\r\n",
    "5\r\n\"<>\"`\r\n",
    "content-length: 3\r\n",
    "Content-Length: 0\r\n",
    "content-length : 3\r\n",
    "content-length: +3\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "transfer-encoding: identity\r\n",
    "x: \"\r\n",
    " folded\r\n",
    "upgrade: h2c\r\n",
    "connection: keep-alive\r\n",
    "GET /?\"a\" HTTP/1.1\r\n",
    "HTTP/1.0\r\n",
    "expect: 100-continue\r\n",
];

/// A changed input of the corpus.
fn changed(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let one = &corpus[random.random_range(0..corpus.len())];
    let other = &corpus[random.random_range(0..corpus.len())];
    if random.random_range(0..4) == 0 {
        return mutate::mutate(one, other, random);
    }
    let mut changed = one.clone();
    for _ in 0..random.random_range(1..4) {
        let lines: Vec<_> = memchr::memchr_iter(b'\n', &changed).map(|at| at + 1).collect();
        let at = match random.random_range(0..3) {
            0 if !lines.is_empty() => lines[random.random_range(0..lines.len())],
            _ => random.random_range(0..=changed.len()),
        };
        let gone = if random.random_range(0..3) == 0 { random.random_range(0..9) } else { 0 };
        let end = changed.len().min(at + gone);
        let word = WORDS[random.random_range(0..WORDS.len())];
        changed.splice(at..end, word.bytes());
    }
    changed
}

/// A request that is plain, and what is to become of it.
fn request(random: &mut StdRng, input: &mut Vec<u8>, expected: &mut Vec<u8>) {
    let text = |random: &mut StdRng| -> String {
        const PARTS: [&str; 10] = [
            "\"",
            "<",
            ">",
            "`",
            "GET /?\"x\" HTTP/1.1\r\n\r\n",
            "\r\n",
            "0\r\n\r\n",
            "a",
            "{",
            "\n",
        ];
        let count = random.random_range(0..6);
        (0..count).map(|_| PARTS[random.random_range(0..PARTS.len())]).collect()
    };
    let query = text(random).replace([' ', '\r', '\n'], "_");
    let encoded = query.replace('"', "%22").replace('<', "%3C").replace('>', "%3E");
    let method = ["GET", "POST", "DELETE"][random.random_range(0..3)];
    let version = ["1.1", "1.0"][random.random_range(0..2)];
    let body = text(random);
    let framed = match random.random_range(0..3) {
        0 => "x: \"<>\r\n\r\n".to_owned(),
        1 => format!("Content-length:\t{} \r\ny: `\r\n\r\n{body}", body.len()),
        _ if version == "1.0" => "\r\n".to_owned(),
        _ => {
            let trailer = ["", "z: \"<`>\"\r\n"][random.random_range(0..2)];
            let chunk = |body: &str| format!("{:x};e=\"<\r\n{body}\r\n", body.len());
            let chunks = if body.is_empty() { String::new() } else { chunk(&body) + &chunk("\"") };
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}00\r\n{trailer}\r\n")
        }
    };
    for (to, query) in [(input, query), (expected, encoded)] {
        to.extend(format!("{method} /c?{query} HTTP/{version}\r\n{framed}").bytes());
    }
}
