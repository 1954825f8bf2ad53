//! A live query on its way to one subscriber: a snapshot, `ready`, then what enters, changes and leaves.
//!
//! Guarantees: snapshot and tail meet at one position, with nothing between lost or doubled; whoever goes on after a
//! position is told what the position's picture lacks, or that its picture is void (`reset`) and then a new one: where
//! rights changed, or events were erased, in between.
//! Leaves to others: who may follow, and how long to wait ([`feed`](super::feed)).

mod audience;
mod frames;
mod lookout;
mod snapshot;
mod window;

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::{Engine, Result};

use super::follow::{Follow, Found};
use super::start::epoch_text;
use super::topic::LiveTopic;
use super::wire::Wire;
use crate::session::Sight;
use crate::state::App;
use audience::{LiveAudience, LiveReader};
use frames::Frames;
use lookout::{Lookout, Sighted};
use snapshot::Telling;
use window::{Member, Request};

pub(crate) use window::Windows;

/// A live query and where it is.
pub(super) struct Live {
    engine: Engine,
    windows: Arc<Windows>,
    topic: Arc<LiveTopic>,
    frames: Frames,
    stage: Stage,
}

enum Stage {
    /// Nothing is told yet.
    Unbegun,
    /// It is looked whether the picture of an earlier position can be gone on with.
    Looking(Box<Lookout>),
    /// The snapshot is told.
    Snapshot(Box<Telling>),
    /// Changes are told.
    Following(Follow),
    /// A window is told of.
    Window(Box<Member>),
}

impl Live {
    /// Begins with a snapshot, of which the first part is read at once, so that what is wrong shows before anything is told.
    /// `reset` says why the picture that the subscriber had is void.
    pub(super) async fn begin(
        app: &App,
        topic: &Arc<LiveTopic>,
        sight: &Sight,
        wire: &Wire,
        reset: Option<&'static str>,
    ) -> Result<Self> {
        let mut live = Self::new(app, topic, wire);
        live.stage = live.begun(sight, reset).await?;
        Ok(live)
    }

    /// Goes on after a position that the subscriber has the picture of.
    pub(super) async fn resume(
        app: &App,
        topic: &Arc<LiveTopic>,
        sight: &Sight,
        wire: &Wire,
        position: u64,
    ) -> Result<Self> {
        let mut live = Self::new(app, topic, wire);
        live.stage = match live.window(sight) {
            Some(window) => Stage::Window(Box::new(window.resume(position).await?)),
            None => {
                let reader = LiveReader::new(topic, sight, u64::MAX);
                Stage::Looking(Box::new(Lookout::new(&live.engine, reader, position)?))
            }
        };
        Ok(live)
    }

    fn new(app: &App, topic: &Arc<LiveTopic>, wire: &Wire) -> Self {
        Self {
            engine: app.engine.clone(),
            windows: Arc::clone(&app.windows),
            topic: Arc::clone(topic),
            frames: frames(&app.engine, topic, wire),
            stage: Stage::Unbegun,
        }
    }

    /// Whether the snapshot is told, and every change since.
    pub(super) fn is_following(&self) -> bool {
        match &self.stage {
            Stage::Following(_) => true,
            Stage::Window(member) => member.is_following(),
            Stage::Unbegun | Stage::Looking(_) | Stage::Snapshot(_) => false,
        }
    }

    /// The position that is told of.
    pub(super) fn cursor(&self) -> u64 {
        match &self.stage {
            Stage::Unbegun => 0,
            Stage::Looking(lookout) => lookout.from,
            Stage::Snapshot(telling) => telling.position(),
            Stage::Following(follow) => follow.cursor(),
            Stage::Window(member) => member.cursor(),
        }
    }

    /// Voids what was told and begins again.
    pub(super) async fn begin_again(&mut self, sight: &Sight, reason: &'static str) -> Result<()> {
        self.stage = self.begun(sight, Some(reason)).await?;
        Ok(())
    }

    /// Takes what there is.
    pub(super) async fn next(&mut self, sight: &Sight) -> Result<Found> {
        let found = match &mut self.stage {
            Stage::Unbegun => return Ok(Found::Nothing),
            Stage::Looking(lookout) => match lookout.step().await? {
                Sighted::NotYet => Found::Frames(Bytes::new(), 0),
                Sighted::Void(reason) => Found::Interrupted(reason),
                Sighted::Clear => {
                    let from = lookout.from;
                    self.stage = Stage::Following(self.follow(sight, from));
                    Found::Frames(Bytes::new(), 0)
                }
            },
            Stage::Snapshot(telling) => {
                let (chunk, is_last) = telling.next(&self.frames).await?;
                if is_last {
                    let position = telling.position();
                    self.stage = Stage::Following(self.follow(sight, position));
                }
                return Ok(Found::Frames(chunk, 0));
            }
            Stage::Following(follow) => follow.next().await?,
            Stage::Window(member) => member.next().await?,
        };
        match found {
            Found::Interrupted(reason) => {
                self.begin_again(sight, reason).await?;
                Ok(Found::Frames(Bytes::new(), 0))
            }
            found => Ok(found),
        }
    }

    /// Waits until there may be something new. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        match &mut self.stage {
            Stage::Following(follow) => follow.changed().await,
            Stage::Window(member) => member.changed().await,
            Stage::Unbegun | Stage::Looking(_) | Stage::Snapshot(_) => {}
        }
    }

    /// The stage that a live query begins with.
    async fn begun(&self, sight: &Sight, reset: Option<&'static str>) -> Result<Stage> {
        if let Some(window) = self.window(sight) {
            return Ok(Stage::Window(Box::new(window.begin(reset).await?)));
        }
        let telling = Telling::begin(&self.engine, &self.topic, sight, reset).await?;
        Ok(Stage::Snapshot(Box::new(telling)))
    }

    /// The window that is asked for, if it is one.
    fn window<'a>(&'a self, sight: &'a Sight) -> Option<Request<'a>> {
        let limit = self.topic.window?;
        let Self { windows, engine, topic, frames, .. } = self;
        Some(Request { windows, engine, topic, sight, frames, limit })
    }

    /// A place among those who follow the same live query, after a position.
    fn follow(&self, sight: &Sight, position: u64) -> Follow {
        let audience = LiveAudience::new(&self.topic, sight, self.frames.clone());
        // What changes its rights from now on, its principal hears of.
        let reader = Arc::new(LiveReader::of_erasures(self.topic.query(sight)));
        Follow::new(&self.engine, audience.key(), position, audience, Some(reader))
    }
}

fn frames(engine: &Engine, topic: &LiveTopic, wire: &Wire) -> Frames {
    Frames {
        projection: topic.projection.clone(),
        format: topic.format,
        wire: wire.clone(),
        epoch: epoch_text(engine.epoch()),
    }
}
