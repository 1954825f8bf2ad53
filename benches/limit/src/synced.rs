//! The echo, durable: one writer thread appends everything waiting to a preallocated file and syncs it, then the
//! callers are answered.

use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::post;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::append::PreallocatedFile;

/// Callers that may wait at once.
const QUEUE: usize = 4096;

/// A body to be written, and who waits for it.
struct Write {
    body: Bytes,
    synced: oneshot::Sender<()>,
}

/// `POST /` parses a JSON body, waits until it is synced, and sends it back.
pub(crate) fn router(directory: &Path) -> anyhow::Result<Router> {
    let file = PreallocatedFile::create(directory)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || write(file, receiver))?;
    Ok(Router::new().route("/", post(echo)).with_state(sender))
}

async fn echo(
    State(writer): State<mpsc::Sender<Write>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let (synced, wait) = oneshot::channel();
    let stopped = StatusCode::SERVICE_UNAVAILABLE;
    writer.send(Write { body, synced }).await.map_err(|_| stopped)?;
    wait.await.map_err(|_| stopped)?;
    Ok((StatusCode::CREATED, Json(value)))
}

/// Everything waiting becomes one append and one sync; ends with the first failure, so that no caller is lied to.
fn write(mut file: PreallocatedFile, mut waiting: mpsc::Receiver<Write>) {
    let mut group = Vec::new();
    let mut bytes = Vec::new();
    while waiting.blocking_recv_many(&mut group, QUEUE) > 0 {
        bytes.clear();
        for write in &group {
            bytes.extend_from_slice(&write.body);
        }
        if let Err(error) = file.append(&bytes) {
            eprintln!("the writer ends: {error}");
            return;
        }
        for write in group.drain(..) {
            // A caller that has gone needs no answer.
            let _ = write.synced.send(());
        }
    }
}
