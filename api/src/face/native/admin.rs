//! Administration: jobs, erasure, figures, open streams. Full access alone.

use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use headwater_engine::value::{Raw, date};
use headwater_engine::view::Progress;
use headwater_engine::{Engine, Error, Result};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::list;
use crate::audit::target;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Payload, invalid};
use crate::jobs::{Finished, JobKind};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Session, blocking, id_from_raw};
use crate::state::App;
use crate::stream::epoch_text;

const FILE_CHUNK_BYTES: usize = 256 << 10;

/// The routes of administration.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("post", "/v1/admin/rebuild", Needs::FullAccess, rebuild)
        .add("post", "/v1/admin/verify", Needs::FullAccess, verify)
        .add("post", "/v1/admin/backup", Needs::FullAccess, backup)
        .add("post", "/v1/admin/erase", Needs::FullAccess, erase)
        .add("get", "/v1/admin/jobs/{id}", Needs::FullAccess, job)
        .add("get", "/v1/admin/jobs/{id}/download", Needs::FullAccess, download)
        .add("get", "/v1/admin/stats", Needs::FullAccess, stats)
        .add("get", "/v1/admin/subscriptions", Needs::FullAccess, subscriptions)
}

/// Where backups wait to be fetched.
pub(super) fn backups(data: &FilePath) -> PathBuf {
    data.join("backups")
}

async fn rebuild(State(app): State<App>, session: Session) -> ApiResult {
    start(&app, &session, JobKind::Rebuild, |engine, _, progress| {
        let rebuilt = engine.rebuild(progress)?;
        Ok(Finished { result: json!({"position": rebuilt.position}), file: None })
    })
}

async fn verify(State(app): State<App>, session: Session) -> ApiResult {
    start(&app, &session, JobKind::Verify, |engine, _, progress| {
        let verified = engine.verify(progress)?;
        let result = json!({
            "ok": true, "position": verified.position, "events": verified.events,
            "views": {"entries": verified.views.entries, "digest": verified.views.digest},
        });
        Ok(Finished { result, file: None })
    })
}

async fn backup(State(app): State<App>, session: Session) -> ApiResult {
    start(&app, &session, JobKind::Backup, |engine, id, progress| {
        let folder = backups(engine.data());
        std::fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, &error))?;
        let file = folder.join(format!("{id}.tar"));
        let backed_up = engine.backup(&file, progress)?;
        let result = json!({
            "position": backed_up.position, "bytes": backed_up.bytes,
            "download": format!("/v1/admin/jobs/{id}/download"),
        });
        Ok(Finished { result, file: Some(file) })
    })
}

fn start(
    app: &App,
    session: &Session,
    kind: JobKind,
    work: impl FnOnce(&Engine, &str, &Progress) -> Result<Finished> + Send + 'static,
) -> ApiResult {
    session.full_access()?;
    let engine = app.engine.clone();
    let work = move |id: &str, progress: &Progress| work(&engine, id, progress);
    let job = app.jobs.start(&app.engine, kind, work);
    let action = format!("{}.started", kind.as_str());
    app.audit.note(session.audit_entry(action, target("job", &job.id)));
    let body = json!({"job": job.id});
    Ok(reply::value(StatusCode::ACCEPTED, app.engine.position(), &body))
}

async fn job(State(app): State<App>, session: Session, Path(id): Path<String>) -> ApiResult {
    session.full_access()?;
    let job = app.jobs.get(&id).ok_or_else(|| no_job(&id))?;
    Ok(reply::value(StatusCode::OK, app.engine.position(), &job.describe()))
}

async fn download(
    State(app): State<App>,
    session: Session,
    method: Method,
    Path(id): Path<String>,
) -> ApiResult {
    session.full_access()?;
    if method == Method::HEAD {
        // Asking about the file must not take it away.
        app.jobs.get(&id).ok_or_else(|| no_job(&id))?;
        return Ok(Response::new(Body::empty()));
    }
    let job = app.jobs.get(&id).ok_or_else(|| no_job(&id))?;
    let path = job.take_file().ok_or_else(|| {
        ApiError::not_found("no_file", format!("job {id} has no file, or it was fetched already"))
    })?;
    let opened = tokio::fs::File::open(&path).await;
    let file = opened.map_err(|error| Error::io("open", &path, &error))?;
    // The open file stays readable; nothing is left behind however the download ends.
    let removed = tokio::fs::remove_file(&path).await;
    removed.map_err(|error| Error::io("remove", &path, &error))?;
    let metadata = file.metadata().await;
    let len = metadata.map_err(|error| Error::io("read", &path, &error))?.len();
    app.audit.note(session.audit_entry("backup.downloaded", target("job", &id)));
    let mut response = Response::new(Body::from_stream(chunks(file)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    let attachment = HeaderValue::from_static("attachment; filename=\"headwater-backup.tar\"");
    headers.insert(CONTENT_DISPOSITION, attachment);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    headers.insert(reply::POSITION, HeaderValue::from(app.engine.position()));
    Ok(response)
}

fn chunks(
    file: tokio::fs::File,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send {
    futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = bytes::BytesMut::with_capacity(FILE_CHUNK_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        Ok((read > 0).then(|| (chunk.freeze(), file)))
    })
}

async fn erase(State(app): State<App>, session: Session, payload: Payload) -> ApiResult {
    session.full_access()?;
    let body = payload.document(&app.engine).await?;
    let body = Raw::trusted(&body);
    let collection = body.get("collection").and_then(Raw::as_str);
    let collection = collection.ok_or_else(|| invalid("collection", "a text"))?.to_owned();
    if let Some((name, _)) =
        body.object_iter().find(|(name, _)| !["collection", "id"].contains(name))
    {
        let message = format!("an erasure has no member `{name}`");
        return Err(ApiError::bad_request("unknown_member", message).with("member", name));
    }
    let id = body.get("id").ok_or_else(|| invalid("id", "given"))?;
    let id = id_from_raw(id, payload.id_rule(), app.engine.limits())?;
    let actor = session.principal().id.clone();
    let engine = app.engine.clone();
    let entry = session.audit_entry("document.erased", target("collection", &collection));
    let erased = blocking(&app.engine, move || engine.erase(&collection, &id, &actor)).await?;
    app.audit.note(entry);
    let body = json!({"erased_events": erased.events, "position": erased.position});
    Ok(reply::value(StatusCode::OK, erased.position, &body))
}

async fn stats(State(app): State<App>, session: Session) -> ApiResult {
    session.full_access()?;
    let engine = &app.engine;
    let snapshot = engine.snapshot();
    let (mut documents, mut bytes, mut collections) = (0, 0, 0);
    for collection in snapshot.collections().iter() {
        let counters = snapshot.counters(collection.number)?;
        documents += counters.count;
        bytes += counters.bytes;
        collections += 1;
    }
    let figures = engine.write_figures();
    let (streams, behind) = app.streams.furthest_behind();
    let position = engine.position();
    let body = json!({
        "position": position,
        "first_position": engine.log().first_position(),
        "epoch": epoch_text(engine.epoch()),
        "collections": collections,
        "documents": documents,
        "document_bytes": bytes,
        "view_bytes": engine.view_bytes(),
        "queue": engine.queue_len(),
        "groups": figures.groups,
        "events": figures.events,
        "append_us": figures.append_us,
        "append_us_max": figures.append_us_max,
        "connections": app.figures.connections.load(Ordering::Relaxed),
        "subscriptions": streams,
        "lag_events": behind.map_or(0, |behind| position.saturating_sub(behind)),
        "uptime_seconds": engine.clock().monotonic().as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(reply::value(StatusCode::OK, position, &body))
}

async fn subscriptions(
    State(app): State<App>,
    session: Session,
    parameters: Parameters,
) -> ApiResult {
    session.full_access()?;
    let after = parameters.number("cursor")?.unwrap_or(0);
    let (page, more) = app.streams.page(after, parameters.limit()?);
    let position = app.engine.position();
    let next = page.last().filter(|_| more).map(|(id, _)| id.to_string());
    let entries = page.into_iter().map(|(id, follower)| {
        let cursor = follower.cursor.load(Ordering::Relaxed);
        json!({
            "id": id,
            "actor": *follower.actor,
            "from": follower.from,
            "cursor": cursor,
            "lag": position.saturating_sub(cursor),
            "collections": follower.collections,
            "type": follower.kind,
            "remote": follower.address.to_string(),
            "since": date::format_ms(i64::try_from(follower.since_ms).unwrap_or(i64::MAX)),
        })
    });
    Ok(list::page("subscriptions", (entries.collect(), next, position)))
}

fn no_job(id: &str) -> ApiError {
    let shown: String = id.chars().take(64).collect();
    ApiError::not_found("job_not_found", format!("there is no job {shown}"))
}
