//! The server's start and stop.
//!
//! A placeholder: the engine and the faces are joined here once they exist.

use std::process::ExitCode;

use crate::config::Config;

/// Serves until a signal or a failure; the exit code says which.
pub(crate) async fn serve(config: Config) -> ExitCode {
    tracing::error!(listen = %config.server.listen, "this build has no server yet");
    ExitCode::FAILURE
}
