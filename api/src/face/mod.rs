//! Faces: one folder per wire dialect. No face depends on another.
//!
//! This file says which face a request is for, and what the outermost service leaves to it: what is done to a request before
//! it is routed, what pages of other origins may read, and the body of refusals.

pub(crate) mod native;
pub(crate) mod restdb;

use std::sync::Arc;

use axum::body::Body;
use headwater_engine::webhook::Formats;
use http::{Request, StatusCode};

use crate::auth::{Access, FaceRules, Grant, Offered, cors};
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// The forms of webhooks' deliveries that faces have: go into the webhooks' registry. `database` is the name of the
/// database where a form has one.
pub fn webhook_formats(access: &Access, database: &str) -> Formats {
    Formats::new(vec![Arc::new(restdb::Payload::new(database, access))])
}

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

    /// A path of the face as it is routed.
    pub(crate) fn plain(self, path: &str) -> &str {
        match self {
            Self::Native => path,
            Self::RestDb => restdb::plain(path),
        }
    }

    /// Its own rules of access for a path.
    fn rules(self, path: &str) -> FaceRules {
        match self {
            Self::Native => FaceRules::NATIVE,
            Self::RestDb => restdb::rules(path),
        }
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

    /// What sort of credential a request presents, as far as the face's refusals tell.
    pub(crate) fn offered(self, request: &Request<Body>) -> Offered {
        match self {
            Self::Native => Offered::Nothing,
            Self::RestDb => Access::offered(request, self.rules(request.uri().path())),
        }
    }

    /// How pages of other origins are let read an answer that rests on no cookie; `web`: the grant of a web key.
    pub(crate) fn cors(self, web: Option<&Grant>) -> cors::How<'_> {
        let surface = web.map(Grant::surface);
        match (self, surface) {
            (Self::Native, None) => cors::How::Public,
            (Self::Native, Some(surface)) => cors::How::Web(surface),
            (Self::RestDb, None) => cors::How::PublicWithCookies,
            (Self::RestDb, Some(surface)) => cors::How::WebWithCookies(surface),
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
