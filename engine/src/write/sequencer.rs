//! The sequencer: the one writer. It takes commands from a bounded queue, resolves them, and commits everything that
//! waits as one group with one sync; then the views apply, the callers are answered, and the group goes to the tail.
//!
//! Guarantees: nothing is answered before what it depends on is durable; positions are dense; event times never go
//! back; after a failed write or sync nothing more is acknowledged (a full disk recovers once there is room).
//! Leaves to others: the bytes on disk (the log), what events do to views (apply).

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::answer::{Pending, Replies, Reply};
use super::command::{Command, Committed, Operation};
use super::draft::Draft;
use super::health::{Health, Stop};
use super::overlay::Overlay;
use super::repeat::{outcomes, reused_key};
use super::resolve::{Resolved, Resolver, Strictness};
use super::seal::Sealed;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventDraft, RequestKey};
use crate::limits::Limits;
use crate::log::{BatchEnd, Block, GroupBuilder, LogReader, LogWriter, Tail};
use crate::view::{self, Applier, ApplierState, Generation, Maintenance, Tree, Views, keys};

/// How often an idle sequencer looks whether a full disk has room again.
const IDLE: Duration = Duration::from_millis(500);

/// Rows of dropped collections removed at a time, when there is nothing else to do and after each group.
const SWEEP_IDLE: usize = 10_000;
const SWEEP_BUSY: usize = 100;

/// Work that runs between two groups, with the writer's state at hand.
pub(crate) type Control = Box<dyn FnOnce(&mut Sequencer) + Send>;

/// What the queue carries.
pub(crate) enum Request {
    /// A command and where its answer goes.
    Write(Command, Vec<Option<Sealed>>, Reply),
    /// Work between two groups.
    Control(Control),
}

/// Everything the writer owns.
pub(crate) struct Sequencer {
    pub(crate) log: LogWriter,
    pub(crate) applier: Applier,
    pub(crate) generation: Arc<Generation>,
    pub(crate) views: Arc<Views>,
    pub(crate) maintenance: Maintenance,
    pub(crate) tail: Arc<Tail>,
    reader: LogReader,
    overlay: Overlay,
    clock: SharedClock,
    limits: Limits,
    strictness: Strictness,
    health: Arc<Health>,
    group: GroupBuilder,
    /// The time of every event of the group under construction, UTC ms; never before the log's last.
    group_time_ms: u64,
    /// Buffers for encoding, used again and again.
    kept: Vec<u8>,
    erasable: Vec<u8>,
    stopping: bool,
}

/// What a sequencer is made of.
pub(crate) struct Parts {
    pub(crate) log: LogWriter,
    pub(crate) reader: LogReader,
    pub(crate) applier: Applier,
    pub(crate) views: Arc<Views>,
    pub(crate) maintenance: Maintenance,
    pub(crate) tail: Arc<Tail>,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    pub(crate) strictness: Strictness,
    pub(crate) health: Arc<Health>,
}

impl Sequencer {
    pub(crate) fn new(parts: Parts) -> Self {
        let overlay = Overlay::new(Arc::clone(parts.applier.store()));
        Self {
            generation: parts.views.current(),
            log: parts.log,
            reader: parts.reader,
            applier: parts.applier,
            views: parts.views,
            maintenance: parts.maintenance,
            tail: parts.tail,
            overlay,
            clock: parts.clock,
            limits: parts.limits,
            strictness: parts.strictness,
            health: parts.health,
            group: GroupBuilder::new(),
            group_time_ms: 0,
            kept: Vec::new(),
            erasable: Vec::new(),
            stopping: false,
        }
    }

    /// Works until the queue is closed or [`Sequencer::stop`] was called; then leaves a clean checkpoint and head.
    pub(crate) fn run(mut self, queue: &Receiver<Request>) {
        while !self.stopping {
            match queue.recv_timeout(IDLE) {
                Ok(first) => self.group(first, queue),
                Err(RecvTimeoutError::Timeout) => {
                    // Also an idle server says that the disk is nearly full.
                    self.begin();
                    self.sweep(SWEEP_IDLE);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.settle() {
            self.maintenance.seal(&self.applier, &self.generation);
        }
        if let Err(error) = self.log.close() {
            tracing::error!(%error, "the head could not be written at the stop");
        }
    }

    /// The log, for reading.
    pub(crate) fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Ends [`Sequencer::run`] after the present group.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Commits everything that waits, up to the limits of one group.
    fn group(&mut self, first: Request, queue: &Receiver<Request>) {
        let mut replies = Replies::default();
        let mut control = None;
        let mut next = Some(first);
        let refusal = self.begin();
        while let Some(request) = next.take() {
            let defines;
            match request {
                Request::Write(command, mut sealed, reply) => {
                    // What follows is checked against the definitions that the views hold.
                    defines = command.operations.iter().any(Operation::defines);
                    let resolved = match &refusal {
                        Some(error) => Err(error.clone()),
                        None => self.take(&command, &mut sealed, &mut replies),
                    };
                    replies.add(reply, resolved);
                }
                Request::Control(work) => {
                    control = Some(work);
                    break;
                }
            }
            let full = self.group.len() >= self.limits.group_events as usize
                || self.group.bytes() as u64 >= self.limits.group_bytes;
            if !full && !defines {
                next = queue.try_recv().ok();
            }
        }
        self.commit(replies);
        self.sweep(SWEEP_BUSY);
        if let Some(work) = control {
            work(self);
            self.overlay.reset(self.applier.store());
        }
    }

    /// Begins a group: sets its time, and says why writes are refused at this moment, if they are.
    fn begin(&mut self) -> Option<Error> {
        self.group_time_ms = self.clock.now_ms().max(self.log.last_time_ms());
        self.recover();
        self.health.refusal(&self.views, &self.limits, self.clock.monotonic())
    }

    /// Takes one command into the group, or refuses it without a trace.
    fn take(
        &mut self,
        command: &Command,
        sealed: &mut [Option<Sealed>],
        replies: &mut Replies,
    ) -> Result<Pending> {
        if let Some(request) = &command.request {
            let known = match replies.request(&request.key) {
                Some(known) => Some(known),
                None => self.remembered(&request.key)?,
            };
            if let Some((position, digest)) = known {
                if digest != request.digest {
                    return Err(reused_key());
                }
                return Ok(Pending::Repeat(position));
            }
        }
        let marks = (self.overlay.mark(), self.group.mark());
        let taken = self.resolve(command, sealed, replies);
        if taken.is_err() {
            self.overlay.undo_to(marks.0);
            self.group.truncate_to(marks.1);
        }
        taken
    }

    fn resolve(
        &mut self,
        command: &Command,
        sealed: &mut [Option<Sealed>],
        replies: &mut Replies,
    ) -> Result<Pending> {
        let first_position = self.log.next_position() + self.group.len() as u64;
        let time_ms = self.group_time_ms;
        let resolver = Resolver::new(
            &mut self.overlay,
            command,
            time_ms,
            first_position,
            self.strictness,
            self.limits.document_bytes,
        );
        let mut resolved = resolver.resolve(sealed)?;
        if resolved.drafts.is_empty() && command.request.is_some() {
            resolved.drafts.push(Draft::request_recorded());
        }
        if resolved.drafts.is_empty() {
            return Ok(Pending::Commit(Committed {
                position: first_position - 1,
                outcomes: resolved.outcomes,
                repeated: false,
            }));
        }
        self.encode(command, &resolved, first_position, time_ms)?;
        if let Some(request) = &command.request {
            replies.remember(request.key.clone(), first_position, request.digest);
        }
        Ok(Pending::Commit(Committed {
            position: first_position + resolved.drafts.len() as u64 - 1,
            outcomes: resolved.outcomes,
            repeated: false,
        }))
    }

    /// Encodes a batch into the group.
    fn encode(
        &mut self,
        command: &Command,
        resolved: &Resolved,
        first_position: u64,
        time_ms: u64,
    ) -> Result<()> {
        let last = resolved.drafts.len() - 1;
        for (index, draft) in resolved.drafts.iter().enumerate() {
            let request = match &command.request {
                Some(request) if index == 0 => Some(RequestKey {
                    key: &request.key,
                    digest: &request.digest,
                    outcomes: outcomes(resolved),
                }),
                _ => None,
            };
            let event = draft.event(&command.actor, first_position, request);
            let end = if index == last { BatchEnd::Last } else { BatchEnd::More };
            self.push(&event, draft.sealed.as_ref(), time_ms, end)?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        event: &EventDraft<'_>,
        sealed: Option<&Sealed>,
        time_ms: u64,
        end: BatchEnd,
    ) -> Result<()> {
        self.kept.clear();
        event.encode_kept(&mut self.kept)?;
        if let Some(sealed) = sealed {
            self.group.push_hashed(time_ms, &self.kept, &sealed.erasable, &sealed.digest, end);
        } else {
            let mut salt = [0; 16];
            self.clock.fill_random(&mut salt);
            self.erasable.clear();
            event.encode_erasable(&salt, &mut self.erasable)?;
            self.group.push(time_ms, &self.kept, &self.erasable, end);
        }
        match self.group.flaw() {
            None => Ok(()),
            Some(flaw) => Err(Error::limit("limits.group_bytes", self.limits.group_bytes, flaw)),
        }
    }

    /// A request under this key that is in the log and has not expired: its first position and digest.
    fn remembered(&self, key: &str) -> Result<Option<(u64, [u8; 32])>> {
        let stored = self.applier.store().newest(Tree::Meta, &keys::request(key))?;
        let Some((position, time_ms)) = stored.and_then(|value| view::decode_request(&value))
        else {
            return Ok(None);
        };
        let expires = time_ms.saturating_add(self.limits.idempotency_seconds.saturating_mul(1000));
        if expires <= self.clock.now_ms().max(self.log.last_time_ms()) {
            return Ok(None);
        }
        if position < self.reader.first_position() {
            // It took effect; only its answer is gone. Doing it again would be the worse lie.
            return Err(Error::new(
                ErrorKind::Gone,
                "answer_gone",
                "this Idempotency-Key was used before, and retention took the answer",
            )
            .with("position", position));
        }
        let block = self.reader.get(position)?;
        let Some(record) = block.iter().next() else { return Ok(None) };
        let event = Event::decode(&record)?;
        let digest = event.request.and_then(|request| request.digest.try_into().ok());
        Ok(digest.map(|digest| (position, digest)))
    }

    /// Makes the group durable and visible, then answers.
    fn commit(&mut self, replies: Replies) {
        if self.group.is_empty() {
            replies.answer();
            return;
        }
        let group = std::mem::take(&mut self.group);
        let started = self.clock.monotonic();
        let events = group.len() as u64;
        match self.log.append(group) {
            Ok(block) => {
                self.health.committed(events, self.clock.monotonic().saturating_sub(started));
                self.publish(&block, replies);
            }
            Err(error) => {
                tracing::error!(%error, "the log did not take a group; nothing of it is acknowledged");
                self.health.stopped(Stop::of(&error));
                self.overlay.reset(self.applier.store());
                replies.refuse(&error);
            }
        }
    }

    fn publish(&mut self, block: &Arc<Block>, replies: Replies) {
        if let Err(error) = self.applier.apply(block, block.last_position()) {
            // The group is durable, but cannot be shown: writes stop until the views are rebuilt.
            tracing::error!(%error, "the views could not apply a committed group");
            self.applier.store().report_damage();
            self.health.stopped(Stop::Views(error.clone()));
            replies.refuse(&Error::unavailable("write_unknown", error.to_string()));
            self.tail.push(Arc::clone(block));
            return;
        }
        self.overlay.reset(self.applier.store());
        // Before the answers, so that a subscription opened after one starts after what it answered.
        self.tail.push(Arc::clone(block));
        replies.answer();
        if self.maintenance.is_due(&self.applier) && self.settle() {
            self.maintenance.seal_and_wait(&self.applier, &self.generation);
            self.forget_requests();
        }
    }

    /// Clears away some of what dropped collections left.
    fn sweep(&mut self, most: usize) {
        if let Err(error) = self.applier.sweep(most) {
            tracing::warn!(%error, "what a dropped collection left could not be cleared away");
        }
    }

    /// Views on disk must never hold what the log may still lose: relaxed durability syncs here. Whether it could.
    fn settle(&mut self) -> bool {
        let settled = self.log.settle();
        if let Err(error) = &settled {
            tracing::error!(%error, "the log could not be synced; the views stay in memory");
            self.health.stopped(Stop::of(error));
        }
        settled.is_ok()
    }

    fn forget_requests(&mut self) {
        let kept_ms = self.limits.idempotency_seconds.saturating_mul(1000);
        // By the log's time, which never goes back: a clock that jumped must not take what is to be kept.
        let before = self.log.last_time_ms().saturating_sub(kept_ms);
        if let Err(error) = self.applier.forget_requests(before) {
            tracing::warn!(%error, "expired idempotency keys stay in the views");
        }
    }

    /// Tries to write again after the disk was full.
    fn recover(&mut self) {
        // The head is written on another thread; its failure stops the log, too.
        if let Some(error) = self.reader.failure() {
            self.health.noticed(&error);
        }
        if !self.health.may_resume(&self.views, &self.limits, self.clock.monotonic()) {
            return;
        }
        match self.log.resume() {
            Ok(()) => {
                tracing::info!("the disk has room again; writes resume");
                self.health.resumed();
            }
            Err(error) => tracing::warn!(%error, "writes cannot resume yet"),
        }
    }

    /// Commits one command on its own, after `note` was told the positions that it will take.
    pub(crate) fn commit_noted<T>(
        &mut self,
        command: &Command,
        note: impl FnOnce(std::ops::Range<u64>) -> Result<T>,
    ) -> Result<T> {
        if let Some(error) = self.begin() {
            return Err(error);
        }
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        let mut replies = Replies::default();
        let first = self.log.next_position();
        let taken = self.take(command, &mut [], &mut replies)?;
        let noted = note(first..first + self.group.len() as u64);
        if noted.is_err() {
            self.overlay.undo_to(0);
            self.group = GroupBuilder::new();
            return noted;
        }
        replies.add(reply, Ok(taken));
        self.commit(replies);
        match answer.try_recv() {
            Ok(Ok(_)) => noted,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::internal("a command was not answered")),
        }
    }

    /// Readers and writers go over to another generation of views, which must stand where the log ends.
    pub(crate) fn switch_views(
        &mut self,
        generation: Generation,
        mut applier: Applier,
    ) -> Result<Arc<Generation>> {
        view::finish_fold(&self.reader, &mut applier, self.log.next_position() - 1)?;
        applier.take_followers(&mut self.applier);
        if let Err(error) = applier.tell_followers() {
            self.applier.take_followers(&mut applier);
            self.applier.tell_followers()?;
            return Err(error);
        }
        let generation = Arc::new(generation);
        let before = self.views.swap(Arc::clone(&generation));
        self.applier = applier;
        self.generation = generation;
        self.overlay = Overlay::new(Arc::clone(self.applier.store()));
        self.health.views_restored();
        Ok(before)
    }

    /// Seals the memtables and says from where on they would have to be applied again: what a checkpoint needs.
    pub(crate) fn rotate(&mut self) -> Result<(Arc<Generation>, ApplierState)> {
        self.log.settle()?;
        self.applier.store().rotate();
        Ok((Arc::clone(&self.generation), self.applier.state()))
    }
}
