//! Names of collections: which ones can be, which of them are the system's; what is answered where one is not there.

use crate::error::ApiError;

const NAME_BYTES_MAX: usize = 120;

/// Whether a name is one that a user's collection can have.
pub(crate) fn is_user_collection(name: &str) -> bool {
    well_formed(name) && !is_system(name)
}

/// Whether a name belongs to the system.
pub(crate) fn is_system(name: &str) -> bool {
    name.starts_with('_')
}

/// Refuses what cannot be the name of a collection.
pub(crate) fn check(name: &str) -> Result<(), ApiError> {
    if well_formed(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    let message = format!(
        "`{shown}` is not the name of a collection: 1 to 120 of A-Z a-z 0-9 _ . -, but not . or .."
    );
    Err(ApiError::bad_request("invalid_collection_name", message).with("collection", shown))
}

/// What is answered where a collection is not there.
pub(crate) fn not_found(name: &str) -> ApiError {
    let message = format!("there is no collection `{name}`");
    ApiError::not_found("collection_not_found", message)
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
