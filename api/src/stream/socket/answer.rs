//! What the server says besides events.

use bytes::Bytes;
use headwater_engine::log::Epoch;
use serde_json::json;

use crate::error::ApiError;
use crate::stream::start::epoch_text;

/// The answer to a ping.
pub(super) const PONG: Bytes = Bytes::from_static(b"{\"op\":\"pong\"}");

/// A subscription is under way after a position.
pub(super) fn subscribed(reference: &str, position: u64, epoch: Epoch) -> Bytes {
    let epoch = epoch_text(epoch);
    text(&json!({"op": "subscribed", "ref": reference, "position": position, "epoch": epoch}))
}

/// A subscription has ended.
pub(super) fn closed(reference: &str, reason: &str) -> Bytes {
    text(&json!({"op": "closed", "ref": reference, "reason": reason}))
}

/// A message is refused; the connection goes on.
pub(super) fn refused(reference: Option<&str>, error: &ApiError) -> Bytes {
    let mut answer = json!({"op": "error"});
    if let Some(reference) = reference {
        answer["ref"] = reference.into();
    }
    answer["code"] = error.code().into();
    answer["message"] = error.message().into();
    let details = error.details();
    if !details.is_empty() {
        answer["details"] = details.into();
    }
    text(&answer)
}

fn text(value: &serde_json::Value) -> Bytes {
    value.to_string().into()
}
