//! What a live query says, in frames.

use headwater_engine::subscribe::BodyProjection;
use headwater_engine::subscribe::live::Reason;
use headwater_engine::value::Raw;

use super::super::wire::Wire;
use crate::extract::Format;
use crate::reply::{write_number, write_text};

/// How a live query is told.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// What is shown of documents.
    pub(super) projection: Option<BodyProjection>,
    /// The dialect of documents.
    pub(super) format: Format,
    /// Frames or messages.
    pub(super) wire: Wire,
    /// The history that positions belong to.
    pub(super) epoch: String,
}

impl Frames {
    /// A document of the snapshot.
    pub(super) fn snapshot(&self, document: &[u8], out: &mut Vec<u8>) {
        self.wire.frame(None, "snapshot", out, |out| {
            out.extend_from_slice(b"{\"document\":");
            self.write_document(document, out);
            out.push(b'}');
        });
    }

    /// The snapshot is complete, at a position.
    pub(super) fn ready(&self, position: u64, count: u64, out: &mut Vec<u8>) {
        self.wire.frame(Some(position), "ready", out, |out| {
            out.extend_from_slice(b"{\"position\":");
            write_number(position, out);
            out.extend_from_slice(b",\"count\":");
            write_number(count, out);
            out.extend_from_slice(b",\"epoch\":");
            write_text(&self.epoch, out);
            out.push(b'}');
        });
    }

    /// What was told is void; a snapshot follows.
    pub(super) fn reset(&self, reason: &str, out: &mut Vec<u8>) {
        self.wire.frame(None, "reset", out, |out| {
            out.extend_from_slice(b"{\"reason\":");
            write_text(reason, out);
            out.push(b'}');
        });
    }

    /// A document that entered or changed, shown as far as rights go; `frame_id` where it is the last frame of its position.
    pub(super) fn document(
        &self,
        event: &str,
        frame_id: Option<u64>,
        position: u64,
        id: Raw<'_>,
        document: &[u8],
        out: &mut Vec<u8>,
    ) {
        self.wire.frame(frame_id, event, out, |out| {
            self.write_place(position, id, out);
            out.extend_from_slice(b",\"document\":");
            self.write_document(document, out);
            out.push(b'}');
        });
    }

    /// A document that left; `frame_id` where it is the last frame of its position.
    pub(super) fn leave(
        &self,
        frame_id: Option<u64>,
        position: u64,
        id: Raw<'_>,
        reason: Reason,
        out: &mut Vec<u8>,
    ) {
        self.wire.frame(frame_id, "leave", out, |out| {
            self.write_place(position, id, out);
            out.extend_from_slice(b",\"reason\":\"");
            out.extend_from_slice(reason.as_str().as_bytes());
            out.extend_from_slice(b"\"}");
        });
    }

    fn write_place(&self, position: u64, id: Raw<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"position\":");
        write_number(position, out);
        out.extend_from_slice(b",\"id\":");
        self.format.write(id, out);
    }

    fn write_document(&self, document: &[u8], out: &mut Vec<u8>) {
        let document = Raw::trusted(document);
        match &self.projection {
            None => self.format.write(document, out),
            Some(projection) => self.format.write(Raw::trusted(&projection.apply(document)), out),
        }
    }
}
