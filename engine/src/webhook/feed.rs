//! Reading the log for webhooks: a stretch for one that is behind, and one shared pass for all that are live.
//!
//! Guarantees: what is read is durable and visible; a body is encoded once per event and per way of seeing and
//! projecting it, however many webhooks want it; a pass says which registrations it knew.
//! Leaves to others: whether a webhook has room for what was read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::dispatcher::Shared;
use super::identity;
use super::registration::{Registration, Scope};
use super::registry::{Registry, Webhooks};
use super::sight::{Sight, see, see_matching};
use super::worker::{Item, Payload};
use crate::engine::Engine;
use crate::error::{Detail, Error, ErrorKind, Result};
use crate::event::Event;
use crate::restrict::Seen;
use crate::subscribe::{Batch, BodyFilter, Start, Subscription};

/// Most blocks of the log in one read.
const STEPS_MAX: usize = 8;
/// How long a read may take before it gives what it has.
const READ_TIME: Duration = Duration::from_millis(100);
/// Bytes of such a block, about.
const READ_BYTES: usize = 256 << 10;

/// Which events of the log a read is for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) registration: Arc<Registration>,
    /// Only these collections; none: what the registration follows.
    pub(super) collections: Vec<String>,
    /// What a replay asks of documents beside the registration.
    pub(super) filter: Option<BodyFilter>,
    /// What its owner may see.
    pub(super) sight: Arc<dyn Sight>,
}

impl Wanted {
    /// What is to be delivered of an event.
    pub(super) fn seen(&self, event: &Event<'_>) -> Seen {
        let within = self.collections.is_empty()
            || self.collections.iter().any(|name| name == event.collection);
        if !within || !self.registration.wants_place(event) {
            return Seen::Nothing;
        }
        see_matching(&*self.sight, &self.registration, event, self.filter.as_ref())
    }

    /// An event as something to deliver, if it is wanted.
    fn item(&self, event: &Event<'_>) -> Option<Item> {
        // Before the question, so that a change in between is noticed at the attempt.
        let standing = self.sight.standing(&self.registration.owner);
        match self.seen(event) {
            Seen::Nothing => None,
            seen => Some(item(event, &seen, &self.registration, standing)),
        }
    }
}

/// Part of the log to read, with limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) after: u64,
    pub(super) to: u64,
    pub(super) items_max: usize,
    pub(super) bytes_max: usize,
}

/// What a read gave: the wanted events up to a position.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    pub(super) to: u64,
}

/// What is seen of an event as something to deliver to a webhook, whose owner has that standing.
fn item(
    event: &Event<'_>,
    seen: &Seen,
    registration: &Registration,
    standing: Option<u64>,
) -> Item {
    Item {
        position: event.position,
        key: identity::document_key(event),
        event_ms: event.time_ms,
        payload: Arc::new(payload(event, seen, registration)),
        standing,
    }
}

/// What is sent for an event of which that is seen. The projection has the seen part of the document alone before it.
pub(super) fn payload(event: &Event<'_>, seen: &Seen, registration: &Registration) -> Payload {
    let Registration { format, projection, .. } = registration;
    let mut body = Vec::new();
    format.write(event, seen, projection.as_ref(), &mut body);
    let (format, projection) = (format.clone(), projection.clone());
    Payload { body: body.into(), digest: event.digest, format, projection }
}

/// Reads a part of a stretch: until a limit is reached, or some steps are done. Where the log begins later, it goes on
/// from there. Off the async threads: a filter may take its time.
pub(super) async fn read(engine: &Engine, wanted: Wanted, stretch: Stretch) -> Result<Found> {
    let (log, end) = (engine.log().clone(), engine.position());
    let clock = Arc::clone(engine.clock());
    let reading = engine.tasks().blocking(move || {
        let until = clock.monotonic() + READ_TIME;
        let mut found = Found { items: Vec::new(), to: stretch.after };
        let mut bytes = 0;
        for _ in 0..STEPS_MAX {
            let to = stretch.to.min(end);
            if found.to >= to {
                break;
            }
            let block = match log.read(found.to, READ_BYTES) {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(error) => return begin_later(error, stretch),
            };
            for record in block.iter().take_while(|record| record.position() <= to) {
                found.to = record.position();
                if let Some(item) = wanted.item(&Event::decode(&record)?) {
                    bytes += item.payload.body.len();
                    found.items.push(item);
                }
                let full = found.items.len() >= stretch.items_max || bytes >= stretch.bytes_max;
                // A filter that takes long is not to hold the place of a read for long.
                if full || clock.monotonic() >= until {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    });
    reading.await.ok_or_else(|| Error::internal("reading the log panicked"))?
}

/// Reads the wanted ones of some events, in order, up to a limit of bytes. What is not kept any more is passed over.
pub(super) async fn read_known(
    engine: &Engine,
    wanted: Wanted,
    positions: Vec<u64>,
    bytes_max: usize,
) -> Result<Found> {
    let (log, clock) = (engine.log().clone(), Arc::clone(engine.clock()));
    let reading = engine.tasks().blocking(move || {
        let until = clock.monotonic() + READ_TIME;
        let mut found = Found::default();
        let mut bytes = 0;
        for position in positions {
            found.to = position;
            let block = match log.get(position) {
                Ok(block) => block,
                Err(error) if error.kind() == ErrorKind::Gone => continue,
                Err(error) => return Err(error),
            };
            let Some(record) = block.get(position) else { continue };
            if let Some(item) = wanted.item(&Event::decode(&record)?) {
                bytes += item.payload.body.len();
                found.items.push(item);
            }
            if bytes >= bytes_max || clock.monotonic() >= until {
                break;
            }
        }
        Ok(found)
    });
    reading.await.ok_or_else(|| Error::internal("reading events panicked"))?
}

fn begin_later(error: Error, stretch: Stretch) -> Result<Found> {
    match (error.kind(), error.detail("first")) {
        (ErrorKind::Gone, Some(Detail::Number(first))) if *first > stretch.after + 1 => {
            tracing::warn!(after = stretch.after, first, "events for a webhook are past retention");
            Ok(Found { items: Vec::new(), to: first - 1 })
        }
        _ => Err(error),
    }
}

/// What one step of the shared pass gives.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// The position that the step follows.
    pub(super) after: u64,
    /// The last position of the step.
    pub(super) to: u64,
    /// The last change of the registry that the step knew.
    pub(super) change: u64,
    /// What each webhook gets.
    pub(super) items: HashMap<Arc<str>, Vec<Item>>,
    /// Webhooks that were not looked at, because they had no room.
    pub(super) left_out: Arc<HashSet<Arc<str>>>,
    /// Webhooks whose filter took too long: they have to look for themselves.
    pub(super) slow: HashSet<Arc<str>>,
}

/// Which webhooks may want an event.
struct Routes {
    sight: Arc<dyn Sight>,
    change: u64,
    all: Vec<Arc<Registration>>,
    named: HashMap<String, Vec<Arc<Registration>>>,
    custom: Vec<Arc<Registration>>,
}

impl Routes {
    fn new(webhooks: &Webhooks, change: u64, sight: Arc<dyn Sight>) -> Self {
        let (all, named, custom) = (Vec::new(), HashMap::new(), Vec::new());
        let mut routes = Self { sight, change, all, named, custom };
        for registered in webhooks.values().filter(|known| known.registration.active) {
            let registration = &hasty(&registered.registration);
            routes.custom.push(Arc::clone(registration));
            match &registration.scope {
                Scope::All => routes.all.push(Arc::clone(registration)),
                Scope::Named(names) => {
                    for name in names {
                        let list = routes.named.entry(name.clone()).or_default();
                        list.push(Arc::clone(registration));
                    }
                }
            }
        }
        routes
    }

    fn route(&self, batch: &Batch, left_out: Arc<HashSet<Arc<str>>>) -> Result<Routed> {
        let mut routed = Routed {
            after: batch.after(),
            to: batch.last_position(),
            change: self.change,
            items: HashMap::new(),
            left_out,
            slow: HashSet::new(),
        };
        if self.custom.iter().all(|registration| routed.left_out.contains(&registration.id)) {
            return Ok(routed);
        }
        for event in batch.events() {
            let event = event?;
            let none: &[_] = &[];
            let (some, more) = if event.collection.is_empty() || event.is_system() {
                (&self.custom[..], none)
            } else {
                (&self.all[..], self.named.get(event.collection).map_or(none, |list| &list[..]))
            };
            let mut made = Vec::new();
            for registration in some.iter().chain(more) {
                let id = &registration.id;
                let left_out = routed.left_out.contains(id) || routed.slow.contains(id);
                if left_out || !registration.wants_place(&event) {
                    continue;
                }
                let before = overruns(registration);
                // Before the question, so that a change in between is noticed at the attempt.
                let standing = self.sight.standing(&registration.owner);
                let seen = see(&*self.sight, registration, &event);
                if overruns(registration) != before {
                    routed.slow.insert(Arc::clone(id));
                }
                if seen == Seen::Nothing {
                    continue;
                }
                let item = Item { standing, ..made_for(&mut made, &event, seen, registration) };
                match routed.items.get_mut(&registration.id) {
                    Some(items) => items.push(item),
                    None => {
                        routed.items.insert(Arc::clone(&registration.id), vec![item]);
                    }
                }
            }
        }
        Ok(routed)
    }
}

/// A registration whose filter takes no longer than others can wait for.
fn hasty(registration: &Arc<Registration>) -> Arc<Registration> {
    match &registration.filter {
        Some(filter) => {
            let filter = Some(filter.hasty());
            Arc::new(Registration { filter, ..(**registration).clone() })
        }
        None => Arc::clone(registration),
    }
}

/// How often its filter took too long, here or elsewhere.
fn overruns(registration: &Registration) -> u32 {
    registration.filter.as_ref().map_or(0, BodyFilter::overruns)
}

/// An event as something to deliver, made once for all who see the same of it and show it in the same way.
fn made_for(
    made: &mut Vec<(Seen, Item)>,
    event: &Event<'_>,
    seen: Seen,
    registration: &Registration,
) -> Item {
    let same = |(known, item): &&(Seen, Item)| *known == seen && item.payload.is_of(registration);
    if let Some((_, item)) = made.iter().find(same) {
        return item.clone();
    }
    let item = item(event, &seen, registration, None);
    made.push((seen, item.clone()));
    item
}

/// Follows the end of the log for all webhooks, until the engine stops.
pub(super) async fn follow(
    engine: Engine,
    registry: Arc<Registry>,
    sight: Arc<dyn Sight>,
    shared: Arc<Shared>,
    mut subscription: Subscription,
    out: mpsc::Sender<Routed>,
) {
    let token = engine.tasks().token();
    let mut routes = Routes::new(&Webhooks::new(), 0, Arc::clone(&sight));
    loop {
        let batch = tokio::select! {
            batch = subscription.next() => batch,
            () = token.cancelled() => return,
        };
        let (webhooks, change) = registry.all();
        if change != routes.change {
            routes = Routes::new(&webhooks, change, Arc::clone(&sight));
        }
        match batch.and_then(|batch| routes.route(&batch, shared.full.get())) {
            Ok(routed) => {
                if out.send(routed).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the webhooks' pass over the log failed; it goes on at the end");
                let Ok(later) = engine.subscribe(Start::Latest) else { return };
                subscription = later;
                // Nobody joins a step without events, but everybody sees how far the log is.
                let (after, to) = (subscription.cursor(), subscription.cursor());
                let step = Routed { after, to, change: routes.change, ..Routed::default() };
                if out.send(step).await.is_err() {
                    return;
                }
            }
        }
    }
}
