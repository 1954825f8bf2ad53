//! Where request lines are in what a client sends, and which bytes of their targets are encoded.
//!
//! What is encoded: in the path of a target that begins with `/`, `<`, `>` and the backtick; in its query, `"`, `<` and `>`. These are
//! the printable ASCII bytes that the parser refuses there. `{ } | ^ [ ] \` and UTF-8 pass it raw. Not encoded:
//! - a raw space. It ends the target for every reader, and a target that goes on behind it is another target for those who
//!   read to the last space: what a proxy in front has allowed would not be what is answered here. curl and Node
//!   refuse to send it; Java's `HttpURLConnection` and PHP's streams do, and are answered 400.
//! - `#`, which begins a fragment and is cut off; control bytes; bytes that are not UTF-8.
//!
//! Guarantees: a byte is encoded only where the parser reads a target, so the parser and this never disagree about where a request
//! begins. Encoding makes a message longer; inside of a body it would push the body's end into the next request, which is
//! what request smuggling needs. It holds because:
//! - the first byte of a connection begins a request, and from there this follows only what is plain: lines that end in CR LF,
//!   a method in capitals, a target that begins with `/`, HTTP/1.0 or HTTP/1.1, one `content-length` of digits or one
//!   `transfer-encoding: chunked` under HTTP/1.1, chunks of at most 16 digits. There the parser's reading is the same.
//! - for everything else it stops: every later byte of the connection passes as it is, and the parser alone decides. So
//!   it does at an `upgrade`, at CONNECT, at another line's end, at HTTP/2.
//! - where it accepts what the parser does not (a header with a control byte, say), the parser refuses the request and reads
//!   no other from the connection.
//! - a target is not shortened or cut: its bytes are encoded one by one, and the escapes have no space and no line's end.
//!
//! It holds 48 bytes of a line that is cut by the end of a read and nothing else, so it needs no limit of its own for heads.

/// So many bytes of a line are looked at; what counts is shorter.
const LINE_BYTES: usize = 48;
/// Digits of the largest size of a chunk.
const CHUNK_DIGITS: usize = 16;

/// How a byte that is encoded is written.
pub(super) fn escape(byte: u8) -> &'static [u8] {
    match byte {
        b'"' => b"%22",
        b'<' => b"%3C",
        b'>' => b"%3E",
        _ => b"%60",
    }
}

/// How far the requests of a connection were followed.
pub(super) struct Framing {
    part: Part,
    line: Line,
    /// Of the head that is read.
    head: Head,
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum Part {
    /// The first byte of a request or of an empty line before it.
    Start,
    /// The end of an empty line.
    EmptyLine,
    /// A method.
    Method,
    /// The first byte of a target.
    Target,
    /// A target before its query.
    Path,
    /// The query of a target.
    Query,
    /// The rest of a request line.
    Version,
    /// A line of headers.
    Header,
    /// A body, bytes.
    Body(u64),
    /// The line before a chunk.
    ChunkSize,
    /// A chunk, bytes.
    Chunk(u64),
    /// The line's end behind a chunk.
    ChunkEnd,
    /// A line behind the last chunk.
    Trailer,
    /// Nobody knows; nothing is looked at.
    Unknown,
}

/// What a head says about the body.
#[derive(Clone, Copy, Default)]
struct Head {
    /// HTTP/1.1.
    chunks_allowed: bool,
    length: Option<u64>,
    chunked: bool,
}

/// A line, or the beginning of a long one.
struct Line {
    bytes: [u8; LINE_BYTES],
    /// Of all of the line; may be more than are kept.
    length: usize,
    /// The byte that was last seen.
    last: u8,
}

/// How far it went.
enum Step {
    /// So many bytes pass.
    Passes(usize),
    /// So many bytes pass, and the next one is encoded.
    Encode(usize),
}

/// A line whose end was found.
struct Ended<'a> {
    /// Without its end, and only as much as is looked at.
    text: &'a [u8],
    /// Whether that is all of it.
    whole: bool,
}

impl Framing {
    /// At the first byte of a connection.
    pub(super) fn new() -> Self {
        let line = Line { bytes: [0; LINE_BYTES], length: 0, last: 0 };
        Self { part: Part::Start, line, head: Head::default() }
    }

    /// How many bytes pass before one that is encoded; all of them if there is none. That one counts as read.
    pub(super) fn passes(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = bytes.get(at..) {
            match self.step(rest, *first) {
                Step::Passes(count) => at += count,
                Step::Encode(count) => return at + count,
            }
        }
        at
    }

    fn step(&mut self, rest: &[u8], first: u8) -> Step {
        match self.part {
            Part::Unknown => Step::Passes(rest.len()),
            Part::Start => {
                self.part = if first == b'\r' { Part::EmptyLine } else { Part::Method };
                Step::Passes(usize::from(first == b'\r'))
            }
            Part::EmptyLine => self.one(if first == b'\n' { Part::Start } else { Part::Unknown }),
            Part::Method => self.method(rest),
            Part::Target => self.one(if first == b'/' { Part::Path } else { Part::Unknown }),
            Part::Path => self.target(rest, |byte| matches!(byte, b'<' | b'>' | b'`')),
            Part::Query => self.target(rest, |byte| matches!(byte, b'"' | b'<' | b'>')),
            Part::Body(left) => {
                let (passed, left) = skipped(rest, left);
                self.part = if left == 0 { Part::Start } else { Part::Body(left) };
                passed
            }
            Part::Chunk(left) => {
                let (passed, left) = skipped(rest, left);
                self.part = if left == 0 { Part::ChunkEnd } else { Part::Chunk(left) };
                passed
            }
            Part::Version | Part::Header | Part::ChunkSize | Part::ChunkEnd | Part::Trailer => {
                self.line(rest)
            }
        }
    }

    /// One byte passes.
    fn one(&mut self, next: Part) -> Step {
        self.part = next;
        Step::Passes(1)
    }

    /// Reads a method up to the space behind it.
    fn method(&mut self, rest: &[u8]) -> Step {
        let end = rest.iter().position(|byte| !byte.is_ascii_uppercase());
        let count = end.unwrap_or(rest.len());
        self.line.take(&rest[..count]);
        let Some(end) = end else { return Step::Passes(count) };
        let method = &self.line.bytes[..self.line.length.min(LINE_BYTES)];
        let plain = rest[end] == b' ' && !method.is_empty() && method != b"CONNECT";
        self.line.length = 0;
        self.part = if plain { Part::Target } else { Part::Unknown };
        Step::Passes(count + 1)
    }

    /// Reads a target up to a byte that is encoded, to its query, or to the space behind it.
    fn target(&mut self, rest: &[u8], encoded: impl Fn(u8) -> bool) -> Step {
        let in_path = matches!(self.part, Part::Path);
        let end = rest.iter().position(|byte| {
            matches!(byte, b' ' | b'\r' | b'\n') || (in_path && *byte == b'?') || encoded(*byte)
        });
        let Some(end) = end else { return Step::Passes(rest.len()) };
        self.part = match rest[end] {
            b' ' => Part::Version,
            b'?' => Part::Query,
            b'\r' | b'\n' => Part::Unknown,
            _ => return Step::Encode(end),
        };
        Step::Passes(end + 1)
    }

    /// Reads a line to its end, and looks at it.
    fn line(&mut self, rest: &[u8]) -> Step {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            self.line.take(rest);
            return Step::Passes(rest.len());
        };
        let ended = if self.line.length == 0 {
            ended(&rest[..end], end, end.checked_sub(1).map_or(0, |last| rest[last]))
        } else {
            self.line.take(&rest[..end]);
            ended(&self.line.bytes, self.line.length, self.line.last)
        };
        let next = ended.and_then(|line| match self.part {
            Part::Version => self.head.version(&line),
            Part::Header => self.head.header(&line),
            Part::ChunkSize => chunk_size(line.text),
            Part::ChunkEnd => line.text.is_empty().then_some(Part::ChunkSize),
            _ => Some(if line.text.is_empty() { Part::Start } else { Part::Trailer }),
        });
        self.line.length = 0;
        self.part = next.unwrap_or(Part::Unknown);
        Step::Passes(end + 1)
    }
}

impl Line {
    fn take(&mut self, bytes: &[u8]) {
        let kept = self.length.min(LINE_BYTES);
        let count = bytes.len().min(LINE_BYTES - kept);
        self.bytes[kept..kept + count].copy_from_slice(&bytes[..count]);
        self.length = self.length.saturating_add(bytes.len());
        self.last = bytes.last().copied().unwrap_or(self.last);
    }
}

impl Head {
    /// The end of a request line.
    fn version(&mut self, line: &Ended<'_>) -> Option<Part> {
        let chunks_allowed = match line.text {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return None,
        };
        *self = Self { chunks_allowed, length: None, chunked: false };
        Some(Part::Header)
    }

    /// A line of the head; the empty one ends it.
    fn header(&mut self, line: &Ended<'_>) -> Option<Part> {
        let Some(first) = line.text.first() else {
            return Some(match (self.chunked, self.length) {
                (true, _) => Part::ChunkSize,
                (false, None | Some(0)) => Part::Start,
                (false, Some(length)) => Part::Body(length),
            });
        };
        match first.to_ascii_lowercase() {
            // A value that goes on.
            b' ' | b'\t' => return None,
            b'c' | b't' | b'u' => {}
            _ => return Some(Part::Header),
        }
        let colon = line.text.iter().position(|byte| *byte == b':');
        let (name, value) = line.text.split_at(colon.unwrap_or(line.text.len()));
        let is = |known: &str| trimmed(name).eq_ignore_ascii_case(known.as_bytes());
        let (length, coding) = (is("content-length"), is("transfer-encoding"));
        if is("upgrade") {
            return None;
        }
        if !length && !coding {
            return Some(Part::Header);
        }
        let plain = line.whole && name == trimmed(name);
        let first = self.length.is_none() && !self.chunked;
        if !plain || !first {
            return None;
        }
        let value = trimmed(value.get(1..)?);
        if length {
            self.length = Some(number(value)?);
        } else {
            self.chunked = self.chunks_allowed && value.eq_ignore_ascii_case(b"chunked");
            self.chunked.then_some(())?;
        }
        Some(Part::Header)
    }
}

/// The line before its LF, if a CR is before that.
fn ended(bytes: &[u8], length: usize, last: u8) -> Option<Ended<'_>> {
    let length = length.checked_sub(1).filter(|_| last == b'\r')?;
    let text = &bytes[..length.min(LINE_BYTES)];
    Some(Ended { text, whole: length <= LINE_BYTES })
}

/// What comes behind the line before a chunk; extensions are passed over.
fn chunk_size(line: &[u8]) -> Option<Part> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, rest) = line.split_at(digits);
    let plain = matches!(rest.first(), None | Some(b';' | b' ' | b'\t'));
    if !plain || digits.is_empty() || digits.len() > CHUNK_DIGITS {
        return None;
    }
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(if size == 0 { Part::Trailer } else { Part::Chunk(size) })
}

/// A number of digits alone.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// Without spaces and tabs around it.
fn trimmed(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(first) = text.iter().position(|byte| !blank(byte)) else { return &[] };
    let last = text.iter().rposition(|byte| !blank(byte)).unwrap_or(first);
    &text[first..=last]
}

/// Passes over so many bytes at most; how many are left.
fn skipped(rest: &[u8], left: u64) -> (Step, u64) {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    (Step::Passes(count), left - count as u64)
}
