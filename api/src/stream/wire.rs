//! How subscribers are told: as frames of server-sent events, or as messages of a WebSocket.
//!
//! Guarantees: equal events on equal wires are the same bytes, so that they can be shared. A chunk holds whole frames;
//! [`Wire::messages`] takes it apart again where the wire has messages.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Event;
use headwater_engine::log::Epoch;
use headwater_engine::restrict::Seen;

use super::event_encoder::EventEncoder;
use super::start::epoch_text;
use crate::reply::{write_number, write_text};

/// Bytes before each message in a chunk: its length, little-endian.
const LENGTH_BYTES: usize = 4;

/// How one subscriber is told.
#[derive(Clone)]
pub(crate) struct Wire {
    /// The subscription's name on a WebSocket; `None`: server-sent events.
    reference: Option<String>,
    /// Words of a face's own for server-sent events.
    encoder: Option<Arc<dyn EventEncoder>>,
    /// What follows the position in an id: `@epoch`, or nothing in the first epoch.
    suffix: String,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoder = self.encoder.as_ref().map(|encoder| encoder.name());
        let mut shown = f.debug_struct("Wire");
        shown.field("reference", &self.reference).field("encoder", &encoder);
        shown.field("suffix", &self.suffix).finish()
    }
}

impl Wire {
    /// Server-sent events.
    pub(crate) fn events(epoch: Epoch) -> Self {
        Self { reference: None, encoder: None, suffix: suffix(epoch) }
    }

    /// Server-sent events in words of a face's own. They are of events alone: live queries and channels have no others.
    pub(crate) fn encoded_by(encoder: Arc<dyn EventEncoder>, epoch: Epoch) -> Self {
        Self { encoder: Some(encoder), ..Self::events(epoch) }
    }

    /// The messages of a subscription on a WebSocket.
    pub(crate) fn messages_of(reference: &str, epoch: Epoch) -> Self {
        Self { reference: Some(reference.to_owned()), ..Self::events(epoch) }
    }

    /// The beginning of a stream of server-sent events: how long its reader waits before it comes back, and after which
    /// position it then goes on if nothing came until then.
    pub(super) fn beginning(&self, id: Option<u64>) -> Bytes {
        if let Some(encoder) = &self.encoder {
            return self.sign(&**encoder, id);
        }
        let id = id.map(|id| format!("id: {id}{}\n", self.suffix)).unwrap_or_default();
        format!("retry: 1000\n{id}\n").into()
    }

    /// A comment, which breaks a silence; where nothing of what happened concerned the reader, with the position it has come to.
    pub(super) fn heartbeat(&self, id: Option<u64>) -> Bytes {
        if let Some(encoder) = &self.encoder {
            return self.sign(&**encoder, id);
        }
        match id {
            None => Bytes::from_static(b":\n\n"),
            Some(id) => format!(":\nid: {id}{}\n\n", self.suffix).into(),
        }
    }

    /// The last words of a stream of server-sent events that ends for a reason; a comment where the face has no word.
    pub(super) fn closing(&self, reason: &str) -> Bytes {
        match self.encoder {
            None => format!("event: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n").into(),
            Some(_) => format!(": {reason}\n\n").into(),
        }
    }

    /// Words of a face's own.
    pub(super) fn encoder(&self) -> Option<&dyn EventEncoder> {
        self.encoder.as_deref()
    }

    /// Whether signs of life come at every interval, not in silences alone.
    pub(super) fn gives_signs(&self) -> bool {
        self.encoder.is_some()
    }

    fn sign(&self, encoder: &dyn EventEncoder, id: Option<u64>) -> Bytes {
        let mut out = Vec::new();
        if let Some(id) = id {
            self.id_line(id, &mut out);
        }
        encoder.sign(&mut out);
        out.push(b'\n');
        out.into()
    }

    /// Appends what is seen of an event in a face's own words.
    pub(super) fn encode(
        &self,
        encoder: &dyn EventEncoder,
        event: &Event<'_>,
        seen: &Seen,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        self.id_line(event.position, out);
        if encoder.encode(event, seen, out) {
            out.push(b'\n');
        } else {
            out.truncate(start);
        }
    }

    fn id_line(&self, id: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"id: ");
        write_number(id, out);
        out.extend_from_slice(self.suffix.as_bytes());
        out.push(b'\n');
    }

    /// Makes different wires different.
    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        let encoder = self.encoder.as_ref().map(|encoder| encoder.name());
        for text in [self.reference.as_deref(), encoder, Some(&self.suffix)] {
            hasher.update(&[u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }

    /// Appends a frame: its id, if it has one, the name of what it tells, and what it tells as one line of JSON.
    pub(super) fn frame(
        &self,
        id: Option<u64>,
        event: &str,
        out: &mut Vec<u8>,
        data: impl FnOnce(&mut Vec<u8>),
    ) {
        match &self.reference {
            None => self.event_frame(id, event, out, data),
            Some(reference) => self.message(reference, id, event, out, data),
        }
    }

    fn event_frame(
        &self,
        id: Option<u64>,
        event: &str,
        out: &mut Vec<u8>,
        data: impl FnOnce(&mut Vec<u8>),
    ) {
        if let Some(id) = id {
            self.id_line(id, out);
        }
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        data(out);
        out.extend_from_slice(b"\n\n");
    }

    fn message(
        &self,
        reference: &str,
        id: Option<u64>,
        event: &str,
        out: &mut Vec<u8>,
        data: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        out.extend_from_slice(b"{\"op\":\"event\",\"ref\":");
        write_text(reference, out);
        out.extend_from_slice(b",\"id\":");
        match id {
            None => out.extend_from_slice(b"null"),
            Some(id) if self.suffix.is_empty() => write_number(id, out),
            Some(id) => {
                out.push(b'"');
                write_number(id, out);
                out.extend_from_slice(self.suffix.as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(b",\"event\":\"");
        out.extend_from_slice(event.as_bytes());
        out.extend_from_slice(b"\",\"data\":");
        data(out);
        out.push(b'}');
        let length = u32::try_from(out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
        out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    }

    /// The messages in a chunk of a WebSocket's wire.
    pub(crate) fn messages(mut chunk: Bytes) -> impl Iterator<Item = Bytes> {
        std::iter::from_fn(move || {
            let length = *chunk.first_chunk::<LENGTH_BYTES>()?;
            let length = u32::from_le_bytes(length) as usize;
            let mut message = chunk.split_to((LENGTH_BYTES + length).min(chunk.len()));
            Some(message.split_off(LENGTH_BYTES))
        })
    }
}

fn suffix(epoch: Epoch) -> String {
    if epoch.start > 0 { format!("@{}", epoch_text(epoch)) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wire: &Wire, id: Option<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        wire.frame(id, "enter", &mut out, |out| out.extend_from_slice(b"{\"a\":1}"));
        out
    }

    /// A face's words for signs of life alone.
    struct Words(&'static str);

    impl EventEncoder for Words {
        fn name(&self) -> &'static str {
            self.0
        }

        fn encode(&self, _event: &Event<'_>, _seen: &Seen, _out: &mut Vec<u8>) -> bool {
            false
        }

        fn sign(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(b"event: here\n");
        }
    }

    #[test]
    fn a_face_may_have_words_of_its_own() {
        let later = Epoch { id: [0xab; 16], start: 9 };
        let wire = |name| Wire::encoded_by(Arc::new(Words(name)), later);
        let id = format!("id: 7@{}\n", "ab".repeat(16));
        let sign = |id: &str| format!("{id}event: here\n\n");
        assert_eq!(wire("a").beginning(Some(7)), sign(&id));
        assert_eq!(wire("a").heartbeat(None), sign(""));
        assert_eq!(wire("a").closing("gone"), ": gone\n\n");
        let hash = |wire: &Wire| {
            let mut hasher = blake3::Hasher::new();
            wire.hash(&mut hasher);
            hasher.finalize()
        };
        assert_eq!(hash(&wire("a")), hash(&wire("a")));
        assert_ne!(hash(&wire("a")), hash(&wire("b")));
        assert_ne!(hash(&wire("a")), hash(&Wire::events(later)));
    }

    #[test]
    fn frames_say_the_same_on_both_wires() {
        let first = Epoch { id: [1; 16], start: 0 };
        let later = Epoch { id: [0xab; 16], start: 9 };
        let events = Wire::events(first);
        assert_eq!(text(&events, Some(7)), b"id: 7\nevent: enter\ndata: {\"a\":1}\n\n");
        assert_eq!(text(&events, None), b"event: enter\ndata: {\"a\":1}\n\n");
        let mut chunk = Vec::new();
        for (epoch, id) in [(first, Some(7)), (first, None), (later, Some(7))] {
            chunk.extend(text(&Wire::messages_of("a\"", epoch), id));
        }
        let texts: Vec<String> = Wire::messages(chunk.into())
            .map(|message| String::from_utf8(message.to_vec()).unwrap())
            .collect();
        let message = |id: &str| {
            format!(r#"{{"op":"event","ref":"a\"","id":{id},"event":"enter","data":{{"a":1}}}}"#)
        };
        let late = format!("\"7@{}\"", "ab".repeat(16));
        assert_eq!(texts, [message("7"), message("null"), message(&late)]);
    }
}
