//! One subscription on its way to one subscriber, whatever carries it.
//!
//! Guarantees: everything that was asked for and may be seen, once, in order; nothing after the credential ended or lost the
//! right; one chunk and one batch in memory, however slow the reader is.
//! Leaves to others: what carries it, and breaking silences (`sse`, `socket`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::subscribe::Start;
use headwater_engine::{Error, ErrorKind, Result};

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
use crate::session::{Session, Sight};
use crate::state::App;

/// A subscription under way.
pub(crate) struct Feed {
    app: App,
    sight: Sight,
    wire: Wire,
    registration: Registration,
    course: Course,
}

/// What is followed, and how far it has come.
enum Course {
    Events(Box<EventTopic>, Follow),
    Live(Arc<LiveTopic>, Box<Live>),
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

impl Feed {
    /// Begins where it is wanted; what is wrong is refused before anything is told.
    pub(crate) async fn open(
        app: &App,
        session: &Session,
        topic: Topic,
        wanted: &Wanted,
        wire: Wire,
        remote: Option<SocketAddr>,
    ) -> ApiResult<Self> {
        let engine = &app.engine;
        let start = start_of(wanted, engine.epoch(), engine.log().first_position(), Start::Latest)?;
        let is_fresh = start == Start::Latest;
        if matches!((&topic, start), (Topic::Live(_), Start::Earliest | Start::Time(_))) {
            return Err(invalid("from", "a position, for a live query"));
        }
        let from = position_of(engine, start).await?;
        let registration = register(app, session, &topic, from, remote)?;
        let sight = session.sight();
        let course = match topic {
            Topic::Events(topic) => {
                let follow = events::follow(app, &topic, &sight, &wire, from);
                Course::Events(Box::new(topic), follow)
            }
            Topic::Live(topic) => {
                let topic = Arc::new(topic);
                let live = if !is_fresh && outlives_rights(&sight) {
                    Live::resume(app, &topic, &sight, &wire, from).await?
                } else {
                    let reset = (!is_fresh).then_some("access");
                    Live::begin(app, &topic, &sight, &wire, reset).await?
                };
                Course::Live(topic, Box::new(live))
            }
        };
        Ok(Self { app: app.clone(), sight, wire, registration, course })
    }

    /// The position that everything told so far is of.
    pub(crate) fn cursor(&self) -> u64 {
        match &self.course {
            Course::Events(_, follow) => follow.cursor(),
            Course::Live(_, live) => live.cursor(),
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
                    if self.wait(end).await {
                        return Told::Silence;
                    }
                }
            }
        }
    }

    /// Takes the place of the caller: the same, with what a newer credential allows.
    pub(crate) async fn renew(&mut self, sight: Sight) -> Result<bool> {
        let topic = self.topic();
        let allowed = topic.is_allowed(&sight);
        self.sight = sight;
        match &mut self.course {
            Course::Events(topic, follow) => {
                topic.filter.system = self.sight.grant().is_full();
                let cursor = follow.cursor();
                *follow = events::follow(&self.app, topic, &self.sight, &self.wire, cursor);
            }
            Course::Live(_, live) if allowed => live.begin_again(&self.sight, "access").await?,
            Course::Live(..) => {}
        }
        Ok(allowed)
    }

    fn topic(&self) -> Topic {
        match &self.course {
            Course::Events(topic, _) => Topic::Events((**topic).clone()),
            Course::Live(topic, _) => Topic::Live((**topic).clone()),
        }
    }

    /// Waits for something to happen; whether the time is over instead.
    async fn wait(&mut self, end: tokio::time::Instant) -> bool {
        let stopping = self.app.stopping.clone();
        let retired = self.sight.principal().retired.clone();
        let now_ms = self.app.engine.clock().now_ms();
        let expires = self.sight.principal().expires_ms.map(|end| {
            tokio::time::Instant::now() + Duration::from_millis(end.saturating_sub(now_ms))
        });
        let wake = expires.map_or(end, |expires| expires.min(end));
        let changed = async {
            match &mut self.course {
                Course::Events(_, follow) => follow.changed().await,
                Course::Live(_, live) => live.changed().await,
            }
        };
        tokio::select! {
            biased;
            () = stopping.cancelled() => false,
            () = retired.cancelled() => false,
            () = changed => false,
            () = tokio::time::sleep_until(wake) => wake == end,
        }
    }

    /// Notes how far it has come.
    fn told(&self, events: u32) {
        self.app.figures.stream_events.fetch_add(events.into(), Ordering::Relaxed);
        self.registration.reached(self.cursor());
    }

    /// Looks at the caller again if it changed or may have ended; why the subscription ends, if it does.
    async fn look(&mut self) -> Result<Option<&'static str>> {
        let principal = self.sight.principal();
        if principal.expired(self.app.engine.clock().now_ms()) {
            return Ok(Some("credential_expired"));
        }
        if !principal.retired.is_cancelled() {
            return Ok(None);
        }
        let Some(now) = self.app.access.current(principal).await else {
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

fn register(
    app: &App,
    session: &Session,
    topic: &Topic,
    from: u64,
    remote: Option<SocketAddr>,
) -> ApiResult<Registration> {
    let follower = Follower {
        actor: Arc::clone(&session.principal().id),
        from,
        cursor: AtomicU64::new(from),
        collections: topic.collections(),
        remote,
        since_ms: app.engine.clock().now_ms(),
    };
    let most = app.engine.limits().connections_per_key;
    app.streams.register(follower, most).ok_or_else(|| {
        let message =
            format!("the credential has limits.connections_per_key ({most}) streams open");
        ApiError::too_many(message, 5).with("limit", "limits.connections_per_key")
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
