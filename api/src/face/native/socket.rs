//! WebSockets: `/v1/ws`.

use std::sync::Arc;

use axum::extract::State;
use http::Extensions;

use crate::auth::Acl;
use crate::error::ApiResult;
use crate::router::{Needs, Routes};
use crate::server::{Admission, Peer};
use crate::session::Guest;
use crate::state::App;
use crate::stream::{Entrance, Upgrade};

/// The route of WebSockets.
pub(super) fn routes() -> Routes {
    const ENTER: Needs = Needs::Handshake(&[Acl::Stream]);
    Routes::new().add("get", "/v1/ws", ENTER, enter)
}

async fn enter(
    State(app): State<App>,
    guest: Guest,
    upgrade: Upgrade,
    extensions: Extensions,
) -> ApiResult {
    let remote = extensions.get::<Peer>().map(|peer| peer.0);
    let admission = extensions.get::<Arc<Admission>>().cloned();
    let entrance = Entrance { app: app.clone(), guest, remote, admission };
    upgrade.accept(&app, entrance)
}
