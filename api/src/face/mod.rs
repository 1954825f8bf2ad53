//! Faces: one folder per wire dialect. No face depends on another.
//!
//! This file says which face a request is for, and what the outermost service leaves to it: what is done to a request before
//! it is routed, and the body of refusals.

pub(crate) mod native;
pub(crate) mod restdb;

use axum::body::Body;
use http::{Request, StatusCode};

use crate::auth::Offered;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// A wire dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `/v1`, and everything that is no other's.
    Native,
    /// RestDB.io's.
    RestDb,
}

/// The body of a refusal, with its status.
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: StatusCode,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

impl Face {
    /// The face of a path.
    pub(crate) fn of(path: &str) -> Self {
        if restdb::serves(path) { Self::RestDb } else { Self::Native }
    }

    /// What the face does to a request before it is routed.
    pub(crate) fn enter(self, request: &mut Request<Body>) -> ApiResult<()> {
        match self {
            Self::Native => Ok(()),
            Self::RestDb => restdb::enter(request),
        }
    }

    /// Whether every OPTIONS is answered as a page's question.
    pub(crate) fn answers_options(self) -> bool {
        self == Self::RestDb
    }

    /// The headers that pages may read besides those of every face.
    pub(crate) fn exposed(self) -> &'static str {
        match self {
            Self::Native => "",
            Self::RestDb => ", x-pagination",
        }
    }

    /// A refusal in the dialect. `path` is that of the request, `offered` what sort of credential it presented.
    pub(crate) fn refusal(
        self,
        app: &App,
        error: &ApiError,
        (path, offered): (&str, Offered),
        request_id: &str,
    ) -> Refusal {
        match self {
            Self::Native => Refusal { status: error.status(), body: error.body(request_id) },
            Self::RestDb => restdb::refusal(app, error, path, offered),
        }
    }
}
