//! An engine with webhooks, a clock and a receiver that the test owns.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::{Clock, ManualClock, SharedClock};
use crate::fs::SystemFileSystem;
use crate::limits::Limits;
use crate::log::LogOptions;
use crate::tasks::Tasks;
use crate::value::{self, Raw};
use crate::vault::{OperatorKey, Vault};
use crate::view::{MaintenanceOptions, StoreOptions, SystemFollower};
use crate::webhook::{
    BoxFuture, DeliveryRequest, DeliveryResult, Options, Registration, Registry, Schedule,
    Transport, WebhookService,
};
use crate::write::{Absent, Command, Committed, DocumentId, Operation, Strictness};
use crate::{Components, Engine, Result, Retention, Settings};

/// The longest that a test waits for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// A delivery as the receiver saw it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
    pub(super) status: u16,
}

impl Received {
    pub(super) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn position(&self) -> u64 {
        self.json()["position"].as_u64().unwrap()
    }

    pub(super) fn document(&self) -> i64 {
        self.json()["id"].as_i64().unwrap()
    }
}

type Answer = Box<dyn Fn(&Received) -> u16 + Send>;

/// A receiver: answers as told, remembers everything.
pub(super) struct Receiver {
    answer: Mutex<Answer>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(super) fn new() -> Arc<Self> {
        let (count, _) = watch::channel(0);
        Arc::new(Self { answer: Mutex::new(Box::new(|_| 200)), received: Mutex::default(), count })
    }

    pub(super) fn answer(&self, answer: impl Fn(&Received) -> u16 + Send + 'static) {
        *self.answer.lock() = Box::new(answer);
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    /// Waits until so many arrived, and gives them.
    pub(super) async fn wait(&self, count: usize) -> Vec<Received> {
        let mut counted = self.count.subscribe();
        let waited = tokio::time::timeout(DEADLINE, counted.wait_for(|now| *now >= count)).await;
        assert!(waited.is_ok(), "{} of {count} deliveries came", self.all().len());
        self.all()
    }
}

impl Transport for Receiver {
    fn deliver(&self, request: DeliveryRequest) -> BoxFuture<'_, DeliveryResult> {
        Box::pin(async move {
            let mut received = Received {
                url: request.url.to_string(),
                headers: request.headers.into_iter().collect(),
                body: request.body,
                status: 0,
            };
            received.status = (self.answer.lock())(&received);
            let status = Some(received.status);
            self.received.lock().push(received);
            self.count.send_modify(|count| *count += 1);
            DeliveryResult { status, ..DeliveryResult::default() }
        })
    }
}

/// A data directory with a clock.
pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) options: Options,
    pub(super) operator_key: Option<OperatorKey>,
}

/// An open engine with its webhooks.
pub(super) struct Open {
    pub(super) engine: Engine,
    pub(super) service: WebhookService,
    pub(super) receiver: Arc<Receiver>,
    clock: Arc<ManualClock>,
}

impl Bench {
    pub(super) fn new(delays_ms: &[u64]) -> Self {
        let delays = delays_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let options = Options {
            retry_schedule: Schedule::new(delays),
            commit_interval: Duration::ZERO,
            ..Options::default()
        };
        let clock = ManualClock::new(1_700_000_000_000, 11);
        Self { dir: tempfile::tempdir().unwrap(), clock, options, operator_key: None }
    }

    pub(super) fn open(&self) -> Open {
        self.open_at(self.dir.path()).unwrap()
    }

    pub(super) fn open_at(&self, data: &Path) -> Result<Open> {
        let settings = Settings {
            data: data.to_owned(),
            log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
            limits: Limits { disk_reserve: 0, ..Limits::default() },
            strictness: Strictness::Implicit,
            store: StoreOptions::default(),
            maintenance: MaintenanceOptions::default(),
            retention: Retention::default(),
        };
        let (fs, clock) = (SystemFileSystem::shared(), Arc::clone(&self.clock) as SharedClock);
        let vault = Vault::open(data, self.operator_key, fs, clock)?;
        let registry = Registry::shared(vault, crate::webhook::Formats::default());
        let components = Components {
            fs: SystemFileSystem::shared(),
            clock: Arc::clone(&self.clock) as SharedClock,
            tasks: Tasks::new(tokio::runtime::Handle::current()),
            followers: vec![Arc::clone(&registry) as Arc<dyn SystemFollower>],
        };
        let receiver = Receiver::new();
        let transport = Arc::clone(&receiver) as Arc<dyn Transport>;
        tokio::task::block_in_place(|| {
            let engine = Engine::open(settings, components)?;
            let options = self.options.clone();
            let opened = WebhookService::open(engine.clone(), registry, transport, options);
            let service = opened.inspect_err(|_| {
                let tasks = engine.tasks().clone();
                engine.stop().unwrap();
                tokio::runtime::Handle::current().block_on(tasks.stop(DEADLINE));
            })?;
            service.start()?;
            Ok(Open { engine, service, receiver, clock: Arc::clone(&self.clock) })
        })
    }
}

impl Open {
    pub(super) async fn stop(self) {
        let tasks = self.engine.tasks().clone();
        tokio::task::block_in_place(|| self.engine.stop()).unwrap();
        drop(self);
        let late = tasks.stop(Duration::from_secs(10)).await;
        assert!(late.is_empty(), "still running: {late:?}");
    }

    pub(super) async fn write(&self, operations: Vec<Operation>) -> Committed {
        let command = Command { operations, actor: "test".into(), ..Command::default() };
        self.engine.write(command).await.unwrap()
    }

    /// Registers a webhook from JSON.
    pub(super) async fn register(&self, given: &str) -> Registration {
        let given = json(given);
        let registration = Registration::create(
            &self.engine,
            Raw::trusted(&given),
            "test",
            &crate::webhook::Formats::default(),
        )
        .unwrap();
        let operation = Operation::Create {
            collection: "_webhooks".into(),
            id: registration.document_id(),
            body: registration.to_bytes(self.service.registry().vault()).into(),
        };
        self.write(vec![operation]).await;
        registration
    }

    /// Changes a webhook from JSON.
    pub(super) async fn patch(&self, webhook: &str, given: &str) {
        let given = json(given);
        let now = self.service.get(webhook).unwrap();
        let changed = now
            .patched(&self.engine, Raw::trusted(&given), &crate::webhook::Formats::default())
            .unwrap();
        let operation = Operation::Replace {
            collection: "_webhooks".into(),
            id: changed.document_id(),
            body: changed.to_bytes(self.service.registry().vault()).into(),
            if_version: None,
            absent: Absent::Refuse,
        };
        self.write(vec![operation]).await;
    }

    /// Writes a document, new or not.
    pub(super) async fn put(&self, collection: &str, id: i32, members: &str) -> u64 {
        self.write(vec![put(collection, id, members)]).await.position
    }

    /// Lets time pass.
    pub(super) fn pass(&self, ms: u64) {
        self.clock.advance_ms(ms);
        self.service.nudge();
    }

    /// Waits until something is so; asks again as soon as the engine has had a turn.
    pub(super) async fn until<F: Future<Output = bool>>(&self, what: &str, ask: impl Fn() -> F) {
        let asking = async {
            while !ask().await {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, asking).await.is_ok(), "never: {what}");
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}

/// A whole document, new or not.
pub(super) fn put(collection: &str, id: i32, members: &str) -> Operation {
    let mut raw = Vec::new();
    value::encode::write_int32(id, &mut raw);
    let key = value::key::encode(Raw::trusted(&raw));
    let body = json(&format!("{{\"_id\":{id},{members}}}"));
    Operation::Replace {
        collection: collection.into(),
        id: DocumentId { raw: raw.into(), key: key.into() },
        body: body.into(),
        if_version: None,
        absent: Absent::Create,
    }
}

/// JSON as an encoded value.
pub(super) fn json(text: &str) -> Vec<u8> {
    value::json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
}

/// Copies a data directory as a killed process leaves it.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
