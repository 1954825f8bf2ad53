//! One event as a frame of server-sent events.

use headwater_engine::Event;
use headwater_engine::restrict::Seen;

use crate::extract::Format;
use crate::reply::write_number;

/// Appends the frame of what is seen of an event; `suffix` follows the position in its id.
pub(super) fn write(
    event: &Event<'_>,
    seen: &Seen,
    (format, suffix): (Format, &str),
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"id: ");
    write_number(event.position, out);
    out.extend_from_slice(suffix.as_bytes());
    out.extend_from_slice(b"\nevent: ");
    out.extend_from_slice(seen.kind(event).as_bytes());
    out.extend_from_slice(b"\ndata: ");
    match seen {
        // The frame's event says that it is hidden.
        Seen::Gone => format.write_gone(event, out),
        _ => format.write_event(event, seen, out),
    }
    out.extend_from_slice(b"\n\n");
}
