//! A credential as it stands: who it is, what it may do, and until when.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::grant::Grant;
use super::key::KeyHash;

/// One key of a credential, compiled. A change of the credential makes a new one and retires this one.
#[derive(Debug)]
pub(crate) struct Credential {
    /// The credential's id: 24 hex digits, or [`ROOT`]. It is the actor of what it does.
    pub(crate) id: Arc<str>,
    /// The key that found it.
    pub(crate) key: KeyHash,
    /// What it may do.
    pub(crate) grant: Arc<Grant>,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// Cancelled when it is changed or revoked, so that streams look again.
    pub(crate) retired: CancellationToken,
}

impl Credential {
    /// Whether it has ended.
    pub(crate) fn expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| now_ms >= end)
    }
}
