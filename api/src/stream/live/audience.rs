//! Those who follow the same live query without a window: they are told the same of each event.

use std::sync::Arc;

use headwater_engine::subscribe::fanout::{Audience, GroupKey, Interest, Interests};
use headwater_engine::subscribe::live::{Change, LiveQuery};
use headwater_engine::subscribe::{BodyFilter, BodyProjection};
use headwater_engine::{Event, Result};

use super::super::follow::Reader;
use super::super::group::{KeyMaker, equality};
use super::super::topic::LiveTopic;
use super::frames::Frames;
use crate::auth::Grant;
use crate::session::Sight;

/// The collection whose documents are the collections: a drop is an event of it.
const COLLECTIONS: &str = "_collections";

/// What is asked for, seen and said.
pub(super) struct LiveAudience {
    query: LiveQuery,
    grant: Arc<Grant>,
    frames: Frames,
}

impl LiveAudience {
    pub(super) fn new(topic: &LiveTopic, sight: &Sight, frames: Frames) -> Self {
        Self { query: topic.query(sight), grant: Arc::clone(sight.shared_grant()), frames }
    }

    /// Equal for equal audiences.
    pub(super) fn key(&self) -> GroupKey {
        let frames = &self.frames;
        let mut key = KeyMaker::new(b"live", &self.grant, frames.format, &frames.wire);
        key.bytes(Some(self.query.collection.as_bytes()));
        key.bytes(self.query.filter.as_ref().map(BodyFilter::source));
        key.bytes(frames.projection.as_ref().map(BodyProjection::source));
        key.finish()
    }
}

impl Audience for LiveAudience {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !self.query.concerns(event) {
            return;
        }
        let Some(id) = event.id() else { return };
        let frames = &self.frames;
        match self.query.change(event) {
            Change::Enter(document) => {
                frames.document("enter", Some(event.position), event.position, id, &document, out);
            }
            Change::Update(document) => {
                frames.document("update", Some(event.position), event.position, id, &document, out);
            }
            Change::Leave(reason) => {
                frames.leave(Some(event.position), event.position, id, reason, out)
            }
            Change::Dropped => {
                frames.reset("dropped", out);
                frames.ready(event.position, 0, out);
            }
            // Whoever reads the log begins again at such an event; whoever follows live was told before it was erased.
            Change::Nothing | Change::Erased => {}
        }
    }

    fn overruns(&self) -> u32 {
        let projection = self.frames.projection.as_ref().map_or(0, BodyProjection::overruns);
        self.query.filter.as_ref().map_or(0, BodyFilter::overruns) + projection
    }

    fn interests(&self) -> Interests {
        interests(&self.query, &self.grant)
    }
}

/// Where the events lie that may change the result of a query for those who see by a grant.
pub(super) fn interests(query: &LiveQuery, grant: &Grant) -> Interests {
    let collection = &query.collection;
    let equality = equality(grant, collection, query.filter.as_ref());
    let own = Interest { collection: collection.clone(), equality };
    let drops = Interest { collection: COLLECTIONS.to_owned(), equality: None };
    Interests::In(vec![own, drops])
}

/// What a live query looks at in events that it reads from the log.
pub(super) struct LiveReader {
    query: LiveQuery,
    /// Who looks, and up to where its rights may have changed without its having been told; `None`: that is not looked at.
    caller: Option<(Sight, u64)>,
}

impl LiveReader {
    pub(super) fn new(topic: &LiveTopic, sight: &Sight, until: u64) -> Self {
        Self { query: topic.query(sight), caller: Some((sight.clone(), until)) }
    }

    /// One that looks for erased events alone.
    pub(super) fn of_erasures(query: LiveQuery) -> Self {
        Self { query, caller: None }
    }
}

impl Reader for LiveReader {
    fn interruption(&self, event: &Event<'_>) -> Option<&'static str> {
        if event.collection == self.query.collection && event.erased() {
            return Some("erased");
        }
        let (sight, until) = self.caller.as_ref()?;
        let may_change = event.position <= *until && event.is_system();
        (may_change && sight.principal().rests_on_event(event)).then_some("access")
    }

    fn passes_over(&self, _event: &Event<'_>) -> Result<bool> {
        Ok(false)
    }

    fn is_slow(&self) -> bool {
        false
    }
}
