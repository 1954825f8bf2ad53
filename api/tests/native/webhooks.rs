//! Webhooks: who may register them, and what reaches their receivers as grants change.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
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
use headwater_engine::{Components, Engine, Result, Retention, Settings};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{ROOT, request};

/// The longest wait for a delivery.
const DEADLINE: Duration = Duration::from_secs(20);
const ORDERS: &str = "/v1/collections/orders/documents";

/// A receiver that takes everything, and keeps the headers of the last.
struct Receiver(watch::Sender<Vec<Value>>, Mutex<Vec<(String, String)>>);

impl Transport for Receiver {
    fn deliver(&self, request: DeliveryRequest) -> BoxFuture<'_, DeliveryResult> {
        let body = serde_json::from_slice(&request.body).unwrap();
        *self.1.lock().unwrap() = request.headers;
        self.0.send_modify(|received| received.push(body));
        Box::pin(std::future::ready(DeliveryResult {
            status: Some(200),
            ..DeliveryResult::default()
        }))
    }
}

impl Receiver {
    fn headers(&self) -> Vec<(String, String)> {
        self.1.lock().unwrap().clone()
    }

    /// Waits for so many deliveries; what each is of: its collection, or its custom event.
    async fn wait(&self, count: usize) -> Vec<String> {
        let mut received = self.0.subscribe();
        let waiting = received.wait_for(|received| received.len() >= count);
        let waited = tokio::time::timeout(DEADLINE, waiting).await.expect("a delivery is missing");
        let name = |event: &Value| {
            let of = event.get("collection").or_else(|| event.get("event"));
            of.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        waited.unwrap().iter().map(name).collect()
    }
}

/// The native face over an engine that delivers.
struct Stack {
    api: Api,
    engine: Engine,
    receiver: Arc<Receiver>,
}

impl Stack {
    fn open(dir: &Path) -> Result<Self> {
        tokio::task::block_in_place(|| Self::open_blocking(&dir.join("data")))
    }

    fn open_blocking(data: &Path) -> Result<Self> {
        let (clock, fs) = (SystemClock::shared(), SystemFileSystem::shared());
        let vault = Vault::open(data, None, fs.clone(), clock.clone())?;
        let access =
            Access::new(Some(ROOT), clock.clone(), vault.clone(), AccessOptions::default());
        let registry = Registry::shared(vault, Formats::default());
        let mut followers = access.followers();
        followers.push(Arc::clone(&registry) as _);
        let settings = Settings {
            data: data.to_owned(),
            log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
            limits: Limits { disk_reserve: 0, ..Limits::default() },
            strictness: Strictness::Implicit,
            store: StoreOptions::default(),
            maintenance: MaintenanceOptions::default(),
            retention: Retention::default(),
        };
        let tasks = Tasks::new(tokio::runtime::Handle::current());
        let engine = Engine::open(settings, Components { fs, clock, tasks, followers })?;
        let receiver = Arc::new(Receiver(watch::channel(Vec::new()).0, Mutex::default()));
        let options = Options { sight: access.sight(), ..Options::default() };
        let transport = Arc::clone(&receiver) as Arc<dyn Transport>;
        let service = WebhookService::open(engine.clone(), registry, transport, options);
        let service = service.inspect_err(|_| close(&engine))?;
        access.attach(&engine);
        service.start()?;
        let api = Api::new(engine.clone(), access, service, ApiOptions::default());
        Ok(Self { api, engine, receiver })
    }

    fn stop(self) {
        let Self { api, engine, .. } = self;
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(api.stop(DEADLINE));
            drop(api);
            close(&engine);
        });
    }

    async fn ask(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = request(method, path, body, &[("x-apikey", key)]);
        let (parts, body): (_, Body) = self.api.service().call(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Asks with full access for what must succeed.
    async fn root(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.ask(ROOT, method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Issues a key with a grant: its id and the key.
    async fn issue(&self, grant: &Value) -> (String, String) {
        let asked = json!({"grant": grant}).to_string();
        let issued = self.root("POST", "/v1/credentials", &asked).await;
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    async fn publish(&self, name: &str) {
        self.root("POST", "/v1/events", &json!({"event": name, "data": 1}).to_string()).await;
    }
}

/// Blocking.
fn close(engine: &Engine) {
    engine.stop().unwrap();
    let stopped = engine.tasks().stop(DEADLINE);
    assert!(tokio::runtime::Handle::current().block_on(stopped).is_empty());
}

fn hook(kinds: &[&str]) -> String {
    json!({"url": "http://receiver.test/", "collections": ["orders"], "kinds": kinds}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_no_document_need_more_than_read_to_register() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::open(dir.path()).unwrap();
    let mut grant = json!({"collections": {"orders": ["read", "settings"]}});
    let (id, key) = stack.issue(&grant).await;
    let register =
        async |kinds: &[&str]| stack.ask(&key, "POST", "/v1/webhooks", &hook(kinds)).await;
    let (status, made) = register(&["document.created"]).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(register(&["event.published"]).await.0, 403);
    assert_eq!(register(&["webhook.disabled"]).await.0, 403);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let patch = r#"{"kinds":["event.published"]}"#;
    assert_eq!(stack.ask(&key, "PATCH", &path, patch).await.0, 403);
    grant["collections"]["*"] = json!(["subscribe"]);
    let changed = json!({"grant": grant}).to_string();
    stack.root("PATCH", &format!("/v1/credentials/{id}"), &changed).await;
    assert_eq!(register(&["event.published"]).await.0, 201);
    assert_eq!(register(&["webhook.disabled"]).await.0, 403);
    assert_eq!(stack.ask(&key, "PATCH", &path, patch).await.0, 200);
    assert_eq!(stack.ask(ROOT, "POST", "/v1/webhooks", &hook(&["webhook.disabled"])).await.0, 201);
    stack.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_obey_the_grant_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::open(dir.path()).unwrap();
    let grant = json!({"collections": {"*": ["read", "settings", "subscribe"]}});
    let (id, key) = stack.issue(&grant).await;
    let all = json!({"url": "http://receiver.test/", "collections": ["*"],
        "kinds": ["document.created", "event.published"]});
    let (status, made) = stack.ask(&key, "POST", "/v1/webhooks", &all.to_string()).await;
    assert_eq!(status, 201, "{made}");
    stack.root("POST", ORDERS, "{}").await;
    stack.publish("one").await;
    assert_eq!(stack.receiver.wait(2).await.len(), 2);

    let path = format!("/v1/credentials/{id}");
    let narrowed = json!({"grant": {"collections": {"people": ["read"]}}}).to_string();
    stack.root("PATCH", &path, &narrowed).await;
    stack.root("POST", ORDERS, "{}").await;
    stack.publish("two").await;
    stack.root("POST", "/v1/collections/people/documents", "{}").await;
    assert_eq!(stack.receiver.wait(3).await[2], "people");
    let replay = json!({"webhook": made["id"], "from": 0, "dry_run": true}).to_string();
    assert_eq!(stack.root("POST", "/v1/admin/replay", &replay).await["matched"], 1);

    // A webhook of the root key shows how far the pass has come.
    stack.root("DELETE", &path, "").await;
    stack.root("POST", "/v1/webhooks", &hook(&[])).await;
    stack.root("POST", "/v1/collections/people/documents", "{}").await;
    stack.root("POST", ORDERS, "{}").await;
    assert_eq!(stack.receiver.wait(4).await[3], "orders");
    let webhook = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let settled = async {
        loop {
            let shown = stack.root("GET", &webhook, "").await;
            if shown["lag_events"] == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, settled).await.unwrap();
    assert_eq!(stack.receiver.wait(4).await.len(), 4);
    stack.stop();
}

/// Every file under a folder.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_nowhere_in_clear() {
    const PLANTED: &str = "cGxhbnRlZC1zZWNyZXQtcGxhbnRlZC1zZWNyZXQ=";
    const HEADERS: [&str; 2] = ["planted-authorization", "planted-access-token"];
    const TEAM: &str = "planted-team";
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::open(dir.path()).unwrap();
    let hook = json!({"url": "http://receiver.test/", "collections": ["orders"],
        "secret": format!("whsec_{PLANTED}"), "signatures": ["v1", "v1a"],
        "headers": {"Authorization": HEADERS[0], "X-Team": TEAM}});
    let made = stack.root("POST", "/v1/webhooks", &hook.to_string()).await;
    assert_eq!(made["secret"], hook["secret"], "it is shown this once");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let rotated = stack.root("POST", &format!("{path}/rotate-secret"), "").await;
    let second = rotated["secret"].as_str().unwrap().trim_start_matches("whsec_").to_owned();
    stack.root("PATCH", &path, r#"{"active":false}"#).await;
    let headers = json!({"authorization": "***", "x-team": TEAM, "X-Access-Token": HEADERS[1]});
    let patched = stack.root("PATCH", &path, &json!({"headers": headers}).to_string()).await;
    let shown = json!({"authorization": "***", "x-team": TEAM, "x-access-token": "***"});
    assert_eq!(patched["headers"], shown);
    assert_eq!(stack.root("GET", &path, "").await["headers"], shown);
    stack.root("POST", ORDERS, "{}").await;
    let document = format!("/v1/collections/_webhooks/documents/{}", made["id"].as_str().unwrap());
    let history = format!("{document}/history");
    for read in [
        &path,
        &document,
        &history,
        "/v1/webhooks",
        "/v1/collections/_webhooks/documents",
        "/v1/events?from=0&kinds=document.created,document.updated",
    ] {
        let shown = stack.root("GET", read, "").await.to_string();
        assert!(shown.contains("receiver.test"), "{read}: {shown}");
        for secret in [PLANTED, &second, HEADERS[0], HEADERS[1], "whsk_", "enc:v1:"] {
            assert!(!shown.contains(secret), "{read}: {shown}");
        }
        let own = *read == *path || *read == *"/v1/webhooks";
        assert_eq!(shown.contains(TEAM), own, "{read}: {shown}");
    }
    let audit = stack.root("GET", "/v1/collections/_audit/documents", "").await.to_string();
    assert!(audit.contains("webhook.changed") && !audit.contains("planted"), "{audit}");
    stack.stop();
    let all = files(&dir.path().join("data"));
    assert!(all.iter().any(|path| path.ends_with("operator-key")));
    let mut found = false;
    for path in all {
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        found |= holds("enc:v1:");
        for secret in [PLANTED, &second, HEADERS[0], HEADERS[1], TEAM, "x-team", "whsk_"] {
            assert!(!holds(secret), "{secret}: {}", path.display());
        }
    }
    assert!(found, "the log holds the sealed secrets");
    let stack = Stack::open(dir.path()).unwrap();
    let read = stack.root("GET", &path, "").await;
    assert_eq!((&read["state"], &read["headers"]), (&json!("inactive"), &shown));
    assert_eq!(read["public_key"], rotated["public_key"]);
    stack.root("POST", &format!("{path}/test"), "").await;
    let sent = stack.receiver.headers();
    for header in [("authorization", HEADERS[0]), ("x-access-token", HEADERS[1])] {
        assert!(sent.iter().any(|(name, value)| (&**name, &**value) == header), "{header:?}");
    }
    stack.stop();
}
