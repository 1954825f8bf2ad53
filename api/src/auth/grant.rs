//! The grant: what a credential may do, compiled once from its document.
//!
//! Guarantees: what is not named is not allowed; a member that this version cannot enforce is refused by name, never
//! passed over.
//! Leaves to others: expiry (the credential), names of collections (the session).

use std::collections::HashMap;

use headwater_engine::value::Raw;
use headwater_engine::{Error, Result};

use super::action::{Action, Actions};

/// Members of CONTRACT's grant that are not enforced yet.
const LATER: [&str; 11] = [
    "methods",
    "paths",
    "acls",
    "read_filter",
    "write_filter",
    "fields",
    "origins",
    "referers",
    "networks",
    "rate_limit",
    "channels",
];

/// What a credential may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    admin: bool,
    named: HashMap<String, Actions>,
    others: Actions,
}

impl Grant {
    /// Everything is allowed.
    pub(crate) fn full() -> Self {
        Self { admin: true, ..Self::default() }
    }

    /// Compiles the `grant` member of a credential.
    pub(crate) fn compile(grant: Raw<'_>) -> Result<Self> {
        let members = grant
            .as_object()
            .ok_or_else(|| invalid("grant", "`grant` must be an object".to_owned()))?;
        let mut compiled = Self::default();
        for (name, value) in members {
            match name {
                "admin" => {
                    compiled.admin = value.as_bool().ok_or_else(|| {
                        invalid("admin", "`grant.admin` must be true or false".to_owned())
                    })?;
                }
                "collections" => compiled.collections(value)?,
                _ if LATER.contains(&name) => {
                    let message = format!("`grant.{name}` is not supported yet");
                    return Err(Error::invalid("unsupported", message).with("member", name));
                }
                _ => return Err(invalid(name, format!("`grant.{name}` is not known"))),
            }
        }
        Ok(compiled)
    }

    fn collections(&mut self, entries: Raw<'_>) -> Result<()> {
        let malformed = || {
            invalid("collections", "`grant.collections` must map names to lists of actions".into())
        };
        for (name, list) in entries.as_object().ok_or_else(malformed)? {
            if name != "*" && !crate::session::is_user_collection(name) {
                let message = format!("`grant.collections` names `{name}`, which is no collection");
                return Err(invalid(name, message));
            }
            let actions = read_actions(name, list)?;
            if name == "*" {
                self.others = actions;
            } else {
                self.named.insert(name.to_owned(), actions);
            }
        }
        Ok(())
    }

    /// Whether everything is allowed.
    pub(crate) fn is_full(&self) -> bool {
        self.admin
    }

    /// Whether an action on a user's collection is allowed.
    pub(crate) fn allows(&self, collection: &str, action: Action) -> bool {
        self.admin || self.named.get(collection).unwrap_or(&self.others).contains(action)
    }

    /// Whether an action outside collections is allowed: custom events.
    pub(crate) fn allows_outside(&self, action: Action) -> bool {
        self.admin || self.others.contains(action)
    }

    /// Whether an action is allowed anywhere.
    pub(crate) fn allows_somewhere(&self, action: Action) -> bool {
        self.allows_outside(action) || self.named.values().any(|actions| actions.contains(action))
    }
}

fn read_actions(collection: &str, list: Raw<'_>) -> Result<Actions> {
    let malformed = || {
        let message = format!("`grant.collections.{collection}` must be a list of actions");
        invalid(collection, message)
    };
    let mut actions = Actions::default();
    for entry in list.as_array().ok_or_else(malformed)? {
        let name = entry.as_str().ok_or_else(malformed)?;
        if !actions.add(name) {
            let message =
                format!("`grant.collections.{collection}` names the unknown action `{name}`");
            return Err(invalid(collection, message).with("action", name));
        }
    }
    Ok(actions)
}

fn invalid(member: &str, message: String) -> Error {
    Error::invalid("invalid_grant", message).with("member", member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    fn compile(text: &str) -> Result<Grant> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        Grant::compile(Raw::trusted(&bytes))
    }

    #[test]
    fn an_own_entry_replaces_the_star() {
        let grant =
            compile(r#"{"collections":{"orders":["create"],"*":["read","subscribe"]}}"#).unwrap();
        assert!(grant.allows("orders", Action::Create));
        assert!(!grant.allows("orders", Action::Read));
        assert!(grant.allows("people", Action::Read));
        assert!(!grant.is_full());
    }

    #[test]
    fn nothing_named_is_nothing_allowed() {
        let grant = compile("{}").unwrap();
        assert!(!grant.allows_somewhere(Action::Read));
    }

    #[test]
    fn what_cannot_be_enforced_is_refused_by_name() {
        for member in LATER {
            let error = compile(&format!(r#"{{"{member}":[]}}"#)).unwrap_err();
            assert_eq!(error.code(), "unsupported");
            assert!(error.message().contains(member));
        }
        assert_eq!(compile(r#"{"wings":1}"#).unwrap_err().code(), "invalid_grant");
        let error = compile(r#"{"collections":{"a":["fly"]}}"#).unwrap_err();
        assert!(error.message().contains("fly"));
        assert!(compile(r#"{"collections":{"_users":["read"]}}"#).is_err());
        assert!(compile(r#"{"collections":{"a":"read"}}"#).is_err());
        assert!(compile(r#"{"admin":1}"#).is_err());
    }
}
