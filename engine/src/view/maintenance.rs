//! Keeping the trees in shape: sealing memtables, flushing them, checkpoints, compaction.
//!
//! Guarantees: memory in memtables stays bounded, the writer waits when flushing cannot keep up; a checkpoint is written
//! after each flush, so that a start applies little.
//! Two threads, because one for both stalled the writer for 0.8 s behind a compaction (measured).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::apply::{Applier, ApplierState};
use super::generation::{Generation, Views};
use crate::error::{Error, Result};
use crate::tasks::Tasks;

const STEP: Duration = Duration::from_millis(1);
/// Longest wait of the writer for a flush.
const BEHIND_MAX: Duration = Duration::from_secs(10);

/// When memtables are sealed.
#[derive(Clone, Copy, Debug)]
pub struct MaintenanceOptions {
    /// Seal when all active memtables together hold this many bytes.
    pub memtable_bytes: u64,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        Self { memtable_bytes: 16 << 20 }
    }
}

struct Flush {
    generation: Arc<Generation>,
    state: ApplierState,
}

/// Asks the background threads for flushes and compactions.
pub struct Maintenance {
    options: MaintenanceOptions,
    flushes: SyncSender<Flush>,
}

impl Maintenance {
    /// Starts the two threads.
    pub fn start(views: Arc<Views>, tasks: &Tasks, options: MaintenanceOptions) -> Result<Self> {
        let (flushes, flush_requests) = sync_channel::<Flush>(4);
        let (compactions, compaction_requests) = sync_channel::<Arc<Generation>>(1);
        let start = |name, work: Box<dyn FnOnce() + Send>| {
            tasks.spawn_thread(name, work).map_err(|e| Error::internal(format!("{name}: {e}")))
        };
        start("flush", Box::new(move || flush_loop(&views, &flush_requests, &compactions)))?;
        start("compact", Box::new(move || compact_loop(&compaction_requests)))?;
        Ok(Self { options, flushes })
    }

    /// Whether the memtables are full.
    pub fn is_due(&self, applier: &Applier) -> bool {
        applier.store().active_bytes() >= self.options.memtable_bytes
    }

    /// Called by the writer when the memtables are full: seals them, and waits while too much is unflushed.
    pub fn seal_and_wait(&self, applier: &Applier, generation: &Arc<Generation>) {
        let store = applier.store();
        self.seal(applier, generation);
        let mut waited = Duration::ZERO;
        // A disk that takes no flush must not stop the log for ever; memory grows meanwhile, and that is said.
        while store.is_behind() && waited < BEHIND_MAX {
            std::thread::sleep(STEP);
            waited += STEP;
        }
        if waited >= BEHIND_MAX {
            tracing::warn!("flushing the views cannot keep up; they grow in memory");
        }
    }

    /// Seals the memtables now and asks for a checkpoint.
    pub fn seal(&self, applier: &Applier, generation: &Arc<Generation>) {
        applier.store().rotate();
        let flush = Flush { generation: Arc::clone(generation), state: applier.state() };
        // A full queue means that flushes are waiting already; a later one takes these memtables along.
        if let Err(TrySendError::Disconnected(_)) = self.flushes.try_send(flush) {
            tracing::error!("the flush thread is gone; the views grow in memory");
        }
    }
}

fn flush_loop(
    views: &Views,
    requests: &Receiver<Flush>,
    compactions: &SyncSender<Arc<Generation>>,
) {
    while let Ok(flush) = requests.recv() {
        if let Err(error) = views.checkpoint(&flush.generation, &flush.state) {
            tracing::error!(%error, "flushing the views failed; they stay in memory until the next try");
            continue;
        }
        // Full: a compaction is due already.
        drop(compactions.try_send(flush.generation));
    }
}

fn compact_loop(requests: &Receiver<Arc<Generation>>) {
    while let Ok(generation) = requests.recv() {
        if let Err(error) = generation.store.compact() {
            tracing::error!(%error, "compacting the views failed");
        }
    }
}
