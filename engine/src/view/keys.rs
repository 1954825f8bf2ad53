//! The keys of the views: which bytes stand for a document, a history entry, a counter or a request.
//!
//! Guarantees: keys of one collection are contiguous and sort by `_id`; a document's history sorts by position.
//! Leaves to others: the order-preserving encoding of an id (`value::key`).

/// The number of a collection: system collections have fixed ones, others rise from [`FIRST_USER`] and are never reused.
pub type CollectionId = u32;

/// The first number of a user's collection.
pub const FIRST_USER: CollectionId = 256;

/// The system collections with their fixed numbers. New ones are added at the end.
pub const SYSTEM: [(&str, CollectionId); 16] = [
    ("_collections", 1),
    ("_credentials", 2),
    ("_webhooks", 3),
    ("_users", 4),
    ("_roles", 5),
    ("_sessions", 6),
    ("_providers", 7),
    ("_indexes", 8),
    ("_schemas", 9),
    ("_functions", 10),
    ("_settings", 11),
    ("_audit", 12),
    ("_secrets", 13),
    ("_jobs", 14),
    ("_media", 15),
    ("_apps", 16),
];

/// The number of the collection that describes the others.
pub const COLLECTIONS: CollectionId = 1;

/// The key of a document, and the prefix of its history: collection, id key.
pub fn document(collection: CollectionId, id_key: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + id_key.len() + 8);
    key.extend_from_slice(&collection.to_be_bytes());
    key.extend_from_slice(id_key);
    key
}

/// The key of a history entry: document key, position.
pub fn history(collection: CollectionId, id_key: &[u8], position: u64) -> Vec<u8> {
    let mut key = document(collection, id_key);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

/// The position at the end of a history key.
pub fn history_position(key: &[u8]) -> Option<u64> {
    let (_, position) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*position))
}

/// The id key inside a document key.
pub fn id_of_document(key: &[u8]) -> &[u8] {
    key.get(4..).unwrap_or_default()
}

/// The id key inside a history key.
pub fn id_of_history(key: &[u8]) -> &[u8] {
    key.get(4..key.len().saturating_sub(8)).unwrap_or_default()
}

/// The first key of a collection.
pub fn collection_start(collection: CollectionId) -> Vec<u8> {
    collection.to_be_bytes().to_vec()
}

/// The first key after a collection.
pub fn collection_end(collection: CollectionId) -> Vec<u8> {
    collection.saturating_add(1).to_be_bytes().to_vec()
}

/// The key of a collection's counters.
pub fn counters(collection: CollectionId) -> Vec<u8> {
    let mut key = vec![b'c'];
    key.extend_from_slice(&collection.to_be_bytes());
    key
}

/// The key that says that a dropped collection may have rows left.
pub fn sweep(collection: CollectionId) -> Vec<u8> {
    let mut key = vec![b's'];
    key.extend_from_slice(&collection.to_be_bytes());
    key
}

/// The collection of a [`sweep`] key.
pub fn swept(key: &[u8]) -> Option<CollectionId> {
    let number = key.strip_prefix(b"s")?.try_into().ok()?;
    Some(u32::from_be_bytes(number))
}

/// The key that says that a dropped index may have entries left.
pub fn sweep_index(index: u64) -> Vec<u8> {
    let mut key = vec![b'x'];
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The index of a [`sweep_index`] key.
pub fn swept_index(key: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(b"x")?.try_into().ok()?;
    Some(u64::from_be_bytes(number))
}

/// The key under which a request is remembered.
pub fn request(key: &str) -> Vec<u8> {
    let mut bytes = vec![b'r'];
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// The key that finds remembered requests by age.
pub fn request_by_time(time_ms: u64, key: &str) -> Vec<u8> {
    let mut bytes = vec![b't'];
    bytes.extend_from_slice(&time_ms.to_be_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes
}
