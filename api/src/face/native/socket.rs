//! WebSockets: `/v1/ws`.

use std::sync::Arc;

use axum::extract::State;
use http::Extensions;

use crate::auth::Acl;
use crate::error::ApiResult;
use crate::router::{Needs, Routes};
use crate::server::Admission;
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
    let admission = extensions.get::<Arc<Admission>>().cloned();
    let entrance = Entrance { app: app.clone(), guest, admission };
    upgrade.accept(&app, entrance)
}
