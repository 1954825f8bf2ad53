//! Names of deliveries, all derived: nothing here is drawn at random or stored.
//!
//! - `webhook-id`, which the receiver de-duplicates by: `msg_` and the base64url of the first 18 bytes of
//!   BLAKE3(webhook id ‖ 0 ‖ chain digest of the event). 24 characters without a dot; the same for every attempt, restart
//!   and replay, and different for another webhook or another history.
//! - delivery id: the event's position in decimal, within its webhook.
//! - document key: the first 8 bytes of BLAKE3(collection ‖ 0 ‖ encoded id). Deliveries with one key are made in order; two
//!   documents that share a key by chance only wait for each other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};
use crate::event::Event;

/// The `webhook-id` of an event for a webhook.
pub(super) fn message_id(webhook: &str, digest: &[u8; 32]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(webhook.as_bytes());
    hasher.update(&[0]);
    hasher.update(digest);
    let mut id = String::with_capacity(28);
    id.push_str("msg_");
    URL_SAFE_NO_PAD.encode_string(&hasher.finalize().as_bytes()[..18], &mut id);
    id
}

/// The position that a delivery id names.
pub(super) fn parse_delivery_id(id: &str) -> Result<u64> {
    let plain = !id.starts_with(['0', '+']);
    id.parse().ok().filter(|_| plain).ok_or_else(|| {
        Error::not_found("delivery_not_found", format!("there is no delivery `{id}`"))
    })
}

/// The key that orders an event's delivery. An event without a document stands alone.
pub(super) fn document_key(event: &Event<'_>) -> u64 {
    let id = event.content.as_ref().map_or(&[][..], |content| content.id);
    let mut hasher = blake3::Hasher::new();
    hasher.update(event.collection.as_bytes());
    hasher.update(&[0]);
    if id.is_empty() {
        hasher.update(&event.position.to_le_bytes());
    } else {
        hasher.update(id);
    }
    let mut key = [0; 8];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r16_ids_are_stable_and_have_no_dot() {
        let id = message_id("w1", &[7; 32]);
        assert_eq!(id, message_id("w1", &[7; 32]));
        assert_eq!(id.len(), 28);
        assert!(!id.contains('.'));
        assert_ne!(id, message_id("w2", &[7; 32]));
        assert_ne!(id, message_id("w1", &[8; 32]));
    }

    #[test]
    fn delivery_ids_are_positions() {
        assert_eq!(parse_delivery_id("42").unwrap(), 42);
        for wrong in ["", "0", "042", "+1", "-1", "x"] {
            assert!(parse_delivery_id(wrong).is_err(), "{wrong}");
        }
    }
}
