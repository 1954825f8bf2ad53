//! The engine: one log and everything that follows it, opened together and stopped together.
//!
//! Guarantees: [`Engine::open`] either gives an engine whose views equal its log, or names what is wrong and changes
//! nothing; [`Engine::write`] answers only what is durable and visible; [`Engine::stop`] leaves a clean head and
//! checkpoint.
//! Leaves to others: permission (the access layer), wire formats (the faces).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::{ObjectIds, SharedClock};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::SharedFileSystem;
use crate::limits::Limits;
use crate::log::{self, Epoch, LogOptions, LogReader, Opened, Tail};
use crate::subscribe::fanout::Fanout;
use crate::subscribe::{self, Start, Subscription};
use crate::tasks::Tasks;
use crate::view::{Maintenance, MaintenanceOptions, Snapshot, StoreOptions, SystemFollower, Views};
use crate::write::{
    self, Answered, Command, Committed, Control, Health, NotQueued, Parts, Queue, Request,
    Sequencer, Strictness, WriteFigures,
};

/// A start that applied more than this writes a checkpoint.
const CHECKPOINT_BYTES: u64 = 1 << 20;

/// Plain settings of an engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Segment size, durability.
    pub log: LogOptions,
    /// Every limit.
    pub limits: Limits,
    /// Whether writes may bring collections into being.
    pub strictness: Strictness,
    /// Sizes of the views' trees.
    pub store: StoreOptions,
    /// When memtables are sealed.
    pub maintenance: MaintenanceOptions,
    /// What of the log is kept.
    pub retention: crate::retention::Retention,
}

/// What an engine works with; a test gives its own.
#[derive(Clone)]
pub struct Components {
    /// The file system of the log and of the views' own files.
    pub fs: SharedFileSystem,
    /// Time and randomness.
    pub clock: SharedClock,
    /// The owner of background work.
    pub tasks: Tasks,
    /// Who hears of changes in system collections.
    pub followers: Vec<Arc<dyn SystemFollower>>,
}

/// An open engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    queue: Queue,
    pub(crate) views: Arc<Views>,
    pub(crate) reader: LogReader,
    pub(crate) tail: Arc<Tail>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) fs: SharedFileSystem,
    pub(crate) clock: SharedClock,
    ids: ObjectIds,
    pub(crate) settings: Settings,
    pub(crate) tasks: Tasks,
    health: Arc<Health>,
    pub(crate) floors: parking_lot::Mutex<Vec<crate::retention::Floor>>,
    /// One job that rewrites views or log at a time.
    pub(crate) rewriting: parking_lot::Mutex<()>,
}

impl Engine {
    /// Opens the data directory, creating it where there is none. Blocking: call it off the async threads.
    pub fn open(settings: Settings, components: Components) -> Result<Self> {
        let Components { fs, clock, tasks, followers } = components;
        fs.create_dir_all(&settings.data)
            .map_err(|error| Error::io("create", &settings.data, &error))?;
        let opened = log::open(&settings.data, settings.log, Arc::clone(&fs), Arc::clone(&clock))?;
        let Opened { writer, reader, head_keeper, preparer, recovery } = opened;
        tracing::info!(?recovery, "log opened");
        let (views, applier) = Views::open(
            &settings.data.join("views"),
            Arc::clone(&fs),
            reader.clone(),
            settings.store,
            followers,
        )?;
        let health = Arc::new(Health::default());
        let tail_bytes = usize::try_from(settings.limits.tail_bytes).unwrap_or(usize::MAX);
        let tail = Arc::new(Tail::new(tail_bytes, applier.position()));
        let maintenance = Maintenance::start(Arc::clone(&views), &tasks, settings.maintenance)?;
        // What was applied again is checkpointed, so that the next start need not do it once more.
        if applier.store().active_bytes() > CHECKPOINT_BYTES {
            maintenance.seal(&applier, &views.current());
        }
        let sequencer = Sequencer::new(Parts {
            log: writer,
            reader: reader.clone(),
            applier,
            views: Arc::clone(&views),
            maintenance,
            tail: Arc::clone(&tail),
            clock: Arc::clone(&clock),
            limits: settings.limits.clone(),
            strictness: settings.strictness,
            health: Arc::clone(&health),
        });
        let (queue, requests) = write::queue(settings.limits.write_queue as usize);
        thread(&tasks, "sequencer", move || sequencer.run(&requests.receiver))?;
        let token = tasks.token();
        thread(&tasks, "head", {
            let token = token.clone();
            move || head_keeper.run(&token)
        })?;
        thread(&tasks, "segments", move || preparer.run(&token))?;
        let engine = Self {
            shared: Arc::new(Shared {
                queue,
                views,
                reader,
                fanout: Fanout::new(Arc::clone(&tail)),
                tail,
                fs,
                ids: ObjectIds::new(Arc::clone(&clock)),
                clock,
                settings,
                tasks,
                health,
                floors: parking_lot::Mutex::default(),
                rewriting: parking_lot::Mutex::new(()),
            }),
        };
        engine.control(|sequencer| sequencer.log.drop_unreachable_bases())??;
        engine.finish_erasure()?;
        engine.start_retention()?;
        engine.start_healing();
        engine.start_expiry();
        engine.shared.fanout.start(&engine.shared.tasks);
        Ok(engine)
    }

    /// Commits a command. The answer is durable and visible to every read that starts afterwards.
    pub async fn write(&self, command: Command) -> Result<Committed> {
        let (reply, answer) = oneshot::channel();
        let sealed = write::seal(&command, &*self.shared.clock)?;
        self.enqueue(Request::Write(command, sealed, reply))?;
        match answer.await {
            Ok(Ok(Answered::Committed(committed))) => Ok(committed),
            Ok(Ok(Answered::Repeat(position))) => self.repeat(position).await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(stopping()),
        }
    }

    async fn repeat(&self, position: u64) -> Result<Committed> {
        let reader = self.shared.reader.clone();
        let read =
            self.shared.tasks.blocking(move || crate::write::repeat(&reader, position)).await;
        read.ok_or_else(|| Error::internal("reading the log panicked"))?
    }

    fn enqueue(&self, request: Request) -> Result<()> {
        self.shared.queue.put(request).map_err(|why| match why {
            NotQueued::Full => Error::unavailable(
                "queue_full",
                format!(
                    "{} writes are waiting (limits.write_queue); try again",
                    self.shared.settings.limits.write_queue
                ),
            )
            .with("retry_after_seconds", 1),
            NotQueued::Closed => stopping(),
        })
    }

    /// Runs `work` between two groups, on the writer's thread, and gives its result. Blocking.
    pub(crate) fn control<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sequencer) -> T + Send + 'static,
    ) -> Result<T> {
        let (done, result) = std::sync::mpsc::sync_channel(1);
        let control: Control = Box::new(move |sequencer| drop(done.send(work(sequencer))));
        self.shared.queue.put_waiting(Request::Control(control)).map_err(|_| stopping())?;
        result.recv().map_err(|_| stopping())
    }

    /// The views at the newest visible position.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.views.snapshot()
    }

    /// The newest visible position.
    pub fn position(&self) -> u64 {
        self.shared.tail.published()
    }

    /// Waits until `position` is visible, at most `limits.read_wait_ms`.
    pub async fn wait_for(&self, position: u64) -> Result<()> {
        let wait = Duration::from_millis(self.shared.settings.limits.read_wait_ms);
        let mut published = self.shared.tail.subscribe();
        match tokio::time::timeout(wait, published.wait_for(|end| *end >= position)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::unavailable(
                "position_not_reached",
                format!("position {position} was not reached within {} ms", wait.as_millis()),
            )
            .with("position", self.position())),
        }
    }

    /// A subscription from `start`.
    pub fn subscribe(&self, start: Start) -> Result<Subscription> {
        let shared = &self.shared;
        Subscription::open(
            shared.reader.clone(),
            Arc::clone(&shared.tail),
            shared.tasks.clone(),
            start,
        )
    }

    /// What tells those who follow live.
    pub fn fanout(&self) -> &Arc<Fanout> {
        &self.shared.fanout
    }

    /// The position after which `start` begins.
    pub fn resolve(&self, start: Start) -> Result<u64> {
        subscribe::resolve(&self.shared.reader, self.position(), start)
    }

    /// The log, for reading.
    pub fn log(&self) -> &LogReader {
        &self.shared.reader
    }

    /// The identity of this log's history.
    pub fn epoch(&self) -> Epoch {
        self.shared.reader.epoch()
    }

    /// A new ObjectId.
    pub fn new_id(&self) -> [u8; 12] {
        self.shared.ids.next()
    }

    /// Time and randomness.
    pub fn clock(&self) -> &SharedClock {
        &self.shared.clock
    }

    /// The settings it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Every limit.
    pub fn limits(&self) -> &Limits {
        &self.shared.settings.limits
    }

    /// The owner of background work.
    pub fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// Why writes are refused; `None` when they are accepted.
    pub fn unready(&self) -> Option<Error> {
        self.shared.health.reason().or_else(|| self.shared.reader.failure())
    }

    /// Figures of the sequencer.
    pub fn write_figures(&self) -> WriteFigures {
        self.shared.health.figures()
    }

    /// Commands waiting for the sequencer.
    pub fn queue_len(&self) -> usize {
        self.shared.queue.len()
    }

    /// Bytes of the views on disk.
    pub fn view_bytes(&self) -> u64 {
        self.shared.views.current().store.disk_bytes()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The folder of the data.
    pub fn data(&self) -> &Path {
        &self.shared.settings.data
    }

    /// Commits what is queued, then leaves a clean head and checkpoint. Blocking.
    pub fn stop(&self) -> Result<()> {
        self.control(Sequencer::stop)
    }
}

fn thread(tasks: &Tasks, name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    tasks
        .spawn_thread(name, work)
        .map_err(|error| Error::internal(format!("start thread {name}: {error}")))
}

fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "stopping", "the server is stopping")
}
