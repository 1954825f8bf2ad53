//! A live query on its way to one subscriber: a snapshot, `ready`, then what enters, changes and leaves.
//!
//! Guarantees: snapshot and tail meet at one position, with nothing between lost or doubled; whoever goes on after a
//! position is told what the position's picture lacks, or that its picture is void (`reset`) and then a new one: where
//! rights changed, or events were erased, in between.
//! Leaves to others: who may follow, and how long to wait ([`feed`](super::feed)).

mod audience;
mod frames;
mod snapshot;

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::{Engine, Result};

use super::follow::{Follow, Found};
use super::start::epoch_text;
use super::topic::LiveTopic;
use super::wire::Wire;
use crate::session::Sight;
use audience::{LiveAudience, LiveReader};
use frames::Frames;
use snapshot::Telling;

/// A live query and where it is.
pub(super) struct Live {
    engine: Engine,
    topic: Arc<LiveTopic>,
    frames: Frames,
    stage: Stage,
}

enum Stage {
    /// The snapshot is told.
    Snapshot(Box<Telling>),
    /// Changes are told.
    Following(Follow),
}

impl Live {
    /// Begins with a snapshot, of which the first part is read at once, so that what is wrong shows before anything is told.
    /// `reset` says why the picture that the subscriber had is void.
    pub(super) async fn begin(
        engine: &Engine,
        topic: &Arc<LiveTopic>,
        sight: &Sight,
        wire: &Wire,
        reset: Option<&'static str>,
    ) -> Result<Self> {
        let frames = frames(engine, topic, wire);
        let telling = Telling::begin(engine, topic, sight, reset).await?;
        let stage = Stage::Snapshot(Box::new(telling));
        Ok(Self { engine: engine.clone(), topic: Arc::clone(topic), frames, stage })
    }

    /// Goes on after a position that the subscriber has the picture of.
    pub(super) fn resume(
        engine: &Engine,
        topic: &Arc<LiveTopic>,
        sight: &Sight,
        wire: &Wire,
        position: u64,
    ) -> Self {
        let frames = frames(engine, topic, wire);
        // What happened to rights while it was away, only the log tells.
        let now = engine.position();
        let follow = follow(engine, topic, sight, &frames, (position, now)).reading_until(now);
        let stage = Stage::Following(follow);
        Self { engine: engine.clone(), topic: Arc::clone(topic), frames, stage }
    }

    /// Whether what was told until now is the picture of a position.
    pub(super) fn is_resumed(&self) -> bool {
        matches!(self.stage, Stage::Following(_))
    }

    /// The position that is told of.
    pub(super) fn cursor(&self) -> u64 {
        match &self.stage {
            Stage::Snapshot(telling) => telling.position(),
            Stage::Following(follow) => follow.cursor(),
        }
    }

    /// Voids what was told and begins again.
    pub(super) async fn begin_again(&mut self, sight: &Sight, reason: &'static str) -> Result<()> {
        let telling = Telling::begin(&self.engine, &self.topic, sight, Some(reason)).await?;
        self.stage = Stage::Snapshot(Box::new(telling));
        Ok(())
    }

    /// Takes what there is.
    pub(super) async fn next(&mut self, sight: &Sight) -> Result<Found> {
        let follow = match &mut self.stage {
            Stage::Following(follow) => follow,
            Stage::Snapshot(telling) => {
                let (chunk, is_last) = telling.next(&self.frames).await?;
                if is_last {
                    let position = telling.position();
                    let from = (position, 0);
                    let next = follow(&self.engine, &self.topic, sight, &self.frames, from);
                    self.stage = Stage::Following(next);
                }
                return Ok(Found::Frames(chunk, 0));
            }
        };
        match follow.next().await? {
            Found::Interrupted(reason) => {
                self.begin_again(sight, reason).await?;
                Ok(Found::Frames(Bytes::new(), 0))
            }
            found => Ok(found),
        }
    }

    /// Waits until there may be something new. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        if let Stage::Following(follow) = &mut self.stage {
            follow.changed().await;
        }
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

/// A place among those who follow the same live query, after a position; up to another, rights may have changed unheard.
fn follow(
    engine: &Engine,
    topic: &LiveTopic,
    sight: &Sight,
    frames: &Frames,
    (position, unheard): (u64, u64),
) -> Follow {
    let audience = LiveAudience::new(topic, sight, frames.clone());
    let reader = Arc::new(LiveReader::new(topic, sight, unheard));
    Follow::new(engine, audience.key(), position, audience, Some(reader))
}
