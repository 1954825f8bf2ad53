//! Every limit of the engine, with its name, unit and default. Configuration overrides them by the same names.

use serde::{Deserialize, Serialize};

/// Limits on requests, documents and resources; the configuration section `limits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest request body, bytes.
    pub body_bytes: u64,
    /// Largest encoded document, bytes.
    pub document_bytes: u64,
    /// Deepest nesting of objects and arrays.
    pub nesting: u32,
    /// Longest `_id`, bytes of its key encoding.
    pub id_bytes: u32,
    /// Longest member name, bytes.
    pub member_name_bytes: u32,
    /// Most documents in one request.
    pub batch_documents: u32,
    /// Commands waiting for the sequencer.
    pub write_queue: u32,
    /// Most events committed with one sync.
    pub group_events: u32,
    /// Most bytes committed with one sync.
    pub group_bytes: u64,
    /// Free bytes of the disk below which writes are refused with 507.
    pub disk_reserve: u64,
    /// Bytes of committed events kept in memory for subscribers.
    pub tail_bytes: u64,
    /// How long an idempotency key is remembered, seconds.
    pub idempotency_seconds: u64,
    /// Longest wait for `Headwater-After`, milliseconds.
    pub read_wait_ms: u64,
    /// Deepest nesting of operators in a filter, update, projection or pipeline.
    pub query_depth: u32,
    /// Most conditions in one filter, and most stages in one pipeline, nested ones included.
    pub query_clauses: u32,
    /// Most values in one `$in`, `$nin` or `$all`.
    pub query_in_values: u32,
    /// Largest compiled regular expression, bytes.
    pub query_regex_bytes: u32,
    /// Longest run of one query, milliseconds; looked at between documents.
    pub query_deadline_ms: u64,
    /// Largest result of one query, bytes of encoded documents.
    pub query_result_bytes: u64,
    /// Most memory of one query's stages, bytes; sorts and groups of pipelines go to disk beyond it.
    pub query_memory_bytes: u64,
    /// Open connections.
    pub connections: u32,
    /// Open connections from one address (loopback excepted).
    pub connections_per_address: u32,
    /// Open streams of one credential.
    pub connections_per_key: u32,
    /// Open streams from one address (loopback excepted).
    pub streams_per_address: u32,
    /// Size of an event that is not logged, bytes of its encoding.
    pub ephemeral_bytes: u64,
    /// Subscriptions on one WebSocket connection.
    pub subscriptions_per_connection: u32,
    /// Largest message that a client sends on a WebSocket, bytes.
    pub message_bytes: u64,
    /// Size of request headers, bytes.
    pub header_bytes: u32,
    /// Time for a request's headers to arrive, milliseconds.
    pub header_timeout_ms: u64,
    /// Longest pause in a request's body, milliseconds.
    pub body_timeout_ms: u64,
}

impl Limits {
    /// The limits for queries that were accepted when they were stored, under limits that may have been other ones.
    pub fn for_stored_queries() -> Self {
        let (most, default) = (u32::MAX, Self::default());
        Self {
            query_depth: 100,
            query_clauses: most,
            query_in_values: most,
            query_regex_bytes: 16 << 20,
            ..default
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            document_bytes: 16 << 20,
            nesting: 100,
            id_bytes: 1024,
            member_name_bytes: 1024,
            batch_documents: 100_000,
            write_queue: 4096,
            group_events: 8192,
            group_bytes: 8 << 20,
            disk_reserve: 256 << 20,
            tail_bytes: 16 << 20,
            idempotency_seconds: 24 * 3600,
            read_wait_ms: 5000,
            query_depth: 32,
            query_clauses: 100,
            query_in_values: 1000,
            query_regex_bytes: 128 << 10,
            query_deadline_ms: 5000,
            query_result_bytes: 16 << 20,
            query_memory_bytes: 100 << 20,
            connections: 20_000,
            connections_per_address: 1000,
            connections_per_key: 10_000,
            streams_per_address: 10_000,
            ephemeral_bytes: 64 << 10,
            subscriptions_per_connection: 100,
            message_bytes: 1 << 20,
            header_bytes: 16 << 10,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
        }
    }
}
