//! What the engine's tests share: a data directory, commands in few words.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::clock::SystemClock;
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::limits::Limits;
use headwater_engine::log::LogOptions;
use headwater_engine::tasks::Tasks;
use headwater_engine::value::{self, Raw};
use headwater_engine::view::{MaintenanceOptions, StoreOptions};
use headwater_engine::write::{Command, DocumentId, Operation, RequestIdentity, Strictness};
use headwater_engine::{Components, Engine, Retention, Settings};

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
        let components = Components {
            fs: SystemFileSystem::shared(),
            clock: SystemClock::shared(),
            tasks: Tasks::new(tokio::runtime::Handle::current()),
            followers: Vec::new(),
        };
        tokio::task::block_in_place(|| Engine::open(self.settings.clone(), components)).unwrap()
    }

    pub async fn stop(&self, engine: Engine) {
        tokio::task::block_in_place(|| engine.stop()).unwrap();
        let tasks = engine.tasks().clone();
        drop(engine);
        let late = tasks.stop(Duration::from_secs(10)).await;
        assert!(late.is_empty(), "still running: {late:?}");
    }

    pub fn command(&self, operations: Vec<Operation>) -> Command {
        Command { operations, actor: "test".into(), request: None }
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
    let mut raw = Vec::new();
    value::encode::write_int32(id, &mut raw);
    let key = value::key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: key.into() }
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
