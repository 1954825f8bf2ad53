//! A running face in a scratch directory, and requests in few words.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use headwater_api::{Access, AccessOptions, Api, ApiOptions};
use headwater_engine::clock::SystemClock;
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::limits::Limits;
use headwater_engine::log::LogOptions;
use headwater_engine::tasks::Tasks;
use headwater_engine::vault::Vault;
use headwater_engine::view::{MaintenanceOptions, StoreOptions};
use headwater_engine::webhook::{
    BoxFuture, DeliveryRequest, DeliveryResult, Formats, Options, Registry, Transport,
    WebhookService,
};
use headwater_engine::write::Strictness;
use headwater_engine::{Components, Engine, Retention, Settings};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

/// The root key of every test.
pub(crate) const ROOT: &str = "root-key-of-the-test";

/// A face over an engine in a scratch directory.
pub(crate) struct Face {
    dir: tempfile::TempDir,
    limits: Limits,
    pub(crate) api: Api,
    pub(crate) engine: Engine,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn position(&self) -> u64 {
        self.headers["headwater-position"].to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

fn open(dir: &std::path::Path, limits: &Limits) -> (Api, Engine) {
    let clock = SystemClock::shared();
    let vault =
        Vault::open(&dir.join("data"), None, SystemFileSystem::shared(), clock.clone()).unwrap();
    let access = Access::new(Some(ROOT), clock.clone(), vault.clone(), AccessOptions::default());
    let settings = Settings {
        data: dir.join("data"),
        log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
        limits: limits.clone(),
        strictness: Strictness::Implicit,
        store: StoreOptions::default(),
        maintenance: MaintenanceOptions::default(),
        retention: Retention::default(),
    };
    let components = Components {
        fs: SystemFileSystem::shared(),
        clock,
        tasks: Tasks::new(tokio::runtime::Handle::current()),
        followers: access.followers(),
    };
    let webhooks = Registry::shared(vault, Formats::default());
    let mut components = components;
    components.followers.push(webhooks.clone());
    let engine = tokio::task::block_in_place(|| Engine::open(settings, components)).unwrap();
    let opening =
        || WebhookService::open(engine.clone(), webhooks, Arc::new(Nowhere), Options::default());
    let service = tokio::task::block_in_place(opening).unwrap();
    access.attach(&engine);
    service.start().unwrap();
    let options = ApiOptions { heartbeat: Duration::from_millis(200), ..ApiOptions::default() };
    (Api::new(engine.clone(), access, service, options), engine)
}

/// Nothing is delivered here: no test registers a webhook.
struct Nowhere;

impl Transport for Nowhere {
    fn deliver(&self, _request: DeliveryRequest) -> BoxFuture<'_, DeliveryResult> {
        Box::pin(std::future::ready(DeliveryResult::default()))
    }
}

impl Face {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let limits = Limits { disk_reserve: 0, ..limits };
        let dir = tempfile::tempdir().unwrap();
        let (api, engine) = open(dir.path(), &limits);
        Self { dir, limits, api, engine }
    }

    /// Stops and opens again on the same directory.
    pub(crate) async fn restart(self) -> Self {
        let Self { dir, limits, api, engine } = self;
        close(api, engine).await;
        let (api, engine) = open(dir.path(), &limits);
        Self { dir, limits, api, engine }
    }

    pub(crate) async fn stop(self) {
        close(self.api, self.engine).await;
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.api.service().call(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request with the root key.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_with(method, path, body, &[("x-apikey", ROOT)]).await
    }

    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(request(method, path, body, headers)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, body).await
    }

    /// Issues a key with a grant; its id and the key.
    pub(crate) async fn issue(&self, body: &str) -> (String, String) {
        let issued = self.post("/v1/credentials", body).await;
        assert_eq!(issued.status, 201, "{}", issued.body);
        let text = |name: &str| issued.body[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    /// Opens a stream.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Frames {
        let mut all = vec![("accept", "text/event-stream")];
        all.extend_from_slice(headers);
        if !headers.iter().any(|(name, _)| *name == "x-apikey") {
            all.push(("x-apikey", ROOT));
        }
        let response = self.api.service().call(request("GET", path, "", &all)).await;
        let (parts, body) = response.into_parts();
        assert_eq!(parts.status, 200);
        Frames { headers: parts.headers, body, text: String::new() }
    }
}

async fn close(api: Api, engine: Engine) {
    api.stop(Duration::from_secs(5)).await;
    drop(api);
    tokio::task::block_in_place(|| engine.stop()).unwrap();
    let tasks = engine.tasks().clone();
    drop(engine);
    let late = tasks.stop(Duration::from_secs(10)).await;
    assert!(late.is_empty(), "still running: {late:?}");
}

pub(crate) fn request(
    method: &str,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// A stream as it is read.
pub(crate) struct Frames {
    pub(crate) headers: HeaderMap,
    body: Body,
    text: String,
}

/// A frame: its id, its event, its data.
pub(crate) type Frame = (String, String, Value);

impl Frames {
    /// The next frame with data; comments and `retry` are passed over. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.raw().await?;
            let field = |name: &str| {
                let mut lines = frame.lines();
                let found = lines.find_map(|line| line.strip_prefix(name));
                found.unwrap_or_default().trim().to_owned()
            };
            if frame.contains("data:") {
                let data = serde_json::from_str(&field("data:")).unwrap();
                return Some((field("id:"), field("event:"), data));
            }
        }
    }

    /// The next frame as text.
    pub(crate) async fn raw(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let frame = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return Some(frame);
            }
            let mut body = (&mut self.body).into_data_stream();
            let next = tokio::time::timeout(Duration::from_secs(5), body.next()).await;
            let chunk = next.expect("a stream was silent for too long")?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub(crate) async fn ids(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.unwrap().0.parse().unwrap());
        }
        ids
    }
}
