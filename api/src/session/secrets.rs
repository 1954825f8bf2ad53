//! Secrets in system collections, which not even full access is shown.

use std::sync::{Arc, LazyLock};

use headwater_engine::restrict::{FieldRule, Restriction};

use crate::collection_name::is_system;

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
