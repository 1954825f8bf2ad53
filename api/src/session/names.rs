//! Names of collections.

use std::sync::{Arc, LazyLock};

use headwater_engine::restrict::{FieldRule, Restriction};

use crate::error::ApiError;

const NAME_BYTES_MAX: usize = 120;

/// Whether a name is one that a user's collection can have.
pub(crate) fn is_user_collection(name: &str) -> bool {
    well_formed(name) && !is_system(name)
}

/// Whether a name belongs to the system.
pub(super) fn is_system(name: &str) -> bool {
    name.starts_with('_')
}

/// What nobody is shown of documents of a system collection: hashes of secrets, sealed secrets, and the headers in clear
/// that earlier builds stored.
const SECRETS: [&str; 13] = [
    "password",
    "hash",
    "previous",
    "family",
    "refresh",
    "cookie",
    "secret",
    "retiring",
    "retiring_secret",
    "signing_key",
    "retiring_signing_key",
    "sealed_headers",
    "headers",
];

/// What may be seen of a system collection with full access; `None` for users' collections.
pub(super) fn secrets(collection: &str) -> Option<Arc<Restriction>> {
    static RESTRICTION: LazyLock<Option<Arc<Restriction>>> = LazyLock::new(|| {
        let fields = FieldRule::parse(&[], &SECRETS.map(str::to_owned)).ok().flatten()?;
        Some(Arc::new(Restriction { fields: Some(Arc::new(fields)), ..Restriction::default() }))
    });
    RESTRICTION.clone().filter(|_| is_system(collection))
}

/// Refuses what cannot be the name of a collection.
pub(super) fn check(name: &str) -> Result<(), ApiError> {
    if well_formed(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    let message = format!(
        "`{shown}` is not the name of a collection: 1 to 120 of A-Z a-z 0-9 _ . -, but not . or .."
    );
    Err(ApiError::bad_request("invalid_collection_name", message).with("collection", shown))
}

fn well_formed(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && name != "."
        && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["orders", "a.b-c_D9", "...", &"x".repeat(120)] {
            assert!(is_user_collection(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "é", "a/b", &"x".repeat(121)] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check("_users").is_ok());
        assert!(!is_user_collection("_users"));
    }
}
