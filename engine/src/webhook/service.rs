//! The service: what the rest of the program asks of webhooks.
//!
//! Guarantees: an answer to a change (a replay, a retry) comes after the change is saved. Everything works on the
//! dispatcher's own state, so that what is listed is what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::attempt;
use super::dispatcher::{
    Dispatcher, Message, Parts, Shared, inactive, no_replay, no_webhook, run_store,
};
use super::feed::{self, Wanted};
use super::identity;
use super::opening::{FOLDER, begin_store, check_not_ahead};
use super::options::Options;
use super::registration::{COLLECTION, Registration};
use super::registry::Registry;
use super::replay::{self, Counted, Mode, ReplayAnswer, ReplayRequest, ReplayView, no_delivery};
use super::sample::sample;
use super::sight::Sight;
use super::signature::Secret;
use super::signing_key::SigningKey;
use super::status::Status;
use super::store::{self, ReplayState, ReplayStatus, Selection, StoreWriter};
use super::transport::{Transport, Vetted};
use super::worker::{DeliveryView, Figures, Page, Retry};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::subscribe::Start;
use crate::value::Raw;
use crate::write::{Absent, Change, Committed, Operation};

/// Steps of the shared pass that may wait for the dispatcher.
const ROUTED_MAX: usize = 4;

/// The webhooks of an engine; cheap to clone.
#[derive(Clone)]
pub struct WebhookService {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    registry: Arc<Registry>,
    transport: Arc<dyn Transport>,
    options: Options,
    inbox: mpsc::UnboundedSender<Message>,
    shared: Arc<Shared>,
    idle: Mutex<Option<Idle>>,
    /// Webhooks with a test delivery under way.
    testing: Mutex<BTreeSet<Arc<str>>>,
}

/// The only test delivery of a webhook at a time.
struct Turn<'a> {
    testing: &'a Mutex<BTreeSet<Arc<str>>>,
    webhook: Arc<str>,
}

impl<'a> Turn<'a> {
    fn take(testing: &'a Mutex<BTreeSet<Arc<str>>>, webhook: &Arc<str>) -> Result<Self> {
        if testing.lock().insert(Arc::clone(webhook)) {
            return Ok(Self { testing, webhook: Arc::clone(webhook) });
        }
        let message = "a test of this webhook is under way; wait for its answer";
        Err(Error::new(ErrorKind::Conflict, "test_running", message))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.testing.lock().remove(&self.webhook);
    }
}

/// What [`WebhookService::start`] needs once.
struct Idle {
    store: StoreWriter,
    messages: mpsc::UnboundedReceiver<Message>,
}

/// What a test delivery came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The answer's status, if there was an answer.
    pub status_code: Option<u16>,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl WebhookService {
    /// The webhooks of `engine`, which was opened with `registry` among its followers. Opens the store of deliveries;
    /// blocking. Nothing is delivered before [`WebhookService::start`].
    pub fn open(
        engine: Engine,
        registry: Arc<Registry>,
        transport: Arc<dyn Transport>,
        options: Options,
    ) -> Result<Self> {
        if let Some(error) = registry.locked() {
            return Err(error);
        }
        registry.vault().keep()?;
        let dir = engine.data().join(FOLDER);
        let fs = Arc::clone(&engine.shared().fs);
        let mut store = store::open(fs, &dir, engine.log().log_id(), Arc::clone(engine.clock()))?;
        if store.is_there() {
            check_not_ahead(&mut store, engine.position(), engine.settings().log.durability)?;
        } else {
            let ops = begin_store(&registry, options.missing_store, engine.position())?;
            store.commit(&ops)?;
        }
        let shared = Arc::new(Shared::default());
        let needed = store.state().webhooks.values().map(|saved| {
            let outstanding = saved.outstanding.keys().next().copied().unwrap_or(u64::MAX);
            outstanding.min(saved.cursor + 1)
        });
        let replays = store.state().replays.values();
        let replays = replays.filter(|replay| replay.status == ReplayStatus::Running);
        let needed = needed.chain(replays.map(|replay| replay.cursor + 1));
        shared.needs_from.store(needed.min().unwrap_or(u64::MAX), Ordering::Release);
        let (inbox, messages) = mpsc::unbounded_channel();
        let idle = Mutex::new(Some(Idle { store, messages }));
        let testing = Mutex::default();
        let inner = Inner { engine, registry, transport, options, inbox, shared, idle, testing };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Begins to deliver. They end with the engine's tasks: attempts under way are waited for, then everything is saved.
    pub fn start(&self) -> Result<()> {
        let inner = &self.inner;
        let Some(Idle { store, messages }) = inner.idle.lock().take() else { return Ok(()) };
        let tasks = inner.engine.tasks();
        let subscription = inner.engine.subscribe(Start::Latest)?;
        let (routed_in, routed) = mpsc::channel(ROUTED_MAX);
        let (commits, to_save) = crossbeam_channel::bounded(1);
        let dispatcher = Dispatcher::new(Parts {
            engine: inner.engine.clone(),
            registry: Arc::clone(&inner.registry),
            transport: Arc::clone(&inner.transport),
            options: inner.options.clone(),
            store: commits,
            inbox: inner.inbox.clone(),
            shared: Arc::clone(&inner.shared),
            saved: store.state().webhooks.clone(),
            replays: store.state().replays.clone(),
            routed_to: subscription.cursor(),
        });
        tasks
            .spawn_thread("deliveries", move || run_store(store, &to_save))
            .map_err(|error| Error::internal(format!("start thread deliveries: {error}")))?;
        let (engine, registry) = (inner.engine.clone(), Arc::clone(&inner.registry));
        let sight = Arc::clone(&inner.options.sight);
        let shared = Arc::clone(&inner.shared);
        let pass = feed::follow(engine, registry, sight, shared, subscription, routed_in);
        tasks.spawn("webhook-pass", pass);
        tasks.spawn("webhooks", dispatcher.run(messages, routed));
        Ok(())
    }

    /// The lowest position that deliveries still need from the log; `u64::MAX`: none.
    pub fn needs_from(&self) -> u64 {
        self.inner.shared.needs_from.load(Ordering::Acquire)
    }

    /// The registered webhooks.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }

    /// A webhook's registration.
    pub fn get(&self, webhook: &str) -> Result<Arc<Registration>> {
        self.inner.registry.get(webhook).ok_or_else(|| no_webhook(webhook))
    }

    pub(super) fn sight(&self) -> Arc<dyn Sight> {
        Arc::clone(&self.inner.options.sight)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Has the dispatcher look at the clock again, after a test moved it.
    pub fn nudge(&self) {
        self.inner.shared.nudge.notify_one();
    }

    /// Asks on the dispatcher's own task.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Dispatcher) -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let work = move |dispatcher: &mut Dispatcher| drop(reply.send(ask(dispatcher)));
        self.inner.inbox.send(Message::Work(Box::new(work))).map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// Waits until everything that is so now is saved.
    pub async fn saved(&self) -> Result<()> {
        let (done, saved) = oneshot::channel();
        self.ask(|dispatcher| dispatcher.when_saved(done)).await?;
        saved.await.map_err(|_| stopping())?
    }

    /// Why nothing is delivered any more, if that is so.
    pub async fn failure(&self) -> Result<Option<Error>> {
        self.ask(|dispatcher| dispatcher.failure()).await
    }

    /// A webhook's deliveries of a status (or any), newest event first; `before` is the `next` of the page before.
    pub async fn deliveries(
        &self,
        webhook: &str,
        status: Option<Status>,
        limit: usize,
        before: Option<u64>,
    ) -> Result<Page> {
        let webhook = webhook.to_owned();
        self.ask(move |dispatcher| Ok(dispatcher.worker(&webhook)?.list(status, before, limit)))
            .await?
    }

    /// A delivery by its id. `delivery_not_found`: nothing is known of it any more, or yet.
    pub async fn delivery(&self, webhook: &str, delivery: &str) -> Result<DeliveryView> {
        let position = identity::parse_delivery_id(delivery)?;
        let webhook = webhook.to_owned();
        let known = move |dispatcher: &mut Dispatcher| {
            let known = dispatcher.worker(&webhook)?.delivery(position);
            known.ok_or_else(|| no_delivery(position))
        };
        self.ask(known).await?
    }

    /// Figures of a webhook.
    pub async fn figures(&self, webhook: &str) -> Result<Figures> {
        let (id, end) = (webhook.to_owned(), self.inner.engine.position());
        let now_ms = self.inner.engine.clock().now_ms();
        let asked = self
            .ask(move |dispatcher| Ok::<_, Error>(dispatcher.worker(&id)?.figures(end, now_ms)));
        let mut figures = asked.await??;
        self.find_oldest([&mut figures], end, now_ms).await;
        Ok(figures)
    }

    /// Of webhooks whose oldest event that waits has not been taken in yet, finds its time in the log.
    async fn find_oldest(
        &self,
        figures: impl IntoIterator<Item = &mut Figures>,
        end: u64,
        now_ms: u64,
    ) {
        let behind = |figures: &&mut Figures| figures.oldest_ms.is_none() && figures.cursor < end;
        let behind: Vec<_> = figures.into_iter().filter(behind).collect();
        if behind.is_empty() {
            return;
        }
        let cursors: BTreeSet<u64> = behind.iter().map(|figures| figures.cursor).collect();
        let log = self.inner.engine.log().clone();
        let read = self.inner.engine.tasks().blocking(move || {
            let time = |cursor: u64| {
                let block = log.get(cursor + 1).ok()?;
                Some((cursor, block.get(cursor + 1)?.time_ms()))
            };
            cursors.into_iter().filter_map(time).collect::<BTreeMap<u64, u64>>()
        });
        let times = read.await.unwrap_or_default();
        for figures in behind {
            figures.oldest_ms = times.get(&figures.cursor).copied();
            let oldest_ms = figures.oldest_ms.unwrap_or(now_ms);
            figures.lag_seconds = now_ms.saturating_sub(oldest_ms) / 1000;
        }
    }

    /// Sends one delivery again, whatever became of it, as soon as its document's turn comes.
    pub async fn retry(&self, webhook: &str, delivery: &str) -> Result<()> {
        let position = identity::parse_delivery_id(delivery)?;
        let registration = self.get(webhook)?;
        if position > self.inner.engine.position() {
            return Err(no_delivery(delivery));
        }
        let id = webhook.to_owned();
        if self.ask(move |dispatcher| dispatcher.retry(&id, position)).await?? == Retry::Read {
            let (collections, sight) = (Vec::new(), self.sight());
            let wanted = Wanted { registration, collections, filter: None, sight };
            let stretch = feed::Stretch {
                after: position - 1,
                to: position,
                items_max: 1,
                bytes_max: usize::MAX,
            };
            let found = feed::read(&self.inner.engine, wanted, stretch).await?;
            let item = found.items.into_iter().next().ok_or_else(|| no_delivery(delivery))?;
            let id = webhook.to_owned();
            self.ask(move |dispatcher| dispatcher.resend(&id, &item)).await??;
        }
        self.saved().await
    }

    /// Forgets dead deliveries of a webhook: one by its id, or all before a position; how many.
    pub async fn dismiss(&self, webhook: &str, delivery: Option<&str>, before: u64) -> Result<u64> {
        let dead = match delivery {
            Some(id) => {
                let position = identity::parse_delivery_id(id)?;
                position..position.saturating_add(1)
            }
            None => 0..before,
        };
        let id = webhook.to_owned();
        let dismissed = self.ask(move |dispatcher| dispatcher.dismiss(&id, dead)).await??;
        if let (Some(delivery), 0) = (delivery, dismissed) {
            return Err(no_delivery(delivery));
        }
        self.saved().await?;
        Ok(dismissed)
    }

    /// Counts what a replay matches, and begins it unless it is a dry run.
    pub async fn replay(&self, request: ReplayRequest) -> Result<ReplayAnswer> {
        let registration = self.get(&request.webhook)?;
        if !registration.active {
            return Err(inactive(&request.webhook));
        }
        let engine = &self.inner.engine;
        let (after, to) = {
            let (asked, engine) = (request.clone(), engine.clone());
            let range = self.inner.engine.tasks().blocking(move || asked.range(&engine));
            range.await.ok_or_else(|| Error::internal("finding the range panicked"))??
        };
        let selection = request.selection();
        let counted = self.count(&request, &selection, (after, to)).await?;
        let mut answer = ReplayAnswer {
            id: None,
            matched: counted.matched,
            first: counted.first,
            last: counted.last,
            listed: counted.listed,
        };
        if request.mode == Mode::Deliver {
            let state = ReplayState {
                webhook: Arc::clone(&registration.id),
                cursor: after,
                to,
                collections: request.collections,
                rate_per_second: request.rate_per_second,
                status: ReplayStatus::Running,
                matched: counted.matched,
                sent: 0,
                succeeded: 0,
                failed: 0,
                filter: request.filter.map(|filter| filter.source().to_vec().into()),
                selection,
                overtake: request.overtake,
            };
            let id = self.ask(move |dispatcher| dispatcher.begin_replay(state)).await??;
            self.saved().await?;
            answer.id = Some(id.to_string());
        }
        Ok(answer)
    }

    /// Counts what a replay matches.
    async fn count(
        &self,
        request: &ReplayRequest,
        selection: &Selection,
        (after, to): (u64, u64),
    ) -> Result<Counted> {
        let engine = &self.inner.engine;
        let wanted = Wanted {
            registration: self.get(&request.webhook)?,
            collections: request.collections.clone(),
            filter: request.filter.clone(),
            sight: self.sight(),
        };
        let known = match selection {
            Selection::All => {
                return replay::count(engine, wanted, (after, to), request.list_max).await;
            }
            Selection::Positions(positions) => positions.clone(),
            Selection::Standing { source, statuses } => {
                let (source, statuses) = (Arc::clone(source), statuses.clone());
                let known = move |dispatcher: &mut Dispatcher| {
                    dispatcher.known_between(&source, after, to, &statuses)
                };
                self.ask(known).await??
            }
        };
        replay::count_known(engine, wanted, known, request.list_max).await
    }

    /// The replays of a webhook (of none: of all), the latest first; the last 100 that ended are remembered.
    pub async fn replays(&self, webhook: Option<&str>) -> Result<Vec<ReplayView>> {
        let webhook = webhook.map(str::to_owned);
        let all = self.ask(move |dispatcher| dispatcher.replays(webhook.as_deref())).await?;
        Ok(all.iter().map(|(id, state)| ReplayView::new(*id, state)).collect())
    }

    /// How far a replay has come.
    pub async fn replay_status(&self, id: &str) -> Result<ReplayView> {
        let number = id.parse().map_err(|_| no_replay(id))?;
        let state = self.ask(move |dispatcher| dispatcher.replay(number)).await??;
        Ok(ReplayView::new(number, &state))
    }

    /// Cancels a replay, if it is still under way.
    pub async fn cancel_replay(&self, id: &str) -> Result<ReplayView> {
        let number = id.parse().map_err(|_| no_replay(id))?;
        let state = self.ask(move |dispatcher| dispatcher.cancel_replay(number)).await??;
        self.saved().await?;
        Ok(ReplayView::new(number, &state))
    }

    /// Sends a sample event at once, once, also to a webhook that is not active.
    pub async fn test(&self, webhook: &str) -> Result<Tested> {
        let registration = self.get(webhook)?;
        let inner = &self.inner;
        let _turn = Turn::take(&inner.testing, &registration.id)?;
        let now_ms = inner.engine.clock().now_ms();
        let payload = sample(&registration, now_ms);
        let mut random = [0; 32];
        inner.engine.clock().fill_random(&mut random);
        let id = identity::message_id(&registration.id, &random);
        let request = attempt::request(&registration, &id, &payload, now_ms, inner.options.timeout);
        let result = inner.transport.deliver(request).await;
        Ok(Tested {
            status_code: result.status,
            duration_ms: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            error: result.error,
        })
    }

    /// Refuses a url that leads to no address that may be reached.
    pub async fn vet(&self, url: &str) -> Result<()> {
        self.inner.transport.vet(url).await.map_err(|why| {
            let error = match why {
                Vetted::Malformed(why) => {
                    Error::invalid("invalid_webhook", format!("`url` is not valid: {why}"))
                }
                Vetted::Refused(why) => {
                    let message = format!("`url` is refused: {why}");
                    Error::new(ErrorKind::Unprocessable, "url_refused", message)
                }
            };
            error.with("field", "url")
        })
    }

    /// What gives a webhook a new secret and, where it has one, a new signing key; the old ones go on signing for 24 h.
    pub fn rotation(&self, webhook: &str) -> Result<Operation> {
        let registration = self.get(webhook)?;
        let clock = self.inner.engine.clock();
        let change = Rotation {
            registry: Arc::clone(&self.inner.registry),
            secret: Secret::generate(&**clock),
            key: SigningKey::generate(&**clock)?,
            now_ms: clock.now_ms(),
        };
        Ok(Operation::Change {
            collection: Arc::from(COLLECTION),
            id: registration.document_id(),
            change: Arc::new(change),
            if_version: None,
            absent: Absent::Refuse,
        })
    }

    /// The registration that the first operation of a commit wrote.
    pub fn written(&self, committed: &Committed) -> Result<Registration> {
        let body = committed.outcomes.first().and_then(|outcome| outcome.body.as_ref());
        let body = body.ok_or_else(|| Error::internal("a webhook was written without a body"))?;
        let body = Raw::trusted(body);
        let id = body.get("_id").ok_or_else(|| Error::internal("a webhook has no id"))?;
        self.inner.registry.decode(id, body)
    }

    /// Figures of every webhook, for metrics.
    pub async fn all_figures(&self) -> Result<BTreeMap<Arc<str>, Figures>> {
        let end = self.inner.engine.position();
        let now_ms = self.inner.engine.clock().now_ms();
        let mut all = self.ask(move |dispatcher| dispatcher.all_figures(end, now_ms)).await?;
        self.find_oldest(all.values_mut(), end, now_ms).await;
        Ok(all)
    }

    /// Time for an attempt, where a webhook does not say.
    pub fn timeout(&self) -> Duration {
        self.inner.options.timeout
    }
}

struct Rotation {
    registry: Arc<Registry>,
    secret: Secret,
    key: SigningKey,
    now_ms: u64,
}

impl Change for Rotation {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        let id = current.get("_id").unwrap_or(Raw::trusted(&[]));
        let registration = self.registry.decode(id, current)?;
        let rotated = registration.rotated(self.secret.clone(), self.key.clone(), self.now_ms);
        Ok(Some(rotated.to_bytes(self.registry.vault())))
    }
}

fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "stopping", "the server is stopping")
}
