//! An engine in a scratch directory, for the unit tests of this module.

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::clock::{ManualClock, SharedClock};
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::limits::Limits;
use headwater_engine::log::LogOptions;
use headwater_engine::tasks::Tasks;
use headwater_engine::vault::Vault;
use headwater_engine::view::{MaintenanceOptions, StoreOptions, SystemFollower};
use headwater_engine::write::Strictness;
use headwater_engine::{Components, Engine, Retention, Settings};

/// When the clock of every test stands at first, UTC ms.
pub(crate) const NOW_MS: u64 = 1_790_000_000_000;

/// An engine with what it lives on.
pub(crate) struct Scratch {
    _dir: tempfile::TempDir,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) vault: Arc<Vault>,
}

/// A vault under a new key.
pub(crate) fn vault(clock: &Arc<ManualClock>) -> Arc<Vault> {
    let dir = std::path::Path::new("nowhere");
    Vault::open(dir, None, SystemFileSystem::shared(), Arc::clone(clock) as SharedClock).unwrap()
}

/// An engine under a clock that the test owns.
pub(crate) async fn engine() -> Scratch {
    engine_with(|_| Vec::new()).await
}

/// The same with followers.
pub(crate) async fn engine_with(
    followers: impl FnOnce(&Arc<Vault>) -> Vec<Arc<dyn SystemFollower>>,
) -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(NOW_MS, 1);
    let vault = vault(&clock);
    let settings = Settings {
        data: dir.path().join("data"),
        log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
        limits: Limits { disk_reserve: 0, ..Limits::default() },
        strictness: Strictness::Implicit,
        store: StoreOptions::default(),
        maintenance: MaintenanceOptions::default(),
        retention: Retention::default(),
    };
    let components = Components {
        fs: SystemFileSystem::shared(),
        clock: Arc::clone(&clock) as SharedClock,
        tasks: Tasks::new(tokio::runtime::Handle::current()),
        followers: followers(&vault),
    };
    let engine = tokio::task::block_in_place(|| Engine::open(settings, components)).unwrap();
    Scratch { _dir: dir, engine, clock, vault }
}

impl Scratch {
    /// Stops it; the directory goes.
    pub(crate) async fn stop(self) {
        tokio::task::block_in_place(|| self.engine.stop()).unwrap();
        let tasks = self.engine.tasks().clone();
        drop(self.engine);
        assert!(tasks.stop(Duration::from_secs(10)).await.is_empty());
    }
}
