//! Server-sent events, as the HTML standard describes them: bytes in, frames out.
//!
//! Guarantees: any split of the bytes gives the same frames; CR, LF and CRLF end a line; a frame larger than
//! [`FRAME_BYTES_MAX`] is an error, not memory.

/// The largest frame that is kept.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The last `id:` seen, in this frame or before.
    pub(crate) id: String,
    /// `event:`, or `message`.
    pub(crate) event: String,
    /// The lines of `data:`, joined.
    pub(crate) data: String,
}

/// A parser that is fed bytes as they come.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    id: String,
    event: String,
    data: String,
    has_data: bool,
    retry_ms: Option<u64>,
}

impl Parser {
    /// Takes `bytes` and gives every frame that they complete to `frames`.
    pub(crate) fn feed(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> anyhow::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            match memchr::memchr2(b'\n', b'\r', rest) {
                Some(end) => {
                    self.line.extend_from_slice(&rest[..end]);
                    self.after_cr = rest[end] == b'\r';
                    rest = &rest[end + 1..];
                    self.end_line(frames);
                }
                None => {
                    self.line.extend_from_slice(rest);
                    rest = &[];
                }
            }
            anyhow::ensure!(
                self.line.len() + self.data.len() <= FRAME_BYTES_MAX,
                "an event of the stream is larger than {FRAME_BYTES_MAX} bytes"
            );
        }
        Ok(())
    }

    /// The server's wish for the pause before a reconnect.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn end_line(&mut self, frames: &mut Vec<Frame>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let event = std::mem::take(&mut self.event);
                frames.push(Frame {
                    id: self.id.clone(),
                    event: if event.is_empty() { "message".to_owned() } else { event },
                    data: std::mem::take(&mut self.data),
                });
            }
            self.event.clear();
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\n\n: heartbeat\n\nid: 7\nevent: document.created\ndata: {\"a\":\"é\"}\n\n\
                          event: closed\r\ndata: one\r\ndata:two\r\n\r\nid: 9\n\ndata\n\ndata: cut off";

    fn frame(id: &str, event: &str, data: &str) -> Frame {
        Frame { id: id.to_owned(), event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn every_split_of_the_bytes_gives_the_same_frames() {
        let expected = [
            frame("7", "document.created", "{\"a\":\"é\"}"),
            frame("7", "closed", "one\ntwo"),
            frame("9", "message", ""),
        ];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut frames = Vec::new();
            for part in STREAM.as_bytes().chunks(size) {
                parser.feed(part, &mut frames).unwrap();
            }
            assert_eq!(frames, expected, "split into parts of {size}");
            assert_eq!(parser.retry_ms(), Some(1000));
        }
    }

    #[test]
    fn a_frame_without_an_end_is_not_kept_for_ever() {
        let mut parser = Parser::default();
        let part = vec![b'x'; 8 << 20];
        let outcome = (0..16).try_for_each(|_| parser.feed(&part, &mut Vec::new()));
        assert!(outcome.is_err());
    }
}
