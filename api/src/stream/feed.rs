//! One subscription on its way to one subscriber, whatever carries it.
//!
//! Guarantees: everything that was asked for and may be seen, once, in order; nothing after the credential ended or lost the
//! right; one chunk and one batch in memory, however slow the reader is.
//! Leaves to others: what carries it, and breaking silences (`sse`, `socket`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::subscribe::Start;
use headwater_engine::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::channels::{Passing, Seat};
use super::events;
use super::follow::{Follow, Found};
use super::live::Live;
use super::registry::{Follower, Registration};
use super::start::{Wanted, position_of, start_of};
use super::topic::{EventTopic, LiveTopic, Topic};
use super::wire::Wire;
use crate::auth::Kind;
use crate::error::{ApiError, ApiResult};
use crate::extract::invalid;
use crate::session::{Hearing, Session, Sight};
use crate::state::App;

/// A subscription under way.
pub(crate) struct Feed {
    app: App,
    sight: Sight,
    wire: Wire,
    registration: Registration,
    /// Whether it began with what was newest.
    is_fresh: bool,
    /// The last position that the subscriber heard of.
    said: u64,
    course: Course,
    /// Its place on a channel, where it names one.
    seat: Option<Box<Seat>>,
    /// Newer eyes of the caller.
    renewals: Option<watch::Receiver<Option<Sight>>>,
}

/// What is followed, and how far it has come.
enum Course {
    Events(Box<EventTopic>, Follow),
    Live(Arc<LiveTopic>, Box<Live>),
}

/// What ended a wait.
enum Woken {
    /// There may be something new.
    Look,
    /// The time is over.
    End,
    /// Something passes on the channel.
    Passing(Vec<Arc<Passing>>),
}

/// What comes next.
pub(crate) enum Told {
    /// Frames, not empty.
    Chunk(Bytes),
    /// Nothing until the time given.
    Silence,
    /// The server is stopping.
    Stopping,
    /// The subscription has ended, and why.
    Closed(&'static str),
}

impl Course {
    fn seat(&self, app: &App) -> Option<Seat> {
        let Self::Events(topic, _) = self else { return None };
        let channel = topic.filter.channels.first()?;
        Some(app.channels.sit(app.engine.clock(), channel, topic.presence.as_deref()))
    }
}

impl Feed {
    /// Begins where it is wanted; what is wrong is refused before anything is told.
    pub(crate) async fn open(
        app: &App,
        session: &Session,
        topic: Topic,
        wanted: &Wanted,
        wire: Wire,
    ) -> ApiResult<Self> {
        let engine = &app.engine;
        let start = start_of(wanted, engine.epoch(), engine.log().first_position(), Start::Latest)?;
        let is_fresh = start == Start::Latest;
        if matches!((&topic, start), (Topic::Live(_), Start::Earliest | Start::Time(_))) {
            return Err(invalid("from", "a position, for a live query"));
        }
        let from = position_of(engine, start).await?;
        let registration = register(app, session, &topic, from)?;
        let sight = session.sight();
        let course = match topic {
            Topic::Events(topic) => {
                let follow = events::follow(app, &topic, &sight, &wire, from);
                Course::Events(Box::new(topic), follow)
            }
            Topic::Live(topic) => {
                let topic = Arc::new(topic);
                let live = if !is_fresh && outlives_rights(&sight) {
                    app.access.settled().await?;
                    Live::resume(app, &topic, &sight, &wire, from).await?
                } else {
                    let reset = (!is_fresh).then_some("access");
                    Live::begin(app, &topic, &sight, &wire, reset).await?
                };
                Course::Live(topic, Box::new(live))
            }
        };
        let seat = course.seat(app).map(Box::new);
        let app = app.clone();
        Ok(Self {
            app,
            sight,
            wire,
            registration,
            is_fresh,
            said: from,
            course,
            seat,
            renewals: None,
        })
    }

    /// Takes newer eyes of the same caller from there, as they come.
    pub(crate) fn renewed_by(&mut self, renewals: watch::Receiver<Option<Sight>>) {
        self.renewals = Some(renewals);
    }

    /// The position that everything told so far is of.
    pub(crate) fn cursor(&self) -> u64 {
        match &self.course {
            Course::Events(_, follow) => follow.cursor(),
            Course::Live(_, live) => live.cursor(),
        }
    }

    /// How a stream of server-sent events begins. One that asked for the newest says where that is: cut before its first
    /// event it would ask for the newest again.
    pub(super) fn beginning(&self) -> Bytes {
        let asks_again = self.is_fresh && matches!(self.course, Course::Events(..));
        self.wire.beginning(asks_again.then(|| self.cursor()))
    }

    /// How it is told.
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// What breaks a silence.
    pub(super) fn heartbeat(&mut self) -> Bytes {
        let cursor = self.cursor();
        let has_moved = cursor > self.said && self.is_told_of_cursor();
        if has_moved {
            self.said = cursor;
        }
        self.wire.heartbeat(has_moved.then_some(cursor))
    }

    /// Whether what was told is the picture of the cursor.
    fn is_told_of_cursor(&self) -> bool {
        match &self.course {
            Course::Events(..) => true,
            Course::Live(_, live) => live.is_following(),
        }
    }

    /// What comes next, within `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> Told {
        let end = tokio::time::Instant::now() + patience;
        loop {
            if self.app.stopping.is_cancelled() {
                return Told::Stopping;
            }
            match self.look().await {
                Ok(None) => {}
                Ok(Some(reason)) => return Told::Closed(reason),
                Err(error) => return Told::Closed(reason_of(&error)),
            }
            let found = match &mut self.course {
                Course::Events(_, follow) => follow.next().await,
                Course::Live(_, live) => live.next(&self.sight).await,
            };
            match found {
                Err(error) => return Told::Closed(reason_of(&error)),
                Ok(Found::Frames(chunk, events)) => {
                    self.told(events);
                    if !chunk.is_empty() {
                        self.said = self.cursor();
                        return Told::Chunk(chunk);
                    }
                    // A log that moves on without anything for this subscriber must not silence it.
                    if tokio::time::Instant::now() >= end {
                        return Told::Silence;
                    }
                    tokio::task::consume_budget().await;
                }
                // Only live queries are interrupted, and they see to it themselves.
                Ok(Found::Nothing | Found::Interrupted(_)) => {
                    self.registration.reached(self.cursor());
                    match self.wait(end).await {
                        Woken::Look => {}
                        Woken::End => return Told::Silence,
                        Woken::Passing(passing) => {
                            let chunk = self.passing_frames(&passing);
                            if !chunk.is_empty() {
                                return Told::Chunk(chunk);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Takes the place of the caller: the same, with what a newer credential allows.
    pub(crate) async fn renew(&mut self, mut sight: Sight) -> Result<bool> {
        if sight.equals(&self.sight) {
            self.sight = sight;
            return Ok(true);
        }
        let topic = self.topic();
        let allowed = topic.is_allowed(&sight);
        self.sight = sight;
        match &mut self.course {
            Course::Events(topic, follow) => {
                topic.filter.system =
                    topic.hearing == Hearing::Subscribe && self.sight.grant().is_full();
                let cursor = follow.cursor();
                *follow = events::follow(&self.app, topic, &self.sight, &self.wire, cursor);
            }
            Course::Live(_, live) if allowed => live.begin_again(&self.sight, "access").await?,
            Course::Live(..) => {}
        }
        Ok(allowed)
    }

    /// Newer eyes, if some came.
    fn renewal(&mut self) -> Option<Sight> {
        let renewals = self.renewals.as_mut()?;
        if !renewals.has_changed().unwrap_or(false) {
            return None;
        }
        renewals.borrow_and_update().clone()
    }

    fn topic(&self) -> Topic {
        match &self.course {
            Course::Events(topic, _) => Topic::Events((**topic).clone()),
            Course::Live(topic, _) => Topic::Live((**topic).clone()),
        }
    }

    /// Waits for something to happen, or for the time to be over.
    async fn wait(&mut self, end: tokio::time::Instant) -> Woken {
        let stopping = self.app.stopping.clone();
        let retired = self.sight.principal().retired.clone();
        let now_ms = self.app.engine.clock().now_ms();
        let expires = self.sight.principal().expires_ms.map(|end| {
            tokio::time::Instant::now() + Duration::from_millis(end.saturating_sub(now_ms))
        });
        let wake = expires.map_or(end, |expires| expires.min(end));
        let renewed = renewed(self.renewals.as_ref());
        let changed = async {
            match &mut self.course {
                Course::Events(_, follow) => follow.changed().await,
                Course::Live(_, live) => live.changed().await,
            }
        };
        let passing = async {
            match &mut self.seat {
                Some(seat) => seat.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stopping.cancelled() => Woken::Look,
            () = retired.cancelled() => Woken::Look,
            () = renewed => Woken::Look,
            () = changed => Woken::Look,
            passing = passing => Woken::Passing(passing),
            () = tokio::time::sleep_until(wake) => {
                if wake == end { Woken::End } else { Woken::Look }
            }
        }
    }

    /// What passes on the channel, as far as it was asked for.
    fn passing_frames(&self, passing: &[Arc<Passing>]) -> Bytes {
        let mut chunk = Vec::new();
        let Course::Events(topic, _) = &self.course else { return Bytes::new() };
        for one in passing.iter().filter(|one| topic.asks_for(one)) {
            one.write(&self.wire, topic.format, &mut chunk);
        }
        chunk.into()
    }

    /// Notes how far it has come.
    fn told(&self, events: u32) {
        self.app.figures.stream_events.fetch_add(events.into(), Ordering::Relaxed);
        self.registration.reached(self.cursor());
    }

    /// Looks at the caller again if it changed or may have ended; why the subscription ends, if it does.
    async fn look(&mut self) -> Result<Option<&'static str>> {
        if let Some(sight) = self.renewal() {
            return Ok((!self.renew(sight).await?).then_some("access_narrowed"));
        }
        let principal = self.sight.principal();
        if principal.expired(self.app.engine.clock().now_ms()) {
            return Ok(Some("credential_expired"));
        }
        if !principal.retired.is_cancelled() {
            return Ok(None);
        }
        // Rare and large: it must not make every idle subscription larger.
        let Some(now) = Box::pin(self.app.access.current(principal)).await else {
            return Ok(Some("credential_revoked"));
        };
        let Ok(sight) = self.sight.renewed(now, self.app.engine.limits()) else {
            return Ok(Some("access_narrowed"));
        };
        Ok((!self.renew(sight).await?).then_some("access_narrowed"))
    }
}

/// Whether a picture that somebody had by these rights can be gone on with: every change of them is an event that will be
/// seen. Claims of another issuer's token, and facts of a request, leave none.
fn outlives_rights(sight: &Sight) -> bool {
    let principal = sight.principal();
    principal.kind != Kind::External && !principal.grant.needs_request()
}

/// Waits until newer eyes came; does not take them.
async fn renewed(renewals: Option<&watch::Receiver<Option<Sight>>>) {
    if let Some(renewals) = renewals
        && renewals.clone().changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn register(app: &App, session: &Session, topic: &Topic, from: u64) -> ApiResult<Registration> {
    let follower = Follower {
        actor: Arc::clone(&session.principal().id),
        from,
        cursor: AtomicU64::new(from),
        collections: topic.collections(),
        address: session.address(),
        kind: topic.kind(),
        since_ms: app.engine.clock().now_ms(),
    };
    app.streams.register(follower, app.engine.limits()).map_err(|(limit, most)| {
        let message = format!("{limit} ({most}) streams are open");
        ApiError::too_many(message, 5).with("limit", limit)
    })
}

fn reason_of(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Gone => "position_gone",
        ErrorKind::Unavailable => "unavailable",
        // A window that has outgrown its bounds, or that a query cannot fill any more.
        ErrorKind::LimitExceeded | ErrorKind::Invalid => error.code(),
        _ => {
            tracing::error!(%error, "a subscription failed");
            "internal"
        }
    }
}
