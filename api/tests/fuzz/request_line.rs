//! What must hold of the encoding of request targets for any bytes of a connection, asked by a fuzz target and by a plain test.
//!
//! The model of here is written apart from it: it has all bytes at once, and cuts them into messages as text is read.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

/// A connection that gives its bytes in pieces, with a pause before each.
pub struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    paused: bool,
}

impl Pieces {
    /// Pieces of the given lengths in turn; a length of 0 counts as 1.
    pub fn of(mut input: &[u8], lengths: &[usize]) -> Self {
        let mut pieces = VecDeque::new();
        for length in lengths.iter().cycle() {
            let (piece, rest) = input.split_at(input.len().min((*length).max(1)));
            if piece.is_empty() {
                break;
            }
            pieces.push_back(piece.to_vec());
            input = rest;
        }
        Self { pieces, paused: false }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Ready(Ok(())) };
        let rest = piece.split_off(piece.len().min(buffer.remaining()));
        buffer.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads to the end, with so much room at a time.
pub fn drained(reader: impl AsyncRead, room: usize) -> Vec<u8> {
    let mut reader = pin!(reader);
    let mut context = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        let mut bytes = vec![0; room];
        let mut buffer = ReadBuf::new(&mut bytes);
        match reader.as_mut().poll_read(&mut context, &mut buffer) {
            Poll::Pending => {}
            Poll::Ready(read) if buffer.filled().is_empty() => {
                read.expect("pieces never fail");
                return all;
            }
            Poll::Ready(_) => all.extend_from_slice(buffer.filled()),
        }
    }
}

/// However the input comes and however much is asked for, what comes out is what the model says.
pub fn holds<R: AsyncRead>(input: &[u8], wrap: impl Fn(Pieces) -> R) -> bool {
    let expected = model(input);
    let some = input.iter().fold(7_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let odd = [some % 97, some % 13, some % 5, some % 41];
    for (lengths, room) in
        [(&[input.len()][..], input.len().max(1)), (&[1], 1), (&odd, 1 + some % 11)]
    {
        let given = drained(wrap(Pieces::of(input, lengths)), room);
        let (given, expected) = (given.escape_ascii(), expected.escape_ascii());
        assert_eq!(given.to_string(), expected.to_string(), "pieces of {lengths:?}, room {room}");
    }
    expected != input
}

/// What a connection's bytes become.
pub fn model(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (line, known) = request_line(rest);
        out.extend(line);
        let Some(after_line) = known else { return out };
        let passed = after_line.len() - message(after_line).map_or(0, <[u8]>::len);
        out.extend_from_slice(&after_line[..passed]);
        rest = &after_line[passed..];
    }
    out
}

/// The request line as it goes out, and what follows it; if that is nothing that may be followed, all that is left.
fn request_line(mut rest: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut out = Vec::new();
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        out.extend(b"\r\n");
        rest = after;
    }
    let pass = |mut out: Vec<u8>, rest: &[u8]| {
        out.extend_from_slice(rest);
        (out, None)
    };
    let Some(space) = rest.iter().position(|byte| *byte == b' ') else { return pass(out, rest) };
    let method = &rest[..space];
    if method.is_empty() || method == b"CONNECT" || !method.iter().all(u8::is_ascii_uppercase) {
        return pass(out, rest);
    }
    if rest.get(space + 1) != Some(&b'/') {
        return pass(out, rest);
    }
    let start = space + 1;
    let ends = |byte: &u8| b" \r\n".contains(byte);
    let end = rest[start..].iter().position(ends).map_or(rest.len(), |length| start + length);
    out.extend_from_slice(&rest[..start]);
    let mut refused: &[u8] = b"<>`";
    for byte in &rest[start..end] {
        if refused.contains(byte) {
            out.extend(format!("%{byte:02X}").bytes());
        } else {
            out.push(*byte);
        }
        if *byte == b'?' {
            refused = b"<>\"";
        }
    }
    if rest.get(end) == Some(&b' ') { (out, Some(&rest[end..])) } else { pass(out, &rest[end..]) }
}

/// What follows a message that begins with the version; `None` if that is not known, or if it is not all there.
fn message(rest: &[u8]) -> Option<&[u8]> {
    let (version, mut rest) = line(rest)?;
    let new = match version {
        b" HTTP/1.1" => true,
        b" HTTP/1.0" => false,
        _ => return None,
    };
    let (mut length, mut chunked) = (None, false);
    loop {
        let (header, after) = line(rest)?;
        rest = after;
        if header.is_empty() {
            break;
        }
        if header[0] == b' ' || header[0] == b'\t' {
            return None;
        }
        // What is told by a line stands at its beginning.
        let text: String = header.iter().take(48).map(|byte| char::from(*byte)).collect();
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let blank = [' ', '\t'];
        let known = name.trim_matches(blank).to_ascii_lowercase();
        if known == "upgrade" {
            return None;
        }
        if !["content-length", "transfer-encoding"].contains(&known.as_str()) {
            continue;
        }
        if name.len() != known.len() || header.len() > 48 || length.is_some() || chunked {
            return None;
        }
        let value = value.trim_matches(blank);
        if known == "content-length" {
            if !value.chars().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            length = Some(value.parse::<u64>().ok()?);
        } else if new && value.eq_ignore_ascii_case("chunked") {
            chunked = true;
        } else {
            return None;
        }
    }
    if chunked { chunks(rest) } else { skip(rest, length.unwrap_or(0)) }
}

/// What follows a body in chunks.
fn chunks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (size, after) = line(rest)?;
        let text: String = size.iter().map(|byte| char::from(*byte)).collect();
        let digits = text.split([';', ' ', '\t']).next()?;
        if digits.is_empty()
            || digits.len() > 16
            || !digits.chars().all(|digit| digit.is_ascii_hexdigit())
        {
            return None;
        }
        let size = u64::from_str_radix(digits, 16).ok()?;
        rest = after;
        if size == 0 {
            break;
        }
        rest = skip(rest, size)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let (trailer, after) = line(rest)?;
        rest = after;
        if trailer.is_empty() {
            return Some(rest);
        }
    }
}

fn skip(rest: &[u8], length: u64) -> Option<&[u8]> {
    rest.get(usize::try_from(length).ok()?..)
}

/// A line without its end, and what follows it; `None` if it does not end, or not as it should.
fn line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((rest[..end].strip_suffix(b"\r")?, &rest[end + 1..]))
}
