//! What the OpenAPI document says about users and sessions.

use super::openapi_table::{Described, Media};

const fn described(
    (method, path): (&'static str, &'static str),
    summary: &'static str,
    status: u16,
    parameters: &'static [&'static str],
    body: bool,
) -> Described {
    Described { method, path, summary, status, parameters, body, media: &[Media::Json] }
}

/// The routes of users and sessions.
pub(super) const PEOPLE: &[Described] = &[
    described(("get", "/v1/users"), "The users.", 200, &["limit", "cursor"], false),
    described(("post", "/v1/users"), "Make a user.", 201, &[], true),
    described(("get", "/v1/users/{id}"), "A user; `me` is the caller.", 200, &[], false),
    described(
        ("patch", "/v1/users/{id}"),
        "Change a user; users themselves change their profile alone.",
        200,
        &[],
        true,
    ),
    described(("delete", "/v1/users/{id}"), "Remove a user with its sessions.", 200, &[], false),
    described(
        ("post", "/v1/users/me/password"),
        "Replace the caller's password; its other sessions end.",
        200,
        &[],
        true,
    ),
    described(
        ("post", "/v1/users/reset"),
        "Ask for a one-time token for a new password; it is answered with full access alone.",
        202,
        &[],
        true,
    ),
    described(
        ("post", "/v1/users/reset/confirm"),
        "Set a new password by a one-time token; every session ends.",
        200,
        &[],
        true,
    ),
    described(
        ("get", "/v1/sessions"),
        "The caller's sessions; with full access a user's, or all.",
        200,
        &["user", "limit", "cursor"],
        false,
    ),
    described(("post", "/v1/sessions"), "Log in.", 201, &[], true),
    described(
        ("post", "/v1/sessions/anonymous"),
        "Begin a session without a name, where that is open.",
        201,
        &[],
        false,
    ),
    described(
        ("post", "/v1/sessions/refresh"),
        "Go on with a session; the refresh token is replaced.",
        200,
        &[],
        true,
    ),
    described(
        ("delete", "/v1/sessions/{id}"),
        "End a session; `current` is the caller's.",
        200,
        &[],
        false,
    ),
];
