//! What the engine's tests share: a data directory, commands in few words.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it, and tests unwrap"
)]

pub mod seed;
pub mod storage;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::clock::{SharedClock, SystemClock};
use headwater_engine::fs::{SharedFileSystem, SystemFileSystem};
use headwater_engine::limits::Limits;
use headwater_engine::log::LogOptions;
use headwater_engine::tasks::Tasks;
use headwater_engine::value::{self, Raw, Value};
use headwater_engine::view::{MaintenanceOptions, StoreOptions, SystemFollower};
use headwater_engine::write::{Command, DocumentId, Operation, RequestIdentity, Strictness};
use headwater_engine::{Components, Engine, Result, Retention, Settings};

/// A scratch data directory and the settings to open it with.
pub struct Bench {
    dir: tempfile::TempDir,
    pub settings: Settings,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            data: dir.path().join("data"),
            log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
            limits: Limits { disk_reserve: 0, ..Limits::default() },
            strictness: Strictness::Implicit,
            store: StoreOptions::default(),
            maintenance: MaintenanceOptions::default(),
            retention: Retention::default(),
        };
        Self { dir, settings }
    }

    pub fn data(&self) -> &Path {
        &self.settings.data
    }

    pub fn open(&self) -> Engine {
        self.try_open(SystemFileSystem::shared(), SystemClock::shared()).unwrap()
    }

    /// Opens with somebody who hears of system collections.
    pub fn open_followed(&self, follower: Arc<dyn SystemFollower>) -> Engine {
        let (fs, clock) = (SystemFileSystem::shared(), SystemClock::shared());
        self.open_with(fs, clock, vec![follower]).unwrap()
    }

    /// Opens on another file system or clock.
    pub fn try_open(&self, fs: SharedFileSystem, clock: SharedClock) -> Result<Engine> {
        self.open_with(fs, clock, Vec::new())
    }

    fn open_with(
        &self,
        fs: SharedFileSystem,
        clock: SharedClock,
        followers: Vec<Arc<dyn SystemFollower>>,
    ) -> Result<Engine> {
        let tasks = Tasks::new(tokio::runtime::Handle::current());
        let components = Components { fs, clock, tasks: tasks.clone(), followers };
        tokio::task::block_in_place(|| {
            let opened = Engine::open(self.settings.clone(), components);
            if opened.is_err() {
                // What was started already still holds the directory's lock.
                let stopped = tasks.stop(Duration::from_secs(10));
                let late = tokio::runtime::Handle::current().block_on(stopped);
                assert!(late.is_empty(), "still running: {late:?}");
            }
            opened
        })
    }

    pub async fn stop(&self, engine: Engine) {
        tokio::task::block_in_place(|| engine.stop()).unwrap();
        self.abandon(engine).await;
    }

    /// Ends an engine without a word to its log.
    pub async fn abandon(&self, engine: Engine) {
        let tasks = engine.tasks().clone();
        drop(engine);
        let late = tasks.stop(Duration::from_secs(10)).await;
        assert!(late.is_empty(), "still running: {late:?}");
    }

    pub fn command(&self, operations: Vec<Operation>) -> Command {
        Command { operations, actor: "test".into(), ..Command::default() }
    }

    pub fn create(&self, collection: &str, id: i32, members: &str) -> Command {
        let operation = Operation::Create {
            collection: Arc::from(collection),
            id: id_of(id),
            body: body(id, members),
        };
        self.command(vec![operation])
    }

    pub fn keyed(&self, command: Command, key: &str, digest: u8) -> Command {
        let request = RequestIdentity { key: key.to_owned(), digest: [digest; 32] };
        Command { request: Some(request), ..command }
    }
}

/// An integer id.
pub fn id_of(id: i32) -> DocumentId {
    id_from(&Value::Int32(id))
}

/// Any value as an id.
pub fn id_from(id: &Value) -> DocumentId {
    let raw = id.to_bytes();
    let key = value::key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: key.into() }
}

/// A short text of an id, for messages.
pub fn show(raw: &[u8]) -> String {
    if raw.is_empty() { String::new() } else { object(Raw::trusted(raw)) }
}

/// A body with an integer `_id` and the members of a JSON object.
pub fn body(id: i32, members: &str) -> Bytes {
    let rest = members.trim().trim_start_matches('{').trim_end_matches('}');
    let comma = if rest.trim().is_empty() { "" } else { "," };
    let json = format!("{{\"_id\":{id}{comma}{rest}}}");
    value::json::parse_document(json.as_bytes(), &Limits::default()).unwrap().into()
}

/// A value as JSON text.
pub fn object(raw: Raw<'_>) -> String {
    let mut text = Vec::new();
    value::json::write(raw, &mut text);
    String::from_utf8(text).unwrap()
}
