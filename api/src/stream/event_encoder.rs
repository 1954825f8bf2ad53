//! Encoders of events: a face's own words for server-sent events, where it does not use those of every face.
//!
//! Guarantees: whoever is told by an encoder of the same name shares the same bytes.
//! Leaves to others: who is told what (the audience), ids and carriers (the wire).

use headwater_engine::Event;
use headwater_engine::restrict::Seen;

/// How a face writes events. It also gives signs of life by a frame of its own: at once when a stream begins, and then
/// at every interval, also where there is much to tell.
pub(crate) trait EventEncoder: Send + Sync + 'static {
    /// What makes it different from others.
    fn name(&self) -> &'static str;

    /// Appends the lines of what is seen of an event, without its id and without the empty line; false where the face has
    /// no word for it.
    fn encode(&self, event: &Event<'_>, seen: &Seen, out: &mut Vec<u8>) -> bool;

    /// Appends the lines of a sign of life.
    fn sign(&self, out: &mut Vec<u8>);
}
