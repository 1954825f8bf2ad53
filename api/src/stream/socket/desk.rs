//! Where the messages of a connection are answered, one after another.
//!
//! Guarantees: whoever has not said who it is gets nothing but that answer; every subscription is asked for with the
//! credential as it stands then; a refusal ends nothing.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::message::{About, Asking, Op, Refused};
use super::subscription::{Table, follow};
use super::writer::Outgoing;
use super::{answer, message};
use crate::auth::Action;
use crate::error::{ApiError, ApiResult};
use crate::session::{Guest, Session};
use crate::state::App;
use crate::stream::feed::Feed;
use crate::stream::topic::Topic;
use crate::stream::wire::Wire;

/// Messages from this size on are parsed off the async threads, bytes.
const BLOCKING_BYTES: usize = 256 << 10;

/// The connection's writer is gone.
pub(super) struct Gone;

/// What answers messages.
pub(super) struct Desk {
    pub(super) app: App,
    pub(super) guest: Guest,
    pub(super) table: Arc<Table>,
    pub(super) queue: mpsc::Sender<Outgoing>,
    /// Cancelled when the connection is gone.
    pub(super) gone: CancellationToken,
}

impl Desk {
    /// Whether it is known who speaks.
    pub(super) fn is_known(&self) -> bool {
        self.guest.session.is_some()
    }

    /// Whether nothing is left to do: no subscription, and a credential that has ended.
    pub(super) async fn is_over(&self) -> bool {
        let Some(session) = &self.guest.session else { return false };
        let principal = session.principal();
        let has_ended = principal.expired(self.app.engine.clock().now_ms())
            || principal.retired.is_cancelled()
                && self.app.access.current(principal).await.is_none();
        has_ended && self.table.is_empty()
    }

    /// Answers a message.
    pub(super) async fn handle(&mut self, text: Utf8Bytes) -> Result<(), Gone> {
        match self.parse(text).await {
            Err(refused) => self.refuse(refused).await,
            Ok(Op::Ping) => self.say(Outgoing::Message(answer::PONG)).await,
            Ok(Op::Auth(token)) => match self.authenticate(&token).await {
                Ok(()) => Ok(()),
                Err(error) => self.refuse(error.into()).await,
            },
            Ok(Op::Unsubscribe(reference)) => self.unsubscribe(reference).await,
            Ok(Op::Subscribe(list)) => {
                for asked in list {
                    match asked {
                        Ok(asked) => self.subscribe(asked).await?,
                        Err(refused) => self.refuse(refused).await?,
                    }
                }
                Ok(())
            }
        }
    }

    async fn parse(&self, text: Utf8Bytes) -> Result<Op, Refused> {
        let engine = &self.app.engine;
        if text.len() < BLOCKING_BYTES {
            return message::parse(&text, engine.limits());
        }
        let held = engine.clone();
        let parsed = engine.tasks().blocking(move || message::parse(&text, held.limits())).await;
        let panicked = || headwater_engine::Error::internal("parsing a message panicked");
        parsed.unwrap_or_else(|| Err(ApiError::from(panicked()).into()))
    }

    /// Takes a key or token as that of whoever speaks from now on.
    async fn authenticate(&mut self, token: &str) -> ApiResult<()> {
        let session = self.guest.by_token(token).await?;
        if let Some(known) = &self.guest.session
            && known.principal().id != session.principal().id
        {
            let why = "the token is another caller's than the connection's; connect again";
            return Err(ApiError::new(http::StatusCode::CONFLICT, "actor_changed", why));
        }
        self.table.renew(&session.sight());
        self.guest.session = Some(session);
        Ok(())
    }

    async fn subscribe(&mut self, asked: Asking) -> Result<(), Gone> {
        let reference = asked.reference.clone();
        let feed = match self.open(asked).await {
            Ok(feed) => feed,
            Err(error) => return self.refuse(Refused::of(reference, error)).await,
        };
        let epoch = self.app.engine.epoch();
        let begun = answer::subscribed(&reference, feed.cursor(), epoch);
        self.say(Outgoing::Message(begun)).await?;
        let place = self.table.take(reference);
        let (queue, gone) = (self.queue.clone(), self.gone.clone());
        self.app.engine.tasks().spawn("subscription", follow(feed, place, queue, gone));
        Ok(())
    }

    async fn open(&mut self, asked: Asking) -> ApiResult<Feed> {
        let known = self.guest.session.as_ref().ok_or_else(nobody)?;
        self.table.check(&asked.reference)?;
        let session = self.guest.again(known).await?;
        let topic = topic(&session, asked.about, asked.format)?;
        let wire = Wire::messages_of(&asked.reference, self.app.engine.epoch());
        let wanted = &asked.wanted;
        let feed = Feed::open(&self.app, &session, topic, wanted, wire).await?;
        self.guest.session = Some(session);
        Ok(feed)
    }

    async fn unsubscribe(&mut self, reference: String) -> Result<(), Gone> {
        let error = match self.is_known() {
            false => nobody(),
            true if self.table.leave(&reference) => return Ok(()),
            true => {
                let why = format!("there is no subscription `{reference}` on this connection");
                ApiError::not_found("ref_not_found", why)
            }
        };
        self.refuse(Refused::of(reference, error)).await
    }

    async fn refuse(&mut self, refused: Refused) -> Result<(), Gone> {
        let Refused { reference, error } = refused;
        if let Some(internal) = error.internal() {
            tracing::error!(error = internal, "a message failed");
        }
        self.guest.note(&error);
        self.say(Outgoing::Message(answer::refused(reference.as_deref(), &error))).await
    }

    async fn say(&self, outgoing: Outgoing) -> Result<(), Gone> {
        self.queue.send(outgoing).await.map_err(|_| Gone)
    }
}

fn topic(session: &Session, about: About, format: crate::extract::Format) -> ApiResult<Topic> {
    match about {
        About::Events(asked) => {
            session.check_somewhere(Action::Subscribe)?;
            asked.topic(session, format).map(Topic::Events)
        }
        About::Live(asked) => asked.topic(session, format).map(Topic::Live),
    }
}

fn nobody() -> ApiError {
    ApiError::unauthorized(
        "no credential was presented; send {\"op\":\"auth\",\"token\":...} first",
    )
}
