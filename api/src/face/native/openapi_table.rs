//! What the OpenAPI document says about each route; one entry per route. Those of collections, of access and of people are
//! in files of their own.

use super::openapi_access::ACCESS;
use super::openapi_collections::COLLECTIONS;
use super::openapi_people::PEOPLE;

/// What a route answers with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Media {
    /// JSON.
    Json,
    /// Server-sent events.
    Stream,
    /// Plain text.
    Text,
    /// A tar file.
    Tar,
}

/// The description of a route.
pub(super) struct Described {
    /// The method, in small letters.
    pub(super) method: &'static str,
    /// The path, with parameters in braces.
    pub(super) path: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// The status of success.
    pub(super) status: u16,
    /// Parameters of the query string.
    pub(super) parameters: &'static [&'static str],
    /// Whether it takes a body.
    pub(super) body: bool,
    /// What it answers with.
    pub(super) media: &'static [Media],
}

/// The description of a route, if there is one.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Described> {
    TABLE
        .iter()
        .chain(COLLECTIONS)
        .chain(ACCESS)
        .chain(PEOPLE)
        .find(|described| (described.method, described.path) == (method, path))
}

/// Every route but those of collections and of access.
pub(super) const TABLE: &[Described] = &[
    Described {
        method: "get",
        path: "/",
        summary: "A hint for people.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Text],
    },
    Described {
        method: "get",
        path: "/healthz",
        summary: "Whether the process lives.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/readyz",
        summary: "Whether writes are accepted; 503 with the reason otherwise.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/metrics",
        summary: "Figures for Prometheus.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Text],
    },
    Described {
        method: "get",
        path: "/v1/openapi.json",
        summary: "This document.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/events",
        summary: "A page of events, or a stream of them where text/event-stream is accepted.",
        status: 200,
        parameters: &[
            "from",
            "to",
            "collections",
            "kinds",
            "channel",
            "filter",
            "projection",
            "collapse",
            "presence",
            "limit",
            "last_event_id",
            "epoch",
        ],
        body: false,
        media: &[Media::Json, Media::Stream],
    },
    Described {
        method: "get",
        path: "/v1/live/{collection}",
        summary: "A live query: the documents that match, then what enters, changes and leaves.",
        status: 200,
        parameters: &["filter", "projection", "sort", "limit", "last_event_id", "from", "epoch"],
        body: false,
        media: &[Media::Stream],
    },
    Described {
        method: "get",
        path: "/v1/ws",
        summary: "A WebSocket: many subscriptions on one connection.",
        status: 101,
        parameters: &[],
        body: false,
        media: &[],
    },
    Described {
        method: "post",
        path: "/v1/events",
        summary: "Publish a custom event.",
        status: 201,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/credentials",
        summary: "The credentials.",
        status: 200,
        parameters: &["limit", "cursor"],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/credentials",
        summary: "Issue a key, or a name with a password; the secret is shown this once.",
        status: 201,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/credentials/{id}",
        summary: "A credential.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "patch",
        path: "/v1/credentials/{id}",
        summary: "Change label, description, grant or end of a credential.",
        status: 200,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "delete",
        path: "/v1/credentials/{id}",
        summary: "Revoke a credential.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/credentials/{id}/rotate",
        summary: "Give a credential a new key or password; the old one works for grace_seconds.",
        status: 200,
        parameters: &["grace_seconds"],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/admin/rebuild",
        summary: "Make the views again from the log.",
        status: 202,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/admin/verify",
        summary: "Check the chain, and the views against the log.",
        status: 202,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/admin/backup",
        summary: "Write a consistent copy.",
        status: 202,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/admin/erase",
        summary: "Delete a document and erase it from the log.",
        status: 200,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/admin/jobs/{id}",
        summary: "A job: status, progress, result.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/admin/jobs/{id}/download",
        summary: "The file of a backup, once.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Tar],
    },
    Described {
        method: "get",
        path: "/v1/admin/stats",
        summary: "Figures.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/admin/subscriptions",
        summary: "The open streams.",
        status: 200,
        parameters: &["limit", "cursor"],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/webhooks",
        summary: "The webhooks that the caller may manage.",
        status: 200,
        parameters: &["limit", "cursor"],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/webhooks",
        summary: "Register a webhook; the secret is shown once.",
        status: 201,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/webhooks/{id}",
        summary: "A webhook with its lag.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "patch",
        path: "/v1/webhooks/{id}",
        summary: "Change a webhook; with `backlog`, keep or skip what is undelivered.",
        status: 200,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "delete",
        path: "/v1/webhooks/{id}",
        summary: "Remove a webhook.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/webhooks/{id}/deliveries",
        summary: "A page of deliveries, newest event first.",
        status: 200,
        parameters: &["status", "limit", "cursor"],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/webhooks/{id}/deliveries/{delivery}/retry",
        summary: "Send a delivery again.",
        status: 202,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/webhooks/{id}/replay",
        summary: "Send a range of events again.",
        status: 202,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/webhooks/{id}/test",
        summary: "Send a sample event at once.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/webhooks/{id}/rotate-secret",
        summary: "Make a new secret; both sign for 24 h.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "post",
        path: "/v1/admin/replay",
        summary: "Send a range of events to a webhook again.",
        status: 202,
        parameters: &[],
        body: true,
        media: &[Media::Json],
    },
    Described {
        method: "get",
        path: "/v1/admin/replay/{id}",
        summary: "How far a replay has come.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
    Described {
        method: "delete",
        path: "/v1/admin/replay/{id}",
        summary: "Cancel a replay.",
        status: 200,
        parameters: &[],
        body: false,
        media: &[Media::Json],
    },
];
