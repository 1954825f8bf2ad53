//! `idtolink`: ids of images and files as URLs of the media archive.
//!
//! Guarantees: the URLs begin with the address under which the client reached the server, as far as it says so: `Host`, and
//! the scheme of its connection or the one that a proxy names in `X-Forwarded-Proto`. They are told to nobody else.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use headwater_engine::Result as EngineResult;
use headwater_engine::value::{Raw, encode};
use http::header::HOST;
use http::request::Parts;

use super::embed::Room;
use crate::percent;
use crate::server::IsEncrypted;
use crate::state::App;

/// Longest host with its port, bytes.
const HOST_BYTES_MAX: usize = 261;

/// The address of the server as a client knows it: a scheme, a host, no slash at the end.
#[derive(Clone, Debug)]
pub(in crate::face::restdb) struct Base(pub(super) String);

impl FromRequestParts<App> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Infallible> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let forwarded =
            text("x-forwarded-proto").map(|value| value.split(',').next().unwrap_or_default());
        let is_encrypted = parts.extensions.get::<IsEncrypted>().is_some_and(|is| is.0);
        let scheme = match forwarded.map(str::trim) {
            Some("https") => "https",
            Some("http") => "http",
            _ if is_encrypted => "https",
            _ => "http",
        };
        let host = parts.uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| text(HOST.as_str()));
        // No name is longer.
        let host = host.filter(|host| host.len() <= HOST_BYTES_MAX).unwrap_or("localhost");
        Ok(Self(format!("{scheme}://{host}")))
    }
}

impl Base {
    /// As text.
    pub(in crate::face::restdb) fn as_str(&self) -> &str {
        &self.0
    }

    /// A list of ids as URLs, encoded; `None` where it is no list.
    pub(super) fn linked(&self, ids: Raw<'_>, room: &mut Room) -> EngineResult<Option<Vec<u8>>> {
        let Some(elements) = ids.as_array() else { return Ok(None) };
        let mut out = Vec::with_capacity(ids.as_bytes().len() + 64);
        encode::write_array_header(ids.member_count(), &mut out);
        for id in elements {
            match id.as_str().filter(|id| !id.contains("://")) {
                Some(id) => {
                    let link = self.link(id);
                    room.take(link.len())?;
                    encode::write_str(&link, &mut out);
                }
                None => out.extend_from_slice(id.as_bytes()),
            }
        }
        Ok(Some(out))
    }

    fn link(&self, id: &str) -> String {
        let mut link = format!("{}/media/", self.0);
        percent::push_segment(id, &mut link);
        link
    }
}
