//! The dispatcher: one task that owns the deliveries of all webhooks, decides what is attempted next, and has the outcome
//! saved.
//!
//! Guarantees: a webhook gets its turn however many others wait, fail or are slow: places go round, nobody holds more of
//! them than are free for the others (so that n slow receivers leave one part in n + 1 free), a webhook that is not known
//! to work has one attempt at a time at first, and all those that fail share half the places, and a rate once they fail time
//! after time. Nobody who writes waits for any of this.
//! Leaves to others: reading the log (`feed`), attempts (`attempt`), order and retries within a webhook (`worker`).

mod alarms;
mod commit;
mod reading;
mod registrations;
mod replays;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use self::alarms::Alarms;
use self::reading::Feed;
use self::turns::Turns;
use super::attempt;
use super::feed::{Found, Routed};
use super::options::Options;
use super::registry::Registry;
use super::store::{Op, ReplayState, SavedWebhook};
use super::transport::Transport;
use super::worker::{After, Ending, Figures, Health, Job, Pace, Worker};
use crate::engine::Engine;
use crate::error::{Error, Result};

pub(super) use self::commit::{Commit, run_store};
pub(super) use self::replays::{inactive, no_replay};

/// How often every webhook is looked at, should the wall clock have been moved.
const SWEEP: Duration = Duration::from_secs(60);
/// Operations that a full disk refused; with more of them no attempts are made.
const UNSAVED_OPS_MAX: usize = 20_000;
/// Reads of the log at a time, each of a few MiB at most.
const READS_MAX: usize = 8;
/// Messages taken at a time.
const MESSAGES_MAX: usize = 256;

/// Work to be done on the dispatcher's own task.
pub(super) type Work = Box<dyn FnOnce(&mut Dispatcher) + Send>;

/// An attempt that ended.
pub(super) struct Ended {
    webhook: Arc<str>,
    /// Where it was made.
    url: Arc<str>,
    position: u64,
    began_ms: u64,
    ending: Ending,
    strained: bool,
}

/// What the dispatcher is told.
pub(super) enum Message {
    /// An attempt ended.
    Ended(Ended),
    /// A read for one webhook ended.
    Read { webhook: Arc<str>, feed: Feed, found: Result<Found> },
    /// A commit ended.
    Committed(Result<()>),
    /// Something is asked.
    Work(Work),
}

/// Webhooks without room for further events.
#[derive(Debug, Default)]
pub(super) struct Full(Mutex<Arc<HashSet<Arc<str>>>>);

impl Full {
    /// Those that are full now.
    pub(super) fn get(&self) -> Arc<HashSet<Arc<str>>> {
        Arc::clone(&self.0.lock())
    }

    /// Takes notice of a webhook that is full now, or is not any more.
    fn set(&self, webhook: &Arc<str>, is_full: bool) {
        let mut full = self.0.lock();
        if full.contains(webhook) == is_full {
            return;
        }
        let full = Arc::make_mut(&mut full);
        match is_full {
            true => drop(full.insert(Arc::clone(webhook))),
            false => drop(full.remove(webhook)),
        }
    }
}

/// What the service and the dispatcher share.
#[derive(Default)]
pub(super) struct Shared {
    /// Wakes the dispatcher after a clock was moved.
    pub(super) nudge: Notify,
    /// The lowest position that is still needed from the log.
    pub(super) needs_from: AtomicU64,
    /// Webhooks without room for further events: the shared pass leaves them out.
    pub(super) full: Full,
}

/// What a dispatcher is made of.
pub(super) struct Parts {
    pub(super) engine: Engine,
    pub(super) registry: Arc<Registry>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) options: Options,
    pub(super) store: crossbeam_channel::Sender<Commit>,
    pub(super) inbox: mpsc::UnboundedSender<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) saved: BTreeMap<Arc<str>, SavedWebhook>,
    pub(super) replays: BTreeMap<u64, ReplayState>,
    /// Where the shared pass begins.
    pub(super) routed_to: u64,
}

/// The dispatcher.
pub(super) struct Dispatcher {
    engine: Engine,
    registry: Arc<Registry>,
    transport: Arc<dyn Transport>,
    options: Options,
    store: crossbeam_channel::Sender<Commit>,
    inbox: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
    saved: BTreeMap<Arc<str>, SavedWebhook>,
    workers: HashMap<Arc<str>, Worker>,
    /// Replays that ended, and those whose webhook is not there yet.
    replays: BTreeMap<u64, ReplayState>,
    /// The registry's change that the workers are in step with.
    reconciled: u64,
    turns: Turns,
    /// Attempts at receivers that fail time after time.
    failing_pace: Pace,
    in_flight: usize,
    /// Those of them to webhooks whose last attempt failed.
    strained: usize,
    /// How far the shared pass has come.
    routed_to: u64,
    /// Webhooks that may need something.
    touched: BTreeSet<Arc<str>>,
    alarms: Alarms,
    /// When the dispatcher itself needs a turn.
    wake_at: Option<Duration>,
    sweep_at: Duration,
    reads: Arc<Semaphore>,
    committing: Committing,
}

/// The state of saving.
#[derive(Default)]
struct Committing {
    /// Operations that belong to no worker, or were refused by a full disk.
    ops: Vec<Op>,
    /// Whether something was settled since the last commit.
    urgent: bool,
    /// Whether anything changed since the last commit.
    changed: bool,
    last: Duration,
    /// Who waits for what is not under way yet.
    waiting: Vec<oneshot::Sender<Result<()>>>,
    under_way: Option<UnderWay>,
    failed: Option<Error>,
    /// Not before this time, after a full disk.
    not_before: Duration,
}

struct UnderWay {
    ops: Arc<Vec<Op>>,
    waiting: Vec<oneshot::Sender<Result<()>>>,
}

impl Dispatcher {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            engine: parts.engine,
            registry: parts.registry,
            transport: parts.transport,
            options: parts.options,
            store: parts.store,
            inbox: parts.inbox,
            shared: parts.shared,
            saved: parts.saved,
            workers: HashMap::new(),
            replays: parts.replays,
            reconciled: 0,
            turns: Turns::default(),
            failing_pace: Pace::default(),
            in_flight: 0,
            strained: 0,
            routed_to: parts.routed_to,
            touched: BTreeSet::new(),
            alarms: Alarms::default(),
            wake_at: None,
            sweep_at: Duration::ZERO,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            committing: Committing::default(),
        }
    }

    /// Works until the engine stops; then waits for attempts under way, and has everything saved.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Message>,
        mut routed: mpsc::Receiver<Routed>,
    ) {
        let token = self.engine.tasks().token();
        let mut changes = self.registry.changes();
        let shared = Arc::clone(&self.shared);
        let mut messages = Vec::with_capacity(MESSAGES_MAX);
        self.begin();
        while !token.is_cancelled() {
            self.step();
            let sleep = self.sleep();
            tokio::select! {
                count = inbox.recv_many(&mut messages, MESSAGES_MAX) => {
                    debug_assert!(count > 0, "the dispatcher holds a sender of its own inbox");
                    for message in messages.drain(..) {
                        self.handle(message);
                    }
                }
                Some(routed) = routed.recv() => self.route(&routed),
                Ok(()) = changes.changed() => self.keep_in_step(),
                () = shared.nudge.notified() => self.touch_all(),
                () = tokio::time::sleep(sleep) => {}
                () = token.cancelled() => break,
            }
        }
        drop(routed);
        self.drain(&mut inbox).await;
    }

    /// Waits for attempts under way, at most for the time that the options allow, and for the last commit.
    async fn drain(&mut self, inbox: &mut mpsc::UnboundedReceiver<Message>) {
        let deadline = tokio::time::Instant::now() + self.options.drain;
        while self.in_flight > 0 {
            match tokio::time::timeout_at(deadline, inbox.recv()).await {
                // What is read now would only have to be read again.
                Ok(Some(Message::Read { .. })) => {}
                Ok(Some(message)) => self.handle(message),
                _ => break,
            }
            self.commit(self.engine.clock().monotonic());
        }
        // What was not settled is saved, so that the cursor passes it and what was delivered behind it.
        self.workers.values_mut().for_each(Worker::save_all);
        self.committing.urgent = true;
        let deadline = tokio::time::Instant::now() + self.options.drain;
        loop {
            self.commit_now();
            if self.committing.under_way.is_none() {
                return;
            }
            match tokio::time::timeout_at(deadline, inbox.recv()).await {
                Ok(Some(Message::Read { .. })) => {}
                // A disk that is full does not get free by being asked again.
                Ok(Some(Message::Committed(Err(error)))) => return self.committed(Err(error)),
                Ok(Some(message)) => self.handle(message),
                _ => return,
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Ended(ended) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.strained = self.strained.saturating_sub(usize::from(ended.strained));
                self.ended(&ended);
            }
            Message::Read { webhook, feed, found } => self.read_ended(&webhook, feed, found),
            Message::Committed(result) => self.committed(result),
            Message::Work(work) => work(self),
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let Ended { webhook, position, began_ms, ending, .. } = ended;
        let (position, began_ms) = (*position, *began_ms);
        let clock = Arc::clone(self.engine.clock());
        let Some(worker) = self.workers.get_mut(webhook) else { return };
        self.committing.urgent = true;
        self.touched.insert(Arc::clone(webhook));
        // What a receiver says that the webhook does not go to any more concerns that delivery alone.
        if *ended.url != *worker.registration.url && !ending.is_success() {
            return worker.again_elsewhere(position, clock.now_ms());
        }
        let after =
            worker.finish(position, began_ms, ending, &self.options.retry_schedule, &*clock);
        if let Some(to) = ending.commit().filter(|_| *ended.url == *worker.registration.url) {
            worker.commit_to(to.min(self.engine.position()));
        }
        if let After::Disable(reason) = after {
            self.disable(webhook, reason);
        }
    }

    fn touch_all(&mut self) {
        self.touched.extend(self.workers.keys().cloned());
        self.confirm_absent();
    }

    /// Looks after the webhooks that may need something, fills free places, has changes saved.
    fn step(&mut self) {
        let clock = Arc::clone(self.engine.clock());
        let (now_ms, now) = (clock.now_ms(), clock.monotonic());
        // What was acknowledged holds for every attempt that starts from now on.
        self.keep_in_step();
        if self.wake_at.take_if(|at| *at <= now).is_some() {
            self.confirm_absent();
        }
        if self.sweep_at <= now {
            self.sweep_at = now + SWEEP;
            self.touch_all();
        }
        while let Some(webhook) = self.alarms.pop_due(now) {
            self.touched.insert(webhook);
        }
        for webhook in std::mem::take(&mut self.touched) {
            let Some(worker) = self.workers.get_mut(&webhook) else { continue };
            worker.tick(now_ms);
            let health = worker.health();
            if worker.has_work() && worker.turn.is_none_or(|(queue, _)| queue != health) {
                worker.turn = Some((health, self.turns.join(health, Arc::clone(&webhook))));
            }
            if let Some(wake) = worker.next_wake(now_ms, now).filter(|wake| !wake.is_zero()) {
                self.alarms.set(&webhook, now + wake);
            }
            self.start_reads(&webhook);
        }
        self.pump(now);
        self.commit(now);
    }

    fn wake_within(&mut self, now: Duration, wake: Duration) {
        let at = now + wake;
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn sleep(&self) -> Duration {
        let now = self.engine.clock().monotonic();
        let next = [self.wake_at, self.alarms.next()].into_iter().flatten().min();
        let at = next.map_or(self.sweep_at, |at| at.min(self.sweep_at));
        // A millisecond more, since due times are whole milliseconds.
        at.saturating_sub(now) + Duration::from_millis(1)
    }

    /// Gives free places to webhooks in turn.
    fn pump(&mut self, now: Duration) {
        if self.committing.failed.is_some() || self.committing.ops.len() > UNSAVED_OPS_MAX {
            return;
        }
        // What fails time after time costs as much as what succeeds; it may not take the machine from those who write.
        let failing = self.turns.len(Health::Failing).max(self.options.failing_per_second as usize);
        self.failing_pace.set_rate(u32::try_from(failing).ok());
        for health in [Health::Well, Health::Unsure, Health::Failing] {
            self.serve(health, now);
        }
    }

    /// Whether an attempt at a receiver of that health may begin.
    fn has_place(&mut self, health: Health, now: Duration) -> bool {
        let total = self.places();
        let free = match health {
            Health::Well => self.in_flight < total,
            Health::Unsure | Health::Failing => self.in_flight < total && self.strained < total / 2,
        };
        if free && health == Health::Failing && !self.failing_pace.is_due(now) {
            let wait = self.failing_pace.wait(now);
            self.wake_within(now, wait);
            return false;
        }
        free
    }

    fn places(&self) -> usize {
        self.options.concurrency_total.max(2) as usize
    }

    /// Gives free places to the webhooks of a queue in turn.
    fn serve(&mut self, health: Health, now: Duration) {
        let mut passed_over = 0;
        while passed_over < self.turns.len(health) && self.has_place(health, now) {
            let free = self.places() - self.in_flight;
            let Some(turn) = self.turns.pop(health) else { return };
            let Some(worker) = self.workers.get_mut(&turn.webhook) else { continue };
            if worker.turn != Some((health, turn.number)) {
                continue;
            }
            // As many places as one has must be free for the others, however slow its receiver is.
            if worker.in_flight >= free {
                passed_over += 1;
                self.turns.put_back(health, turn);
                continue;
            }
            let Some(job) = worker.next_job(now) else {
                worker.turn = None;
                if let Some(wake) = worker.next_wake(self.engine.clock().now_ms(), now) {
                    self.alarms.set(&turn.webhook, now + wake);
                }
                continue;
            };
            let webhook = Arc::clone(&turn.webhook);
            if worker.has_work() {
                self.turns.put_back(health, turn);
            } else {
                worker.turn = None;
            }
            if health == Health::Failing {
                self.failing_pace.take(now);
            }
            passed_over = 0;
            self.start(webhook, job, health != Health::Well);
        }
    }

    fn start(&mut self, webhook: Arc<str>, job: Job, strained: bool) {
        let Some(worker) = self.workers.get(&webhook) else { return };
        let registration = Arc::clone(&worker.registration);
        self.in_flight += 1;
        self.strained += usize::from(strained);
        let (engine, transport) = (self.engine.clone(), Arc::clone(&self.transport));
        let (timeout, inbox) = (self.options.timeout, self.inbox.clone());
        let sight = Arc::clone(&self.options.sight);
        let (token, drain) = (self.engine.tasks().token(), self.options.drain);
        self.engine.tasks().spawn("webhook-attempt", async move {
            let began_ms = engine.clock().now_ms();
            let (position, url) = (job.position, Arc::clone(&registration.url));
            let means = attempt::Means { engine: &engine, transport: &*transport, sight: &sight };
            // At the stop it is waited for no longer than the dispatcher does.
            let over = async {
                token.cancelled().await;
                tokio::time::sleep(drain).await;
            };
            let ending = tokio::select! {
                ending = attempt::run(&means, &registration, job, timeout) => ending,
                () = over => return,
            };
            // Without a dispatcher the outcome is not needed any more.
            let ended = Ended { webhook, url, position, began_ms, ending, strained };
            drop(inbox.send(Message::Ended(ended)));
        });
    }

    /// The deliveries of a webhook.
    pub(super) fn worker(&mut self, webhook: &str) -> Result<&mut Worker> {
        self.keep_in_step();
        let id = Arc::from(webhook);
        let found = self.workers.get_mut(&id).ok_or_else(|| no_webhook(webhook))?;
        self.touched.insert(id);
        Ok(found)
    }

    /// Figures of every webhook.
    pub(super) fn all_figures(&self, end: u64, now_ms: u64) -> BTreeMap<Arc<str>, Figures> {
        let figures =
            |(id, worker): (&Arc<str>, &Worker)| (Arc::clone(id), worker.figures(end, now_ms));
        self.workers.iter().map(figures).collect()
    }

    /// The lowest position that is needed, for retention.
    fn publish_needs(&self) {
        let running = self.workers.values().filter(|worker| worker.is_running());
        let lowest = running.map(Worker::needs_from).min().unwrap_or(u64::MAX);
        self.shared.needs_from.store(lowest, Ordering::Release);
    }
}

/// There is no such webhook.
pub(super) fn no_webhook(id: &str) -> Error {
    Error::not_found("webhook_not_found", format!("there is no webhook `{id}`"))
}
