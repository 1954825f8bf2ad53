//! What a face says of its requests to access: set among a request's extensions before it is routed.

use super::presented::Conflict;

/// A face's own rules of access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaceRules {
    /// What becomes of credentials that differ.
    pub(crate) conflict: Conflict,
    /// What the paths of its keys leave out.
    pub(crate) prefix: Option<&'static str>,
    /// A parameter that is read as `apikey`, too.
    pub(crate) parameter: Option<&'static str>,
    /// Whether the request is for realtime: a grant that lists that rules it by the list, not by methods and paths.
    pub(crate) realtime: bool,
}

impl FaceRules {
    /// Those that hold where a face has none of its own.
    pub(crate) const NATIVE: Self =
        Self { conflict: Conflict::Refuse, prefix: None, parameter: None, realtime: false };

    /// The rules for a request.
    pub(crate) fn of(parts: &http::request::Parts) -> Self {
        parts.extensions.get().copied().unwrap_or(Self::NATIVE)
    }
}
